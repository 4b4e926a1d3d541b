"""Every number the wire promises: value, unit, where it comes from.

The unit is also the end of the name where the name alone would not say it. Sources begin with a letter:
D documented by the platform, S in the seed documents, C seen in clients or recordings, K common knowledge, I
ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """One number with its provenance, for the generated reference."""

    name: str
    value: int
    unit: str
    source: str
    text: str


#: Every limit by name, in order of declaration.
LIMITS: dict[str, Limit] = {}

_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_KIB = 1024
_MIB = 1024 * _KIB


def _limit(name: str, value: int, unit: str, source: str, text: str) -> int:
    LIMITS[name] = Limit(name, value, unit, source, text)
    return value


_BUDGET = "I: a read is priced before its first query"
_PARSER = "I: bounds on what a parser may be handed"
_RATES = "D docs/graph-api/overview/rate-limiting"
_MESSENGER_RATES = "D documentation/business-messaging/messenger-platform/overview/rate-limiting"

# --- reading ---

FIELDS_DEPTH_MAX = _limit(
    "FIELDS_DEPTH_MAX",
    8,
    "levels",
    _BUDGET,
    "How deep `fields=a{b{c}}` may nest; the top level is the first.",
)
FIELDS_NAMES_MAX = _limit("FIELDS_NAMES_MAX", 500, "names", _BUDGET, "Names in one `fields`, all levels together.")
FIELDS_FUNCTIONS_MAX = _limit(
    "FIELDS_FUNCTIONS_MAX", 500, "functions", _BUDGET, "Opening parentheses in one `fields`, such as `.limit(`."
)
FIELDS_CHARS_MAX = _limit("FIELDS_CHARS_MAX", 64 * _KIB, "characters", _BUDGET, "Length of one `fields`.")
FIELDS_CACHED_CHARS_MAX = _limit(
    "FIELDS_CACHED_CHARS_MAX", _KIB, "characters", _BUDGET, "Longer `fields` are parsed anew each time."
)
FIELDS_CACHED_MAX = _limit("FIELDS_CACHED_MAX", 1024, "entries", _BUDGET, "Parsed `fields` kept in memory.")
EXPANSION_NODES_MAX = _limit(
    "EXPANSION_NODES_MAX", 10_000, "nodes", _BUDGET, "Nodes one read may return by the product of its limits."
)
IDS_MAX = _limit("IDS_MAX", 50, "ids", "C snarfed/bridgy tests", "Ids in one `?ids=`.")
PAGE_LIMIT_DEFAULT = _limit(
    "PAGE_LIMIT_DEFAULT",
    25,
    "rows",
    "C koala cassette app_test_accounts",
    "Rows of a page when none are asked for.",
)
PAGE_LIMIT_MAX = _limit("PAGE_LIMIT_MAX", 100, "rows", "I: the real cap differs by edge", "Rows of one page at most.")
CURSOR_CHARS_MAX = _limit("CURSOR_CHARS_MAX", 2_048, "characters", _PARSER, "Length of an `after` or `before`.")
PAGES_ID_MAPPING_MAX = _limit(
    "PAGES_ID_MAPPING_MAX",
    200,
    "ids",
    "D docs/messenger-platform/identity/id-matching",
    "Ids in one mapping call.",
)

# --- requests ---

BATCH_MAX = _limit("BATCH_MAX", 50, "requests", "D docs/graph-api/batch-requests", "Requests in one batch.")
JSON_DEPTH_MAX = _limit("JSON_DEPTH_MAX", 64, "levels", _PARSER, "Nesting of a JSON body or parameter.")
JSON_BYTES_MAX = _limit("JSON_BYTES_MAX", _MIB, "bytes", _PARSER, "A body that is not an upload.")
INTEGER_DIGITS_MAX = _limit("INTEGER_DIGITS_MAX", 19, "digits", _PARSER, "Digits of an integer: 64 bits.")
UPLOAD_BYTES_MAX = _limit(
    "UPLOAD_BYTES_MAX",
    25 * _MIB,
    "bytes",
    "D docs/messenger-platform send API attachments",
    "A multipart body.",
)
MULTIPART_PARTS_MAX = _limit("MULTIPART_PARTS_MAX", 200, "parts", _PARSER, "Parts of a multipart body.")
PARAMS_MAX = _limit("PARAMS_MAX", 1_000, "parameters", _PARSER, "Parameters of a query string or form.")
URL_BYTES_MAX = _limit("URL_BYTES_MAX", 8 * _KIB, "bytes", _PARSER, "Path and query string together.")
HEADER_LINE_MAX = _limit("HEADER_LINE_MAX", 8 * _KIB, "bytes", _PARSER, "One header line.")
HEADERS_BYTES_MAX = _limit("HEADERS_BYTES_MAX", 32 * _KIB, "bytes", _PARSER, "All header lines together.")
HEADERS_MAX = _limit("HEADERS_MAX", 100, "headers", _PARSER, "Header lines of a request.")
HEAD_TIMEOUT_MS = _limit("HEAD_TIMEOUT_MS", 10 * _SECOND_MS, "ms", _PARSER, "Time to send all headers.")
BODY_GRACE_MS = _limit("BODY_GRACE_MS", 5 * _SECOND_MS, "ms", _PARSER, "Time before a slow body is measured.")
BODY_RATE_MIN = _limit("BODY_RATE_MIN", 1_000, "bytes/s", _PARSER, "Slowest acceptable body after the grace.")

# --- errors ---

ERROR_VALUE_CHARS_MAX = _limit(
    "ERROR_VALUE_CHARS_MAX", 2_000, "characters", _PARSER, "How much of a caller's value an error repeats."
)
ERROR_HEADER_CHARS_MAX = _limit(
    "ERROR_HEADER_CHARS_MAX", 1_000, "characters", _PARSER, "How much of a message WWW-Authenticate repeats."
)

# --- proofs and signatures ---

PROOF_TIME_TOLERANCE_S = _limit(
    "PROOF_TIME_TOLERANCE_S",
    300,
    "s",
    "D docs/graph-api/guides/secure-requests",
    "appsecret_time, either direction.",
)
SIGNED_REQUEST_CHARS_MAX = _limit(
    "SIGNED_REQUEST_CHARS_MAX", 16 * _KIB, "characters", _PARSER, "Length of a signed_request."
)

# --- tokens ---

USER_TOKEN_SHORT_MS = _limit(
    "USER_TOKEN_SHORT_MS",
    2 * _HOUR_MS,
    "ms",
    "D documentation/facebook-login/guides/access-tokens: one to two hours",
    "Life of a user token straight from the dialog.",
)
USER_TOKEN_LONG_MS = _limit(
    "USER_TOKEN_LONG_MS",
    60 * _DAY_MS,
    "ms",
    "D access-tokens/get-long-lived: about 60 days (its sample says 5183944 s: 60 days less what had passed)",
    "Life of an exchanged user token.",
)
SYSTEM_USER_TOKEN_60D = _limit(
    "SYSTEM_USER_TOKEN_60D",
    60 * _DAY_MS,
    "ms",
    "D docs/business-management-apis/system-users/install-apps-and-generate-tokens",
    "Life of a system user token made with set_token_expires_in_60_days; others never expire.",
)
DATA_ACCESS_MS = _limit(
    "DATA_ACCESS_MS",
    90 * _DAY_MS,
    "ms",
    "K",
    "How long after the last login an app may read a person's data.",
)
OAUTH_CODE_MS = _limit("OAUTH_CODE_MS", 10 * _MINUTE_MS, "ms", "K", "Life of an authorization code; it works once.")
REVIEW_MS = _limit(
    "REVIEW_MS", 48 * _HOUR_MS, "ms", "S id matching: about 48 hours", "How long a business is under review."
)

# --- rates ---

RATE_WINDOW_APP_MS = _limit("RATE_WINDOW_APP_MS", _HOUR_MS, "ms", _RATES, "Window of app and user limits, rolling.")
RATE_WINDOW_PAGE_MS = _limit("RATE_WINDOW_PAGE_MS", _DAY_MS, "ms", _RATES, "Window of business limits, rolling.")
RATE_APP_CALLS_PER_USER = _limit(
    "RATE_APP_CALLS_PER_USER", 200, "calls", _RATES, "Per daily active user of the app and hour."
)
RATE_PAGE_CALLS_PER_USER = _limit(
    "RATE_PAGE_CALLS_PER_USER", 4_800, "calls", _RATES, "Per engaged user of the page and 24 hours."
)
RATE_MESSENGER_CALLS_PER_USER = _limit(
    "RATE_MESSENGER_CALLS_PER_USER",
    200,
    "calls",
    _MESSENGER_RATES,
    "Per person a page can message and 24 hours.",
)
RATE_SEND_TEXT_PER_S = _limit(
    "RATE_SEND_TEXT_PER_S", 300, "calls/s", _MESSENGER_RATES, "Text, links, reactions, stickers; per page."
)
RATE_SEND_MEDIA_PER_S = _limit("RATE_SEND_MEDIA_PER_S", 10, "calls/s", _MESSENGER_RATES, "Audio and video; per page.")
RATE_CONVERSATIONS_PER_S = _limit("RATE_CONVERSATIONS_PER_S", 2, "calls/s", _MESSENGER_RATES, "Per page.")
RATE_PRIVATE_REPLIES_PER_H = _limit("RATE_PRIVATE_REPLIES_PER_H", 750, "calls/h", _MESSENGER_RATES, "Per page.")
RATE_USAGE_FULL = _limit("RATE_USAGE_FULL", 100, "percent", _RATES, "A caller is throttled when any usage gets here.")

# --- sandboxes of the platform ---

TEST_USERS_MAX = _limit(
    "TEST_USERS_MAX",
    10,
    "users",
    "D documentation/development/build-and-test/test-users (2026-04-17)",
    "Per app.",
)
TEST_USERS_MAX_OLD = _limit("TEST_USERS_MAX_OLD", 2_000, "users", "K", "Per app, before 2026.")
DEVELOPMENT_CHILD_BUSINESSES_MAX = _limit(
    "DEVELOPMENT_CHILD_BUSINESSES_MAX", 2, "businesses", "C", "Created by an app that was not reviewed."
)
CLOCK_MIN_MS = _limit("CLOCK_MIN_MS", 0, "ms", "I", "A sandbox clock does not go before 1970.")
CLOCK_MAX_MS = _limit("CLOCK_MAX_MS", 4_102_444_800_000, "ms", "I", "A sandbox clock does not reach 2100.")
