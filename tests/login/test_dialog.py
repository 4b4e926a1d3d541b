"""The login dialog: who is asked what, what comes back to the app, and what is refused on a page of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from polynym.core.clock import SandboxClock
from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity import store as identity
from polynym.identity.erasure import erase_person
from polynym.sandbox.acts import ERASERS
from polynym.tokens.pkce import challenge_of
from tests.login.browser import Browser, went_to
from tests.support.asgi import Reply
from tests.support.demo import COFFEE, GAME, JOHNS, MOVIE, MOVIE_ASID, THING, Demo

pytestmark = pytest.mark.anyio

CB = "http://127.0.0.1:9999/cb?tenant=7"
DIALOG = "/v19.0/dialog/oauth"


@pytest.fixture
def browser(demo: Demo) -> Browser:
    """A new visitor."""
    return Browser(demo.client)


def asking(**changes: str) -> dict[str, str]:
    """What JohnsMovieApp sends people to the dialog with."""
    return {"client_id": MOVIE, "redirect_uri": CB, "state": "s t&=é", "scope": "email"} | changes


async def exchange(demo: Demo, code: str, **changes: str) -> Reply:
    """The app trades the code."""
    given = {"client_id": MOVIE, "client_secret": await demo.secret(MOVIE), "redirect_uri": CB, "code": code} | changes
    return await demo.client.get("/v19.0/oauth/access_token", **{name: text for name, text in given.items() if text})


async def set_app(demo: Demo, app: str, **columns: Any) -> None:
    """Change settings of an app."""
    ctx = demo.world.ctx()

    async def change(tx: Tx) -> None:
        await identity.update_app(tx, app, **columns)
        await ctx.epoch.bump(tx)

    await ctx.db.transaction(change)


# ------------------------------------------------------------------------------------------------ the way through


@pytest.mark.parametrize("path", [DIALOG, "/dialog/oauth", "/dialog/oauth/"])
async def test_a_person_logs_in_and_the_app_gets_a_token_of_theirs(demo: Demo, browser: Browser, path: str) -> None:
    first = await browser.open(path, **asking(scope="email,user_gender"))
    assert first.status == 200
    assert "JohnsMovieApp" in browser.text
    await browser.press("Continue as Olivia Bennett")
    assert "Your e-mail address" in browser.text
    address, query, _ = went_to(await browser.press("Continue as Olivia Bennett"))
    assert (address, query["tenant"], query["state"]) == ("http://127.0.0.1:9999/cb", "7", "s t&=é")
    traded = (await exchange(demo, query["code"])).json()
    assert (traded["token_type"], traded["expires_in"]) == ("bearer", 5_184_000)
    me = (await demo.client.get("/v19.0/me", fields="name,email", access_token=traded["access_token"])).json()
    assert (me["name"], me["email"]) == ("Olivia Bennett", "olivia@example.com")


async def test_every_permission_but_the_profile_can_be_refused(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking(scope="email user_gender", return_scopes="true"))
    await browser.press("Continue as Olivia Bennett")
    _, query, _ = went_to(await browser.press("Continue as Olivia Bennett", without=("scope.email",)))
    assert (query["granted_scopes"], query["denied_scopes"]) == ("public_profile,user_gender", "email")
    token = (await exchange(demo, query["code"])).json()["access_token"]
    said = (await demo.client.get("/v19.0/me/permissions", access_token=token)).json()["data"]
    assert {row["permission"]: row["status"] for row in said} == {
        "email": "declined", "public_profile": "granted", "user_gender": "granted",
    }  # fmt: skip


@pytest.mark.parametrize("screens", [1, 2])
async def test_who_cancels_goes_back_with_the_platforms_error(browser: Browser, screens: int) -> None:
    await browser.open(DIALOG, **asking())
    if screens == 2:
        await browser.press("Continue as Olivia Bennett")
    address, query, _ = went_to(await browser.press("Cancel"))
    assert address == "http://127.0.0.1:9999/cb"
    assert query == {
        "tenant": "7", "error": "access_denied", "error_code": "200", "error_description": "Permissions error",
        "error_reason": "user_denied", "state": "s t&=é",
    }  # fmt: skip


async def test_who_comes_again_for_nothing_new_goes_straight_back(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking())
    await browser.press("Continue as Olivia Bennett")
    await browser.press("Continue as Olivia Bennett")
    assert (await browser.open(DIALOG, **asking())).status == 302
    assert (await browser.open(DIALOG, **asking(scope="email,user_gender"))).status == 200
    assert (await browser.open(DIALOG, **asking(auth_type="reauthenticate"))).status == 200
    assert (await browser.open(DIALOG, **asking(), polynym_switch="1")).status == 200


async def test_what_was_declined_is_asked_again_only_on_request(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking())
    await browser.press("Continue as Olivia Bennett")
    await browser.press("Continue as Olivia Bennett", without=("scope.email",))
    assert (await browser.open(DIALOG, **asking())).status == 302
    await browser.open(DIALOG, **asking(auth_type="rerequest"))
    await browser.press("Continue as Olivia Bennett")
    assert "Your e-mail address" in browser.text
    _, query, _ = went_to(await browser.press("Continue as Olivia Bennett"))
    token = (await exchange(demo, query["code"])).json()["access_token"]
    assert (await demo.client.get("/v19.0/me", fields="email", access_token=token)).json()["email"]


async def test_a_permission_can_be_limited_to_single_pages_and_businesses(demo: Demo, browser: Browser) -> None:
    scope = "pages_show_list,pages_messaging,business_management"
    await browser.open(DIALOG, **asking(scope=scope))
    await browser.press("Continue as Olivia Bennett")
    picked = {"pages": "some", f"page.{COFFEE}": "1", "page.999": "1", "businesss": "some", f"business.{JOHNS}": "1"}
    _, query, _ = went_to(await browser.press("Continue as Olivia Bennett", **picked))
    token = (await exchange(demo, query["code"])).json()["access_token"]
    app_token = await demo.app_token(MOVIE)
    seen = (await demo.client.get("/debug_token", input_token=token, access_token=app_token)).json()["data"]
    targets = {entry["scope"]: entry.get("target_ids") for entry in seen["granular_scopes"]}
    assert targets["pages_messaging"] == targets["pages_show_list"] == [COFFEE]
    assert targets["business_management"] == [JOHNS]
    pages = (await demo.client.get("/v19.0/me/accounts", access_token=token)).json()["data"]
    assert [page["id"] for page in pages] == [COFFEE]


async def test_a_token_comes_in_the_fragment_and_with_a_code_when_both_are_asked(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking(response_type="token"))
    await browser.press("Continue as Olivia Bennett")
    reply = await browser.press("Continue as Olivia Bennett")
    _, query, fragment = went_to(reply)
    assert query == {"tenant": "7"}
    assert sorted(fragment) == ["access_token", "data_access_expiration_time", "expires_in", "state"]
    assert 3600 <= int(fragment["expires_in"]) <= 7200
    assert (await demo.client.get("/v19.0/me", access_token=fragment["access_token"])).status == 200
    both = await browser.open(DIALOG, **asking(response_type="code token"))
    _, _, fragment = went_to(both)
    assert (await exchange(demo, fragment["code"])).status == 200


async def test_a_token_for_an_address_without_a_query_gets_the_platforms_question_mark(browser: Browser) -> None:
    reply = await browser.open(
        DIALOG, **asking(response_type="token", redirect_uri="http://127.0.0.1:9999/cb", polynym_person=MOVIE_ASID)
    )
    assert (reply.header("location") or "").startswith("http://127.0.0.1:9999/cb?#access_token=EAA")


async def test_the_meaningless_fragment_follows_a_code_unless_it_is_switched_off(demo: Demo, browser: Browser) -> None:
    asked = asking(polynym_person=MOVIE_ASID)
    assert ((await browser.open(DIALOG, **asked)).header("location") or "").endswith("#_=_")
    demo.world.config = replace(demo.world.config, login_fragment=False)
    assert "#" not in ((await browser.open(DIALOG, **asked)).header("location") or "#")


# ------------------------------------------------------------------------------------------------ the shortcut


@pytest.mark.parametrize("person", ["owner", "Olivia Bennett", "olivia@example.com"])
async def test_one_get_answers_the_whole_dialog_for_anybody_in_the_sandbox(
    demo: Demo, browser: Browser, person: str
) -> None:
    reply = await browser.open(
        DIALOG, **asking(scope="email,pages_show_list"), polynym_person=person, polynym_grant="all"
    )
    assert reply.status == 302
    token = (await exchange(demo, went_to(reply)[1]["code"])).json()["access_token"]
    assert len((await demo.client.get("/v19.0/me/accounts", access_token=token)).json()["data"]) == 2


async def test_the_shortcut_grants_some_none_or_for_some_pages(demo: Demo, browser: Browser) -> None:
    asked = asking(scope="email,pages_show_list,user_gender", return_scopes="true")
    some = went_to(await browser.open(DIALOG, **asked, polynym_person="owner", polynym_grant="email"))[1]
    assert (some["granted_scopes"], some["denied_scopes"]) == ("email,public_profile", "pages_show_list,user_gender")
    none = went_to(await browser.open(DIALOG, **asked, polynym_person="owner", polynym_grant="none"))[1]
    assert none["error"] == "access_denied"
    one = await browser.open(DIALOG, **asked, polynym_person="owner", polynym_grant="all", polynym_pages=THING)
    token = (await exchange(demo, went_to(one)[1]["code"])).json()["access_token"]
    pages = (await demo.client.get("/v19.0/me/accounts", access_token=token)).json()["data"]
    assert [page["id"] for page in pages] == [THING]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"polynym_person": "nobody of that name"}, "polynym_person"),
        ({"polynym_grant": "all"}, "polynym_person"),
        ({"polynym_person": "owner", "polynym_grant": "email,nonsense"}, "polynym_grant"),
        ({"polynym_person": "owner", "polynym_pages": "1"}, "polynym_pages"),
    ],
)
async def test_a_wrong_shortcut_is_named_on_our_page(browser: Browser, given: dict[str, str], word: str) -> None:
    reply = await browser.open(DIALOG, **asking(), **given)
    assert reply.status == 400
    assert word in reply.body.decode()


async def test_production_lets_nobody_continue_as_somebody(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking())
    fields = browser.form.fields | {"person": browser.form.buttons[0][1]}
    demo.world.sandbox = False
    assert (await browser.post(fields)).status >= 400
    assert (await browser.open(DIALOG, **asking(), polynym_person="owner")).status >= 400
    assert (await browser.open(DIALOG, **asking())).status >= 400


async def test_a_look_at_the_address_logs_nobody_in(demo: Demo) -> None:
    asked = urlencode(asking(polynym_person="layla"))
    reply = await demo.client.send("HEAD", f"{DIALOG}?{asked}")
    assert (reply.status, reply.header("location"), reply.header("set-cookie")) == (200, None, None)


# ------------------------------------------------------------------------------------------------ coming back for more


async def scopes_of(demo: Demo, token: str) -> dict[str, list[str] | None]:
    """The scopes of a token with what they are limited to."""
    app_token = await demo.app_token(MOVIE)
    seen = (await demo.client.get("/debug_token", input_token=token, access_token=app_token)).json()["data"]
    targets = {entry["scope"]: entry.get("target_ids") for entry in seen.get("granular_scopes", [])}
    return {name: targets.get(name) for name in seen["scopes"]}


async def logged_in(
    demo: Demo, browser: Browser, fields: dict[str, str], without: tuple[str, ...] = (), **asked: str
) -> str:
    """A token of Olivia's, through both screens."""
    await browser.open(DIALOG, **asking(**asked), polynym_switch="1")
    reply = await browser.press("Continue as Olivia Bennett")
    if reply.status == 200:
        reply = await browser.press("Continue as Olivia Bennett", without=without, **fields)
    return str((await exchange(demo, went_to(reply)[1]["code"])).json()["access_token"])


