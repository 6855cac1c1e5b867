"""SIMULATED cards and the test CA behind them: for the demo, for training and for the tests.

Nothing here is worth anything outside: the private keys are published with the program. This file
stays light and free of imports from the rest, because a server too asks it for the test anchors.
"""

from pathlib import Path

DATA = Path(__file__).with_name("data")


def anchors_dir() -> Path:
    """The folder of the test CA's certificates, for `trust.anchors.load_anchors`."""
    return DATA / "anchors"
