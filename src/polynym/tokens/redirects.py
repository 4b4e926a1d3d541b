"""Redirects: where a login may send people, and the addresses that carry its result. Pure.

An address is allowed when it stands among the app's valid redirect URIs letter for letter, query included; only `state` is
left out of the comparison (contract graph 4.2). Nothing is decoded, resolved or made lower case, so there is no spelling
of an address that passes here and is somewhere else in a browser. One exception, for development: an entry whose host is
a loopback name may have `*` as its port, and `/*` as its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

REDIRECT_CHARS_MAX: Final = 2_000
#: Where applications without a web server of their own are sent; always allowed.
DESKTOP: Final = "https://www.facebook.com/connect/login_success.html"
#: Scheme, host and an optional port; then path and query of printable ASCII without a fragment, a backslash or a user.
_FORM: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{1,31})://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-\[\]-~]*)?(?P<query>\?[!$-\[\]-~]*)?\Z"
)
_LOOPBACK: Final = re.compile(r"http://(?P<host>127\.0\.0\.1|localhost|\[::1\]):\*(?P<path>/[!-~]*)\Z")
_ANY_PATH: Final = "/*"
_PORT_MAX: Final = 65_535
#: What a browser runs instead of visiting.
_NEVER: Final = frozenset(("javascript", "data", "vbscript", "file", "blob", "about", "view-source"))


def allowed(given: str, registered: Iterable[str]) -> bool:
    """Whether an app with these valid redirect URIs may have people sent to `given`."""
    parts = _FORM.match(given)
    if parts is None or len(given) > REDIRECT_CHARS_MAX or parts["scheme"] in _NEVER:
        return False
    if parts["port"] is not None and not 0 < int(parts["port"]) <= _PORT_MAX:
        return False
    bare = without_state(given)
    parts = _FORM.match(bare)
    return bare == DESKTOP or any(bare == without_state(entry) or _loopback(parts, entry) for entry in registered)


def _loopback(parts: re.Match[str] | None, entry: str) -> bool:
    """Whether a development entry with any port, and perhaps any path, covers an address on this machine."""
    pattern = _LOOPBACK.match(entry)
    if pattern is None or parts is None or parts["scheme"] != "http" or parts["host"] != pattern["host"]:
        return False
    path = parts["path"] or "/"
    return pattern["path"] == _ANY_PATH or path + (parts["query"] or "") == pattern["path"]


def without_state(address: str) -> str:
    """The address without its `state` parameters, the rest letter for letter."""
    path, mark, query = address.partition("?")
    if not mark:
        return address
    kept = [part for part in query.split("&") if part.partition("=")[0] != "state"]
    return f"{path}?{'&'.join(kept)}" if kept else path


def with_query(address: str, values: Mapping[str, str]) -> str:
    """The address with more parameters behind those it has."""
    if not values:
        return address
    return f"{address}{_joint(address)}{urlencode(values)}"


def with_fragment(address: str, values: Mapping[str, str], *, marked: bool) -> str:
    """The address with a fragment of parameters. `marked` puts a `?` before it, as the platform does for tokens (K)."""
    mark = "?" if marked and "?" not in address else ""
    return f"{address}{mark}#{urlencode(values)}"


def _joint(address: str) -> str:
    if "?" not in address:
        return "?"
    return "" if address.endswith(("?", "&")) else "&"