async def test_asking_for_more_widens_nothing_that_was_limited(demo: Demo, browser: Browser) -> None:
    limited = {"pages": "some", f"page.{COFFEE}": "1"}
    await logged_in(demo, browser, limited, scope="pages_show_list,pages_messaging")
    token = await logged_in(demo, browser, {}, scope="pages_show_list,pages_messaging,email")
    assert await scopes_of(demo, token) == {
        "email": None, "pages_messaging": [COFFEE], "pages_show_list": [COFFEE], "public_profile": None,
    }  # fmt: skip


async def test_what_is_refused_the_second_time_leaves_the_tokens_of_the_first(demo: Demo, browser: Browser) -> None:
    token = await logged_in(demo, browser, {}, scope="email,pages_show_list")
    await logged_in(
        demo, browser, {}, ("scope.email", "scope.pages_show_list"), scope="email,pages_show_list",
        auth_type="reauthorize",
    )  # fmt: skip
    assert await scopes_of(demo, token) == {"public_profile": None}


async def test_no_page_picked_is_no_permission_about_pages(demo: Demo, browser: Browser) -> None:
    token = await logged_in(demo, browser, {"pages": "some"}, scope="email,pages_show_list,pages_messaging")
    assert sorted(await scopes_of(demo, token)) == ["email", "public_profile"]


