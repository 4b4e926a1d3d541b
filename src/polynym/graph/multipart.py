"""A multipart/form-data body -> texts and uploads."""

from __future__ import annotations

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from polynym.graph.call import Upload
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

#: RFC 2046: a boundary has at most 70 characters.
BOUNDARY_BYTES_MAX: Final = 70
#: Characters of a file name, a content type or a part's name that are kept.
NAME_CHARS_MAX: Final = 255


class _Parts:
    """Collects the parts of a body from the parser's callbacks."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.files: dict[str, Upload] = {}
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._data = bytearray()
        self._count = 0

    def begin(self) -> None:
        self._count += 1
        if self._count > limits.MULTIPART_PARTS_MAX:
            raise GraphError(errors.TOO_MANY_PARAMS, limit=limits.MULTIPART_PARTS_MAX)
        self._headers = {}
        self._data = bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise GraphError(errors.BAD_BODY, reason="a part without a name")
        name = _text(options[b"name"])
        if b"filename" in options:
            content_type = self._headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
            filename = _text(options[b"filename"])[:NAME_CHARS_MAX]
            self.files[name] = Upload(name, filename, content_type[:NAME_CHARS_MAX], bytes(self._data))
        else:
            self.texts.append((name, _text(bytes(self._data))))


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise GraphError(errors.BAD_ENCODING, reason="a part of the body") from error
    if "\x00" in text:
        raise GraphError(errors.BAD_ENCODING, reason="a NUL character")
    return text


def parse_multipart(raw: bytes, content_type: str) -> tuple[list[tuple[str, str]], dict[str, Upload]]:
    """Texts in the order they came, and uploads by part name.

    Raises BAD_BODY for a body that breaks its own format or stops before its end, BAD_ENCODING, TOO_MANY_PARAMS.
    """
    _, options = parse_options_header(content_type.encode("latin-1", "replace"))
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= BOUNDARY_BYTES_MAX:
        raise GraphError(errors.BAD_BODY, reason="no usable boundary")
    parts = _Parts()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_header_field": parts.header_field,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
        },
    )
    try:
        parser.write(raw)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise GraphError(errors.BAD_BODY, reason="broken multipart") from error
    # The parser takes a body that was cut short for a whole one and forgets its last part.
    if parser.state != MultipartState.END:
        raise GraphError(errors.BAD_BODY, reason="the multipart body has no end")
    return parts.texts, parts.files
