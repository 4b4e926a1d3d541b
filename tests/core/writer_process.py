"""A process that writes to a SQLite store, to be killed or starved by a test.

`writer_process.py acknowledge PATH`: commits numbers from several tasks, prints each once it is acknowledged, until killed.
`writer_process.py full PATH`: as if the disk filled up; prints what happened as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from itertools import count
from pathlib import Path

from polynym.core.db import Db, Unavailable, connect

INSERT = "INSERT INTO number (n, padding) VALUES (:n, :padding)"
ROOM_BYTES = 300_000


async def acknowledge(db: Db) -> None:
    """Eight writers with numbers of their own."""
    row = await db.one("SELECT CAST(COALESCE(max(n), 0) AS BIGINT) AS n FROM number")
    numbers = count((row["n"] if row else 0) + 1)

    async def write() -> None:
        while True:
            number = next(numbers)
            await db.run(INSERT, n=number, padding="x" * 100)
            os.write(1, f"{number}\n".encode())

    await asyncio.gather(*(write() for _ in range(8)))


async def fill(db: Db, path: Path) -> dict[str, object]:
    """Write until no file may grow any more, look around, then get room again."""
    acknowledged: list[int] = []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    used = os.stat(f"{path}-wal").st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + ROOM_BYTES, limits[1]))

    async def write(number: int) -> int:
        await db.run(INSERT, n=number, padding="x" * 5_000)
        acknowledged.append(number)
        return number

    refused: list[str] = []
    while not refused:
        start = len(acknowledged)
        results = await asyncio.gather(*(write(start + n) for n in range(10)), return_exceptions=True)
        refused = [type(result).__name__ for result in results if isinstance(result, BaseException)]
    readable = len(await db.all("SELECT n FROM number"))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await db.run(INSERT, n=1_000_000, padding="")
    return {"acknowledged": acknowledged, "refused": refused, "readable": readable}


async def main(mode: str, path: Path) -> None:
    """Run one of the modes."""
    db = await connect(f"sqlite:///{path}")
    await db.run("CREATE TABLE IF NOT EXISTS number (n BIGINT NOT NULL PRIMARY KEY, padding TEXT)")
    if mode == "acknowledge":
        await acknowledge(db)
    try:
        print(json.dumps(await fill(db, path)))
    except Unavailable as error:
        print(json.dumps({"error": str(error)}))
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
