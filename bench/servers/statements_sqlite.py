"""The bare statements on SQLite: `python -m bench.servers.statements_sqlite FILE`.

Reads one JSON line [[statement, {parameters}], …], then a number of seconds a line: it executes them in turn that long and
fetches every row. The connection is set up as the server's reader is, without row objects.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from itertools import cycle


def main(path: str) -> None:
    """Answer until stdin ends."""
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("query_only = ON", "cache_size = -8000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    print("READY", flush=True)
    statements = cycle(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        until, count = started + float(line), 0
        while time.perf_counter() < until:
            for _ in range(10):
                sql, params = next(statements)
                connection.execute(sql, params).fetchall()
            count += 10
        done = {"count": count, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}
        print(f"DONE {json.dumps(done)}", flush=True)


main(sys.argv[1])
