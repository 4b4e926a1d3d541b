"""Node, Edge, Field, Param, Root: what exists in the graph, declared once and checked at import.

A declaration is the single source of routing, parameter checks, field expansion, `metadata=1`, the reference pages and
the OpenAPI document. A feature declares; `graph` serves; `graph` knows no feature.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, Literal, TypeVar

from polynym.core.ctx import Ctx, TokenKind
from polynym.wire.errors import Error

Version = tuple[int, int]
Method = Literal["GET", "POST", "DELETE"]
ParamType = Literal["string", "id", "int", "bool", "list", "object", "enum", "time", "file"]

#: A handler of an edge: `(ctx, node, page, **params)` for GET, `(ctx, node, **params)` for POST and DELETE.
EdgeHandler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=EdgeHandler)

ANY_TOKEN: Final[tuple[TokenKind, ...]] = ("user", "page", "app", "system_user")


_RESERVED: Final = frozenset(("from", "type", "id", "object", "filter", "format"))


class DeclarationError(Exception):
    """A declaration that contradicts itself; raised at import, never while serving."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an edge or root. Values arrive typed; a bad one is refused by name before the handler runs.

    `list` gives a list of strings; `object` a dict; `time` epoch milliseconds; `id` ASCII digits as a string.
    `max` bounds the length of a string, the size of a list, or an int.
    """

    name: str
    type: ParamType = "string"
    doc: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    max: int | None = None
    min: int | None = None
    default: Any = None
    #: The handler's keyword for it: the name itself unless Python reserves it.
    argument: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "argument", f"{self.name}_" if self.name in _RESERVED else self.name)


@dataclass(frozen=True, slots=True)
class Field:
    """One readable field of a node.

    `get(row)` reads the value from the node's row; `load(ctx, row)` is for values that need a query or the caller.
    None means unset and is omitted. `check(ctx, row)` answers whether the caller may see it (False omits the field)
    or raises the field's own error. `node` makes the value a nested object whose default selection is `nested`.
    """

    name: str
    type: str
    doc: str
    source: str
    get: Callable[[Any], Any]
    load: Callable[[Ctx, Any], Awaitable[Any]] | None = None
    check: Callable[[Ctx, Any], bool] | None = None
    default: bool = False
    wide: bool = True
    node: Node | None = None
    nested: tuple[str, ...] = ()
    since: Version | None = None
    until: Version | None = None

    def exists_in(self, version: Version) -> bool:
        """Whether the field is part of `version`."""
        return (self.since is None or version >= self.since) and (self.until is None or version < self.until)


@dataclass(slots=True, eq=False)
class Edge:
    """One edge and verb of a node; `name` is "" for the node itself (update, delete).

    `resolves` edges take an id nobody has looked up yet and raise NO_SUCH_OBJECT themselves: that keeps a hot edge at one
    statement. `proof` names the token kinds for which appsecret_proof is required whatever the app's switch says;
    `proof_expanded` those for which it is when the edge is read through `fields` (None: the same).
    """

    name: str
    owner: Node
    method: Method
    handler: EdgeHandler | None
    doc: str
    source: str
    returns: Node | None = None
    params: tuple[Param, ...] = ()
    tokens: tuple[TokenKind, ...] = ANY_TOKEN
    proof: tuple[TokenKind, ...] = ()
    proof_expanded: tuple[TokenKind, ...] | None = None
    scope: str | None = None
    public: bool = False
    resolves: bool = False
    transaction: bool = True
    since: Version | None = None
    too_old: Error | None = None
    until: Version | None = None
    wrong_token: Error | None = None
    default_fields: tuple[str, ...] = ()
    key: Callable[[Any], str] = field(default=itemgetter("id"))
    tag: Callable[[Any], str] | None = None
    count: EdgeHandler | None = None
    #: The parameter that may also be the path's last segment.
    tail: str | None = None
    limit_default: int = 25
    limit_max: int = 100

    @property
    def built(self) -> bool:
        """False for edges that the platform has and this server does not (yet)."""
        return self.handler is not None


class Node:
    """A kind of object: its fields, its edges, and how one is loaded by id."""

    def __init__(self, name: str, doc: str, source: str) -> None:
        self.name = name
        self.doc = doc
        self.source = source
        self.fields: dict[str, Field] = {}
        self.edges: dict[tuple[str, Method], Edge] = {}
        self.load: Callable[[Ctx, str], Awaitable[Any | None]] | None = None
        self.id: Callable[[Any], str | None] = itemgetter("id")

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def field(
        self,
        name: str,
        type: str,  # noqa: A002 - the platform's own word
        doc: str,
        *,
        source: str,
        get: Callable[[Any], Any] | None = None,
        load: Callable[[Ctx, Any], Awaitable[Any]] | None = None,
        check: Callable[[Ctx, Any], bool] | None = None,
        default: bool = False,
        wide: bool = True,
        node: Node | None = None,
        nested: Sequence[str] = (),
        since: Version | None = None,
        until: Version | None = None,
    ) -> None:
        """Declare a field; the value is the row's column of the same name unless `get` or `load` says otherwise."""
        if name in self.fields:
            raise DeclarationError(f"{self.name}.{name} is declared twice")
        if not doc or not source:
            raise DeclarationError(f"{self.name}.{name} needs a doc and a source")
        self.fields[name] = Field(
            name, type, doc, source, get or itemgetter(name), load, check, default,
            wide and load is None and node is None, node, tuple(nested), since, until,
        )  # fmt: skip

    def edge(self, name: str, *, method: Method = "GET", doc: str, source: str, **options: Any) -> Callable[[H], H]:
        """Declare an edge; the decorated coroutine is its handler. Options are the fields of `Edge`."""

        def declare(handler: H) -> H:
            self._add(Edge(name=name, owner=self, method=method, handler=handler, doc=doc, source=source, **options))
            return handler

        return declare

    def update(self, *, doc: str, source: str, **options: Any) -> Callable[[H], H]:
        """Declare POST on the node itself."""
        return self.edge("", method="POST", doc=doc, source=source, **options)

    def delete(self, *, doc: str, source: str, **options: Any) -> Callable[[H], H]:
        """Declare DELETE on the node itself."""
        return self.edge("", method="DELETE", doc=doc, source=source, **options)

    def unbuilt(self, names: str, *, method: Method = "GET", source: str) -> None:
        """Edges (blank separated) that the platform has and this server answers with UNBUILT_EDGE."""
        for name in names.split():
            self._add(Edge(name=name, owner=self, method=method, handler=None, doc="Known, not built.", source=source))

    def defaults(self, version: Version) -> tuple[str, ...]:
        """The fields of a read without `fields`: a small set, or (before v2.4) every plain field."""
        return tuple(
            f.name
            for f in self.fields.values()
            if f.exists_in(version) and (f.default or (version < (2, 4) and f.wide))
        )

    def _add(self, edge: Edge) -> None:
        if (edge.name, edge.method) in self.edges:
            raise DeclarationError(f"{self.name}/{edge.name} {edge.method} is declared twice")
        if not edge.doc or not edge.source:
            raise DeclarationError(f"{self.name}/{edge.name} needs a doc and a source")
        if edge.handler is not None:
            _check_handler(edge)
        self.edges[edge.name, edge.method] = edge