async def test_a_legacy_permission_is_granted_with_everything_that_it_stands_for(demo: Demo, browser: Browser) -> None:
    asked = asking(scope="manage_pages,email", return_scopes="true")
    await browser.open("/v6.0/dialog/oauth", **asked)
    await browser.press("Continue as Olivia Bennett")
    query = went_to(await browser.press("Continue as Olivia Bennett"))[1]
    assert query["denied_scopes"] == ""
    assert {"manage_pages", "pages_show_list", "email"} <= set(query["granted_scopes"].split(","))
    assert (await browser.open("/v6.0/dialog/oauth", **asked)).status == 302
    other = Browser(demo.client)
    await other.open("/v6.0/dialog/oauth", **asked)
    await other.press("Continue as Ruth Rivera")
    query = went_to(await other.press("Continue as Ruth Rivera", without=("scope.pages_show_list",)))[1]
    assert {"manage_pages", "pages_show_list"} <= set(query["denied_scopes"].split(","))


async def test_a_search_does_not_end_a_change_of_person(browser: Browser) -> None:
    await logged_in_as_olivia(browser)
    await browser.open(DIALOG, **asking(), polynym_search="John")
    assert "Continue as John Smith" in browser.text


async def test_who_may_not_use_an_app_can_still_continue_as_somebody_else(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking())
    await browser.press("Continue as John Smith")
    await browser.press("Continue as John Smith")
    await set_app(demo, MOVIE, mode="development")
    assert (await browser.open(DIALOG, **asking())).status == 200
    assert (await browser.press("Continue as John Smith")).status == 403
    await browser.open(DIALOG, **asking())
    assert (await browser.press("Continue as Olivia Bennett")).status == 200


