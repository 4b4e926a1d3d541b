"""Picture addresses: opaque, bounded in time, and only ours."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from polynym.graph.call import Answer
from polynym.graph.expand import Ref
from polynym.graph.node import Node
from polynym.graph.paging import Window
from polynym.identity.nodes import APPLICATION, PAGE, USER
from polynym.identity.pictures import PICTURE_VALID_MS, picture, picture_url
from polynym.wire import errors

from .conftest import GAME, GAME_ASID, THING, THING_PSID, World, refused


def parts(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


async def edge(world: World, ctx: Any, node: Node, node_id: str, **params: Any) -> Any:
    _, row = await world.resolve(ctx, node_id)
    handler = node.edges["picture", "GET"].handler
    assert handler is not None
    arguments = {"type_": None, "width": None, "height": None, "redirect": True} | params
    return await handler(ctx, Ref(node_id, row), Window(25), **arguments)


async def test_a_picture_edge_redirects_to_an_image(world: World) -> None:
    answer = await edge(world, world.by_app(GAME), USER, GAME_ASID)
    assert answer.status == 302
    url = dict(answer.headers)[b"Location"].decode()
    assert url.startswith("http://127.0.0.1:8484/picture?")
    image = await picture(world.ctx(), None, parts(url)["hash"])  # type: ignore[arg-type]
    assert isinstance(image, Answer)
    assert (image.status, image.content_type) == (200, b"image/svg+xml")
    assert ElementTree.fromstring(image.value).get("width") == "50"


async def test_a_picture_edge_answers_json_when_told_not_to_redirect(world: World) -> None:
    answer = await edge(world, world.ctx(), PAGE, THING, redirect=False, type_="large", width=300)
    assert answer["data"] | {"url": ""} == {"height": 300, "is_silhouette": False, "url": "", "width": 300}
    assert parts(answer["data"]["url"])["width"] == "300"


async def test_apps_have_a_picture_too(world: World) -> None:
    answer = await edge(world, world.by_app(GAME), APPLICATION, GAME, redirect=False)
    assert answer["data"]["height"] == 50


async def test_a_closed_profile_has_no_picture(world: World) -> None:
    await world.db.run("UPDATE person SET profile = 'name_only'")
    with refused(errors.NO_PROFILE):
        await edge(world, world.by_page(THING), USER, THING_PSID)


async def test_an_address_expires(world: World) -> None:
    sealed = parts(picture_url(world.ctx(), "John Smith"))["hash"]
    world.clock.ms += PICTURE_VALID_MS
    assert (await picture(world.ctx(), None, sealed)).status == 200  # type: ignore[arg-type]
    world.clock.ms += 1000
    with refused(errors.PARAM_INVALID):
        await picture(world.ctx(), None, sealed)  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", ["", "x", "1.00000000.AAAA", "1..", "é"])
async def test_an_address_that_is_not_ours_is_refused(world: World, changed: str) -> None:
    with refused(errors.PARAM_INVALID):
        await picture(world.ctx(), None, changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "initial"),
    [("john", "J"), ("  élodie", "É"), ("ليلى", "ل"), ("👋🏽", "?"), ("<b>", "B"), ("&", "?"), ("ß", "S")],
)
async def test_the_image_shows_the_first_letter(world: World, name: str, initial: str) -> None:
    image = await picture(world.ctx(), None, parts(picture_url(world.ctx(), name))["hash"])  # type: ignore[arg-type]
    text = ElementTree.fromstring(image.value).find("{http://www.w3.org/2000/svg}text")
    assert text is not None
    assert text.text == initial
