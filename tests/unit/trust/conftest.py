from datetime import UTC, datetime
from pathlib import Path

import pytest

from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import Anchors, load_anchors

VECTORS = Path(__file__).parents[2] / "vectors" / "certs"


@pytest.fixture
def at() -> datetime:
    """The day on which the vectors are judged."""
    return datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def anchors() -> Anchors:
    return load_anchors(anchors_dir())


@pytest.fixture(scope="session")
def vectors() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in VECTORS.glob("*.der")}
