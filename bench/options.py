"""How much to measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`people` in the loaded world, `people_many` in the large one of G8, `seconds` of a round."""

    quick: bool

    @property
    def people(self) -> int:
        """People of the world that most goals use."""
        return 100_000 if self.quick else 1_000_000

    @property
    def people_many(self) -> int:
        """People of the largest world: 2·10^7 ids."""
        return 200_000 if self.quick else 5_000_000

    @property
    def seconds(self) -> float:
        """Length of a round."""
        return 1.0 if self.quick else 3.0
