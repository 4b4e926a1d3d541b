"""me/accounts, permissions and the page's access_token, as calls of the graph."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.graph.call import Call
from polynym.graph.dispatch import Graph
from polynym.graph.paging import Cursors
from polynym.graph.registry import Registry
from polynym.graph.usage import Usage
from polynym.identity import nodes as identity_nodes
from polynym.identity.pages import PAGE
from polynym.identity.store import id_in_scope, set_permissions, set_tasks
from polynym.identity.users import USER
from polynym.tokens import nodes
from polynym.tokens.audience import users_of
from polynym.tokens.grants import grant, grants_of
from polynym.tokens.pages import page_token
from polynym.tokens.scopes import CATALOGUE
from polynym.wire.errors import GraphError

from .conftest import SECRET, World

REGISTRY = Registry((identity_nodes, nodes))
VERSION = (19, 0)


async def ask(world: World, method: str, path: str, token: str, version: Any = VERSION, **params: Any) -> Any:
    """The answer of the graph to one call; errors are raised as they were inside."""
    graph = Graph(
        REGISTRY, world.authenticator, Cursors(bytes(range(64))), Usage("observe", users_of), lambda: world.ctx
    )
    bag = params | {"access_token": token}
    call = Call(method, tuple(path.split("/")), version, bag, query=dict(bag), origin="http://localhost")
    answer = await graph.answer(call)
    if isinstance(answer.value, GraphError):
        raise answer.value
    return answer.value


async def get(world: World, path: str, token: str, version: Any = VERSION, **params: Any) -> Any:
    return await ask(world, "GET", path, token, version, **params)


async def refusal(world: World, method: str, path: str, token: str, **params: Any) -> str:
    with pytest.raises(GraphError) as raised:
        await ask(world, method, path, token, **params)
    return raised.value.entry.name


# --- me/accounts


async def accounts(world: World, token: str, version: Any = (19, 0), **params: Any) -> Any:
    return await get(world, "me/accounts", token, version, **params)


async def test_accounts_lists_pages_with_their_tokens_and_tasks(world: World) -> None:
    token = await world.log_in(long_lived=True)
    answer = await accounts(world, token, fields="access_token,category,name,id,tasks")
    first, second = answer["data"]
    assert first["name"] == "Next Great Thing"
    assert first["category"] == "Musician"
    assert first["tasks"] == ["ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MANAGE", "MESSAGING"]
    assert (first["id"], second["id"]) == (world.page, world.second_page)
    for row in (first, second):
        assert (await world.caller(row["access_token"])).page == row["id"]
    assert set(answer["paging"]) == {"cursors"}


async def test_accounts_gives_the_same_tokens_as_the_pages_themselves(world: World) -> None:
    token = await world.log_in(long_lived=True)
    listed = await accounts(world, token, fields="access_token")
    for row in listed["data"]:
        assert await get(world, row["id"], token, fields="access_token") == row


async def test_without_fields_accounts_answers_as_documented(world: World) -> None:
    token = await world.log_in()
    new, old = await accounts(world, token, (3, 1)), await accounts(world, token, (3, 0))
    common = ["access_token", "category", "category_list", "name", "id"]
    assert list(new["data"][0]) == [*common, "tasks"]
    assert list(old["data"][0]) == [*common, "perms"]


async def test_accounts_needs_pages_show_list(world: World) -> None:
    token = await world.log_in(None, "pages_messaging")
    assert await refusal(world, "GET", "me/accounts", token) == "PERMISSION_REQUIRED"


async def test_accounts_can_be_a_field_of_me(world: World) -> None:
    answer = await get(world, "me", await world.log_in(long_lived=True), fields="accounts{id,access_token}")
    rows = answer["accounts"]["data"]
    assert [row["id"] for row in rows] == [world.page, world.second_page]
    assert (await world.caller(rows[1]["access_token"])).page == world.second_page


async def test_before_v3_1_pages_carry_perms(world: World) -> None:
    token = await world.log_in()
    answer = await accounts(world, token, (3, 0), fields="perms")
    assert answer["data"][0]["perms"] == [
        "ADMINISTER", "EDIT_PROFILE", "CREATE_CONTENT", "MODERATE_CONTENT", "CREATE_ADS", "BASIC_ADMIN",
    ]  # fmt: skip


async def test_accounts_can_be_paged_forwards_and_backwards(world: World) -> None:
    token = await world.log_in()
    first = await accounts(world, token, fields="id", limit="1")
    assert [row["id"] for row in first["data"]] == [world.page]
    second = await accounts(world, token, fields="id", limit="1", after=first["paging"]["cursors"]["after"])
    assert [row["id"] for row in second["data"]] == [world.second_page]
    assert "next" not in second["paging"]
    back = await accounts(world, token, fields="id", limit="1", before=second["paging"]["cursors"]["before"])
    assert back["data"] == first["data"]


async def test_accounts_costs_two_statements_however_many_pages(world: World) -> None:
    token = await world.log_in(long_lived=True)
    await accounts(world, token, fields="access_token")
    before = world.db.statements
    await accounts(world, token, fields="access_token,tasks")
    person = 1
    assert world.db.statements - before == person + 2


async def test_tokens_that_nobody_asked_for_are_not_made(world: World) -> None:
    await accounts(world, await world.log_in(long_lived=True), fields="id,name")
    assert not await world.db.all("SELECT hash FROM token WHERE kind = 'page'")


async def test_accounts_shows_only_the_pages_that_were_picked(world: World) -> None:
    token = await world.log_in(targets={"pages_show_list": [world.second_page, "1"]})
    assert [row["id"] for row in (await accounts(world, token, fields="id"))["data"]] == [world.second_page]
    nothing = await world.log_in(targets={"pages_show_list": []})
    assert await accounts(world, nothing, fields="id") == {"data": []}


async def test_no_page_here_is_a_place(world: World) -> None:
    assert await accounts(world, await world.log_in(), fields="id", is_place="true") == {"data": []}


async def test_who_is_no_person_has_no_accounts(world: World) -> None:
    page = await get(world, world.page, await world.log_in(), fields="access_token")
    for path, token in (("me/accounts", page["access_token"]), (f"{world.asid}/accounts", f"{world.app.id}|{SECRET}")):
        with pytest.raises(GraphError):
            await get(world, path, token, fields="id")


async def test_nobody_lists_somebody_elses_accounts(world: World) -> None:
    token = await world.log_in()
    mary = str(await id_in_scope(world.db, world.mary, world.app.scope))
    for node_id in (mary, "1"):
        assert await refusal(world, "GET", f"{node_id}/accounts", token, fields="id") == "NO_SUCH_OBJECT"


def test_accounts_is_for_user_tokens_with_pages_show_list() -> None:
    edge = USER.edges["accounts", "GET"]
    assert (edge.tokens, edge.scope) == (("user",), "pages_show_list")


# --- {page}?fields=access_token


async def test_a_pages_token_is_left_out_for_those_without_a_right(world: World) -> None:
    outsider = await world.log_in(world.mary)
    app = f"{world.app.id}|{SECRET}"
    for token in (outsider, app):
        assert await get(world, world.page, token, fields="access_token") == {"id": world.page}


async def test_a_page_token_is_its_own_answer(world: World) -> None:
    ctx = await world.as_(await world.log_in())
    assert ctx.caller is not None
    token = await page_token(ctx, ctx.caller, world.page)
    assert token is not None
    answer = {"access_token": token, "id": world.page}
    assert await get(world, world.page, token, fields="access_token") == answer
    assert await get(world, world.second_page, token, fields="access_token") == {"id": world.second_page}


async def test_a_token_is_never_part_of_the_default_fields() -> None:
    assert all("access_token" not in PAGE.defaults(version) for version in ((2, 3), (2, 6), (19, 0)))


# --- permissions


async def test_permissions_are_listed_with_their_status(world: World) -> None:
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["pages_messaging"], declined=["email"]))
    token = await world.log_in(None, "pages_show_list")
    expected = [
        {"permission": "email", "status": "declined"},
        {"permission": "pages_messaging", "status": "granted"},
        {"permission": "pages_show_list", "status": "granted"},
        {"permission": "public_profile", "status": "granted"},
    ]
    for caller in (token, f"{world.app.id}|{SECRET}"):
        assert (await get(world, f"{world.asid}/permissions", caller))["data"] == expected


async def test_permissions_can_be_filtered(world: World) -> None:
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["pages_messaging"], declined=["email"]))
    token = await world.log_in(None, "pages_show_list")

    async def names(**filters: str) -> list[str]:
        return [row["permission"] for row in (await get(world, "me/permissions", token, **filters))["data"]]

    assert await names(status="declined") == ["email"]
    assert await names(permission="pages_messaging") == ["pages_messaging"]
    assert await names(permission="pages_messaging", status="declined") == []
    assert await names(status="expired") == []


async def test_a_legacy_permission_is_shown_to_versions_that_know_it(world: World) -> None:
    token = await world.log_in(None, "manage_pages")
    old = await get(world, "me/permissions", token, (6, 0), permission="manage_pages")
    new = await get(world, "me/permissions", token, (7, 0), permission="manage_pages")
    assert (len(old["data"]), new) == (1, {"data": []})


async def test_permissions_of_somebody_else_or_of_another_apps_person_do_not_exist(world: World) -> None:
    token = await world.log_in()
    mary = str(await id_in_scope(world.db, world.mary, world.app.scope))
    elsewhere = str(await id_in_scope(world.db, world.john, world.other_app.scope))
    app = f"{world.app.id}|{SECRET}"
    for caller, node_id in ((token, mary), (token, elsewhere), (app, elsewhere), (app, "1")):
        for method in ("GET", "DELETE"):
            assert await refusal(world, method, f"{node_id}/permissions", caller) == "NO_SUCH_OBJECT"
    assert (await world.caller(token)).kind == "user"


async def test_deleting_one_permission_leaves_the_token_without_it(world: World) -> None:
    token = await world.log_in()
    answer = await ask(world, "DELETE", "me/permissions", token, permission="pages_messaging")
    assert answer == {"success": True}
    assert "pages_messaging" not in (await world.caller(token)).scopes
    assert (await grants_of(world.db, world.john, world.app.id)).states["pages_messaging"] == "declined"


@pytest.mark.parametrize("caller", ["user", "app"])
async def test_deleting_all_permissions_removes_the_app(world: World, caller: str) -> None:
    token = await world.log_in()
    asking = token if caller == "user" else f"{world.app.id}|{SECRET}"
    assert await ask(world, "DELETE", f"{world.asid}/permissions", asking) == {"success": True}
    with pytest.raises(GraphError) as raised:
        await world.caller(token)
    assert raised.value.entry.subcode == 458
    assert await id_in_scope(world.db, world.john, world.app.scope) is None


@pytest.mark.parametrize("name", ["public_profile", "world_domination"])
async def test_what_cannot_be_taken_back_is_refused(world: World, name: str) -> None:
    token = await world.log_in()
    assert await refusal(world, "DELETE", "me/permissions", token, permission=name) == "PARAM_INVALID"
    assert (await world.caller(token)).kind == "user"


async def test_an_apps_permissions_are_live_unless_reviewed_away(world: World) -> None:
    await world.change(lambda ctx: set_permissions(ctx.db, world.app.id, {"email": "none", "ads_read": "standard"}))
    app = f"{world.app.id}|{SECRET}"
    rows = (await get(world, "app/permissions", app))["data"]
    status = {row["permission"]: row["status"] for row in rows}
    assert (status["email"], status["ads_read"], status["pages_messaging"]) == ("unapproved", "live", "live")
    assert set(status) == {name for name, permission in CATALOGUE.items() if not permission.legacy}
    unapproved = await get(world, f"{world.app.id}/permissions", app, status="unapproved")
    assert unapproved["data"] == [{"permission": "email", "status": "unapproved"}]


async def test_an_app_sees_no_other_apps_permissions(world: World) -> None:
    own = f"{world.app.id}|{SECRET}"
    assert await refusal(world, "GET", f"{world.other_app.id}/permissions", own) == "NO_SUCH_OBJECT"


async def test_a_person_without_tasks_has_no_accounts(world: World) -> None:
    await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.john, []))
    await world.change(lambda ctx: set_tasks(ctx.db, world.second_page, world.john, []))
    assert await accounts(world, await world.log_in(), fields="id") == {"data": []}


def test_the_feature_exports_its_declarations() -> None:
    assert {root.path for root in nodes.ROOTS} == {
        "oauth/access_token",
        "oauth/client_code",
        "oauth/revoke",
        "debug_token",
    }
    assert [node.name for node in nodes.NODES] == ["Permission"]
    assert nodes.RESOLVERS == ()