async def logged_in_as_olivia(browser: Browser) -> None:
    """The browser remembers her from here on."""
    await browser.open(DIALOG, **asking())
    await browser.press("Continue as Olivia Bennett")
    await browser.press("Continue as Olivia Bennett")


@pytest.mark.parametrize(
    "others", ['a={"x":1}', "a=b c", "foo[bar]=1", "a@b=1", "a", "a=\xe9", 'a="b', "path=/x", 'a="' + '\\"' * 20_000]
)
async def test_cookies_of_other_programs_on_this_machine_do_not_matter(browser: Browser, others: str) -> None:
    await browser.open(DIALOG, **asking())
    browser.others = others
    assert (await browser.press("Continue as Olivia Bennett")).status == 200


async def test_a_form_answers_the_whole_request_it_was_shown_for(browser: Browser) -> None:
    challenge = challenge_of("v" * 43, "S256")
    await browser.open(DIALOG, **asking(code_challenge=challenge, code_challenge_method="S256"))
    fields = browser.form.fields | {"person": browser.form.buttons[0][1]}
    shown = browser.url
    for changed in (
        shown.replace("code_challenge=", "x="),
        f"{shown}&response_type=token",
        f"{shown}&return_scopes=true",
    ):
        browser.url = changed
        assert (await browser.post(fields)).status >= 400
    browser.url = shown
    assert (await browser.post(fields)).status == 200


async def test_a_name_cannot_turn_the_text_around_it(demo: Demo, browser: Browser) -> None:
    name = "Mallory \u202egpj.exe"
    await demo.world.db.run("UPDATE person SET name = :name WHERE key = 'owner'", name=name)
    reply = await browser.open(DIALOG, **asking())
    assert "\u202e" not in reply.body.decode()
    assert "[U+202E]gpj.exe" in browser.text


async def test_people_are_found_whatever_the_case_of_their_first_letter(demo: Demo, browser: Browser) -> None:
    await demo.world.db.run("UPDATE person SET name = 'Élodie Ünal' WHERE key = 'owner'")
    for search in ("élodie", "Élodie", "ünal"):
        await browser.open(DIALOG, **asking(polynym_search=search))
        assert "Continue as Élodie Ünal" in browser.text


