"""The real screen on a counter that was never enrolled, on a machine whose files a test wrote.

Arguments: the home, and the folder that stands for `/`. Reader, service and doctor are the real ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mykey_tui.commands.screen import LateCounter, run_screen
from mykey_tui.flows.services import TechnicianPort
from mykey_tui.settings import Settings


class CounterOfThatMachine(LateCounter):
    """Its doctor reads the test's files instead of this machine's."""

    root = Path()

    def technician(self) -> TechnicianPort | None:
        running = self._running.technician if self._running is not None else None
        if running is not None:
            running.root = self.root
        return running


def main() -> int:
    settings = Settings(home=Path(sys.argv[1]))
    counter = CounterOfThatMachine(settings)
    counter.root = Path(sys.argv[2])
    return run_screen(settings, counter, simulated=True)


if __name__ == "__main__":
    sys.exit(main())
