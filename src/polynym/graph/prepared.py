"""Reads that were asked before: what the text of a call decides is decided once.

A business asks for the ids of one person after the other, with the same token, proof and fields: only the node in the path
differs. The first such call goes through every check; what came out of them is kept under the text it came from. A later
call with the same text needs only what can change: whether the token still means the same caller, the rate, and the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from polynym.graph.call import Call
from polynym.graph.expand import Plan
from polynym.graph.node import Edge
from polynym.graph.params import Arguments

#: Reads kept; all are forgotten when there are more.
KEPT_MAX: Final = 1024
#: Longer texts are never kept: nobody may fill the memory with them.
TEXT_BYTES_MAX: Final = 1024
#: Parameters whose meaning is not in the text alone (a time), or that ask for another page.
_NEVER: Final = frozenset(("appsecret_time", "after", "before", "offset", "debug", "ids"))

#: Query string, edge, version, Host header and scheme.
Text = tuple[bytes, str, tuple[int, int], bytes, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A read of one edge that passed every check. Its call is shared by all who ask it again, and never changed."""

    call: Call
    edge: Edge
    plan: Plan
    arguments: Arguments


class PreparedReads:
    """The reads of one world that were asked before."""

    def __init__(self) -> None:
        self._kept: dict[Text, Prepared] = {}
        self.find = self._kept.get

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, text: Text, prepared: Prepared) -> None:
        """Remember a read; only what `may_keep` allows."""
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        self._kept[text] = prepared


def may_keep(call: Call) -> bool:
    """Whether the text alone decides everything about a call that was answered."""
    return (
        call.method == "GET" and call.caller is not None and call.header_token is None and call.if_none_match is None
        and _NEVER.isdisjoint(call.params)
    )  # fmt: skip
