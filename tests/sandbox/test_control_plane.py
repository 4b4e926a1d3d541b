"""The control plane over ASGI, on both engines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polynym.app import build
from polynym.core import config
from polynym.core.db import Db, connect
from polynym.sandbox.env import KEYS
from polynym.wire.signatures import appsecret_proof
from tests.support.asgi import Asgi

HOUR_MS = 3_600_000
GAME, MOVIE, THING = "1419232575008550", "259773517400382", "380374449010653"


# ------------------------------------------------------------------------------------------------- who may come in


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic the-key-of-this-test", "bearer  x"])
async def test_without_the_key_nothing_is_answered(plane: Any, header: str) -> None:
    reply = await plane.call("GET", "clock", authorization=header)
    assert reply.status == 401
    assert reply.json()["error"]["param"] == "Authorization"
    assert reply.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("host", ["graph.facebook.com", "www.facebook.com:8484"])
async def test_the_control_plane_answers_to_loopback_names_only(plane: Any, host: str) -> None:
    plane.http = Asgi(plane.world.asgi, host)
    assert (await plane.call("GET", "clock")).status == 421


@pytest.mark.parametrize("host", ["localhost:8484", "[::1]:8484", "127.0.0.1"])
async def test_every_loopback_name_will_do(plane: Any, host: str) -> None:
    plane.http = Asgi(plane.world.asgi, host)
    assert (await plane.call("GET", "clock")).status == 200


async def test_health_needs_no_key(plane: Any) -> None:
    for name in ("live", "ready"):
        assert (await plane.http.get(f"/_polynym/health/{name}")).json() == {"status": "ok"}


async def test_without_a_setting_the_key_is_a_file_that_only_the_owner_reads(db: Db, tmp_path: Path) -> None:
    world = await build(config.load({"data_dir": str(tmp_path)}, {}, tmp_path), db=db)
    reply = await Asgi(world.asgi).get("/_polynym/v1/clock")
    assert reply.status == 401
    file = tmp_path / "admin-token"
    assert file.stat().st_mode & 0o777 == 0o600
    authorization = {"authorization": f"Bearer {file.read_text().strip()}"}
    assert (await Asgi(world.asgi).get("/_polynym/v1/clock", headers=authorization)).status == 200


async def test_production_has_no_control_plane_without_a_key_and_no_acts_with_one(db: Db, tmp_path: Path) -> None:
    settings = config.load({"data_dir": str(tmp_path), "secret_key": "x" * 20}, {}, tmp_path)
    world = await build(settings, sandbox=False, db=db)
    assert (await Asgi(world.asgi).get("/_polynym/v1/world")).status == 404
    assert not (tmp_path / "admin-token").exists()
    keyed = await build(replace(settings, admin_token="k" * 20), sandbox=False, db=db)
    for path, status in (("world", 200), ("clock", 404), ("acts/say", 404)):
        reply = await Asgi(keyed.asgi).get(f"/_polynym/v1/{path}", headers={"authorization": f"Bearer {'k' * 20}"})
        assert reply.status == status, path


async def test_production_logs_nobody_in_to_fill_an_environment(plane: Any, db: Db, tmp_path: Path) -> None:
    settings = config.load({"data_dir": str(tmp_path), "admin_token": "k" * 20}, {}, tmp_path)
    world = await build(settings, sandbox=False, db=db)
    reply = await Asgi(world.asgi).get("/_polynym/v1/env", headers={"authorization": f"Bearer {'k' * 20}"})
    env = reply.json()
    assert (env["PAGE_ID"], env["USER_TOKEN"], env["PAGE_TOKEN"]) == (THING, "", "")
    assert (await db.one("SELECT COUNT(*) AS n FROM token"))["n"] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "deliveries", "deliveries is not built yet"),
        ("POST", "acts/opt_in", "acts/opt_in is not built yet"),
        ("POST", "snapshots/a/restore", "snapshots/a/restore is not built yet"),
        ("GET", "colours", "there is no call GET colours"),
        ("GET", "acts/say", "there is no GET acts/say"),
        ("GET", "", "there is no call GET "),
        ("POST", "people/john/extra", "there is no call POST people/john/extra"),
    ],
)
async def test_what_is_not_there_says_so(plane: Any, method: str, path: str, message: str) -> None:
    reply = await plane.call(method, path)
    assert (reply.status, reply.json()["error"]["message"]) == (404, message)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"person": 1}', b"[" * 100_000])
async def test_a_body_that_is_no_object_of_texts_is_refused(plane: Any, body: bytes) -> None:
    assert (await plane.call("POST", "acts/erase", body)).status == 400


# ------------------------------------------------------------------------------------------------------------ clock


async def test_the_clock_advances_freezes_resumes_and_scales(plane: Any) -> None:
    before = await plane.ok("GET", "clock")
    assert before["frozen"] is True
    after = await plane.ok("POST", "clock", {"advance": "25h"})
    assert after["now_ms"] == before["now_ms"] + 25 * HOUR_MS
    assert (await plane.ok("POST", "clock", {"scale": 60}))["scale"] == 60
    assert (await plane.ok("POST", "clock", {"resume": True}))["frozen"] is False
    assert (await plane.ok("POST", "clock", {"freeze": True}))["frozen"] is True


@pytest.mark.parametrize(
    "body",
    [
        {}, {"advance": "-1h"}, {"advance": 5}, {"advance": "10000d" * 5}, {"advance": "soon"}, {"freeze": False},
        {"scale": 0}, {"scale": "x"}, {"scale": True}, {"advance": "1h", "freeze": True}, {"back": "1h"},
    ],
)  # fmt: skip
async def test_a_clock_cannot_be_turned_back_or_beyond_its_bounds(plane: Any, body: dict[str, Any]) -> None:
    before = await plane.ok("GET", "clock")
    assert (await plane.call("POST", "clock", body)).status == 400
    assert await plane.ok("GET", "clock") == before


async def test_a_review_that_falls_due_while_the_clock_advances_is_decided_at_its_time(plane: Any) -> None:
    now_ms = (await plane.ok("GET", "clock"))["now_ms"]
    await plane.ok("PATCH", "businesses/johns", {"review": "pending", "review_due": "+48h"})
    assert (await plane.ok("POST", "clock", {"advance": "47h"}))["fired"] == []
    fired = (await plane.ok("POST", "clock", {"advance": "2h"}))["fired"]
    assert [(event["kind"], event["at_ms"], event["business"], event["state"]) for event in fired] == [
        ("review_decided", now_ms + 48 * HOUR_MS, "102030405060708", "approved")
    ]
    assert (await plane.ok("GET", "world"))["businesses"][0]["review"] == "approved"


async def test_expired_tokens_are_listed_without_saying_which(plane: Any) -> None:
    token = (await plane.ok("POST", "acts/log_in", {"person": "carlos", "app": "game"}))["user_token"]
    reply = await plane.call("POST", "clock", {"advance": "3h"})
    kinds = [(event["kind"], event["type"], event["app"]) for event in reply.json()["fired"]]
    assert kinds == [("token_expired", "user", GAME)]
    assert token.encode() not in reply.body


# -------------------------------------------------------------------------------------------------------------- env


async def test_env_has_exactly_its_keys_and_the_demo_fills_them_all(plane: Any) -> None:
    env = await plane.ok("GET", "env")
    assert list(env) == list(KEYS)
    assert [name for name, value in env.items() if not value] == []
    assert (env["APP_ID"], env["PAGE_ID"], env["SECOND_APP_ID"]) == (GAME, THING, MOVIE)
    assert (env["PSID"], env["ASID"], env["BUSINESS_ID"]) == ("12345123", "10152368852405295", "102030405060708")
    assert (env["SECOND_PAGE_ID"], env["EXTERNAL_BUSINESS_ID"]) == ("517220948113306", "johns-shop-1")
    assert env["BASE_URL"] == "http://127.0.0.1:8484"
    assert env["APP_TOKEN"] == f"{GAME}|{env['APP_SECRET']}"


async def test_env_of_an_app_names_that_apps_install_and_no_other(plane: Any) -> None:
    assert (await plane.ok("GET", "env?app=partner"))["EXTERNAL_BUSINESS_ID"] == "johns-shop-1"
    assert (await plane.ok("GET", "env?app=movie"))["EXTERNAL_BUSINESS_ID"] == ""


async def test_env_gives_the_same_tokens_again(plane: Any) -> None:
    assert await plane.ok("GET", "env") == await plane.ok("GET", "env")


async def test_env_can_be_asked_about_another_app_page_and_person(plane: Any) -> None:
    env = await plane.ok("GET", "env?app=JohnsMovieApp&page=coffee&person=amelie")
    assert (env["APP_ID"], env["PAGE_ID"], env["SECOND_APP_ID"]) == (MOVIE, "517220948113306", GAME)
    assert env["PSID"]
    assert env["ASID"] == ""


async def test_env_of_an_empty_world_is_empty(plane: Any) -> None:
    await plane.ok("DELETE", "world")
    env = await plane.ok("GET", "env")
    assert {name for name, value in env.items() if value} == {"BASE_URL", "GRAPH_VERSION", "VERIFY_TOKEN"}


async def test_the_tokens_of_env_work_on_the_graph(plane: Any) -> None:
    env = await plane.ok("GET", "env")
    proof = appsecret_proof(env["PAGE_TOKEN"], env["APP_SECRET"])
    page = await plane.http.get("/me", fields="id,name", access_token=env["PAGE_TOKEN"], appsecret_proof=proof)
    assert page.json() == {"id": THING, "name": "John's Next Great Thing"}
    for token in ("USER_TOKEN", "SECOND_PAGE_TOKEN", "APP_TOKEN"):
        path = "/me" if token != "APP_TOKEN" else f"/{GAME}"
        assert (await plane.http.get(path, access_token=env[token])).status == 200, token


# ------------------------------------------------------------------------------------------------------------ world


async def test_an_export_loads_into_another_server_and_exports_the_same(plane: Any) -> None:
    await plane.ok("GET", "env")
    first = await plane.ok("GET", "world")
    yaml = await plane.call("GET", "world?format=yaml")
    await plane.ok("DELETE", "world")
    loaded = await plane.ok("POST", "world?file=exported.yaml", yaml.body)
    assert loaded["loaded"]["people"] == len(first["people"])
    assert await plane.ok("GET", "world") == first


async def test_an_export_never_holds_a_persons_internal_key(plane: Any) -> None:
    await plane.world.db.run("UPDATE person SET person = 918273645000000000 + person WHERE key = 'sunny'")
    await plane.world.db.run(
        "UPDATE person_scope SET person = 918273645000000000 + person"
        " WHERE person + 918273645000000000 IN (SELECT person FROM person)"
    )
    assert b"918273645" not in (await plane.call("GET", "world")).body


async def test_a_world_that_is_wrong_is_refused_with_every_problem(plane: Any) -> None:
    reply = await plane.call("POST", "world?file=w.yaml", b"polynym: 1\npeople: [{key: a}]\npages: [{nme: x}]\n")
    error = reply.json()["error"]
    assert reply.status == 400
    assert (error["param"], error["message"]) == ("people[0]", 'people[0]: "name" is missing')
    assert [(each["line"], each["path"]) for each in error["problems"]] == [
        (2, "people[0]"), (3, "pages[0].nme"), (3, "pages[0]"), (3, "pages[0]"),
    ]  # fmt: skip


async def test_a_world_that_exists_already_is_a_conflict(plane: Any) -> None:
    reply = await plane.call("POST", "world", {"polynym": 1, "people": [{"key": "john", "name": "J"}]})
    assert (reply.status, reply.json()["error"]["param"]) == (409, "people[0].key")


# ------------------------------------------------------------------------------------------------------------- acts


async def test_who_writes_to_a_page_for_the_first_time_gets_an_id_there_and_keeps_it(plane: Any) -> None:
    said = await plane.ok("POST", "acts/say", {"person": "john", "page": "coffee", "text": "Hi"})
    assert said["mid"] is None
    again = await plane.ok(
        "POST", "acts/say", {"psid": said["psid"], "page": "John's Coffee Corner", "text": "Hi again"}
    )
    assert again["psid"] == said["psid"]
    john = next(person for person in (await plane.ok("GET", "world"))["people"] if person["key"] == "john")
    assert next(c for c in john["pages"] if c["page"] == "coffee")["text"] == "Hi again"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"page": "thing", "text": "x"}, 400, "person"),
        ({"person": "john", "psid": "12345123", "page": "thing", "text": "x"}, 400, "person"),
        ({"person": "john", "page": "thing"}, 400, "text"),
        ({"person": "john", "page": "thing", "text": "x", "ref": "y"}, 400, "ref"),
        ({"person": "john", "page": "thing", "text": "x" * 2001}, 400, "text"),
        ({"person": "john", "page": "thing", "text": "a\0b"}, 400, "text"),
        ({"person": "nobody", "page": "thing", "text": "x"}, 404, "person"),
        ({"person": "john", "page": "nothing", "text": "x"}, 404, "page"),
        ({"psid": "645195294", "page": "thing", "text": "x"}, 404, "psid"),
        ({"person": "john", "page": "thing", "text": "x", "colour": 1}, 400, "colour"),
    ],
)
async def test_what_cannot_be_said_is_refused(plane: Any, body: dict[str, Any], status: int, param: str) -> None:
    reply = await plane.call("POST", "acts/say", body)
    assert (reply.status, reply.json()["error"]["param"]) == (status, param)


async def test_a_name_that_two_have_is_a_conflict_that_names_both(plane: Any) -> None:
    await plane.ok("POST", "people", {"key": "john2", "name": "John Smith"})
    reply = await plane.call("POST", "acts/leave", {"person": "John Smith", "app": "game"})
    assert reply.status == 409
    assert reply.json()["error"]["candidates"] == ["john", "john2"]


async def test_a_login_answers_an_id_and_a_token_that_works(plane: Any) -> None:
    answer = await plane.ok("POST", "acts/log_in", {"person": "layla", "app": MOVIE, "scopes": ["email"]})
    me = await plane.http.get("/me", fields="id,name", access_token=answer["user_token"])
    assert me.json() == {"id": answer["asid"], "name": "ليلى حداد"}


async def test_only_people_with_a_role_log_in_to_an_app_in_development(plane: Any) -> None:
    await plane.ok("PATCH", "apps/game", {"mode": "development"})
    assert (await plane.call("POST", "acts/log_in", {"person": "layla", "app": "game"})).status == 409
    await plane.ok("POST", "acts/log_in", {"person": "carlos", "app": "game"})


async def test_an_unknown_permission_is_refused_at_login(plane: Any) -> None:
    reply = await plane.call("POST", "acts/log_in", {"person": "john", "app": "game", "scopes": ["emial"]})
    assert (reply.status, reply.json()["error"]["param"]) == (400, "scopes")


async def test_who_leaves_an_app_and_returns_has_a_new_id_and_the_old_token_is_dead(plane: Any) -> None:
    first = await plane.ok("POST", "acts/log_in", {"person": "layla", "app": "game"})
    assert await plane.ok("POST", "acts/leave", {"person": "layla", "app": "game"}) == {"left": True}
    assert (await plane.http.get("/me", access_token=first["user_token"])).error["error_subcode"] == 458
    second = await plane.ok("POST", "acts/log_in", {"person": "layla", "app": "game"})
    assert second["asid"] != first["asid"]
    assert await plane.ok("POST", "acts/leave", {"person": "layla", "app": "movie"}) == {"left": False}


async def test_an_erased_person_leaves_no_id_in_any_table(plane: Any) -> None:
    await plane.ok("POST", "acts/say", {"person": "john", "page": "coffee", "text": "canary-words"})
    john = await plane.world.db.one("SELECT person FROM person WHERE key = 'john'")
    assert await plane.ok("POST", "acts/erase", {"person": "john"}) == {"erased": True}
    world = json.dumps(await plane.ok("GET", "world"))
    for trace in ("12345123", "10152368852405295", "645195294", "canary-words", "John Smith", "+12125552368"):
        assert trace not in world
    for table in ("contact", "scoped_id", "person_scope", "app_grant", "token", "phone"):
        left = await plane.world.db.one(f"SELECT COUNT(*) AS n FROM {table} WHERE person = :p", p=john["person"])
        assert left["n"] == 0, table
    assert (await plane.call("POST", "acts/erase", {"person": "john"})).status == 404


async def test_erasing_who_made_an_install_keeps_the_install(plane: Any) -> None:
    await plane.ok("POST", "acts/erase", {"person": "owner"})
    world = await plane.ok("GET", "world")
    assert "by" not in world["installs"][0]
    await plane.ok("DELETE", "world")
    await plane.ok("POST", "world", world)


# --------------------------------------------------------------------------------------------------------- entities


async def test_an_entity_is_made_with_a_key_from_its_name(plane: Any) -> None:
    made = await plane.ok("POST", "apps", {"name": "Zoë's Café", "business": "102030405060708"})
    assert (made["key"], made["name"], len(made["secret"])) == ("zoe-s-cafe", "Zoë's Café", 32)
    assert (await plane.ok("POST", "apps", {"name": "Zoë's Café"}))["key"] == "zoe-s-cafe-2"
    token = f"{made['id']}|{made['secret']}"
    assert (await plane.http.get(f"/{made['id']}", access_token=token)).json()["name"] == "Zoë's Café"


async def test_a_person_is_made_with_ids_where_they_were(plane: Any) -> None:
    made = await plane.ok(
        "POST", "people", {"name": "Ana", "apps": [{"app": GAME}], "pages": [{"page": "thing", "id": "77712345"}]}
    )
    assert made["pages"] == [{"page": "John's Next Great Thing", "id": "77712345"}]
    assert made["apps"][0]["app"] == "John's Game App"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("people", {"name": 5}, 400, "name"),
        ("people", {"name": "A", "colour": "red"}, 400, "colour"),
        ("people", {"key": "john", "name": "A"}, 409, "key"),
        ("people", {"name": "A", "email": "john@example.com"}, 409, "email"),
        ("pages", {"name": "A", "id": GAME}, 409, "id"),
        ("pages", {"name": "A", "id": "12345123"}, 409, "id"),
        ("pages", {"name": "A", "business": "nobody"}, 404, "business"),
        ("businesses", {}, 400, None),
    ],
)
async def test_an_entity_that_cannot_be_is_refused(
    plane: Any, path: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    reply = await plane.call("POST", path, body)
    assert (reply.status, reply.json()["error"]["param"]) == (status, param)


async def test_every_key_of_an_entity_can_be_changed_and_the_others_stay(plane: Any) -> None:
    changes: dict[str, dict[str, Any]] = {
        "businesses/johns": {
            "name": "J", "verified": "2020-01-01T00:00:00Z", "review": "rejected", "vertical": "RETAIL",
            "members": [{"person": "dana", "role": "EMPLOYEE"}], "created_by": "dana", "primary_page": "coffee",
        },
        "apps/game": {
            "name": "G", "mode": "development", "category": "Games", "secret": "f" * 32, "client_token": "e" * 32,
            "require_app_secret": "2021-01-01T00:00:00Z", "redirect_uris": ["https://example.com/"],
            "permissions": {"email": "none"}, "roles": [{"person": "dana", "role": "developer"}],
            "client_of": ["rival"], "business_since": "2022-01-01T00:00:00Z",
            "webhooks": [{"object": "page", "callback_url": "http://127.0.0.1:1/", "verify_token": "v"}],
        },
        "pages/thing": {
            "name": "T", "about": "A\nB", "published": False, "business": "rival", "one_time_notification": "none",
            "tasks": [{"person": "dana", "tasks": ["ANALYZE"]}], "apps": [{"app": "movie", "role": "primary"}],
        },
        "people/sunny": {
            "name": "Sunny Okafor", "locale": "fr_FR", "birthday": "1999-12-31", "email": "s@example.com",
            "profile": "none", "phones": [{"number": "+447911123456", "verified": "2024-01-01T00:00:00Z"}],
            "password": "correct horse", "apps": [{"app": "movie", "id": "4455667788"}], "pages": [],
        },
    }  # fmt: skip
    before = await plane.ok("GET", "world")
    for path, body in changes.items():
        await plane.ok("PATCH", path, body)
    after = await plane.ok("GET", "world")
    for path, body in changes.items():
        collection, key = path.split("/")
        was, now = _entry(before, collection, key), _entry(after, collection, key)
        for name, value in body.items():
            assert _holds(now.get(name, _DEFAULTS.get(name)), value), (path, name, now.get(name))
        for name in was.keys() - body.keys() - {"updated", "business_since", "timezone_id"}:
            assert now[name] == was[name], (path, name)


_DEFAULTS = {"one_time_notification": "none", "pages": []}


def _entry(world: dict[str, Any], collection: str, key: str) -> dict[str, Any]:
    return next(entry for entry in world[collection] if entry["key"] == key)


def _holds(found: Any, said: Any) -> bool:
    if isinstance(said, dict):
        return all(_holds(found.get(name), value) for name, value in said.items())
    if isinstance(said, list):
        return len(found) == len(said) and all(map(_holds, found, said))
    return bool(found == said)


async def test_null_puts_a_key_back_to_its_default_and_a_name_cannot_go(plane: Any) -> None:
    await plane.ok("PATCH", "people/john", {"locale": None, "email": None, "payment_enabled": None})
    john = _entry(await plane.ok("GET", "world"), "people", "john")
    assert john.keys() & {"locale", "email", "payment_enabled"} == set()
    reply = await plane.call("PATCH", "people/john", {"name": None})
    assert (reply.status, reply.json()["error"]["param"]) == (400, "name")


async def test_an_id_stays_what_it_is(plane: Any) -> None:
    assert (await plane.call("PATCH", "pages/thing", {"id": "5"})).status == 400
    await plane.ok("PATCH", "pages/thing", {"id": THING, "name": "T"})


async def test_a_taken_name_is_a_conflict_when_changed_too(plane: Any) -> None:
    for path, body in (
        ("pages/thing", {"username": "coffee.corner"}),
        ("apps/game", {"namespace": "johnsmovieappns"}),
        ("people/sunny", {"key": "john"}),
        ("people/sunny", {"email": "john@example.com"}),
        ("people/john", {"pages": [{"page": "thing", "id": "999"}]}),
    ):
        assert (await plane.call("PATCH", path, body)).status == 409, path


async def test_a_new_secret_ends_the_apps_minted_tokens_and_the_old_literal_one(plane: Any) -> None:
    old = (await plane.ok("GET", "env"))["APP_TOKEN"]
    await plane.ok("PATCH", "apps/game", {"secret": "a" * 32})
    assert (await plane.http.get(f"/{GAME}", access_token=old)).status == 400
    assert (await plane.ok("GET", "env"))["APP_TOKEN"] == f"{GAME}|{'a' * 32}"


async def test_who_loses_the_tasks_on_a_page_loses_its_tokens(plane: Any) -> None:
    token = (await plane.ok("GET", "env"))["PAGE_TOKEN"]
    await plane.ok("PATCH", "pages/thing", {"tasks": []})
    assert (await plane.http.get("/me", access_token=token)).error["error_subcode"] == 492


@pytest.mark.parametrize("path", ["businesses/johns", f"apps/{GAME}", "pages/thing", "people/john", "apps/partner"])
async def test_what_is_deleted_is_gone_and_the_rest_is_still_a_world(plane: Any, path: str) -> None:
    await plane.ok("GET", "env")
    assert await plane.ok("DELETE", path) == {"deleted": True}
    assert (await plane.call("DELETE", path)).status == 404
    world = await plane.ok("GET", "world")
    await plane.ok("DELETE", "world")
    await plane.ok("POST", "world", world)
    assert await plane.ok("GET", "world") == world
    assert (await plane.call("GET", "env")).status == 200


async def test_a_second_process_finds_the_world_that_the_first_left(
    plane: Any, database_url: str, tmp_path: Path
) -> None:
    other = await connect(database_url)
    world = await build(config.load({"data_dir": str(tmp_path), "admin_token": "k" * 20}, {}, tmp_path), db=other)
    reply = await Asgi(world.asgi).get("/_polynym/v1/world", headers={"authorization": f"Bearer {'k' * 20}"})
    assert reply.json() == await plane.ok("GET", "world")
    await world.close()
