"""What the guard holds clients to, and whom it counts as one client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from polynym.wire import limits

KEEP_ALIVE_S: Final = 75.0
WRITE_STALL_S: Final = 30.0
LINGER_S: Final = 2.0
CHUNK_OVERHEAD_MAX: Final = 16 * 1024
CONNECTIONS_PER_PEER_MAX: Final = 512
CONNECTIONS_LOOPBACK_MAX: Final = 10_000


AtOnce = Callable[[Any], tuple[int, bytes, bytes] | None]


def _no_trace() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Every bound of the guard. Times are seconds; `trace_id` makes the `fbtrace_id` of refusals.

    `headers` are added to refusals, for what every answer of the server carries. `at_once` may answer a GET without a task:
    status, header lines and body, or None to leave it to the application.
    """

    url_bytes_max: int = limits.URL_BYTES_MAX
    header_line_max: int = limits.HEADER_LINE_MAX
    headers_bytes_max: int = limits.HEADERS_BYTES_MAX
    headers_max: int = limits.HEADERS_MAX
    body_bytes_max: int = limits.JSON_BYTES_MAX
    multipart_bytes_max: int = limits.UPLOAD_BYTES_MAX
    chunk_overhead_max: int = CHUNK_OVERHEAD_MAX
    head_timeout_s: float = limits.HEAD_TIMEOUT_MS / 1000
    body_grace_s: float = limits.BODY_GRACE_MS / 1000
    rate_min: int = limits.BODY_RATE_MIN
    keep_alive_s: float = KEEP_ALIVE_S
    write_stall_s: float = WRITE_STALL_S
    linger_s: float = LINGER_S
    connections_per_peer_max: int = CONNECTIONS_PER_PEER_MAX
    connections_loopback_max: int = CONNECTIONS_LOOPBACK_MAX
    trace_id: Callable[[], str] = _no_trace
    at_once: AtOnce | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def peer_of(address: str) -> tuple[str, bool]:
    """Whom to count a connection for, and whether that is this machine. IPv6 is counted by /64, which one host has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address, False
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped), parsed.ipv4_mapped.is_loopback
        if not parsed.is_loopback:
            return str(IPv6Address(int(parsed) >> 64 << 64)), False
    return str(parsed), parsed.is_loopback
