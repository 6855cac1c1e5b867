"""What is said of a layer that is well: which reader, which version, how many rows."""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.diagnostics.box_rules import name_of, usable_devices
from mykey_tui.diagnostics.finding import NO_FACTS
from mykey_tui.diagnostics.known import Known
from mykey_tui.diagnostics.layer import Layer


def healthy_facts(layer: Layer, known: Known) -> Mapping[str, str]:
    """Short facts for the layer's line; none where it has none, and the plain sentence is said."""
    if layer is Layer.USB:
        devices = usable_devices(known.box) if known.box is not None else ()
        return {"reader": name_of(devices[0])} if devices else NO_FACTS
    if layer is Layer.KERNEL:
        libccid = known.box.libccid if known.box is not None else None
        return {"version": libccid.version} if libccid is not None else NO_FACTS
    if layer is Layer.READER:
        return {"reader": known.reader.reader} if known.reader.reader else NO_FACTS
    if layer is Layer.APPLICATION:
        return {"label": known.reader.label} if known.reader.label else NO_FACTS
    return _counter_facts(layer, known)


def _counter_facts(layer: Layer, known: Known) -> Mapping[str, str]:
    if layer is Layer.TRUST and known.trust is not None:
        return {"count": str(known.trust.anchors)}
    if layer is Layer.CLOCK and known.line is not None and known.line.skew_seconds is not None:
        return {"seconds": f"{abs(known.line.skew_seconds):.1f}"}
    if layer is Layer.STORE and known.store is not None:
        return {"rows": str(known.store.rows)}
    if layer is Layer.LINE and known.line is not None:
        return {"ms": str(known.line.milliseconds)}
    if layer is Layer.HANDOVER and known.handover is not None and known.handover.kind != "off":
        return {"kind": known.handover.kind}
    return NO_FACTS
