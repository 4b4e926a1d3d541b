"""Errors of permissions, limits on calls, webhooks, test users and businesses."""

from __future__ import annotations

from polynym.wire import user_texts
from polynym.wire.envelope import Error

_GUIDE = "D docs/graph-api/guides/error-handling"
_RATES = "D docs/graph-api/overview/rate-limiting"
_BUSINESS = "C client copies of the business-manager error reference; wording ours"
_SLOW_DOWN = (
    "Wait a bit and try again. For more info, please refer to "
    "https://developers.facebook.com/docs/graph-api/overview/rate-limiting."
)


def _permission(name: str, code: int, message: str, source: str, when: str) -> Error:
    """Codes 10 and 200-299: 403 since v3.0, 400 before (GraphError.status)."""
    return Error(name, code, message, source, when, status=403, slug="insufficient_scope")


def _throttle(
    name: str, code: int, message: str, source: str, when: str, subcode: int | None = None, *, status: int = 400
) -> Error:
    return Error(name, code, message, source, when, subcode, status=status, transient=True)


# A catalogue is read as a table; the formatter would make a page of each entry.
# fmt: off

# --- permissions ---

APP_PERMISSION = _permission(
    "APP_PERMISSION", 10, "(#10) Application does not have permission for this action", "C recorded",
    "Permission missing or not approved.",
)
FEATURE_REVIEW = _permission(
    "FEATURE_REVIEW", 10,
    "(#10) To use '{feature}', your use of this endpoint must be reviewed and approved by Facebook.",
    "C partial", "A feature that the app was not reviewed for.",
)
PERMISSION_REVIEW = _permission(
    "PERMISSION_REVIEW", 10,
    "(#10) This endpoint requires the '{permission}' permission or the '{feature}' feature. Refer to "
    "https://developers.facebook.com/docs/apps/review/login-permissions for details.",
    "K", "A permission or feature that the app was not reviewed for.",
)
PERMISSIONS_ERROR = _permission(
    "PERMISSIONS_ERROR", 200, "(#200) Permissions error", "C recorded", "Generic.",
)
NOT_AUTHORIZED = _permission(
    "NOT_AUTHORIZED", 200, "(#200) The user hasn't authorized the application to perform this action", _GUIDE,
    "The person did not grant what the call needs.",
)
PERMISSION_REQUIRED = _permission(
    "PERMISSION_REQUIRED", 200, "(#200) Requires {permission} permission", "C recorded",
    "The token lacks a permission.",
)
PERMISSION_TO_MANAGE = _permission(
    "PERMISSION_TO_MANAGE", 200, "(#200) Requires {permission} permission to manage the object", "C recorded",
    "The token lacks a permission for this asset.",
)
PERMISSION_EXTENDED = _permission(
    "PERMISSION_EXTENDED", 200, "(#200) Requires extended permission: {permission}", "C recorded",
    "Old wording.",
)
PERMISSION_MESSAGING = _permission(
    "PERMISSION_MESSAGING", 230, "(#230) Requires pages_messaging permission to manage the object", "K",
    "A messaging call without pages_messaging.",
)
PERMISSION_OTHER = _permission(
    "PERMISSION_OTHER", 299, "(#299) {problem}", _GUIDE, "The rest of the 200-299 family.",
)
REVIEW_PENDING = Error(
    "REVIEW_PENDING", 200, "(#200) Your business is currently under review for access to this API",
    "S French and Spanish; I English, no literal known",
    "ID matching while the business is under review.", status=403, slug="insufficient_scope",
    localized={
        "fr": "(#200) L\u2019accès de votre entreprise à cette API est actuellement en cours de vérification",
        "es": "(#200) Tu empresa está en fase de revisión para acceder a esta API",
    },
)
ABUSIVE = Error(
    "ABUSIVE", 368, "(#368) The action attempted has been deemed abusive or is otherwise disallowed",
    "C recorded", "Blocked by policy.", user=user_texts.ABUSE,
)

# --- throttles ---

