"""Many rows at once, handed to the driver as they are.

Through SQLAlchemy's own insert each row becomes a dictionary, then a list of its values in the
statement's order, each after a look for a conversion; both drivers take our values without one.
For the rows of a push that was more time than the database itself needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import Connection, Table

Value: TypeAlias = str | int | bytes | None
_PLACE = {"qmark": "?", "pyformat": "%s"}
"""How SQLite's driver and psycopg name the places of a row's values."""


class RowInsert:
    """`INSERT` of rows that are tuples of these columns' values, in this order."""

    def __init__(self, table: Table, *columns: str) -> None:
        names = ", ".join(table.c[column].name for column in columns)
        self._statements = {
            style: f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([place] * len(columns))})"  # noqa: S608  # names of our own tables
            for style, place in _PLACE.items()
        }

    def write(self, connection: Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """Insert all of them, or raise what the driver raises, as SQLAlchemy translates it."""
        if rows:
            statement = self._statements[connection.dialect.paramstyle]
            connection.exec_driver_sql(statement, list(rows))
