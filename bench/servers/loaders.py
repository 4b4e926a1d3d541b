"""Loading links: `python -m bench.servers.loaders polynym|raw FILE`, then a number of people a line on stdin.

`polynym` is the store's bulk path: random ids, checked against each other, both tables, one durable transaction for a part.
`raw` has its rows made and sorted beforehand, as tuples, and does nothing but executemany into the same two tables, in the
same parts, with the same settings and as durably.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from polynym.core import migrate
from polynym.core.db import connect
from polynym.core.ids import Ids
from polynym.identity import store

PART = 50_000
SCOPES = (1, 2, 3, 4)
Pairs = list[tuple[int, int]]


def _parts(first: int, people: int) -> Iterator[Pairs]:
    for start in range(first, first + people, PART):
        yield [(person, scope) for person in range(start, min(start + PART, first + people)) for scope in SCOPES]


def _asked() -> Iterator[tuple[int, int]]:
    """The first new person, and how many."""
    first = 1
    for line in sys.stdin:
        yield first, int(line)
        first += int(line)


def _done(started: float, cpu: float) -> None:
    done = {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}
    print(f"DONE {json.dumps(done)}", flush=True)


async def polynym(file: Path) -> None:
    """The store's own way."""
    db = await connect(f"sqlite:///{file}")
    await migrate.upgrade(db, [Path(store.__file__).parents[1]])
    ids = Ids()
    print("READY", flush=True)
    for first, people in _asked():
        started, cpu = time.perf_counter(), time.process_time()
        for pairs in _parts(first, people):
            await db.transaction(lambda tx, pairs=pairs: store.mint_many(tx, ids, pairs))
        _done(started, cpu)
    await db.close()


def raw(file: Path) -> None:
    """The least that can be done."""
    connection = sqlite3.connect(file, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -8000", "wal_autocheckpoint = 4000"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(
        "CREATE TABLE scoped_id (id INTEGER NOT NULL PRIMARY KEY, person BIGINT NOT NULL, scope BIGINT NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE person_scope (person BIGINT NOT NULL, scope BIGINT NOT NULL, id BIGINT NOT NULL,"
        " PRIMARY KEY (person, scope)) WITHOUT ROWID"
    )
    ids = Ids()
    print("READY", flush=True)
    for first, people in _asked():
        parts = []
        for pairs in _parts(first, people):
            links = [(person, scope, ids.scoped_id()) for person, scope in pairs]
            parts.append((sorted((number, person, scope) for person, scope, number in links), links))
        started, cpu = time.perf_counter(), time.process_time()
        for by_id, by_person in parts:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO scoped_id VALUES (?, ?, ?)", by_id)
            connection.executemany("INSERT INTO person_scope VALUES (?, ?, ?)", by_person)
            connection.execute("COMMIT")
        _done(started, cpu)
    connection.close()


if sys.argv[1] == "raw":
    raw(Path(sys.argv[2]))
else:
    uvloop.run(polynym(Path(sys.argv[2])))
