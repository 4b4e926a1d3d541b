"""People as the dialog sees them; who finds them differs between the sandbox and production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from polynym.core.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can continue. `number` is internal and never shown."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A page or a business of a person."""

    id: str
    name: str


class People(Protocol):
    """Finds people and what is theirs."""

    async def find(self, ctx: Ctx, text: str) -> Person:
        """The person with this key, id, e-mail address or name. Raises PARAM_INVALID."""

    async def by_number(self, ctx: Ctx, number: int) -> Person | None:
        """The person with this internal number."""

    async def some(self, ctx: Ctx, search: str) -> Sequence[Person]:
        """Those to choose from, by name; with `search` those whose name contains it."""

    async def pages(self, ctx: Ctx, person: Person) -> Sequence[Asset]:
        """The pages on which the person has a task."""

    async def businesses(self, ctx: Ctx, person: Person) -> Sequence[Asset]:
        """The businesses that the person is in."""
