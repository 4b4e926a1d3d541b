"""Call and Answer: one request and its result, whatever carried it (HTTP, or an item of a batch)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from polynym.core.ctx import Caller


@dataclass(slots=True)
class Upload:
    """One uploaded file of a multipart body."""

    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class Call:
    """One Graph call.

    `segments` is the path without version and empty parts; `version` is the effective version. `params` is the merged bag:
    strings from query and form, native values from JSON bodies. `query` is what a paging link repeats: the same parameters
    as texts. `repeated` names parameters that came more than once from one source.
    """

    method: str
    segments: tuple[str, ...]
    version: tuple[int, int]
    params: dict[str, Any]
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    header_token: str | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    if_none_match: str | None = None
    origin: str = ""
    locale: str = "en_US"
    #: Whether `locale` was asked for; otherwise the caller's own takes its place.
    locale_given: bool = False
    client: str = ""
    in_batch: bool = False
    caller: Caller | None = None
    #: What this call may still cost, in nodes; shared by the items of a batch.
    budget: Budget | None = None


@dataclass(slots=True)
class Budget:
    """Nodes that one HTTP request may still touch; spent before any query runs."""

    nodes: int

    def spend(self, nodes: int) -> bool:
        """Take `nodes` from the budget; False, and nothing taken, when it does not reach."""
        if nodes > self.nodes:
            return False
        self.nodes -= nodes
        return True


@dataclass(slots=True)
class Answer:
    """The result of a call: a JSON value (or ready bytes) with its status and extra headers."""

    status: int
    value: Any
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    error: bool = False
    content_type: bytes | None = None
