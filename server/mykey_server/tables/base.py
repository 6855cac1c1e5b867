"""The registry that the server's tables share, apart from the counter's."""

from __future__ import annotations

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

_registry = registry(
    metadata=MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
        }
    )
)


class ServerTable(SQLModel, registry=_registry):
    """Base of every table of the server."""


METADATA = ServerTable.metadata


def table_of(model: type[ServerTable]) -> Table:
    """The bare table behind a model.

    The hot paths write through it: an insert by way of the model costs ten times as much.
    """
    return METADATA.tables[str(model.__tablename__)]
