"""Errors of tokens, proofs and the ways to get a token."""

from __future__ import annotations

from polynym.wire import user_texts
from polynym.wire.envelope import Error

_GUIDE = "D docs/graph-api/guides/error-handling"


def _token(name: str, subcode: int | None, message: str, source: str, when: str) -> Error:
    return Error(name, 190, message, source, when, subcode, slug="invalid_token")


def _code(name: str, subcode: int | None, message: str, source: str, when: str) -> Error:
    return Error(name, 100, message, source, when, subcode, slug="invalid_code")


# A catalogue is read as a table; the formatter would make a page of each entry.
# fmt: off

# --- no token, wrong kind of token ---

TOKEN_REQUIRED = Error(
    "TOKEN_REQUIRED", 104, "An access token is required to request this resource.", "C koala fixtures",
    "No token, before v18 and on edges that always need one.",
)
INCORRECT_SIGNATURE = Error(
    "INCORRECT_SIGNATURE", 104, "Incorrect signature", "C error reference",
    "The reference's generic text for 104.",
)
TOKEN_REQUIRED_ME = Error(
    "TOKEN_REQUIRED_ME", 2500,
    "An active access token must be used to query information about the current user.",
    "C facebook-csharp-sdk#97", "`me` without a token that has a subject.",
)
PROVIDE_APP_ID = Error(
    "PROVIDE_APP_ID", 200, "(#200) Provide valid app ID", "C recorded, HTTP 403",
    "No usable token, since v18.", status=403,
)
APP_TOKEN_REQUIRED = Error(
    "APP_TOKEN_REQUIRED", 15, "(#15) This method must be called with an app access_token.", "K",
    "An edge for app tokens only.",
)
PAGE_TOKEN_REQUIRED = Error(
    "PAGE_TOKEN_REQUIRED", 210, "(#210) A page access token is required to request this resource.",
    "C recorded", "An edge for page tokens only.", status=403, slug="insufficient_scope",
)
USER_TOKEN_NOT_SUPPORTED = Error(
    "USER_TOKEN_NOT_SUPPORTED", 190,
    "A Page access token is required for this call for the new Pages experience.", "C subcode, K text",
    "A user token on an edge for page tokens only, new Pages experience.", 2069032, slug="invalid_token",
    user=user_texts.PAGE_TOKEN_NEEDED,
)

# --- bad tokens ---

CANNOT_PARSE_TOKEN = _token(
    "CANNOT_PARSE_TOKEN", None, "Invalid OAuth access token - Cannot parse access token", "C recorded",
    "Garbage, newer wording.",
)
INVALID_TOKEN = _token(
    "INVALID_TOKEN", None, "Invalid OAuth access token.", "C recorded",
    "Garbage, older wording; also inside debug_token.",
)
MALFORMED_TOKEN = _token(
    "MALFORMED_TOKEN", None, "Malformed access token {token}", "C recorded",
    "Undecodable; the text is repeated, so never raise it with a token that was once good.",
)
TOKEN_SIGNATURE = _token(
    "TOKEN_SIGNATURE", None, "Invalid OAuth access token signature.", "K",
    "The secret part of an app token is wrong.",
)
TOKEN_DECRYPTION = _token(
    "TOKEN_DECRYPTION", None, "The access token could not be decrypted", "K", "Tampered with.",
)
INVALID_OAUTH2_TOKEN = _token(
    "INVALID_OAUTH2_TOKEN", None, "Invalid OAuth 2.0 Access Token", "C recorded", "Old.",
)

_DEAD = "Error validating access token: "
SESSION_UNAUTHORIZED = _token(
    "SESSION_UNAUTHORIZED", 458, _DEAD + "The user has not authorized application {app_id}.", "C recorded",
    "The person removed the app.",
)
SESSION_CHECKPOINT = _token(
    "SESSION_CHECKPOINT", 459,
    _DEAD
    + "You cannot access the app till you log in to www.facebook.com and follow the instructions given.",
    "K", "The person must pass a checkpoint.",
)
SESSION_PASSWORD = _token(
    "SESSION_PASSWORD", 460,
    _DEAD
    + "The session has been invalidated because the user changed their password or Facebook has changed the "
    "session for security reasons.",
    "C recorded", "Password change or security event.",
)
SESSION_EXPIRED = _token(
    "SESSION_EXPIRED", 463, _DEAD + "Session has expired on {expired}. The current time is {now}.",
    "C recorded", "The token's time is over; `session_expired` writes both times.",
)
SESSION_UNCONFIRMED = _token(
    "SESSION_UNCONFIRMED", 464,
    _DEAD + "Sessions for the user  are not allowed because the user is not a confirmed user.", "K",
    "The account is not confirmed. Two spaces are real.",
)
SESSION_LOGGED_OUT = _token(
    "SESSION_LOGGED_OUT", 467, _DEAD + "The session is invalid because the user logged out.", "C recorded",
    "The person logged out, or the token was revoked.",
)
SESSION_REVOKED = _token(
    "SESSION_REVOKED", 467,
    _DEAD + "This may be because the user logged out or may be due to a system error.", "C recorded",
    "The other wording of 467.",
)
SESSION_BLOCKED = _token(
    "SESSION_BLOCKED", 490, _DEAD + "The user is enrolled in a blocking, logged-in checkpoint", "C recorded",
    "Checkpoint; `data` names checkpoint_flow_id and checkpoint_content_id.",
)
SESSION_ROLE_LOST = _token(
    "SESSION_ROLE_LOST", 492,
    _DEAD
    + "The user must be an administrator, editor, or moderator of the page in order to impersonate it. "
    "If the page business requires Two Factor Authentication, the user also needs to enable Two Factor "
    "Authentication.",
    "C text, K subcode", "A page token whose person lost the role on the page.",
)
SESSION_ROLE_LOST_OLD = _token(
    "SESSION_ROLE_LOST_OLD", 492,
    _DEAD + "The user must be an administrator of the page in order to impersonate it.", "C text, K subcode",
    "The older wording of 492.",
)
SESSION_INVALID = Error(
    "SESSION_INVALID", 102, "Session key invalid or no longer valid", _GUIDE,
    "The legacy session variant of 190.", slug="invalid_token",
)

