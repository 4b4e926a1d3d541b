"""Errors of faults, of the request itself, of paths, fields, parameters and batches."""

from __future__ import annotations

from polynym.wire import limits, user_texts
from polynym.wire.envelope import Error

_GUIDE = "D docs/graph-api/guides/error-handling"
_REFER = "https://developers.facebook.com/docs/graph-api"


def _method(name: str, message: str, source: str, when: str, subcode: int | None = None) -> Error:
    return Error(name, 100, message, source, when, subcode, type="GraphMethodException")


def _batch(name: str, message: str, source: str, when: str) -> Error:
    return Error(name, None, message, source, when, type="GraphBatchException")


# A catalogue is read as a table; the formatter would make a page of each entry.
# fmt: off

# --- faults ---

UNKNOWN = Error(
    "UNKNOWN", 1, "An unknown error occurred", _GUIDE, "A fault of the server.", status=500,
    slug="unknown_error", transient=True,
)
UNEXPECTED = Error(
    "UNEXPECTED", 2, "An unexpected error has occurred. Please retry your request later.", "C recorded",
    "A passing fault of the server.", status=500, slug="unknown_error", transient=True,
)
UNAVAILABLE = Error(
    "UNAVAILABLE", 2, "(#2) Service temporarily unavailable", "K",
    "The database is down or full, or the server is overloaded or stopping; Retry-After says when.",
    status=503, slug="unknown_error", transient=True,
)
# The platform has been seen to answer 500 here. We refuse before the first query, because of what was asked
# and not because of us: a 4xx, and not transient, or every client library would send the same bomb again.
TOO_MUCH_DATA = Error(
    "TOO_MUCH_DATA", 1, "Please reduce the amount of data you're asking for, then retry your request", _GUIDE,
    "A read costs more than EXPANSION_NODES_MAX, FIELDS_DEPTH_MAX or FIELDS_NAMES_MAX.",
)
# Code 3 with a message of its own, so that nobody takes it for the platform's; 400 and not 501, because
# client libraries retry 5xx and the call will not get better by itself.
UNBUILT_EDGE = Error(
    "UNBUILT_EDGE", 3, "(#3) {edge} on node type ({node}) is known but not built in polynym yet.", "I",
    "The edge exists on the platform; nothing here pretends to be it.",
)
CAPABILITY = Error(
    "CAPABILITY", 3, "(#3) Application does not have the capability to make this API call.", _GUIDE,
    "A feature is not enabled for the app.",
)

# --- the request itself ---

BAD_JSON = Error(
    "BAD_JSON", 100, "(#100) The request is not valid JSON: {reason}", "I",
    "A JSON body or parameter that cannot be read, is too deep, or holds NaN or a huge number.",
)
BAD_ENCODING = Error(
    "BAD_ENCODING", 100, "(#100) The request is not valid UTF-8 text: {reason}", "I",
    "Bytes that are not UTF-8, lone surrogates, NUL.",
)
BAD_BODY = Error(
    "BAD_BODY", 100, "(#100) The request body cannot be read: {reason}", "I",
    "A form or multipart body that breaks its own format.",
)
BODY_TOO_LARGE = Error(
    "BODY_TOO_LARGE", 100, "(#100) The request body is larger than {limit} bytes", "I",
    "JSON_BYTES_MAX, or UPLOAD_BYTES_MAX for multipart.", status=413,
)
URL_TOO_LONG = Error(
    "URL_TOO_LONG", 100, "(#100) The URL is longer than {limit} bytes", "I", "URL_BYTES_MAX.", status=414,
)
HEADERS_TOO_LARGE = Error(
    "HEADERS_TOO_LARGE", 100, "(#100) The request headers are larger than {limit} bytes", "I",
    "HEADER_LINE_MAX, HEADERS_BYTES_MAX.", status=431,
)
TOO_MANY_PARAMS = Error(
    "TOO_MANY_PARAMS", 100, "(#100) The request has more than {limit} parameters", "I",
    "PARAMS_MAX, MULTIPART_PARTS_MAX.",
)
REQUEST_TIMEOUT = Error(
    "REQUEST_TIMEOUT", 100, "(#100) The request arrived too slowly", "I", "HEAD_TIMEOUT_MS, BODY_RATE_MIN.",
    status=408,
)
MALFORMED_REQUEST = Error(
    "MALFORMED_REQUEST", 100, "(#100) The request is not valid HTTP: {reason}", "I",
    "Two lengths, two hosts, folded headers and other smuggling; the connection is closed.",
)
WRONG_HOST = Error(
    "WRONG_HOST", 100, "(#100) This server does not answer for host {host}", "I",
    "A Host header outside the allow list, such as a rebound name in a browser.", status=421,
)
UNSUPPORTED_METHOD = _method(
    "UNSUPPORTED_METHOD", "Unsupported {verb} request.", "K",
    "A verb the Graph does not know, or does not know here.",
)
TOO_MANY_ATTEMPTS = Error(
    "TOO_MANY_ATTEMPTS", 613, "(#613) Calls to this api have exceeded the rate limit.", "I",
    "Guessing at secrets or ids; slowed down per caller.", status=429, transient=True,
)