# ------------------------------------------------------------------------------------------------ refused on our page


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"client_id": ""}, 400, "Invalid App ID"),
        ({"client_id": "1"}, 400, "Invalid App ID"),
        ({"client_id": "12a"}, 400, "Invalid App ID"),
        ({"redirect_uri": ""}, 400, "Missing redirect_uri"),
        ({"redirect_uri": "https://evil.example/"}, 400, "URL Blocked"),
        ({"redirect_uri": "http://127.0.0.1:9999@evil.example/"}, 400, "URL Blocked"),
        ({"response_type": "id_token"}, 400, "response_type"),
        ({"state": "x" * 5000}, 400, "state"),
        ({"scope": ",".join(f"s{n}" for n in range(200))}, 400, "scope"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, 400, "code_challenge"),
        ({"code_challenge": "a" * 43, "code_challenge_method": "S512"}, 400, "code_challenge_method"),
        ({"code_challenge_method": "S256"}, 400, "code_challenge"),
    ],
)
async def test_a_wrong_request_is_shown_here_and_sends_nobody_anywhere(
    browser: Browser, changes: dict[str, str], status: int, words: str
) -> None:
    reply = await browser.open(DIALOG, **asking(**changes))
    assert reply.status == status
    assert reply.header("location") is None
    assert words in reply.body.decode()
    assert "evil" not in (reply.header("content-security-policy") or "")


async def test_an_app_in_development_lets_in_only_who_has_a_role(demo: Demo, browser: Browser) -> None:
    await set_app(demo, MOVIE, mode="development")
    refused = await browser.open(DIALOG, **asking(polynym_person="john"))
    assert refused.status == 403
    assert "App Not Setup" in refused.body.decode()
    assert (await browser.open(DIALOG, **asking(polynym_person="owner"))).status == 302


async def test_an_unknown_scope_is_told_to_developers_and_ignored_for_others(browser: Browser) -> None:
    asked = asking(scope="email,no_such_scope")
    assert (
        "Invalid Scopes: no_such_scope" in (await browser.open(DIALOG, **asked, polynym_person="owner")).body.decode()
    )
    assert (await browser.open(DIALOG, **asked, polynym_person="john")).status == 302


async def test_what_the_app_was_not_reviewed_for_is_asked_of_nobody_without_a_role(
    demo: Demo, browser: Browser
) -> None:
    await demo.world.db.transaction(lambda tx: identity.set_permissions(tx, MOVIE, {"email": "standard"}))
    asked = asking(scope="email,user_gender", return_scopes="true")
    granted = went_to(await browser.open(DIALOG, **asked, polynym_person="john"))[1]["granted_scopes"]
    assert "email" not in granted.split(",")
    granted = went_to(await browser.open(DIALOG, **asked, polynym_person="owner"))[1]["granted_scopes"]
    assert "email" in granted.split(",")


# ------------------------------------------------------------------------------------------------ forged forms


async def test_a_form_of_another_visitor_another_request_or_another_time_is_refused(
    demo: Demo, browser: Browser
) -> None:
    await browser.open(DIALOG, **asking())
    fields, url = browser.form.fields | {"person": browser.form.buttons[0][1]}, browser.url
    other = Browser(demo.client)
    await other.open(DIALOG, **asking())
    assert (await other.post(fields)).status == 403
    assert (await Browser(demo.client, url=url).post(fields)).status == 403
    browser.url = url.replace("email", "user_gender")
    assert (await browser.post(fields)).status == 403
    browser.url = url
    assert (await browser.post(fields | {"form": fields["form"][:-2]})).status == 403
    assert (await browser.post({"person": "1"})).status == 403
    assert (await browser.post(fields)).status == 200
    clock = demo.world.clock
    assert isinstance(clock, SandboxClock)
    await clock.advance(demo.world.db, 2 * 60 * 60 * 1000)
    assert (await browser.post(fields)).status == 403


async def test_a_ticked_permission_that_was_not_asked_is_not_granted(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking(return_scopes="true"))
    await browser.press("Continue as Olivia Bennett")
    forged = {"scope.pages_messaging": "1"}
    granted = went_to(await browser.press("Continue as Olivia Bennett", **forged))[1]["granted_scopes"]
    assert granted == "email,public_profile"


