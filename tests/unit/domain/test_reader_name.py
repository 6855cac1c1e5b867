"""A reader's name goes into the evidence sheet and the tested-reader list; its number does not."""

from __future__ import annotations

import pytest

from mykey_tui.domain.reader_name import bare_reader_name


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("ACS ACR122U PICC Interface 00 00", "ACS ACR122U PICC Interface"),
        ("SCM SCR 331 (80000F3A) 00 00", "SCM SCR 331"),
        ("SONY FeliCa RC-S300/S (0812345) 00 00", "SONY FeliCa RC-S300/S"),
        (
            "Gemalto Prox-DU [Prox-DU Contactless_09A00795] (09A00795) 01 00",
            "Gemalto Prox-DU [Prox-DU Contactless_*]",
        ),
        (
            "Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Reader] (55041234567890) 00 00",
            "Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Reader]",
        ),
        ("Maker Reader SN20481234AB 00 00", "Maker Reader *"),
        ("Virtual reader (SIMULATED)", "Virtual reader"),
        ("Broken (", "Broken ("),
        ("Empty () 00 00", "Empty"),
        ("", ""),
        ("\x1b[2Jreader", "␦[2Jreader"),
    ],
)
def test_the_serial_number_of_a_device_is_left_out(name: str, bare: str) -> None:
    assert bare_reader_name(name) == bare


def test_a_name_without_end_is_cut() -> None:
    assert len(bare_reader_name("reader " * 10_000)) <= 96
