"""Declarations contradict themselves at import, not while serving; and what is generated from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from polynym.graph.node import DeclarationError, Node, Param, Root, root
from polynym.graph.openapi import openapi
from polynym.graph.reference import pages
from polynym.graph.registry import Registry, Resolver
from polynym.wire import errors, limits, versions
from tests.graph import toy
from tests.graph.toy import Toy
from tests.graph.world import REGISTRY

# ------------------------------------------------------------------------------------------------ contradictions


async def handler(ctx: Any, node: Any, page: Any, kind: Any = None) -> Any:
    """Takes one parameter."""


async def writer(ctx: Any, node: Any, type_: Any = None) -> Any:
    """Takes one parameter with a name that Python keeps for itself."""


def test_a_handler_takes_what_its_edge_declares() -> None:
    node = Node("X", "Doc.", "I")
    node.edge("right", doc="d", source="I", params=(Param("kind"),))(handler)
    node.edge("write", method="POST", doc="d", source="I", params=(Param("type"),))(writer)
    for params in ((), (Param("sort"),), (Param("kind"), Param("sort")), (Param("kind"), Param("kind"))):
        with pytest.raises(DeclarationError):
            node.edge("wrong", doc="d", source="I", params=params)(handler)
    with pytest.raises(DeclarationError):
        root("wrong", methods=("GET",), doc="d", source="I", params=(Param("sort"),))(writer)


def test_nothing_is_declared_twice_or_without_doc_and_source() -> None:
    node = Node("X", "Doc.", "I")
    node.field("id", "string", "The id.", source="I")
    node.edge("e", doc="d", source="I", params=(Param("kind"),))(handler)
    node.unbuilt("u v", source="I")
    for declare in (
        lambda: node.field("id", "string", "The id.", source="I"),
        lambda: node.field("a", "string", "", source="I"),
        lambda: node.field("a", "string", "d", source=""),
        lambda: node.edge("e", doc="d", source="I", params=(Param("kind"),))(handler),
        lambda: node.edge("f", doc="", source="I", params=(Param("kind"),))(handler),
        lambda: node.unbuilt("u", source="I"),
    ):
        with pytest.raises(DeclarationError):
            declare()
    assert repr(node) == "Node(X)"


@dataclass
class Declared:
    """A feature of whatever a test declares."""

    NODES: Sequence[Node] = ()
    ROOTS: Sequence[Root] = ()
    RESOLVERS: Sequence[Resolver] = ()


def test_features_cannot_both_declare_a_node_or_root() -> None:
    again = Root("echo", ("GET",), writer, "d", "I")
    for feature in (Declared(NODES=(Node("Book", "d", "I"),)), Declared(ROOTS=(again,))):
        with pytest.raises(DeclarationError, match="declared twice"):
            Registry((Toy(), feature))
    # A feature may list a node of another one that it adds edges to.
    assert Registry((Toy(), Declared(NODES=(toy.BOOK,)))).nodes["Book"] is toy.BOOK


def test_an_edge_is_direct_only_if_no_other_node_has_its_name() -> None:
    friends = REGISTRY.direct("friends", "GET")
    assert friends is not None
    assert friends.owner is toy.PERSON
    assert REGISTRY.direct("books", "GET") is None
    other = Node("Other", "d", "I")

    async def more(ctx: Any, node: Any, page: Any) -> Any:
        """Nothing."""

    other.edge("friends", doc="d", source="I")(more)
    assert Registry((Toy(), Declared(NODES=(other,)))).direct("friends", "GET") is None


def test_the_depth_of_edges_and_the_public_ones_are_known() -> None:
    assert REGISTRY.edge_depth == 2
    assert REGISTRY.public_edges == {"portrait"}
    assert Registry(()).edge_depth == 1


def test_default_fields_by_version() -> None:
    assert toy.PERSON.defaults((26, 0)) == ("id", "name")
    assert "motto" in toy.PERSON.defaults((2, 3))
    assert "card" not in toy.PERSON.defaults((2, 3))


# ------------------------------------------------------------------------------------------------ OpenAPI

DOCUMENT = openapi(REGISTRY, "1.2.3")
METHODS = {"get", "post", "delete"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_document_is_openapi_3_1_and_json() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"] == {"title": "polynym Graph API", "version": "1.2.3", "license": {"name": "Apache-2.0"}}
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_no_two_paths_of_the_document_are_the_same_template() -> None:
    templates = [re.sub(r"\{[^}]*\}", "{}", path) for path in DOCUMENT["paths"]]
    assert len(templates) == len(set(templates))
    assert all(path.startswith("/") for path in DOCUMENT["paths"])


def test_every_operation_has_an_id_of_its_own_and_declared_tags() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z_A-Z0-9]+", each) for each in ids)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(set(operation["tags"]) <= tags for _, _, operation in operations())
    assert all(method in METHODS for _, method, _ in operations())


def test_every_reference_of_the_document_resolves() -> None:
    found = list(references(DOCUMENT))
    assert found
    for each in found:
        place = DOCUMENT
        for step in each.removeprefix("#/").split("/"):
            place = place[step]


def test_every_template_has_its_parameter_and_no_parameter_comes_twice() -> None:
    for path, method, operation in operations():
        names = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
        assert len(names) == len(set(names)), (path, method)
        assert [name for where, name in names if where == "path"] == re.findall(r"\{([^}]*)\}", path)
        assert set(operation["responses"]) == {"200", "4XX"}
        if method == "post":
            assert operation["requestBody"]["content"]
        else:
            assert "requestBody" not in operation


def test_every_built_edge_and_root_is_in_the_document_and_no_other() -> None:
    shown = {(path, method) for path, method, _ in operations()}
    for node in REGISTRY.nodes.values():
        for edge in node.edges.values():
            path = f"/{{id}}/{edge.name}" if edge.name else "/{id}"
            assert ((path, edge.method.lower()) in shown) == edge.built
    for each in REGISTRY.roots.values():
        assert {(f"/{each.path}", method.lower()) for method in each.methods} <= shown


def test_nodes_at_one_path_are_one_operation() -> None:
    read = DOCUMENT["paths"]["/{id}"]["get"]
    assert read["tags"] == ["Reader", "Book", "Library"]
    schemas = read["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert {"$ref": "#/components/schemas/Book"} in schemas


def test_parameters_keep_their_types() -> None:
    shelves = {p["name"]: p for p in DOCUMENT["paths"]["/{id}/shelves"]["get"]["parameters"]}
    assert shelves["kind"]["schema"] == {"type": "string", "enum": ["wood", "iron"]}
    assert shelves["only"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert {"limit", "after", "before", "fields"} <= set(shelves)
    books = DOCUMENT["paths"]["/{id}/books"]["post"]["requestBody"]
    assert list(books["content"]) == ["multipart/form-data"]
    schema = books["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["title"]
    assert schema["properties"]["cover"]["contentMediaType"] == "application/octet-stream"
    echo = DOCUMENT["paths"]["/echo"]["get"]["parameters"]
    assert next(p for p in echo if p["name"] == "days")["schema"]["items"]["enum"] == ["mon", "tue"]


# ------------------------------------------------------------------------------------------------ reference pages

PAGES = pages(REGISTRY)


def test_the_pages_are_these() -> None:
    assert sorted(PAGES) == ["errors.md", "graph.md", "limits.md", "unbuilt.md", "versions.md"]
    for text in PAGES.values():
        assert text.startswith("<!-- Generated from the declarations by `make docs`; do not edit. -->\n\n# ")
        assert text.endswith("\n")


def test_every_table_has_as_many_cells_in_each_row() -> None:
    for name, text in PAGES.items():
        width = 0
        for line in text.splitlines():
            if not line.startswith("|"):
                width = 0
                continue
            cells = len(re.split(r"(?<!\\)\|", line))
            assert width in (0, cells), (name, line)
            width = cells


def test_everything_declared_is_on_its_page() -> None:
    graph = PAGES["graph.md"]
    for node in REGISTRY.nodes.values():
        assert f"\n## {node.name}\n" in graph
        for field in node.fields.values():
            assert f"| `{field.name}` | {field.type} |" in graph
        for edge in node.edges.values():
            path = f"/{{{node.name.lower()}-id}}" + (f"/{edge.name}" if edge.name else "")
            assert (f"### `{edge.method} {path}`" in graph) == edge.built
            assert (f"| {node.name} | `{edge.name}` | {edge.method} |" in PAGES["unbuilt.md"]) != edge.built
    for each in REGISTRY.roots.values():
        assert f"### `{' '.join(each.methods)} /{each.path}`" in graph
    assert all(name in PAGES["errors.md"] for name in errors.CATALOGUE)
    assert all(name in PAGES["limits.md"] for name in limits.LIMITS)
    assert all(versions.version_text(release.version) in PAGES["versions.md"] for release in versions.RELEASES)
