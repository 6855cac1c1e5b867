"""The registry that the server's tables share, apart from the counter's."""

from __future__ import annotations

from sqlalchemy import MetaData
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
