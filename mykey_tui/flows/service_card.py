"""Step 2 of linking: the service ID from a point card, a scanner or the keyboard."""

from __future__ import annotations

from mykey_tui.card.blocks import NumberPlace, read_number
from mykey_tui.card.connection import CardConnection, CardReader
from mykey_tui.card.storage import is_storage_card, read_uid
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import CheckDigitError, MalformedIdError, MyNumberTypedError
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.flows.identify import with_card
from mykey_tui.flows.outcomes import ServiceCardOutcome, ServiceCardRead, Stopped
from mykey_tui.flows.stopping import stopped_by


def check_service_id(text: str, service_id_format: ServiceIdFormat) -> ServiceCardOutcome:
    """Check what was read, scanned or typed: S-FMT carries `position`."""
    try:
        return ServiceCardRead(service_id_format.check(text))
    except CheckDigitError:
        return Stopped(Code.SERVICE_ID_CHECK)
    except MalformedIdError as error:
        return Stopped(Code.SERVICE_ID_MALFORMED, {"position": str(error.position)})
    except MyNumberTypedError as error:
        return stopped_by(error)


def read_service_card(
    reader: CardReader, service_id_format: ServiceIdFormat, place: NumberPlace | None = None
) -> ServiceCardOutcome:
    """The number of the storage card that lies there, as upper-case hexadecimal.

    Where the provider's cards carry a number in a readable block, `place` says where: that text is
    the number then, and never the card's own. S-RANDOM for a number that changes at each tap, S-FMT where the provider's numbers look
    otherwise, S-CARD for a card with a chip program: its number changes at each tap as well.
    """

    def number_of(connection: CardConnection) -> str | Stopped:
        if not is_storage_card(connection.atr):
            return Stopped(Code.SERVICE_CARD_WRONG)
        return (
            read_uid(connection).hex().upper() if place is None else read_number(connection, place)
        )

    number = with_card(reader, number_of)
    return number if isinstance(number, Stopped) else check_service_id(number, service_id_format)
