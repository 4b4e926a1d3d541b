"""G2: ID matching on PostgreSQL, fsync on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import uvloop

from bench import matching, world
from bench.measure import Result, interleave, ratio
from bench.options import Options
from bench.party import Child, Loop, Server, python
from bench.recording import record
from polynym.core.sql import numbered

#: Connections of the bare loop; the server's own pool has as many or more.
CONNECTIONS = 8
#: Requests whose statements the loop repeats.
RECORDED = 10_000


def run(options: Options) -> Result:
    """Polynym, and a loop that does nothing but the same statements. The database server is on the load's core."""
    place, cluster = world.postgresql(options.people)
    try:
        requests = matching.requests(place.facts)
        told = statements(place, requests[:RECORDED])
        with (
            Child("polynym", python("bench.servers.polynym_server", place.data_dir, place.database)) as polynym,
            Child(
                "asyncpg loop", python("bench.servers.statements_postgresql", place.database, str(CONNECTIONS))
            ) as loop,
        ):
            loop.tell(told)
            matching.check(polynym.ready, place.facts)
            ours = Server(polynym, requests, name="polynym ID match")
            control = Loop(loop)
            samples = interleave((control, ours), seconds=options.seconds)
    finally:
        cluster.stop()
    title = f"ID match on PostgreSQL, {place.facts.people:,} people, proof on"
    result = Result("G2", title, "requests", samples)
    mine, theirs = samples[ours.name], samples[control.name]
    result.figures = [
        ratio("req/s ÷ bare asyncpg loop", mine, theirs, 0.35, 0.45),
        ratio("CPU of the loop ÷ CPU", theirs, mine, 0.35, 0.45, of=lambda sample: sample.cpu_us),
    ]
    return result


def statements(place: world.Place, requests: Sequence[bytes]) -> str:
    """What the server executes for these requests, as PostgreSQL takes it."""
    recorded = uvloop.run(record(place, requests))
    out = []
    for sql, params in recorded:
        text, names = numbered(sql)
        out.append((text, [params[name] for name in names]))
    return json.dumps(out)
