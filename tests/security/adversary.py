"""The adversary of the linkage game: holds every token of business X and asks everything, in an order that only depends on
its seed and on the answers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from polynym.graph.node import Edge, Node, Param
from polynym.graph.registry import Registry
from tests.security import stage
from tests.security.stage import COFFEE, GAME, HELD, LAB, MOVIE, OWN_IDS, OWNER_MEMBER, THING, Token, X
from tests.support.asgi import Asgi, Reply

#: One token of each sort that can do anything.
VARIETY: Final = tuple(
    token for token in HELD if token.name in ("literal game", "minted game", "owner", "john", "thing", "partner page")
)
VERSIONS: Final = ("", "", "", "/v19.0", "/v2.6", "/v2.2", "/v2.12", "/v3.2", "/v26.0", "/v99.0")
OWN_NODES: Final[Mapping[str, Sequence[str]]] = {
    "User": (*OWN_IDS.values(), "me"), "Application": (GAME, MOVIE, LAB, "app"), "Page": (THING, COFFEE, "me"),
    "Business": (X,), "BusinessUser": (OWNER_MEMBER,),
}  # fmt: skip
#: Where `limit` and its kin get interesting.
LIMITS: Final = ("0", "1", "1", "2", "3", "25", "100", "101", "100000", "-1", "x", "")
LOCALES: Final = ("fr_FR", "es_ES", "en_US", "xx", "ar_AR")


@dataclass(frozen=True)
class Query:
    """One request; `body` None means that the parameters are in the URL."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    async def ask(self, client: Asgi) -> Reply:
        """Send it."""
        headers = dict(self.headers)
        if self.body is None:
            return await client.send(self.method, f"{self.path}?{urlencode(self.params)}", headers=headers)
        query = urlencode(self.params)
        return await client.send(
            self.method, f"{self.path}?{query}" if query else self.path, body=self.body.encode(), headers=headers
        )

    def replaced(self, old: str, new: str) -> Query:
        """The same request about another id."""
        return Query(
            self.method,
            self.path.replace(old, new),
            tuple((name, value.replace(old, new)) for name, value in self.params),
            None if self.body is None else self.body.replace(old, new),
            self.headers,
        )


def signed(token: Token) -> dict[str, str]:
    """Token and proof as parameters; a client token's proof is one too many nowhere."""
    return {"access_token": token.text, "appsecret_proof": token.proof}


def get(path: str, token: Token, **params: str) -> Query:
    """A signed GET."""
    return Query("GET", path, tuple((params | signed(token)).items()))


def posted(path: str, token: Token, **params: str) -> Query:
    """A signed POST with everything in the URL."""
    return Query("POST", path, tuple((params | signed(token)).items()), "")


# ------------------------------------------------------------------------------------------------- everything in order


def edges(registry: Registry) -> Iterator[tuple[Node, Edge]]:
    """Every declared edge, also those that are not built."""
    for node in registry.nodes.values():
        for edge in node.edges.values():
            yield node, edge


def sweep(
    registry: Registry, ids: Sequence[str], *, methods: Sequence[str] = ("GET",), tokens: Sequence[Token] = HELD
) -> Iterator[Query]:
    """Every edge and root of the registry with every token on `ids`; what is not built with one token on one of them."""
    for number, token in enumerate(tokens):
        for method in methods:
            names = {edge.name: edge for _, edge in edges(registry) if edge.method == method}
            for place, id_ in enumerate(ids):
                for edge in names.values():
                    if edge.built or (number == 0 and place == 0):
                        params = required(edge.params, id_) | signed(token)
                        yield Query(method, f"/{id_}/{edge.name}".removesuffix("/"), tuple(params.items()))
                if method == "GET":
                    yield get(f"/{id_}", token)
        for root in registry.roots.values():
            for method in root.methods:
                values = {param.name: ids[0] for param in root.params if param.required} | signed(token)
                yield Query(method, f"/{root.path}", tuple(values.items()))


def required(params: Sequence[Param], id_: str) -> dict[str, str]:
    """Something for every parameter that must be there."""
    return {param.name: id_ for param in params if param.required}


