"""Runs in Kinto's own environment: first sync of a collection into SQLite, then a delta. Prints JSON.

Arguments: the server's address, the file, the DSN to add rows with, how many rows, how many more.
"""

from __future__ import annotations

import json
import sqlite3  # noqa: TID251  # what a client of the peer would use; no file of ours
import sys
import time

import kinto_http  # type: ignore[import-not-found]  # only in the environment of its own
import psycopg2  # type: ignore[import-untyped]  # the same

PARENT = "/buckets/bench/collections/links"
ADD = """
INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT md5(n::text), %(parent)s, 'record', date_trunc('milliseconds', now()::timestamp) + n * interval '1 ms',
       jsonb_build_object('service_id', lpad(n::text, 10, '0'), 'status', 0), false
FROM generate_series(%(first)s, %(last)s) AS n
"""
STAMP = """
INSERT INTO timestamps (parent_id, resource_name, last_modified)
SELECT parent_id, 'record', max(last_modified) FROM objects
WHERE parent_id = %(parent)s AND resource_name = 'record' GROUP BY parent_id
ON CONFLICT (parent_id, resource_name) DO UPDATE SET last_modified = excluded.last_modified
"""


def add_rows(dsn: str, first: int, last: int) -> None:
    """By SQL, with the trigger off: by its own API a row costs milliseconds."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE objects DISABLE TRIGGER ALL")
        cursor.execute(ADD, {"parent": PARENT, "first": first, "last": last})
        cursor.execute(STAMP, {"parent": PARENT})
    connection.close()


def pull(
    client: kinto_http.Client, database: sqlite3.Connection, since: int | None
) -> tuple[int, int | None, float]:
    """All changes after `since` into the file; returns how many, the newest, and the seconds."""
    begun = time.perf_counter()
    more = {} if since is None else {"_since": since}
    records = client.get_records(**more)
    with database:
        database.executemany(
            "INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?)",
            ((r["id"], r["service_id"], r["status"], r["last_modified"]) for r in records),
        )
    newest = max((r["last_modified"] for r in records), default=since)
    return len(records), newest, time.perf_counter() - begun


def main(url: str, file: str, dsn: str, rows: int, more: int) -> None:
    """Measure, and print."""
    client = kinto_http.Client(
        server_url=url + "/v1", auth=("bench", "bench"), bucket="bench", collection="links"
    )
    client.create_bucket()
    client.create_collection()
    add_rows(dsn, 1, rows)
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode = wal")
    database.execute(
        "CREATE TABLE link (id TEXT PRIMARY KEY, sid TEXT, status INT, modified INT) WITHOUT ROWID"
    )
    figures = {}
    since = None
    for name, expected in (("first_sync", rows), ("delta", more), ("nothing_new", 0)):
        if name == "delta":
            add_rows(dsn, rows + 1, rows + more)
        count, since, seconds = pull(client, database, since)
        if count != expected:
            raise ValueError(f"{name}: {count} rows")
        figures[name] = {"rows": count, "ms": round(1000 * seconds, 1)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