@dataclass(slots=True, eq=False)
class Root:
    """A fixed path that is not a node: `debug_token`, `oauth/access_token`, `pages_id_mapping`.

    The handler is `(ctx, call, **params)` and returns the JSON value or an `Answer`.
    """

    path: str
    methods: tuple[Method, ...]
    handler: EdgeHandler
    doc: str
    source: str
    params: tuple[Param, ...] = ()
    tokens: tuple[TokenKind, ...] = ANY_TOKEN
    proof: tuple[TokenKind, ...] = ()
    public: bool = False
    transaction: bool = False
    wrong_token: Error | None = None


ROOT_HANDLER_FIRST: Final = 2


def root(path: str, *, methods: Sequence[Method], doc: str, source: str, **options: Any) -> Callable[[H], H]:
    """Declare a root path; the Root itself hangs on the handler as `.root` for the feature's ROOTS tuple."""

    def declare(handler: H) -> H:
        handler.root = Root(path, tuple(methods), handler, doc, source, **options)  # type: ignore[attr-defined]
        _check_arguments(path, handler, handler.root.params, ROOT_HANDLER_FIRST)  # type: ignore[attr-defined]
        return handler

    return declare


def _check_handler(edge: Edge) -> None:
    assert edge.handler is not None
    first = 3 if edge.method == "GET" and edge.name else 2
    _check_arguments(f"{edge.owner.name}/{edge.name}", edge.handler, edge.params, first)


def _check_arguments(where: str, handler: EdgeHandler, params: Sequence[Param], first: int) -> None:
    takes = set(list(inspect.signature(handler).parameters)[first:])
    given = {p.argument for p in params}
    if len(given) != len(params):
        raise DeclarationError(f"{where}: a parameter is declared twice")
    if takes != given:
        raise DeclarationError(f"{where}: parameters {sorted(given)} but the handler takes {sorted(takes)}")