# --- versions and paths ---

VERSION_REQUIRED = Error(
    "VERSION_REQUIRED", 12, "(#12) {name} requires version {version} or higher",
    "C amuramoto/messenger-node#4", "ids_for_apps or ids_for_pages before v2.9.",
)
FIELD_DEPRECATED = Error(
    "FIELD_DEPRECATED", 12, "(#12) {field} field is deprecated for versions {version} and higher", "K",
    "A field that was removed in a version.",
)
API_DEPRECATED = Error(
    "API_DEPRECATED", 12, "(#12) {name} API is deprecated for versions {version} and higher",
    "C snarfed/bridgy tests", "An edge that was removed in a version.",
)
UNKNOWN_PATH = Error(
    "UNKNOWN_PATH", 2500, "Unknown path components: {path}", "C recorded",
    "Too many segments, or a version that never was. `path` begins with a slash.",
)

# --- fields, ids, paging ---

NONEXISTING_FIELD = Error(
    "NONEXISTING_FIELD", 100, "(#100) Tried accessing nonexisting field ({field}) on node type ({node})",
    "C pdir/social-feed-bundle#153", "Unknown field, or unknown edge of a GET.",
)
NO_SUBFIELDS = Error(
    "NO_SUBFIELDS", 100, "(#100) Subfields are not supported by {field}", "K", "A plain field with {...} behind it.",
)
FIELDS_SYNTAX = Error(
    "FIELDS_SYNTAX", 2500, 'Syntax error "{problem}" at character {position}: {text}',
    "C node-facebook/facebook-node-sdk#123, criso/fbgraph#125",
    "`fields` breaks its grammar. `position` counts from 0, `text` is all of `fields`.",
)
TOO_MANY_IDS = Error(
    "TOO_MANY_IDS", 100, "(#100) Too many IDs. Maximum: {limit}. Provided: {count}.",
    "C snarfed/bridgy tests", "`ids` names more than IDS_MAX.",
)
EMPTY_IDENTIFIER = Error(
    "EMPTY_IDENTIFIER", 100, "Cannot specify an empty identifier", "C koala fixtures (no code there)",
    "`ids=` without an id.",
)
NO_NODE = Error(
    "NO_NODE", 100, "No node specified", "C koala fixtures (500, no code there)",
    "Neither a node nor `ids`. Ours is a 400: the caller forgot something.", type="Exception",
)
NO_SUCH_OBJECT = _method(
    "NO_SUCH_OBJECT",
    "Unsupported {verb} request. Object with ID '{id}' does not exist, cannot be loaded due to missing "
    "permissions, or does not support this operation. Please read the Graph API documentation at "
    + _REFER,
    "C recorded",
    "Wrong id, an id of another app or page, or a verb the object lacks; all alike. `verb` is get, post or "
    "delete.",
    33,
)
UNKNOWN_ALIAS = Error(
    "UNKNOWN_ALIAS", 803, "(#803) Some of the aliases you requested do not exist: {alias}", "C recorded",
    "A node that is not a number and not a name we know.", status=404,
)
PAGE_MIGRATED = Error(
    "PAGE_MIGRATED", 21,
    "(#21) Page ID {old} was migrated to page ID {new}.  Please update your API calls to the new ID", "K",
    "A page id that was merged into another.",
)
NO_PROFILE = Error(
    "NO_PROFILE", 100, "(#100) No profile available for this user.", "K",
    "A page-scoped id whose profile cannot be read.", 2018218,
)
PROFILE_DENIED = Error(
    "PROFILE_DENIED", 100, "(#100) Insufficient permission to access user profile.",
    "C contract messenger, error table", "The person did not agree to share the profile with the page.", 2018247,
)
APP_NEEDS_BUSINESS = Error(
    "APP_NEEDS_BUSINESS", 100, "(#100) The app must be owned by a business to use {name}",
    "D an error exists; wording ours", "token_for_business of an app without a business.",
)
IDS_INVALID = Error(
    "IDS_INVALID", 100, "(#100) Some of the user ids are not app-scoped ids of this app",
    "D docs/pages/support/psid-api: error_data lists them; wording ours",
    "pages_id_mapping without ignore_invalid_ids; error_data is the ids under `invalid_ids`.",
)
INVALID_CURSOR = Error(
    "INVALID_CURSOR", 100, "(#100) Invalid cursors values", "K",
    "A cursor that was altered, is from elsewhere, or outlived its list.",
)

