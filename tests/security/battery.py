"""The statistical battery of reliability B.6 case 9: what somebody who holds the ids of many people in two scopes can find
out about who is who. Pure; a finding is a sentence, no finding is good news."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import sqrt
from typing import Final

from polynym.core.ids import SCOPED_ID_MAX, SCOPED_ID_MIN

#: How often the same difference or XOR may occur among pairs: two can meet by chance, three cannot.
REPEATS_MAX: Final = 2
SIGMAS: Final = 3.0

#: Guesses, for one person's id in a scope, how near a candidate from the other scope is; less is nearer.
Distance = Callable[[int, int], float]


def findings(first: Sequence[int], second: Sequence[int], created: Sequence[int]) -> list[str]:
    """Everything that gives people away: ids of the same people in two scopes, in the order of `created` times."""
    return [
        *shape(first),
        *shape(second),
        *order(first, second, created),
        *repeats(first, second),
        *pairing(first, second),
    ]


def shape(ids: Sequence[int]) -> list[str]:
    """Ids are different, 16 digits, in their range, and use all of it."""
    found = []
    if len(set(ids)) != len(ids):
        found.append("an id is given twice")
    if not all(SCOPED_ID_MIN <= number <= SCOPED_ID_MAX < 2**53 and len(str(number)) == 16 for number in ids):
        found.append("an id is out of range")
    tenths = Counter((number - SCOPED_ID_MIN) * 10 // (SCOPED_ID_MAX - SCOPED_ID_MIN + 1) for number in ids)
    if uneven(tenths, 10, len(ids)):
        found.append("ids are not spread over their range")
    if uneven(Counter(number % 100 for number in ids), 100, len(ids)):
        found.append("the last digits of ids are not spread")
    return found


def uneven(counts: Counter[int], cells: int, total: int) -> bool:
    """Whether a chi-square test refuses that all cells are as likely; far beyond what chance does."""
    expected = total / cells
    statistic = sum((counts[cell] - expected) ** 2 / expected for cell in range(cells))
    degrees = cells - 1
    return statistic > degrees + 5 * sqrt(2 * degrees)


def order(first: Sequence[int], second: Sequence[int], created: Sequence[int]) -> list[str]:
    """Neither scope's order tells the other's, nor the order of creation."""
    bound = 4 / sqrt(len(first))
    pairs = (
        ("the two scopes", first, second),
        ("id and creation", first, created),
        ("id and creation", second, created),
    )
    return [f"{name} correlate: {rho:.4f}" for name, one, other in pairs if abs(rho := spearman(one, other)) >= bound]


def repeats(first: Sequence[int], second: Sequence[int]) -> list[str]:
    """No difference or XOR of a person's two ids, nor of neighbours in one scope, is there time and again."""
    candidates: dict[str, Iterable[int]] = {
        "difference": (b - a for a, b in zip(first, second, strict=True)),
        "XOR": (a ^ b for a, b in zip(first, second, strict=True)),
        "step in the first scope": (b - a for a, b in pairwise(first)),
        "step in the second scope": (b - a for a, b in pairwise(second)),
    }
    found = []
    for name, values in candidates.items():
        times = Counter(values).most_common(1)[0][1]
        if times > REPEATS_MAX:
            found.append(f"the same {name} occurs {times} times")
    return found


def pairing(first: Sequence[int], second: Sequence[int]) -> list[str]:
    """Told two ids of the second scope, nobody says better than a coin which one belongs to an id of the first."""
    size = len(first)
    bound = SIGMAS * 0.5 / sqrt(size)
    found = []
    for name, distance in distances(first, second).items():
        right = 0.0
        for place, one in enumerate(first):
            mine, other = second[place], second[(place + size // 2 + place % 7) % size]
            near, far = distance(one, mine), distance(one, other)
            right += 0.5 if near == far else float(near < far)
        if abs(right / size - 0.5) > bound:
            found.append(f"pairs are told apart by {name}: {right / size:.4f}")
    return found


def distances(first: Sequence[int], second: Sequence[int]) -> dict[str, Distance]:
    """Ways to guess which ids belong together."""
    places = {number: place for ids in (first, second) for place, number in enumerate(sorted(ids))}
    return {
        "nearness": lambda a, b: abs(a - b),
        "differing bits": lambda a, b: (a ^ b).bit_count(),
        "rank": lambda a, b: abs(places[a] - places[b]),
        "low bits": lambda a, b: ((a ^ b) & 0xFFFF).bit_count(),
        "high bits": lambda a, b: a >> 40 != b >> 40,
    }


def spearman(one: Sequence[int], other: Sequence[int]) -> float:
    """Rank correlation; equal values keep the order in which they came."""
    size = len(one)
    ranks = [_ranks(values) for values in (one, other)]
    squares = sum((a - b) ** 2 for a, b in zip(*ranks, strict=True))
    return 1 - 6 * squares / (size * (size * size - 1))


def _ranks(values: Sequence[int]) -> list[int]:
    ranks = [0] * len(values)
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        ranks[place] = rank
    return ranks
