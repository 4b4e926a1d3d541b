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
    """Headers as they go over the wire. Raises ValueError when a name or value holds a line end of its own."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    text = b"".join(lines)
    if not text.count(b"\n") == text.count(b"\r") == len(lines):
        raise ValueError("a header with a line end in it")
    return text
