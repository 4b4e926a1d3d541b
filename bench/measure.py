"""Samples, interleaved rounds, ratios and what may be said of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from bench import machine

ROUNDS = 5
#: The share of a round during which the hypervisor may have given a core to somebody else.
STOLEN_MAX = 0.05
#: Turns that a party may take to get its rounds: on a machine that is shared, most are spoilt by the neighbours.
TURNS_MAX = 60
#: (max - min) / median of a control party above which the machine was too noisy to judge.
NOISE_MAX = 0.25

Verdict = Literal["target", "floor", "short", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one party: units of work in a second, CPU µs of its process for a unit, latencies if it has any.

    `foreign` is the share of the server's core that somebody else used meanwhile, `stolen` the share of the time that the
    hypervisor took from our cores: then caches are cold and nothing can be said.
    """

    per_s: float
    cpu_us: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    foreign: float = 0.0
    stolen: float = 0.0


class Party(Protocol):
    """Somebody who does the work, once a round."""

    name: str

    def measure(self, seconds: float) -> Sample:
        """Work for so long."""


def interleave(parties: Sequence[Party], *, seconds: float, rounds: int = ROUNDS) -> dict[str, list[Sample]]:
    """Every party works in turn, so that what the machine does to one it does to all. One warm-up before.

    A turn that the hypervisor disturbed is taken again, `TURNS_MAX` times at most; if that leaves too few undisturbed
    ones, the least disturbed count and `Figure.verdict` says that nothing can be concluded.
    """
    for party in parties:
        party.measure(min(seconds, 1.0))
    turns: dict[str, list[Sample]] = {party.name: [] for party in parties}
    for _ in range(TURNS_MAX):
        for party in parties:
            if sum(sample.stolen <= STOLEN_MAX for sample in turns[party.name]) < rounds:
                turns[party.name].append(_turn(party, seconds))
    return {name: sorted(taken, key=lambda sample: sample.stolen)[:rounds] for name, taken in turns.items()}


def _turn(party: Party, seconds: float) -> Sample:
    before, began = machine.stolen_s(), time.perf_counter()
    sample = party.measure(seconds)
    stolen = machine.stolen_s() - before
    return replace(sample, stolen=stolen / (time.perf_counter() - began))


def spread(values: Sequence[float]) -> float:
    """How far apart the rounds of one party are, as a share of their median."""
    return (max(values) - min(values)) / statistics.median(values)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a goal. A ratio has to reach floor and target; with `at_most`, floor and target are upper bounds."""

    label: str
    rounds: list[float]
    floor: float
    target: float
    at_most: bool
    unit: str
    noise: float

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def verdict(self) -> Verdict:
        """What may be said; nothing good or bad of a noisy run."""
        if self.noise > NOISE_MAX:
            return "inconclusive"
        sign = -1 if self.at_most else 1
        if sign * self.value >= sign * self.target:
            return "target"
        return "floor" if sign * self.value >= sign * self.floor else "short"


def ratio(
    label: str, over: Sequence[Sample], under: Sequence[Sample], floor: float, target: float,
    *, of: Callable[[Sample], float] = lambda sample: sample.per_s, at_most: bool = False, noise: float | None = None,
) -> Figure:  # fmt: skip
    """What `over` does for one of `under`, round by round. `under` is the control whose spread tells the noise."""
    rounds = [of(mine) / of(theirs) for mine, theirs in zip(over, under, strict=True)]
    if noise is None:
        noise = max(_noise(under, of), 1.0 if any(sample.stolen > STOLEN_MAX for sample in over) else 0.0)
    return Figure(label, rounds, floor, target, at_most, "×", noise)


def _noise(control: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """How far the control's rounds are apart, or how much of its core others took; all of it without a core to itself."""
    if machine.CORES == 1:
        return 1.0
    if any(sample.stolen > STOLEN_MAX for sample in control):
        return 1.0
    return max(spread([of(sample) for sample in control]), statistics.median(sample.foreign for sample in control))


def at_most(label: str, values: Sequence[float], bound: float, unit: str, *, noise: float = 0.0) -> Figure:
    """A number that must stay below a bound."""
    return Figure(label, list(values), bound, bound, at_most=True, unit=unit, noise=noise)


@dataclass(slots=True)
class Result:
    """What one goal found out."""

    goal: str
    title: str
    unit: str
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The result as it is printed."""
        out = [f"{self.goal}  {self.title}"]
        if self.samples:
            out.append(
                f"    {'party':34} {self.unit + '/s':>11} {'min':>9} {'max':>9} {'CPU µs':>8} {'p50 ms':>7} {'p99 ms':>7}"
            )
        out += [_row(name, samples) for name, samples in self.samples.items()]
        out += [_line(figure) for figure in self.figures]
        out += [f"    {note}" for note in self.notes]
        return out

    def as_json(self) -> dict[str, Any]:
        """The result for a machine, every round included."""
        figures = [asdict(figure) | {"value": figure.value, "verdict": figure.verdict} for figure in self.figures]
        samples = {name: [asdict(sample) for sample in rounds] for name, rounds in self.samples.items()}
        return {
            "goal": self.goal, "title": self.title, "unit": self.unit, "samples": samples, "figures": figures,
            "notes": self.notes,
        }  # fmt: skip


def _row(name: str, samples: Sequence[Sample]) -> str:
    rates = [sample.per_s for sample in samples]
    cpu = statistics.median(sample.cpu_us for sample in samples)
    p50, p99 = (_median([getattr(sample, which) for sample in samples]) for which in ("p50_ms", "p99_ms"))
    return f"    {name:34} {statistics.median(rates):11,.0f} {min(rates):9,.0f} {max(rates):9,.0f} {cpu:8.1f} {p50:>7} {p99:>7}"


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f}" if known else "-"


def _line(figure: Figure) -> str:
    bounds = f"at most {figure.floor:g}" if figure.at_most else f"floor {figure.floor:g}, target {figure.target:g}"
    low, high = min(figure.rounds), max(figure.rounds)
    return (
        f"    {figure.label:34} {figure.value:8.2f} {figure.unit:2} ({low:.2f} to {high:.2f}; {bounds}; "
        f"noise {figure.noise:.0%}): {figure.verdict}"
    )