# --- parameters ---

INVALID_PARAMETER = Error("INVALID_PARAMETER", 100, "(#100) Invalid parameter", _GUIDE, "Generic.")
PARAM_REQUIRED = Error(
    "PARAM_REQUIRED", 100, "(#100) The parameter {name} is required", "K", "A required parameter is missing.",
)
PARAM_INVALID = Error(
    "PARAM_INVALID", 100, "(#100) param {name} must be {expected}", "K",
    "A parameter of the wrong type or outside its range.",
)
INVALID_USER_ID = Error(
    "INVALID_USER_ID", 110, "Invalid user id", _GUIDE, "A parameter that should name a person.",
)
DUPLICATE_POST = Error(
    "DUPLICATE_POST", 506, "(#506) Duplicate status message", _GUIDE, "The same post twice in a row.",
    user=user_texts.DUPLICATE_POST,
)
LINK_SCRAPE = Error(
    "LINK_SCRAPE", 1609005, "(#1609005) The posted link could not be read", _GUIDE + "; wording ours",
    "A link whose page cannot be fetched.",
)

# --- batch ---

BATCH_TOO_MANY = _batch(
    "BATCH_TOO_MANY", f"Too many requests in batch message. Maximum batch size is {limits.BATCH_MAX}", "C recorded",
    "More than BATCH_MAX requests. Batch errors carry no code.",
)
BATCH_UNRESOLVED = _batch(
    "BATCH_UNRESOLVED",
    "Request {index} cannot depend on an  unresolved request with  name {name}. Requests can only depend on "
    "preceding requests",
    "C recorded", "depends_on, or a reference, to a later or unknown name. The double spaces are real.",
)
BATCH_FILE_MISSING = _batch(
    "BATCH_FILE_MISSING", "File {name} has not been attached", "C Thuzi/facebook-node-sdk#113",
    "attached_files names no part; an error of the item.",
)
BATCH_INVALID = _batch("BATCH_INVALID", "batch parameter must be a JSON array", "I", "`batch` is not a list.")
BATCH_EMPTY = _batch("BATCH_EMPTY", "batch parameter must contain at least one request", "I", "`batch=[]`.")
BATCH_ITEM_INVALID = _batch(
    "BATCH_ITEM_INVALID", "Request {index} is not valid: {problem}", "I",
    "An item that is not an object, or lacks method or relative_url.",
)
BATCH_NAME_TWICE = _batch(
    "BATCH_NAME_TWICE", "Request {index} uses the name {name}, which is already taken", "I",
    "Two items with one name.",
)
BATCH_NESTED = _batch(
    "BATCH_NESTED", "Request {index} cannot be a batch itself", "I", "A batch inside a batch.",
)
BATCH_REFERENCE = _batch(
    "BATCH_REFERENCE", "Could not resolve {reference}", "I",
    "A JSONPath that is malformed or too wide; an error of the item.",
)