APP_THROTTLED = _throttle(
    "APP_THROTTLED", 4, "(#4) Application request limit reached", "C Android SDK fixture",
    "RATE_APP_CALLS_PER_USER.", status=403,
)
USER_THROTTLED = _throttle(
    "USER_THROTTLED", 17, "(#17) User request limit reached", "K", "Calls of one user token.",
)
ADS_THROTTLED_OLD = _throttle(
    "ADS_THROTTLED_OLD", 17, "(#17) User request limit reached", _RATES, "Ads API up to v3.3.", 2446079,
)
PAGE_THROTTLED_USER = _throttle(
    "PAGE_THROTTLED_USER", 32, "(#32) Page request limit reached", _RATES, "Page calls with a user token.",
)
CALLS_EXCEEDED = _throttle(
    "CALLS_EXCEEDED", 613, "(#613) Calls to this api have exceeded the rate limit.", "K",
    "A limit of one endpoint.",
)
APP_LIMIT = Error(
    "APP_LIMIT", 341, "(#341) Application limit reached", _GUIDE, "A limit on what an app may publish.",
)


def _business_throttle(name: str, code: int, calls: str, when: str, subcode: int | None = None) -> Error:
    message = f"(#{code}) There have been too many {calls}. {_SLOW_DOWN}"
    return _throttle(name, code, message, _RATES, when, subcode)


ADS_INSIGHTS_THROTTLED = _business_throttle(
    "ADS_INSIGHTS_THROTTLED", 80000, "calls to this ad-account", "Ads insights.", 2446079,
)
PAGE_THROTTLED = _business_throttle(
    "PAGE_THROTTLED", 80001, "calls to this Page account", "Page calls with a page or system user token.",
)
INSTAGRAM_THROTTLED = _business_throttle(
    "INSTAGRAM_THROTTLED", 80002, "calls to this Instagram account", "Instagram.",
)
AUDIENCE_THROTTLED = _business_throttle(
    "AUDIENCE_THROTTLED", 80003, "calls to this ad-account", "Custom audiences.", 2446079,
)
ADS_THROTTLED = _business_throttle(
    "ADS_THROTTLED", 80004, "calls to this ad-account", "Ads management.", 2446079,
)
LEADS_THROTTLED = _business_throttle(
    "LEADS_THROTTLED", 80005, "leadgen api calls to this Page account", "Lead ads.",
)
MESSENGER_THROTTLED = _business_throttle(
    "MESSENGER_THROTTLED", 80006, "messenger api calls to this Page account",
    "RATE_MESSENGER_CALLS_PER_USER.",
)
WHATSAPP_THROTTLED = _business_throttle(
    "WHATSAPP_THROTTLED", 80008, "calls to this WhatsApp Business account", "WhatsApp management.",
)
CATALOG_THROTTLED = _business_throttle(
    "CATALOG_THROTTLED", 80009, "calls to this Catalog account", "Catalogs.",
)
CATALOG_BATCH_THROTTLED = _business_throttle(
    "CATALOG_BATCH_THROTTLED", 80014, "calls for the batch uploads to this catalog account",
    "Catalog batches.",
)

# --- apps, webhooks, test users ---

CALLBACK_STATUS = Error(
    "CALLBACK_STATUS", 2200,
    "(#2200) Callback verification failed with the following errors: HTTP Status Code = {status}; HTTP "
    "Message = {reason}",
    "C recorded", "The callback answers another status than 200.",
)
CALLBACK_UNREACHABLE = Error(
    "CALLBACK_UNREACHABLE", 2200,
    "(#2200) Callback verification failed with the following errors: curl_errno = {number}; curl_error = "
    "{problem}; HTTP Status Code = 0",
    "C recorded", "No connection or no answer; curl's numbers: 6 name, 7 connect, 28 time, 60 TLS.",
)
CALLBACK_CHALLENGE = Error(
    "CALLBACK_CHALLENGE", 2200,
    '(#2200) Response does not match challenge, expected value="{expected}", received="{received}"',
    "C recorded", "The callback does not echo the challenge.",
)
CALLBACK_URL = Error(
    "CALLBACK_URL", 100, "(#100) callback_url URL is not properly formatted", "C recorded",
    "callback_url is no URL we may call.",
)
TEST_USER = Error(
    "TEST_USER", 2902, "(#2902) {problem}", "K code, wording ours",
    "A test user cannot be made, for instance beyond TEST_USERS_MAX.",
)

