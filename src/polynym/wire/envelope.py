"""Error, one entry of the catalogue, and GraphError, an entry raised with its values."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from polynym.wire import limits
from polynym.wire.versions import GATES, Version

Language = Literal["en", "fr", "es"]
ErrorType = Literal[
    "OAuthException",
    "GraphMethodException",
    "GraphBatchException",
    "FacebookApiException",
    "IGApiException",
    "Exception",
]
#: The second word of WWW-Authenticate.
Slug = Literal["invalid_token", "invalid_code", "invalid_request", "insufficient_scope", "unknown_error"]

#: A title and a message for the person in front of the app; an empty title is left out.
UserText = tuple[str, str]

#: Codes a caller may meet either because of a passing fault or because of itself; `is_transient` tells which.
TRANSIENT_CODES: Final = frozenset({1, 2, 4, 17, 32, 613}) | frozenset(range(80_000, 80_015))

_TOKEN_CODE: Final = 190
_PERMISSION_CODES: Final = frozenset({10, *range(200, 300)})

#: Typographic characters of the localized texts that a latin-1 header cannot carry.
_HEADER_SPELLING: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."})


@dataclass(frozen=True, slots=True)
class Error:
    """One error of the platform (or of ours) as data.

    `message` is the developer's text with `{placeholders}`. `localized` replaces it for the few messages that
    are themselves translated; `user` holds the texts meant for end users. `status` is the HTTP status of
    today's versions. `code` is None for the batch errors that carry none. `source` says where the literal
    comes from: D documented, S seed documents, C clients and recordings, K common knowledge, I ours.
    """

    name: str
    code: int | None
    message: str
    source: str
    when: str
    subcode: int | None = None
    status: int = 400
    type: ErrorType = "OAuthException"
    slug: Slug = "invalid_request"
    transient: bool = False
    user: Mapping[Language, UserText] = field(default_factory=dict, hash=False)
    localized: Mapping[Language, str] = field(default_factory=dict, hash=False)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of the values that `message` needs."""
        return frozenset(_placeholders(self.message))


def _placeholders(template: str) -> Iterator[str]:
    return (name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def language(locale: str | None) -> Language:
    """The language we have texts in for a `locale` parameter such as `fr_FR`; English when we have none."""
    head = (locale or "").replace("-", "_").partition("_")[0].lower()
    if head == "fr":
        return "fr"
    return "es" if head == "es" else "en"


class GraphError(Exception):
    """A catalogue entry raised with the values of its placeholders.

    `data` becomes `error_data`: an object, or the JSON text of one. Values are cut at ERROR_VALUE_CHARS_MAX
    and lone surrogates are replaced, so that any caller's text can be repeated. A missing value is a KeyError
    here and now.
    """

    def __init__(self, entry: Error, /, *, data: Mapping[str, object] | str | None = None, **values: object) -> None:
        self.entry = entry
        self.data = data
        self.values = {name: _printable(value) for name, value in values.items()}
        super().__init__(self.message())

    def message(self, locale: str | None = None) -> str:
        """The developer's message. Only entries with `localized` texts heed the locale."""
        template = self.entry.localized.get(language(locale), self.entry.message)
        return template.format(**self.values)

    def body(self, locale: str | None, fbtrace_id: str) -> dict[str, dict[str, object]]:
        """The response body: the platform's fields in the platform's order, undefined ones left out.

        `is_transient` is given where a client could wonder: for fault and throttle codes, and (as recorded)
        next to texts for end users.
        """
        entry = self.entry
        user = self._user_text(locale)
        error: dict[str, object] = {"message": self.message(locale), "type": entry.type}
        if entry.code is not None:
            error["code"] = entry.code
        if entry.subcode is not None:
            error["error_subcode"] = entry.subcode
        if entry.transient or entry.code in TRANSIENT_CODES or user:
            error["is_transient"] = entry.transient
        if user:
            title, text = user
            if title:
                error["error_user_title"] = title
            error["error_user_msg"] = text
        if self.data is not None:
            error["error_data"] = self.data
        error["fbtrace_id"] = fbtrace_id
        return {"error": error}

    def nested(self) -> dict[str, object]:
        """The shorter form inside a `debug_token` answer: code, message, subcode."""
        short: dict[str, object] = {"code": self.entry.code, "message": self.message()}
        if self.entry.subcode is not None:
            short["subcode"] = self.entry.subcode
        return short

    def status(self, version: Version, *, token_status: int = 400) -> int:
        """The HTTP status under a version: permission errors were 400 before v3.0 and are 403 since.

        `token_status` serves clients that expect 401 for code 190; only 400 has been seen on the wire.
        """
        if self.entry.code == _TOKEN_CODE:
            return token_status
        if self.entry.code in _PERMISSION_CODES:
            return 403 if GATES["permission_403"].holds(version) else 400
        return self.entry.status

    def www_authenticate(self) -> str:
        """The WWW-Authenticate header as the platform writes it: two quoted words and the message.

        The message is made safe for a header: control characters become spaces, quotes and backslashes are
        escaped with a backslash, what latin-1 cannot say becomes `?`, and long messages are cut.
        """
        text = self.message().translate(_HEADER_SPELLING)[: limits.ERROR_HEADER_CHARS_MAX]
        text = "".join(character if character.isprintable() else " " for character in text)
        text = text.encode("latin-1", "replace").decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
        return f'OAuth "Facebook Platform" "{self.entry.slug}" "{text}"'

    def _user_text(self, locale: str | None) -> UserText | None:
        texts = self.entry.user
        return texts.get(language(locale)) or texts.get("en")


def _printable(value: object) -> object:
    if not isinstance(value, str):
        return value
    if len(value) > limits.ERROR_VALUE_CHARS_MAX:
        value = value[: limits.ERROR_VALUE_CHARS_MAX] + "..."
    return value.encode("utf-8", "replace").decode("utf-8")
