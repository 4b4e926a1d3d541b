"""Names this server answers to. A page that rebinds its own name to loopback must not be answered."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Final

#: The platform's own names, whose clients are pointed here by DNS, a proxy or a Host header.
PLATFORM_HOSTS: Final = frozenset(
    name
    for service in ("graph", "graph-video", "www", "m")
    for name in (f"{service}.facebook.com", f"{service}.beta.facebook.com")
)
HOST_CHARS_MAX: Final = 255
_CACHED_MAX = 1024

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")
_LOOPBACK_4 = IPv4Network("127.0.0.0/8")


def host_allowed(host: str, accepted: Collection[str]) -> bool:
    """Whether a Host header names this server: loopback on any port, the platform's names, or one of `accepted`.

    An accepted "name" covers any port, "name:port" only that one, "*.name" everything below the name. Comparison is
    without case and final dot. Pass a frozenset: the answer is remembered per host and set.
    """
    if len(host) > HOST_CHARS_MAX:
        return False
    return _allowed(host, accepted if isinstance(accepted, frozenset) else frozenset(accepted))


@lru_cache(maxsize=_CACHED_MAX)
def _allowed(host: str, accepted: frozenset[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match["name"].removesuffix(".")
    return _is_loopback(name) or name in PLATFORM_HOSTS or _is_accepted(name, match["port"], accepted)


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return name[0] != "[" and address in _LOOPBACK_4
    return name[0] == "[" and address.is_loopback


def _is_accepted(name: str, port: str | None, accepted: frozenset[str]) -> bool:
    for entry in accepted:
        wanted = entry.lower()
        if wanted in (name, f"{name}:{port}") or (wanted.startswith("*.") and name.endswith(wanted[1:])):
            return True
    return False
