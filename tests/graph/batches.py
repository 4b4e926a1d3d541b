"""Sending batches and reading their slots."""

from __future__ import annotations

import json
from typing import Any

from tests.graph.world import USER
from tests.support.asgi import Asgi, Reply

Item = dict[str, Any]
ME: Item = {"method": "GET", "relative_url": "me"}


async def batch(client: Asgi, items: list[Any], path: str = "/", **params: Any) -> list[Any]:
    """The slots of a batch that as a whole succeeds."""
    reply = await client.post(path, batch=json.dumps(items), **({"access_token": USER} | params))
    assert reply.status == 200, reply.body
    slots: list[Any] = reply.json()
    assert len(slots) == len(items)
    return slots


async def one(client: Asgi, item: Item, **params: Any) -> Any:
    """The slot of the only item."""
    return (await batch(client, [item], **params))[0]


def body(slot: Any) -> Any:
    assert isinstance(slot["body"], str)
    return json.loads(slot["body"])


async def failing(client: Asgi, items: Any, **params: Any) -> Reply:
    """A batch that fails as a whole."""
    reply = await client.post(
        "/", batch=items if isinstance(items, str) else json.dumps(items), access_token=USER, **params
    )
    assert reply.status == 400
    assert "code" not in reply.error or reply.error["code"]
    return reply
