"""The floor for the start: the smallest Textual program that shows a line."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class MinimalApp(App[None]):
    """One line of text and nothing else."""

    def compose(self) -> ComposeResult:
        """Show the line that the measurement waits for."""
        yield Static("minimal-ready", markup=False)


if __name__ == "__main__":
    MinimalApp().run(mouse=False)
