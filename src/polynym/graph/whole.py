"""The ASGI extension `polynym.response.whole`: an answer with its header lines ready, in one write.

uvicorn checks and writes header by header, and the body in a write of its own. Most of our headers are the same in every
answer, so they are rendered once. A server offers `scope["extensions"][WHOLE]`, a function of status, header lines (each
with its line end, Content-Length among them) and body; where it is missing or says False, `send` is the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

WHOLE: Final = "polynym.response.whole"
Headers = list[tuple[bytes, bytes]]
Whole = Callable[[int, bytes, bytes], bool]


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they go over the wire. Values must be ours: nothing here looks for line ends in them."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
