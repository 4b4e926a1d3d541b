"""Binding the server's port: fail at once and say why, never shift silently."""

from __future__ import annotations

import errno
import socket


class PortBusy(Exception):
    """Somebody else listens there."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is in use")
        self.host = host
        self.port = port


def bind(host: str, port: int) -> socket.socket:
    """A bound, not yet listening socket; port 0 lets the system choose. Raises PortBusy, or OSError for a bad address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Saying TCP makes asyncio set TCP_NODELAY on what it accepts; without it an answer may wait 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(host, port) from error
        raise
    bound.set_inheritable(True)
    return bound
