"""Profile pictures: an initial on a plain ground, drawn by this server.

An address holds an initial and a size, sealed, and nothing else: no id, no key, nothing that two scopes could share. It is
different every time it is asked for and stops working after a while.
"""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

from polynym.core.ctx import Ctx
from polynym.core.seal import SealError
from polynym.graph.call import Answer, Call
from polynym.graph.node import Param, root
from polynym.wire import errors
from polynym.wire.errors import GraphError

_CONTEXT: Final = "picture"
PICTURE_VALID_MS: Final = 60 * 24 * 60 * 60 * 1000
SIZE_MAX: Final = 2048
_SIZES: Final = {"small": 50, "normal": 100, "large": 200, "square": 50, "album": 50}
_SOURCE: Final = "P, C: contract graph 6.6"

#: Parameters of every `picture` edge.
PICTURE_PARAMS: Final = (
    Param("type", "enum", "A named size.", choices=tuple(_SIZES)),
    Param("width", "int", "Width in pixels.", min=1, max=SIZE_MAX),
    Param("height", "int", "Height in pixels.", min=1, max=SIZE_MAX),
    Param("redirect", "bool", "false answers JSON instead of a redirect to the image.", default=True),
)
_HEADERS: Final = [
    (b"Content-Security-Policy", b"default-src 'none'; sandbox"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cache-Control", b"private, max-age=86400"),
]


def picture_url(ctx: Ctx, name: str, width: int = 50, height: int = 50) -> str:
    """An address of the picture for this name; opaque, and good for PICTURE_VALID_MS."""
    expires_s = (ctx.clock.now_ms() + PICTURE_VALID_MS) // 1000
    sealed = ctx.keyring.seal(f"{expires_s} {width} {height} {_initial(name)}", _CONTEXT)
    return f"{ctx.origin}/picture?{urlencode({'height': height, 'width': width, 'ext': expires_s, 'hash': sealed})}"


def picture_object(ctx: Ctx, name: str, width: int = 50, height: int = 50) -> dict[str, Any]:
    """The value of a `picture` field, and the JSON answer of a `picture` edge."""
    url = picture_url(ctx, name, width, height)
    return {"data": {"height": height, "is_silhouette": False, "url": url, "width": width}}


def picture_answer(
    ctx: Ctx, name: str, kind: str | None, width: int | None, height: int | None, redirect: bool
) -> Answer | dict[str, Any]:
    """What a `picture` edge answers: a redirect to the image, or where it is."""
    side = _SIZES[kind or "square"]
    across, down = width or height or side, height or width or side
    if not redirect:
        return picture_object(ctx, name, across, down)
    return Answer(302, b"", headers=[(b"Location", picture_url(ctx, name, across, down).encode())])


@root(
    "picture",
    methods=("GET",),
    doc="The image behind the address that a `picture` edge or field gave.",
    source="I",
    public=True,
    params=(Param("hash", "string", "Sealed content of the address.", required=True, max=500),),
)
async def picture(ctx: Ctx, _call: Call, hash: str) -> Answer:  # noqa: A002 - the name on the wire
    """Draw the picture. Raises PARAM_INVALID for an address that we did not make, or that has expired."""
    try:
        expires_s, across, down, initial = ctx.keyring.open(hash, _CONTEXT).split(" ", 3)
    except SealError:
        raise GraphError(errors.PARAM_INVALID, name="hash", expected="part of a picture address") from None
    if int(expires_s) * 1000 < ctx.clock.now_ms():
        raise GraphError(errors.PARAM_INVALID, name="hash", expected="part of a picture address that has not expired")
    return Answer(200, _svg(int(across), int(down), initial), list(_HEADERS), content_type=b"image/svg+xml")


def _svg(width: int, height: int, initial: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 50 50">'
        '<rect width="50" height="50" fill="#5b6b82"/>'
        '<text x="25" y="34" font-family="sans-serif" font-size="26" text-anchor="middle" fill="#fff">'
        f"{escape(initial)}</text></svg>"
    ).encode()


def _initial(name: str) -> str:
    """The first letter or digit of a name, in upper case; a question mark when it has none."""
    letters = (each for each in name if unicodedata.category(each)[0] in "LN")
    return next(letters, "?").upper()[:1]