# ----------------------------------------------------------------------------------------------------- anything at all

_CURSOR: Final = re.compile(r"QVFI[A-Za-z0-9_-]{20,}")


@dataclass
class Player:
    """Draws requests; remembers cursors and ETags that it was given."""

    registry: Registry
    rng: random.Random
    nodes: Sequence[str]
    filters: Sequence[str]
    cursors: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def heard(self, reply: Reply) -> None:
        """Take from an answer what can be used again."""
        self.cursors += _CURSOR.findall(reply.body.decode(errors="replace"))[:4]
        del self.cursors[:-50]
        if (tag := reply.header("etag")) is not None:
            self.tags = [*self.tags[-20:], tag]

    def query(self) -> Query:
        """The next request."""
        rng = self.rng
        if rng.random() < 0.12:
            return self._batch()
        token = rng.choice(HELD)
        method = rng.choice(("GET",) * 12 + ("POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"))
        params = self._params() | self._credentials(token)
        path = rng.choice(VERSIONS) + self._path(method)
        if rng.random() < 0.08:
            params["method"] = rng.choice(("get", "POST", "delete", "GET"))
        return self._carried(method, path, params)

    def _carried(self, method: str, path: str, params: dict[str, str]) -> Query:
        headers = [("if-none-match", self.rng.choice(self.tags))] if self.tags and self.rng.random() < 0.1 else []
        if method != "POST":
            return Query(method, path, tuple(params.items()), None, tuple(headers))
        if self.rng.random() < 0.3:
            return Query(method, path, (), json.dumps(params), (*headers, ("content-type", "application/json")))
        form = ("content-type", "application/x-www-form-urlencoded")
        return Query(method, path, (), urlencode(params), (*headers, form))

    def _path(self, method: str) -> str:
        rng = self.rng
        if rng.random() < 0.08:
            return f"/{rng.choice(list(self.registry.roots))}"
        if rng.random() < 0.3:
            return f"/{rng.choice(self.nodes)}"
        verb = method if method in ("POST", "DELETE") else "GET"
        names = sorted({edge.name for _, edge in edges(self.registry) if edge.method == verb})
        linking = ("ids_for_apps", "ids_for_pages", "ids_for_business")
        name = rng.choice(linking) if verb == "GET" and rng.random() < 0.5 else rng.choice(names)
        return f"/{rng.choice(self.nodes)}/{name}" if rng.random() < 0.95 else f"/{name}"

    def _credentials(self, token: Token) -> dict[str, str]:
        rng = self.rng
        given = signed(token)
        if rng.random() < 0.1:
            del given["appsecret_proof"]
        elif rng.random() < 0.06:
            given["appsecret_proof"] = rng.choice((token.proof.upper(), token.proof[:-1], rng.choice(HELD).proof, ""))
        if rng.random() < 0.03:
            del given["access_token"]
        return given

    def _params(self) -> dict[str, str]:
        rng = self.rng
        makers: dict[str, Any] = {
            "fields": self._fields, "limit": lambda: rng.choice(LIMITS), "offset": lambda: rng.choice(LIMITS),
            "after": self._cursor, "before": self._cursor, "app": self._filter, "page": self._filter,
            "summary": lambda: rng.choice(("true", "total_count")), "metadata": lambda: "1",
            "debug": lambda: rng.choice(("all", "info", "warning")), "locale": lambda: rng.choice(LOCALES),
            "pretty": lambda: "1", "callback": lambda: "fn", "date_format": lambda: "U",
            "ids": lambda: ",".join(rng.choice(self.nodes) for _ in range(rng.randint(1, 4))),
            "user_ids": lambda: ",".join(rng.choice(self.nodes) for _ in range(rng.randint(1, 4))),
            "ignore_invalid_ids": lambda: rng.choice(("true", "false")), "app_id": self._public, "page_id": self._public,
            "business": self._filter, "permission": lambda: rng.choice(("email", "user_birthday", "x")),
            "suppress_http_code": lambda: "1", "input_token": lambda: rng.choice(HELD).text,
        }  # fmt: skip
        weights = [8 if name == "fields" else 3 if name in ("limit", "after", "app", "page") else 1 for name in makers]
        chosen = dict.fromkeys(rng.choices(list(makers), weights, k=rng.choice((0, 1, 1, 2, 3, 5))))
        return {name: makers[name]() for name in chosen}

    def _cursor(self) -> str:
        rng = self.rng
        if not self.cursors or rng.random() < 0.1:
            return "QVFIforged"
        cursor = rng.choice(self.cursors)
        if rng.random() < 0.2:
            at = rng.randrange(4, len(cursor))
            cursor = cursor[:at] + rng.choice("AZaz09_-") + cursor[at + 1 :]
        return cursor

    def _filter(self) -> str:
        return self.rng.choice(self.filters)

    def _public(self) -> str:
        """An asset that everybody may know: claiming one that does not exist is another answer, and no secret."""
        return self.rng.choice([GAME, LAB, THING, stage.RIVAL_APP, stage.RIVAL_PAGE, stage.PARTNER_PAGE, "1", "x"])

    def _fields(self) -> str:
        rng = self.rng
        node = rng.choice([self.registry.nodes[name] for name in ("User", "User", "Application", "Page", "Business")])
        return ",".join(self._item(node, 3) for _ in range(rng.randint(1, 5)))

    def _item(self, node: Node, depth: int) -> str:
        rng = self.rng
        readable = [edge for edge in node.edges.values() if edge.method == "GET" and edge.returns is not None]
        if readable and depth and rng.random() < 0.5:
            edge = rng.choice(readable)
            text = edge.name
            if rng.random() < 0.3:
                text += f".limit({rng.choice(LIMITS)})"
            if rng.random() < 0.3:
                text += f".{rng.choice(('app', 'page', 'after', 'offset'))}({self._filter()})"
            if rng.random() < 0.1:
                text += ".summary(true)"
            assert edge.returns is not None
            if rng.random() < 0.5:
                text += "{" + ",".join(self._item(edge.returns, depth - 1) for _ in range(rng.randint(1, 3))) + "}"
            return text
        return rng.choice(list(node.fields)) if rng.random() < 0.97 else "nonsense"

    def _batch(self) -> Query:
        rng = self.rng
        items = []
        for number in range(rng.randint(1, 5)):
            path = self._path("GET")
            inner = self._params() | (self._credentials(rng.choice(HELD)) if rng.random() < 0.6 else {})
            item: dict[str, Any] = {"method": "GET", "relative_url": f"{path[1:]}?{urlencode(inner)}"}
            if rng.random() < 0.3:
                item |= {"name": f"n{number}", "omit_response_on_success": False}
            if number and rng.random() < 0.3:
                before = rng.randrange(number)
                items[before]["name"] = f"n{before}"
                item["relative_url"] = f"?ids={{result=n{before}:$.data.*.id}}&fields=id"
            items.append(item)
        params = {"batch": json.dumps(items)} | self._credentials(rng.choice(HELD))
        return self._carried("POST", rng.choice(("/", "/v19.0/", "/me")), params)


# ----------------------------------------------------------------------------------------------------------- transcripts

Heard = tuple[int, tuple[tuple[str, str], ...], bytes]


def heard(reply: Reply) -> Heard:
    """All of an answer."""
    return reply.status, tuple(reply.headers), reply.body


def game_nodes() -> list[str]:
    """Ids that the adversary tries as nodes: its own, the foreigners', invented ones, and words."""
    own = [id_ for ids in OWN_NODES.values() for id_ in ids]
    return [*own, *stage.FOREIGN_NODES, *stage.INVENTED, "me", "app", "moviens", "0", "9" * 19]


def game_filters() -> list[str]:
    """Ids for parameters: assets of everybody, also those that exist in one world only."""
    assets = (GAME, MOVIE, LAB, THING, COFFEE, stage.RIVAL_APP, stage.RIVAL_PAGE, stage.PARTNER_APP)
    return [*assets, stage.PARTNER_PAGE, stage.GHOST_APP, stage.GHOST_PAGE, stage.GHOST, "864810290375599", "x", ""]
