"""Multipart bodies, byte for byte."""

from __future__ import annotations

from typing import Final

BOUNDARY: Final = "----toy"
MULTIPART: Final = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def multipart(*parts: tuple[str, str | bytes, str | None], end: bool = True) -> bytes:
    """A multipart body of (name, content, file name)."""
    out = b""
    for name, content, filename in parts:
        extra = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n'
        if filename is not None:
            head += "Content-Type: image/png\r\n"
        raw = content.encode() if isinstance(content, str) else content
        out += head.encode() + b"\r\n" + raw + b"\r\n"
    return out + (f"--{BOUNDARY}--\r\n".encode() if end else b"")
