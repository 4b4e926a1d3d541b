"""G8: loading a million people with four ids each, what an id takes on disk, and what size does to a match."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import machine, matching, world
from bench.measure import ROUNDS, Result, Sample, at_most, interleave, ratio
from bench.options import Options
from bench.party import Child, Server, python

#: People of the small world: 4·10^4 ids.
PEOPLE_FEW = 10_000
SCOPES = 4
#: Few enough that the answer's own time shows, not the wait for others.
CONNECTIONS = 4


def run(options: Options) -> Result:
    """Two loaders fill a database each in turn, a fifth of the people a round; then three sizes are asked."""
    loading, bytes_per_id = _load(options)
    result = Result("G8", f"load of {options.people:,} people × {SCOPES} ids on SQLite", "ids", loading)
    result.figures = [
        ratio("ids/s ÷ raw executemany", loading["polynym mint_many"], loading["raw executemany"], 0.5, 0.5),
        at_most("bytes an id, both directions", [bytes_per_id], 60, "B"),
    ]
    _serve(options, result)
    return result


def _load(options: Options) -> tuple[dict[str, list[Sample]], float]:
    part = options.people // ROUNDS
    names = {"polynym": "polynym mint_many", "raw": "raw executemany"}
    samples: dict[str, list[Sample]] = {name: [] for name in names.values()}
    with tempfile.TemporaryDirectory(prefix="polynym-bench-") as folder:
        loaders = {
            kind: Child(kind, python("bench.servers.loaders", kind, Path(folder) / f"{kind}.db")) for kind in names
        }
        try:
            for _ in range(ROUNDS):
                for kind, loader in loaders.items():
                    loader.tell(str(part))
                    done = json.loads(loader.line("DONE"))
                    ids = part * SCOPES
                    samples[names[kind]].append(Sample(ids / done["seconds"], done["cpu_s"] / ids * 1e6))
        finally:
            for loader in loaders.values():
                loader.stop()
        return samples, _bytes(Path(folder) / "polynym.db") / (part * ROUNDS * SCOPES)


def _bytes(file: Path) -> int:
    """What both tables of the links take: the file's growth over an empty one holds nothing else."""
    connection = sqlite3.connect(file)
    pages, free, size = (
        connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
    )
    connection.close()
    return int((pages - free) * size)


def _serve(options: Options, result: Result) -> None:
    sizes = (PEOPLE_FEW, options.people, options.people_many)
    places = {people: world.sqlite(people) for people in sizes}
    children = {
        people: Child(f"{people:,} people", python("bench.servers.polynym_server", place.data_dir, place.database))
        for people, place in places.items()
    }
    try:
        parties = [
            Server(
                children[people], matching.requests(places[people].facts), name=f"ID match, {people * SCOPES:,} ids",
                connections=CONNECTIONS,
            )
            for people in sizes
        ]  # fmt: skip
        samples = interleave(parties, seconds=options.seconds)
        memory = machine.memory_mb(children[options.people].pid)
    finally:
        for child in children.values():
            child.stop()
    result.samples = {**result.samples, **samples}
    few, many = samples[parties[0].name], samples[parties[-1].name]
    result.figures += [
        ratio(f"p99 at {_power(sizes[-1])} ÷ at {_power(sizes[0])} ids", many, few, 1.5, 1.5, of=_p99, at_most=True),
        ratio("CPU of a match, the same", many, few, 1.5, 1.5, of=lambda sample: sample.cpu_us, at_most=True),
        at_most(f"private memory, {options.people:,} people", [memory[1]], 96, "MB"),
    ]


def _p99(sample: Sample) -> float:
    return sample.p99_ms or 0.0


def _power(people: int) -> str:
    return f"{people * SCOPES:.0e}".replace("e+0", "·10^")


__all__: Sequence[str] = ("run",)
