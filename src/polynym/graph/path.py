"""The path of a Graph call: `/{version}/{node}/{edge}` -> version and segments."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from polynym.wire.versions import Version, parse_version

#: Longer paths are split anew each time: nobody may fill the memory with them.
_CACHED_CHARS_MAX: Final = 256


def split_path(path: str) -> tuple[Version | None, tuple[str, ...]]:
    """The requested version (None when the path has none) and the rest without empty parts.

    A trailing slash and a bare version are paths too; a version that never was is a node like any other.
    """
    return _split_cached(path) if len(path) <= _CACHED_CHARS_MAX else _split(path)


def _split(path: str) -> tuple[Version | None, tuple[str, ...]]:
    segments = tuple(part for part in path.split("/") if part)
    version = parse_version(segments[0]) if segments else None
    return (version, segments[1:]) if version is not None else (None, segments)


_split_cached = lru_cache(maxsize=4096)(_split)
