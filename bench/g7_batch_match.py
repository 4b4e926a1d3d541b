"""G7: two hundred people a call through pages_id_mapping."""

from __future__ import annotations

import json

import uvloop

from bench import matching, world
from bench.matching import BATCH
from bench.measure import Result, interleave, ratio
from bench.options import Options
from bench.party import Child, Loop, Server, python
from bench.recording import record


def run(options: Options) -> Result:
    """Polynym, and a loop that does nothing but the same statement."""
    place = world.sqlite(options.people)
    file = place.data_dir / "polynym.db"
    requests = matching.batch_requests(place.facts)
    told = json.dumps(uvloop.run(record(place, requests)))
    with (
        Child("polynym", python("bench.servers.polynym_server", place.data_dir, place.database)) as polynym,
        Child("sqlite3 loop", python("bench.servers.statements_sqlite", file)) as loop,
    ):
        loop.tell(told)
        matching.check_batch(polynym.ready, place.facts)
        ours = Server(polynym, requests, name="polynym pages_id_mapping", units=BATCH)
        control = Loop(loop, units=BATCH)
        samples = interleave((control, ours), seconds=options.seconds)
    title = f"batch match on SQLite, {BATCH} ids a call, {place.facts.people:,} people"
    result = Result("G7", title, "people", samples)
    mine, theirs = samples[ours.name], samples[control.name]
    result.figures = [
        ratio("people/s ÷ raw statement", mine, theirs, 0.30, 0.45),
        ratio("CPU of the loop ÷ CPU", theirs, mine, 0.30, 0.45, of=lambda sample: sample.cpu_us),
    ]
    return result
