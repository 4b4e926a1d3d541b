"""Where a URL leads: strict reading of URLs and judgement of network addresses. Pure.

Nothing here resolves names. `parse_url` reads what was written, `classify` judges an address that came out of
resolution; `gate` does what is between. The tables are our own because `ipaddress.is_global` changes between Python
versions and calls NAT64, 6to4 and multicast addresses global.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal
from urllib.parse import quote

Kind = Literal["public", "loopback", "special"]

URL_CHARS_MAX = 2_048
_HOST_CHARS_MAX = 253
_PORTS = 65_536
_DEFAULT_PORTS = {"http": 80, "https": 443}

_LOOPBACK_4 = IPv4Network("127.0.0.0/8")

#: IANA's IPv4 special-purpose registry, multicast and what is reserved, without splitting hairs inside a block.
_SPECIAL_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT; also one cloud's metadata service, 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, is a virtual machine's host on one cloud
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)

#: The only IPv6 space handed out for the public internet; everything outside it is special.
_UNICAST_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries any IPv4 address, the public relays are gone
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")

#: ISATAP interface ids end in an IPv4 address, whatever the prefix.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def classify(address: str) -> Kind:
    """Judge one address in the text form that resolution gives.

    "special" is everything that is neither the public internet nor plainly this machine: private, link-local,
    multicast, reserved, scoped, or an IPv6 address that wraps such an IPv4 address. Text that is no address is special.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "special"
    return _classify_4(parsed) if isinstance(parsed, IPv4Address) else _classify_6(parsed)


def _classify_4(address: IPv4Address) -> Kind:
    if address in _LOOPBACK_4:
        return "loopback"
    return "special" if any(address in block for block in _SPECIAL_4) else "public"


def _classify_6(address: IPv6Address) -> Kind:
    if address.scope_id is not None:
        return "special"
    if address.is_loopback:
        return "loopback"
    inner = _embedded_4(address)
    # A wrapped loopback address is never how anybody names this machine: special, not loopback.
    if inner is not None and _classify_4(inner) != "public":
        return "special"
    if address.ipv4_mapped is not None or address in _NAT64:
        return "public"
    if address not in _UNICAST_6 or any(address in block for block in _SPECIAL_6):
        return "special"
    return "public"


def _embedded_4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, NAT64 or ISATAP address. Compatible, 6to4 and Teredo are refused as blocks."""
    bits = int(address)
    if address.ipv4_mapped is not None or address in _NAT64 or (bits >> 32) & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(bits & 0xFFFF_FFFF)
    return None


class UrlError(ValueError):
    """A URL that is not sent to, and why in words for its owner."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL as it will be used: `host` is ASCII, lower case, without brackets and final dot; `path` has the query."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header: the port is left out when it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_BRACKETED = re.compile(r"\[(?P<host>[0-9A-Fa-f:.]+)\](?::(?P<port>.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[0-9]{1,5}")
#: sharp s, final sigma and the joiners mean different names in the old and the new IDNA.
_AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")
_PATH_SAFE = "!$%&'()*+,/:;=?@[]~"


def parse_url(url: str) -> Target:
    """Read an absolute http(s) URL strictly: what two parsers could read differently is refused, not repaired.

    Names may be international; numeric hosts must be plain dotted quads. Raises UrlError.
    """
    if len(url) > URL_CHARS_MAX:
        raise UrlError("The URL is too long.")
    if "\\" in url or any(char <= " " or char == "\x7f" or char.isspace() for char in url):
        raise UrlError("The URL has a space, a control character or a backslash.")
    match = _URL.fullmatch(url)
    if match is None:
        raise UrlError("The URL must be absolute, such as https://example.com/webhook.")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlError("The URL must begin with http:// or https://.")
    host, port = _split_authority(match["authority"])
    return Target(
        scheme="https" if scheme == "https" else "http",
        host=host,
        port=_DEFAULT_PORTS[scheme] if port is None else _port(port),
        path=_path(match["path"] or "/", match["query"] or ""),
    )


def _split_authority(authority: str) -> tuple[str, str | None]:
    if "@" in authority:
        raise UrlError("The URL must not contain a user name or password.")
    if authority.startswith("["):
        return _bracketed(authority)
    host, colon, port = authority.partition(":")
    return _name(host), port if colon else None


def _bracketed(authority: str) -> tuple[str, str | None]:
    match = _BRACKETED.fullmatch(authority)
    if match is None:
        raise UrlError("The URL's IPv6 address cannot be read.")
    try:
        return str(IPv6Address(match["host"])), match["port"]
    except ValueError:
        raise UrlError("The URL's IPv6 address cannot be read.") from None


def _name(written: str) -> str:
    """The ASCII form of a host name or a canonical dotted quad."""
    host = _ascii(written).lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > _HOST_CHARS_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlError("The URL's host name is not a valid name.")
    # 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 are all loopback to a resolver; nobody writes them in good faith.
    if _NUMBER_LABEL.fullmatch(labels[-1]) and not _is_dotted_quad(host):
        raise UrlError("The URL's host is a number that is not a plain IPv4 address.")
    return host


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    if _AMBIGUOUS.search(host):
        raise UrlError("The URL's host name is ambiguous; write it in its xn-- form.")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UrlError("The URL's host name is not a valid name.") from None


def _is_dotted_quad(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def _port(text: str) -> int:
    port = int(text) if _PORT.fullmatch(text) else 0
    if not 0 < port < _PORTS:
        raise UrlError("The URL's port is not a number from 1 to 65535.")
    return port


def _path(path: str, query: str) -> str:
    try:
        return quote(path + query, safe=_PATH_SAFE)
    except UnicodeError:
        raise UrlError("The URL's path is not valid text.") from None
