"""The counter's screens: Textual only, no business rules, nothing heavy imported."""
