"""Errors of this feature that the shared catalogue does not have yet."""

from __future__ import annotations

from polynym.wire.errors import Error

PROFILE_DENIED = Error(
    "PROFILE_DENIED", 100, "(#100) Insufficient permission to access user profile.",
    "C contract messenger, error table", "The person did not agree to share the profile with the page.", 2018247,
)  # fmt: skip
APP_NEEDS_BUSINESS = Error(
    "APP_NEEDS_BUSINESS", 100, "(#100) The app must be owned by a business to use {name}",
    "D an error exists; wording ours", "token_for_business of an app without a business.",
)  # fmt: skip
IDS_INVALID = Error(
    "IDS_INVALID", 100, "(#100) Some of the user ids are not app-scoped ids of this app",
    "D docs/pages/support/psid-api: error_data lists them; wording ours",
    "pages_id_mapping without ignore_invalid_ids; error_data is {\"invalid_ids\": [...]}.",
)  # fmt: skip