# --- business manager ---

TWO_FACTOR = Error(
    "TWO_FACTOR", 415, "(#415) Two factor authentication is required to access this asset.", _BUSINESS,
    "An asset of a business that demands it.", user=user_texts.TWO_FACTOR,
)
BUSINESS_EDIT = Error(
    "BUSINESS_EDIT", 3910, "(#3910) You do not have permission to edit this business.", _BUSINESS,
    "No right to edit.", user=user_texts.BUSINESS_EDIT,
)
BUSINESS_SETUP = Error(
    "BUSINESS_SETUP", 3911, "(#3911) You do not have permission to set up this business.", _BUSINESS,
    "No right to set up.", user=user_texts.BUSINESS_SETUP,
)
BUSINESS_NOT_SAVED = Error(
    "BUSINESS_NOT_SAVED", 3912, "(#3912) A technical issue kept the changes from being saved.", _BUSINESS,
    "Not saved.", user=user_texts.BUSINESS_NOT_SAVED,
)
BUSINESS_CREATE = Error(
    "BUSINESS_CREATE", 3913, "(#3913) You do not have permission to create a business.", _BUSINESS,
    "No right to create.", user=user_texts.BUSINESS_CREATE,
)
LAST_ADMIN = Error(
    "LAST_ADMIN", 3914, "(#3914) The last admin of a business cannot be removed.", _BUSINESS,
    "Removing the last admin.", user=user_texts.LAST_ADMIN,
)
PAGE_OWNED = Error(
    "PAGE_OWNED", 3918, "(#3918) The page is already owned by another business.", _BUSINESS,
    "Claiming a page that has an owner; request access instead.", user=user_texts.PAGE_OWNED,
)
ALREADY_ACCESS = Error(
    "ALREADY_ACCESS", 3944, "(#3944) The business already has access to this asset.", "K",
    "Claiming or asking for what one has.", user=user_texts.ALREADY_ACCESS,
)
NAME_TAKEN = Error(
    "NAME_TAKEN", 3947, "(#3947) There is already a business with this name.", _BUSINESS, "Duplicate name.",
    user=user_texts.NAME_TAKEN,
)
NAME_INVALID = Error(
    "NAME_INVALID", 3973, "(#3973) The name of the business is not valid.", _BUSINESS, "Invalid name.",
    user=user_texts.NAME_INVALID,
)
NAME_INVALID_OTHER = Error(
    "NAME_INVALID_OTHER", 3974, "(#3974) The name of the business is not valid.", _BUSINESS,
    "Invalid name, the second code for it.", user=user_texts.NAME_INVALID,
)
PAGE_ADMIN_NEEDED = Error(
    "PAGE_ADMIN_NEEDED", 3977, "(#3977) Only an admin of the page can claim it.", "K",
    "Claiming a page without the role.", user=user_texts.PAGE_ADMIN_NEEDED,
)
PAGE_ELSEWHERE = Error(
    "PAGE_ELSEWHERE", 3996, "(#3996) The page does not belong to this business.", _BUSINESS,
    "A page of another business.", user=user_texts.PAGE_ELSEWHERE,
)
PAGE_ON_INSTAGRAM = Error(
    "PAGE_ON_INSTAGRAM", 42001, "(#42001) The page is linked to an Instagram business profile.", _BUSINESS,
    "A page that must be unlinked first.", user=user_texts.PAGE_ON_INSTAGRAM,
)
CLIENT_BUSINESS = Error(
    "CLIENT_BUSINESS", 42004, "(#42004) The client business could not be created on behalf of the caller.",
    _BUSINESS, "managed_businesses, owned_businesses.", user=user_texts.CLIENT_BUSINESS,
)