async def test_pages_cannot_be_framed_cached_or_scripted(browser: Browser) -> None:
    for reply in (await browser.open(DIALOG, **asking()), await browser.open(DIALOG, client_id="x")):
        policy = reply.header("content-security-policy") or ""
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy.replace("default-src 'none'", "")
        assert reply.header("x-frame-options") == "DENY"
        assert reply.header("cache-control") == "no-store"
        assert reply.header("referrer-policy") == "no-referrer"
        assert b"<script" not in reply.body


async def test_names_are_shown_as_text_whatever_they_contain(demo: Demo, browser: Browser) -> None:
    name = "<script>alert(1)</script>\"'&{{7*7}}"
    await demo.world.db.run("UPDATE person SET name = :name WHERE key = 'owner'", name=name)
    await demo.world.db.run("UPDATE page SET name = :name WHERE id = :id", name=name, id=THING)
    await set_app(demo, MOVIE, name=name)
    await browser.open(DIALOG, **asking(scope="pages_messaging"))
    for _ in range(2):
        assert browser.reply is not None
        assert b"<script" not in browser.reply.body
        assert name in browser.text
        await browser.press(f"Continue as {name}")


async def test_nobodys_internal_number_is_in_a_page(demo: Demo, browser: Browser) -> None:
    row = await demo.world.db.one("SELECT person FROM person WHERE key = 'owner'")
    assert row is not None
    reply = await browser.open(DIALOG, **asking())
    assert f'value="{row["person"]}"' not in reply.body.decode()


# ------------------------------------------------------------------------------------------------ languages, search


@pytest.mark.parametrize(
    ("headers", "locale", "words"),
    [
        ({}, None, "Continue as"),
        ({"accept-language": "fr-CA,fr;q=0.9,en;q=0.5"}, None, "Continuer en tant que"),
        ({"accept-language": "es"}, None, "Continuar como"),
        ({"accept-language": "es"}, "fr_FR", "Continuer en tant que"),
        ({"accept-language": '"><b>'}, "xx_XX", "Continue as"),
    ],
)
async def test_the_dialog_speaks_the_visitors_language(
    browser: Browser, headers: dict[str, str], locale: str | None, words: str
) -> None:
    browser.extra = headers
    asked = asking() if locale is None else asking(locale=locale)
    await browser.open(DIALOG, **asked)
    assert words in browser.text


async def test_people_are_found_by_part_of_their_name(browser: Browser) -> None:
    await browser.open(DIALOG, **asking(polynym_search="LIVIA B"))
    assert [label for _, _, label in browser.form.buttons] == ["Continue as Olivia Bennett", "Cancel"]
    await browser.open(DIALOG, **asking(polynym_search="%"))
    assert [label for _, _, label in browser.form.buttons] == ["Cancel"]


async def test_somebody_who_was_erased_meanwhile_is_nobody(demo: Demo, browser: Browser) -> None:
    await browser.open(DIALOG, **asking())
    await browser.press("Continue as Olivia Bennett")
    ctx: Ctx = demo.world.ctx()
    row = await ctx.db.one("SELECT person FROM person WHERE key = 'owner'")
    assert row is not None
    await erase_person(ctx, row["person"], ERASERS)
    assert (await browser.press("Continue as Olivia Bennett")).status == 400


async def test_a_code_with_a_challenge_is_traded_with_its_verifier(demo: Demo, browser: Browser) -> None:
    verifier = "v" * 43
    asked = asking(code_challenge=challenge_of(verifier, "S256"), code_challenge_method="S256", polynym_person="owner")
    code = went_to(await browser.open(DIALOG, **asked))[1]["code"]
    assert (await exchange(demo, code, client_secret="")).error["message"].find("code_verifier") >= 0
    assert (await exchange(demo, code, client_secret="", code_verifier="w" * 43)).status == 400
    assert (await exchange(demo, code, client_secret="", code_verifier=verifier)).status == 200


async def test_the_app_in_question_is_the_one_whose_dialog_it_was(demo: Demo, browser: Browser) -> None:
    code = went_to(await browser.open(DIALOG, **asking(polynym_person="owner")))[1]["code"]
    other = await exchange(demo, code, client_id=GAME, client_secret=await demo.secret(GAME))
    assert other.error["message"] == "Invalid verification code format."
    assert (await exchange(demo, code)).status == 200
