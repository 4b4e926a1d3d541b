"""`python -m bench [G1 G2 …] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from bench import machine, peers
from bench.measure import NOISE_MAX, ROUNDS, Result
from bench.options import Options

GOALS = {
    "G1": "bench.g1_id_match_sqlite",
    "G2": "bench.g2_id_match_postgresql",
    "G7": "bench.g7_batch_match",
    "G8": "bench.g8_load",
    "G9": "bench.g9_feel",
}


def main() -> int:
    """Run the goals; 1 when one fell short of its floor, 2 when one could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the ratios of docs/reference/bench.md."
    )
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=f"{', '.join(GOALS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small worlds and short rounds: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to a file as well")
    arguments = parser.parse_args()
    goals = [goal.upper() for goal in arguments.goals] or list(GOALS)
    if unknown := [goal for goal in goals if goal not in GOALS]:
        parser.error(f"no such goal: {', '.join(unknown)}")
    options = Options(arguments.quick)
    print(_header(options), flush=True)
    os.sched_setaffinity(0, {machine.LOAD_CORE})
    results: list[Result] = []
    failed = False
    for goal in goals:
        try:
            result: Result = importlib.import_module(GOALS[goal]).run(options)
        except (peers.MissingError, RuntimeError, OSError) as error:
            print(f"\n{goal}  not measured: {error}", flush=True)
            failed = True
            continue
        results.append(result)
        print("", *result.lines(), sep="\n", flush=True)
    if arguments.json:
        report = {
            "machine": machine.description(),
            "quick": options.quick,
            "results": [each.as_json() for each in results],
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    short = any(figure.verdict == "short" for result in results for figure in result.figures)
    return 2 if failed else int(short)


def _header(options: Options) -> str:
    scale = "quick: small worlds, short rounds, figures not for quoting" if options.quick else "full size"
    cores = (
        f"server on core {machine.SERVER_CORE}, load on core {machine.LOAD_CORE}"
        if machine.CORES > 1
        else "one core for both: every ratio is inconclusive"
    )
    load = os.getloadavg()[0]
    return (
        f"{machine.description()}\n{scale}; {ROUNDS} interleaved rounds of {options.seconds:g} s; {cores}; "
        f"load average {load:.1f}\nnoise: (max - min) / median of the control; above {NOISE_MAX:.0%} nothing is concluded"
    )


if __name__ == "__main__":
    sys.exit(main())
