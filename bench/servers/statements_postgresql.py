"""The bare statements on PostgreSQL: `python -m bench.servers.statements_postgresql URL CONNECTIONS`.

Reads one JSON line [[statement, [parameters]], …], then a number of seconds a line: every connection executes them (prepared
once) in turn that long and fetches every row.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle

import asyncpg
import uvloop


async def main(url: str, count: int) -> None:
    """Answer until stdin ends."""
    connections = [await asyncpg.connect(url, statement_cache_size=512) for _ in range(count)]
    print("READY", flush=True)
    statements = cycle(json.loads(sys.stdin.readline()))

    async def work(connection: asyncpg.Connection, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            sql, params = next(statements)
            await connection.fetch(sql, *params)
            done += 1
        return done

    for line in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        counts = await asyncio.gather(*(work(connection, started + float(line)) for connection in connections))
        done = {"count": sum(counts), "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}
        print(f"DONE {json.dumps(done)}", flush=True)


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
