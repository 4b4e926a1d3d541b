"""Loading and exporting worlds, on both engines."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from polynym.core.ctx import Ctx
from polynym.sandbox.draft import dump, render_yaml
from polynym.sandbox.export import export_world
from polynym.sandbox.load import load_document
from polynym.sandbox.reset import demo_document, reset
from polynym.sandbox.source import WorldFileError
from polynym.sandbox.store import is_empty
from polynym.sandbox.world_file import WorldFile
from tests.support.worlds import worlds

#: Without shrinking: each example is a hundred statements.
on_one_database = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


async def load(ctx: Ctx, world: WorldFile) -> None:
    await load_document(ctx, json.dumps(dump(world)).encode(), "world.json")


@given(world=worlds())
@on_one_database
async def test_an_exported_world_loads_back_to_an_equal_one(ctx: Ctx, world: WorldFile) -> None:
    await reset(ctx)
    await load(ctx, world)
    first = await export_world(ctx)
    await reset(ctx)
    await load_document(ctx, render_yaml(first).encode(), "world.yaml")
    assert await export_world(ctx) == first


@given(world=worlds())
@on_one_database
async def test_an_export_says_what_the_loaded_file_said(ctx: Ctx, world: WorldFile) -> None:
    await reset(ctx)
    await load(ctx, world)
    exported = {kind: {each["key"]: each for each in entries} for kind, entries in _entities(await export_world(ctx))}
    for kind, entries in _entities(world):
        for entry in entries:
            _assert_says(exported[kind][entry["key"]], entry)


def _entities(world: WorldFile) -> list[tuple[str, list[dict[str, object]]]]:
    return [(kind, dump(world).get(kind, [])) for kind in ("businesses", "apps", "pages", "people")]


#: What loading completes: permissions that are always granted, tasks that others imply.
COMPLETED = {"scopes", "declined", "tasks"}
#: What an export leaves out because it follows from the name.
DERIVED = {"first_name", "middle_name", "last_name"}


def _assert_says(found: object, said: object, name: str = "") -> None:
    if name == "scopes":
        said = [*said, "public_profile"]  # type: ignore[misc]
    if name in COMPLETED and all(isinstance(item, str) for item in said):  # type: ignore[attr-defined]
        assert set(found) >= set(said), name  # type: ignore[call-overload]
    elif isinstance(said, dict):
        for key in said.keys() - DERIVED:
            _assert_says(found.get(key, ["public_profile"]), said[key], key)  # type: ignore[attr-defined]
    elif isinstance(said, list) and said and (name == "client_of" or isinstance(said[0], dict)):
        by_name = {_name(item): item for item in found}  # type: ignore[attr-defined]
        for item in said:
            _assert_says(by_name[_name(item)], item, name)
    else:
        assert found == said, name


def _name(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return next((item[key] for key in ("person", "app", "page", "business", "number", "object") if key in item), None)


async def test_the_demo_world_loads_and_is_exported_with_the_ids_of_the_guide(ctx: Ctx) -> None:
    await load_document(ctx, demo_document(), "demo.yaml")
    world = await export_world(ctx)
    assert [app.id for app in world.apps][:2] == ["1419232575008550", "259773517400382"]
    assert all(app.secret is not None and len(app.secret) == 32 for app in world.apps)
    john = next(person for person in world.people if person.key == "john")
    assert [(login.app, login.id) for login in john.apps][:2] == [("game", "10152368852405295"), ("movie", "645195294")]
    assert (john.pages[0].page, john.pages[0].id, john.pages[0].text) == ("thing", "12345123", "Hello")
    assert world.installs[0].external_business_id == "johns-shop-1"
    assert world.installs[0].by == "owner"
    assert [page.apps[0].role for page in world.pages if page.key == "thing"] == ["primary"]


async def test_a_second_load_of_the_same_world_is_refused_and_changes_nothing(ctx: Ctx) -> None:
    await load_document(ctx, demo_document(), "demo.yaml")
    before = await export_world(ctx)
    with pytest.raises(WorldFileError) as caught:
        await load_document(ctx, demo_document(), "demo.yaml")
    lines = str(caught.value).splitlines()
    assert 'demo.yaml:6: businesses[0].key: "johns" exists already' in lines
    assert any(line.endswith('people[0].pages[0].id: "12345123" exists already') for line in lines)
    assert await export_world(ctx) == before


async def test_a_world_file_may_mention_what_exists_and_nothing_else(ctx: Ctx) -> None:
    await load_document(ctx, demo_document(), "demo.yaml")
    text = "polynym: 1\npeople:\n  - {key: zoe, name: Zoë Kim, apps: [{app: game}], pages: [{page: %s, wrote: -1h}]}\n"
    with pytest.raises(WorldFileError) as caught:
        await load_document(ctx, (text % "nowhere").encode(), "more.yaml")
    assert str(caught.value) == 'more.yaml:3: people[0].pages[0].page: there is no page with the key "nowhere"'
    await load_document(ctx, (text % "coffee").encode(), "more.yaml")
    world = await export_world(ctx)
    assert [login.app for login in world.people[-1].apps] == ["game"]


async def test_an_id_that_a_person_has_somewhere_cannot_become_a_page(ctx: Ctx) -> None:
    await load_document(ctx, demo_document(), "demo.yaml")
    with pytest.raises(WorldFileError, match=re.escape('pages[0].id: "12345123" exists already')):
        await load_document(ctx, b'{"polynym": 1, "pages": [{"key": "n", "name": "N", "id": "12345123"}]}', "n.json")


async def test_a_refused_world_leaves_the_database_empty(ctx: Ctx) -> None:
    bad = demo_document().replace(b"external_business_id: johns-shop-1", b"external_business_id: 5")
    with pytest.raises(WorldFileError):
        await load_document(ctx, bad, "demo.yaml")
    assert await is_empty(ctx.db)


async def test_a_reset_leaves_nothing_and_a_demo_reset_the_demo_world(ctx: Ctx) -> None:
    await reset(ctx, demo=True)
    assert not await is_empty(ctx.db)
    await reset(ctx)
    assert await is_empty(ctx.db)
    assert await export_world(ctx) == WorldFile(polynym=1)


async def test_who_has_no_key_is_given_one_that_is_not_the_internal_one(ctx: Ctx) -> None:
    await load_document(ctx, demo_document(), "demo.yaml")
    await ctx.db.run("UPDATE person SET key = NULL")
    world = await export_world(ctx)
    assert [person.key for person in world.people] == [f"person-{number}" for number in range(1, len(world.people) + 1)]
    await reset(ctx)
    await load_document(ctx, render_yaml(world).encode(), "world.yaml")
    again = await export_world(ctx)
    assert replace(again, tokens=()) == replace(world, tokens=())
