"""Screens beyond the first are imported when they are opened: the first paint comes sooner."""

from __future__ import annotations

# ruff: noqa: PLC0415  # that is the point of this module
from typing import Literal, assert_never

from mykey_tui.flows.outcomes import IdentifiedCard
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Host, Overlay, Place


def place_screen(place: Place, host: Host, card: IdentifiedCard | None) -> CounterScreen:
    """A new screen for `place`; `card` is step 1 of linking, where it is done already."""
    match place:
        case Place.LINK:
            from mykey_tui.screens.link import LinkScreen

            return LinkScreen(host, card)
        case Place.QUEUE:
            from mykey_tui.screens.queue import QueueScreen

            return QueueScreen(host)
        case Place.CARD:
            from mykey_tui.screens.card_view import CardScreen

            return CardScreen(host)
        case Place.DOCTOR | Place.TAPS | Place.LIVE | Place.SCAN:
            return _technicians_screen(place, host)
        case Place.RECEPTION:
            raise ValueError("the reception is never opened a second time")
        case _:
            assert_never(place)


def _technicians_screen(
    place: Literal[Place.DOCTOR, Place.TAPS, Place.LIVE, Place.SCAN], host: Host
) -> CounterScreen:
    match place:
        case Place.DOCTOR:
            from mykey_tui.screens.doctor import DoctorScreen

            return DoctorScreen(host)
        case Place.TAPS:
            from mykey_tui.screens.doctor_taps import TapsScreen

            return TapsScreen(host)
        case Place.LIVE:
            from mykey_tui.screens.doctor_live import LiveScreen

            return LiveScreen(host)
        case Place.SCAN:
            from mykey_tui.screens.scan_test import ScanTestScreen

            return ScanTestScreen(host)


def overlay_screen(overlay: Overlay, host: Host, below: CounterScreen) -> CounterScreen:
    """A new overlay over `below`."""
    match overlay:
        case Overlay.HELP:
            from mykey_tui.screens.help import HelpScreen

            return HelpScreen(host, below)
        case Overlay.TRAY:
            from mykey_tui.screens.tray import TrayScreen

            demo = host.services.demo if host.services is not None else None
            if demo is None:
                raise ValueError("the tray exists in a demo alone")
            return TrayScreen(host, demo)
        case Overlay.TOUR:
            from mykey_tui.screens.tour import TourScreen

            return TourScreen(host)
        case Overlay.LEAVE:
            from mykey_tui.screens.leave import LeaveScreen

            return LeaveScreen(host)
        case _:
            assert_never(overlay)