# --- proofs ---

PROOF_INVALID = Error(
    "PROOF_INVALID", 100, "Invalid appsecret_proof provided in the API argument",
    "C scribejava/scribejava#758", "A proof that does not fit, even where none was needed.",
    type="GraphMethodException",
)
PROOF_REQUIRED = Error(
    "PROOF_REQUIRED", 100, "API calls from the server require an appsecret_proof argument",
    "C Yoctol/bottender#271", "No proof where the app or the edge demands one.",
    type="GraphMethodException",
)

# --- OAuth ---

CODE_EXPIRED = _code(
    "CODE_EXPIRED", 36007, "This authorization code has expired.", "C recorded", "After OAUTH_CODE_MS.",
)
REDIRECT_MISMATCH = _code(
    "REDIRECT_MISMATCH", 36008,
    "Error validating verification code. Please make sure your redirect_uri is identical to the one you "
    "used in the OAuth dialog request",
    "C recorded", "redirect_uri differs from the dialog's.",
)
CODE_USED = _code(
    "CODE_USED", 36009, "This authorization code has been used.", "C recorded", "A code works once.",
)
CODE_FORMAT = _code("CODE_FORMAT", None, "Invalid verification code format.", "K", "Not a code at all.")
CODE_INVALID = _code(
    "CODE_INVALID", None, "Code was invalid or expired. {detail}", "C koala", "The code of a JS SDK cookie.",
)
CODE_MISSING = Error("CODE_MISSING", 1, "Missing authorization code", "K", "No `code`.", slug="invalid_code")
TOKEN_OF_OTHER_APP = Error(
    "TOKEN_OF_OTHER_APP", 1, "The access token does not belong to application {app_id}", "C recorded",
    "Exchange or revocation of another app's token.",
)
GRANT_TYPE = Error(
    "GRANT_TYPE", 100, "Invalid grant_type: '{grant_type}'. Supported types: {supported}", "C recorded, list ours",
    "An unknown grant_type.",
)
CLIENT_SECRET = Error(
    "CLIENT_SECRET", 1, "Error validating client secret.", "C recorded", "Wrong client_secret.",
)
CLIENT_ID_MISSING = Error("CLIENT_ID_MISSING", 101, "Missing client_id parameter.", "K", "No `client_id`.")
APP_INFO = Error(
    "APP_INFO", 101, "Error validating application. Cannot get application info due to a system error.",
    "C recorded", "The app is unknown.",
)
APP_ID_INVALID = Error(
    "APP_ID_INVALID", 101, "Error validating application. Invalid application ID.", "C recorded",
    "client_id is not an app id.",
)
REDIRECT_MISSING = Error(
    "REDIRECT_MISSING", 191, "Missing redirect_uri parameter.", "K", "No `redirect_uri`.",
)
DIALOG_URI_BLOCKED = Error(
    "DIALOG_URI_BLOCKED", 191,
    "URL Blocked: This redirect failed because the redirect URI is not whitelisted in the app's Client "
    "OAuth Settings. Make sure Client and Web OAuth Login are on and add all your app domains as Valid "
    "OAuth Redirect URIs.",
    "C dialog page", "redirect_uri is not registered; shown on the dialog's page, never redirected.",
)
DIALOG_DOMAIN = Error(
    "DIALOG_DOMAIN", 191,
    "Can't Load URL: The domain of this URL isn't included in the app's domains. To be able to load this "
    "URL, add all domains and subdomains of your app to the App Domains field in your app settings.",
    "C dialog page", "The redirect's domain is not the app's.",
)
DIALOG_DEVELOPMENT = Error(
    "DIALOG_DEVELOPMENT", 200,
    "App Not Setup: This app is still in development mode, and you don't have access to it. Switch to a "
    "registered test user or ask an app admin for permissions.",
    "C dialog page, end K", "Development mode, and the person has no role.", status=403,
)
DIALOG_SCOPES = Error(
    "DIALOG_SCOPES", 100,
    "Invalid Scopes: {scopes}. This message is only shown to developers. Users of your app will ignore "
    "these permissions if present. Please read the documentation for valid permissions at: "
    "https://developers.facebook.com/docs/facebook-login/permissions",
    "C dialog page", "scope names what is no permission.",
)
LOGIN_FORM = Error(
    "LOGIN_FORM", 368,
    "This form is not valid any more. Please go back to the app and try again.", "I",
    "A form of the dialog that another visitor was shown, that lay open too long, or that came from elsewhere.",
    status=403,
)
DIALOG_APP_ID = Error(
    "DIALOG_APP_ID", 101, "Invalid App ID: The provided app ID does not look like a valid app ID.", "K",
    "client_id of the dialog.",
)
DEBUG_TOKEN_CALLER = Error(
    "DEBUG_TOKEN_CALLER", 100,
    "(#100) You must provide an app access token, or a user access token that is an owner or developer of "
    "the app",
    "C recorded", "debug_token called by somebody else.",
)
DEBUG_TOKEN_OTHER_APP = Error(
    "DEBUG_TOKEN_OTHER_APP", 100, "(#100) The App_id in the input_token did not match the Viewing App", "K",
    "input_token is of another app.",
)
