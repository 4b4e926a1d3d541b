"""The catalogue: every entry is complete and formats; the platform's literals are what clients match."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.wire import errors, limits
from polynym.wire.envelope import TRANSIENT_CODES
from polynym.wire.errors import CATALOGUE, Error, GraphError

ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE.keys())


def raised(entry: Error) -> GraphError:
    """The entry with a value for every placeholder."""
    values: dict[str, Any] = {name: f"<{name}>" for name in entry.placeholders}
    return GraphError(entry, **values)


@ENTRIES
def test_every_entry_is_a_constant_of_its_own_name_with_source_and_reason(entry: Error) -> None:
    assert getattr(errors, entry.name) is entry
    assert re.match(r"[DSPCKI]( |:|$)", entry.source)
    assert entry.when.endswith(".")


@ENTRIES
def test_every_entry_formats_all_its_values_in_every_language(entry: Error) -> None:
    for locale in (None, "en_US", "fr_FR", "es_LA", "de_DE"):
        message = raised(entry).message(locale)
        assert not re.search(r"(?<!<)\{|\}", message)
        for name in entry.placeholders:
            assert f"<{name}>" in message


@ENTRIES
def test_every_entry_has_a_number_prefix_that_is_its_code(entry: Error) -> None:
    match = re.match(r"\(#(\d+)\) ", entry.message)
    assert match is None or int(match.group(1)) == entry.code


@ENTRIES
def test_every_entry_speaks_every_language_or_only_english(entry: Error) -> None:
    assert set(entry.user) in (set(), {"en", "fr", "es"})
    assert set(entry.localized) in (set(), {"fr", "es"})


@ENTRIES
def test_no_entry_is_a_5xx_unless_it_is_a_passing_fault_of_the_server(entry: Error) -> None:
    assert (entry.status >= 500) == (entry.slug == "unknown_error")
    assert entry.status < 500 or entry.transient
    assert not entry.transient or entry.code in TRANSIENT_CODES


@ENTRIES
def test_every_body_is_a_graph_error_in_the_platforms_order(entry: Error) -> None:
    order = [
        "message", "type", "code", "error_subcode", "is_transient", "error_user_title", "error_user_msg",
        "error_data", "fbtrace_id",
    ]  # fmt: skip
    values: dict[str, Any] = dict.fromkeys(entry.placeholders, "x")
    error = GraphError(entry, data={"a": 1}, **values).body("fr_FR", "Atrace")["error"]
    assert list(error) == [name for name in order if name in error]
    assert {"message", "type", "fbtrace_id"} <= set(error)
    assert ("code" in error) == (error["type"] != "GraphBatchException")
    assert json.loads(json.dumps(error)) == error


@ENTRIES
def test_every_header_is_one_latin1_line_that_names_its_slug(entry: Error) -> None:
    values: dict[str, Any] = dict.fromkeys(entry.placeholders, 'a"b\\\r\nSet-Cookie: x\0\u3042')
    header = GraphError(entry, **values).www_authenticate()
    assert re.fullmatch(r'OAuth "Facebook Platform" "[a-z_]+" "(?:[^"\\\x00-\x1f\x7f]|\\["\\])*"', header)
    assert f'"{entry.slug}"' in header
    header.encode("latin-1")


@pytest.mark.parametrize(
    ("entry", "values", "literal"),
    [
        (
            errors.BATCH_TOO_MANY,
            {"limit": 50},
            "Too many requests in batch message. Maximum batch size is 50",
        ),
        (
            errors.BATCH_UNRESOLVED,
            {"index": 0, "name": "f"},
            "Request 0 cannot depend on an  unresolved request with  name f. "
            "Requests can only depend on preceding requests",
        ),
        (
            errors.VERSION_REQUIRED,
            {"name": "ids_for_apps", "version": "v2.9"},
            "(#12) ids_for_apps requires version v2.9 or higher",
        ),
        (errors.UNKNOWN_PATH, {"path": "/me"}, "Unknown path components: /me"),
        (
            errors.NONEXISTING_FIELD,
            {"field": "owned_pages", "node": "User"},
            "(#100) Tried accessing nonexisting field (owned_pages) on node type (User)",
        ),
        (
            errors.NO_SUCH_OBJECT,
            {"verb": "get", "id": "1"},
            "Unsupported get request. Object with ID '1' does not exist, cannot be loaded due to missing "
            "permissions, or does not support this operation. Please read the Graph API documentation at "
            "https://developers.facebook.com/docs/graph-api",
        ),
        (errors.UNKNOWN_ALIAS, {"alias": "x"}, "(#803) Some of the aliases you requested do not exist: x"),
        (errors.TOO_MANY_IDS, {"limit": 50, "count": 54}, "(#100) Too many IDs. Maximum: 50. Provided: 54."),
        (errors.PARAM_REQUIRED, {"name": "app"}, "(#100) The parameter app is required"),
        (
            errors.PARAM_INVALID,
            {"name": "app", "expected": "an integer"},
            "(#100) param app must be an integer",
        ),
        (
            errors.PERMISSION_REQUIRED,
            {"permission": "business_management"},
            "(#200) Requires business_management permission",
        ),
        (errors.PROVIDE_APP_ID, {}, "(#200) Provide valid app ID"),
        (errors.PROOF_INVALID, {}, "Invalid appsecret_proof provided in the API argument"),
        (errors.PROOF_REQUIRED, {}, "API calls from the server require an appsecret_proof argument"),
        (
            errors.SESSION_UNCONFIRMED,
            {},
            "Error validating access token: Sessions for the user  are not allowed "
            "because the user is not a confirmed user.",
        ),
        (
            errors.PAGE_THROTTLED,
            {},
            "(#80001) There have been too many calls to this Page account. Wait a bit and try again. For more "
            "info, please refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.",
        ),
        (
            errors.CALLBACK_STATUS,
            {"status": 404, "reason": "Not Found"},
            "(#2200) Callback verification failed with the following errors: HTTP Status Code = 404; "
            "HTTP Message = Not Found",
        ),
        (
            errors.CALLBACK_CHALLENGE,
            {"expected": "122928287", "received": "OK"},
            '(#2200) Response does not match challenge, expected value="122928287", received="OK"',
        ),
    ],
)
def test_literals_are_byte_exact(entry: Error, values: dict[str, Any], literal: str) -> None:
    assert GraphError(entry, **values).message() == literal


@pytest.mark.parametrize(
    ("name", "code", "subcode"),
    [
        ("SESSION_UNAUTHORIZED", 190, 458), ("SESSION_CHECKPOINT", 190, 459), ("SESSION_PASSWORD", 190, 460),
        ("SESSION_EXPIRED", 190, 463), ("SESSION_UNCONFIRMED", 190, 464), ("SESSION_LOGGED_OUT", 190, 467),
        ("SESSION_BLOCKED", 190, 490), ("SESSION_ROLE_LOST", 190, 492), ("NO_SUCH_OBJECT", 100, 33),
        ("CODE_EXPIRED", 100, 36007), ("REDIRECT_MISMATCH", 100, 36008), ("CODE_USED", 100, 36009),
        ("TOKEN_REQUIRED", 104, None), ("TOKEN_REQUIRED_ME", 2500, None), ("CLIENT_SECRET", 1, None),
        ("ADS_THROTTLED", 80004, 2446079), ("MESSENGER_THROTTLED", 80006, None), ("PAGE_OWNED", 3918, None),
    ],
)  # fmt: skip
def test_codes_that_clients_branch_on(name: str, code: int, subcode: int | None) -> None:
    assert (CATALOGUE[name].code, CATALOGUE[name].subcode) == (code, subcode)


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        ("fr_FR", "(#200) L’accès de votre entreprise à cette API est actuellement en cours de vérification"),
        ("fr_CA", "(#200) L’accès de votre entreprise à cette API est actuellement en cours de vérification"),
        ("es_LA", "(#200) Tu empresa está en fase de revisión para acceder a esta API"),
        ("es-es", "(#200) Tu empresa está en fase de revisión para acceder a esta API"),
        ("en_US", "(#200) Your business is currently under review for access to this API"),
        ("est_EE", "(#200) Your business is currently under review for access to this API"),
        ("", "(#200) Your business is currently under review for access to this API"),
        (None, "(#200) Your business is currently under review for access to this API"),
    ],
)
def test_the_review_message_follows_the_locale(locale: str | None, message: str) -> None:
    assert GraphError(errors.REVIEW_PENDING).body(locale, "A")["error"]["message"] == message


def test_texts_for_people_follow_the_locale_while_the_message_does_not() -> None:
    english, french = (GraphError(errors.LAST_ADMIN).body(locale, "A")["error"] for locale in ("de_DE", "fr_FR"))
    assert english["message"] == french["message"]
    assert english["error_user_title"] == "Can't Remove Last Admin"
    assert french["error_user_title"] == "Impossible de supprimer le dernier administrateur"


def test_a_body_holds_only_what_is_defined() -> None:
    assert GraphError(errors.UNKNOWN_PATH, path="/x").body(None, "AbC") == {
        "error": {
            "message": "Unknown path components: /x",
            "type": "OAuthException",
            "code": 2500,
            "fbtrace_id": "AbC",
        }
    }


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (errors.UNKNOWN, True), (errors.UNAVAILABLE, True), (errors.APP_THROTTLED, True),
        (errors.MESSENGER_THROTTLED, True), (errors.TOO_MUCH_DATA, False), (errors.CLIENT_SECRET, False),
        (errors.LAST_ADMIN, False), (errors.INVALID_PARAMETER, None), (errors.SESSION_PASSWORD, None),
    ],
)  # fmt: skip
def test_is_transient_is_told_where_a_client_could_wonder(entry: Error, expected: bool | None) -> None:
    assert GraphError(entry).body(None, "A")["error"].get("is_transient") is expected


@pytest.mark.parametrize(
    ("entry", "version", "status"),
    [
        (errors.APP_PERMISSION, (2, 12), 400), (errors.APP_PERMISSION, (3, 0), 403),
        (errors.PERMISSION_REQUIRED, (2, 6), 400), (errors.PERMISSION_REQUIRED, (26, 0), 403),
        (errors.REVIEW_PENDING, (2, 12), 400), (errors.REVIEW_PENDING, (19, 0), 403),
        (errors.APP_THROTTLED, (2, 6), 403), (errors.UNKNOWN_ALIAS, (2, 6), 404),
        (errors.SESSION_PASSWORD, (26, 0), 400), (errors.UNKNOWN, (26, 0), 500),
        (errors.UNAVAILABLE, (26, 0), 503), (errors.TOO_MUCH_DATA, (26, 0), 400),
        (errors.UNBUILT_EDGE, (26, 0), 400), (errors.BODY_TOO_LARGE, (26, 0), 413),
        (errors.WRONG_HOST, (2, 6), 421),
    ],
)  # fmt: skip
def test_status_follows_code_and_era(entry: Error, version: tuple[int, int], status: int) -> None:
    assert raised(entry).status(version) == status


def test_token_errors_can_be_401_for_clients_that_expect_it() -> None:
    assert GraphError(errors.SESSION_PASSWORD).status((26, 0), token_status=401) == 401
    assert GraphError(errors.PROOF_INVALID).status((26, 0), token_status=401) == 400


def test_the_header_escapes_quotes_as_the_platform_does() -> None:
    error = GraphError(errors.FIELDS_SYNTAX, problem='Expected ")", got end of string', position=3, text="a.b")
    assert error.www_authenticate() == (
        'OAuth "Facebook Platform" "invalid_request" '
        '"Syntax error \\"Expected \\")\\", got end of string\\" at character 3: a.b"'
    )


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=4_000))
def test_any_text_of_a_caller_can_be_repeated(value: str) -> None:
    error = GraphError(errors.UNKNOWN_ALIAS, alias=value)
    json.dumps(error.body("fr_FR", "A"), ensure_ascii=False).encode()
    header = error.www_authenticate().encode("latin-1")
    assert not re.search(rb"[\x00-\x1f\x7f]", header)
    assert len(header) <= 2 * limits.ERROR_HEADER_CHARS_MAX + 60


def test_a_long_value_is_cut() -> None:
    at_bound = "a" * limits.ERROR_VALUE_CHARS_MAX
    assert GraphError(errors.MALFORMED_TOKEN, token=at_bound).message().endswith("token " + at_bound)
    assert GraphError(errors.MALFORMED_TOKEN, token=at_bound + "b").message().endswith("token " + at_bound + "...")


def test_braces_of_a_caller_are_only_text() -> None:
    assert GraphError(errors.UNKNOWN_ALIAS, alias="{0.__class__}{x}").message().endswith("exist: {0.__class__}{x}")


def test_a_missing_value_is_noticed_where_it_is_raised() -> None:
    with pytest.raises(KeyError):
        GraphError(errors.NO_SUCH_OBJECT, id="1")


def test_error_data_is_an_object_or_json_text() -> None:
    for data in ({"blame_field_specs": [["name"]]}, '{"blame_field_specs":[["name"]]}'):
        assert GraphError(errors.INVALID_PARAMETER, data=data).body(None, "A")["error"]["error_data"] == data


def test_an_expired_session_says_both_times_in_pacific_time() -> None:
    error = errors.session_expired(1_711_839_600_000, 1_711_922_287_000)
    assert error.message() == (
        "Error validating access token: Session has expired on Saturday, 30-Mar-24 16:00:00 PDT. "
        "The current time is Sunday, 31-Mar-24 14:58:07 PDT."
    )
    assert error.nested() == {"code": 190, "message": error.message(), "subcode": 463}


def test_a_token_that_never_lived_has_no_subcode() -> None:
    assert GraphError(errors.INVALID_TOKEN).nested() == {
        "code": 190,
        "message": "Invalid OAuth access token.",
    }


def test_entries_compare_and_hash_so_that_handlers_may_look_them_up() -> None:
    assert len(set(CATALOGUE.values())) == len(CATALOGUE)
    assert GraphError(errors.UNKNOWN).entry == errors.UNKNOWN


def test_catalogue_modules_hold_nothing_that_errors_does_not_show() -> None:
    declared = {
        name
        for path in Path(errors.__file__).parent.glob("*_errors.py")
        for name in re.findall(r"^([A-Z][A-Z0-9_]*) = ", path.read_text(), re.MULTILINE)
    }
    assert declared == set(CATALOGUE)
