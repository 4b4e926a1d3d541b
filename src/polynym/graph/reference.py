"""Declarations -> reference pages in Markdown. Nothing here is written by hand twice."""

from __future__ import annotations

from typing import Final

from polynym.graph.node import Edge, Field, Node, Param, Root, Version
from polynym.graph.openapi import openapi
from polynym.graph.registry import Registry
from polynym.wire import errors, limits, versions

__all__ = ["openapi", "pages"]


def pages(registry: Registry) -> dict[str, str]:
    """The reference as Markdown: file name -> text."""
    return {
        "graph.md": _graph_page(registry),
        "errors.md": _errors_page(),
        "limits.md": _limits_page(),
        "versions.md": _versions_page(),
        "unbuilt.md": _unbuilt_page(registry),
    }


_GENERATED: Final = "<!-- Generated from the declarations by `make docs`; do not edit. -->\n\n"


def _graph_page(registry: Registry) -> str:
    parts = [_GENERATED, "# Graph reference\n\nNodes, their fields and edges, and the fixed paths, as declared.\n"]
    parts.extend(_node_section(node) for node in sorted(registry.nodes.values(), key=lambda n: n.name))
    parts.append("\n## Fixed paths\n")
    parts.extend(_root_section(root) for root in sorted(registry.roots.values(), key=lambda r: r.path))
    return "".join(parts)


def _node_section(node: Node) -> str:
    lines = [f"\n## {node.name}\n\n{node.doc} Source: {node.source}.\n"]
    if node.fields:
        lines.append("\n| field | type | default | versions | what | source |\n|---|---|---|---|---|---|\n")
        lines.extend(_field_row(field) for field in node.fields.values())
    lines.extend(_edge_section(node, edge) for edge in node.edges.values() if edge.built)
    return "".join(lines)


def _field_row(field: Field) -> str:
    default = "yes" if field.default else ""
    known = _span(field.since, field.until)
    return f"| `{field.name}` | {field.type} | {default} | {known} | {_cell(field.doc)} | {_cell(field.source)} |\n"


def _edge_section(node: Node, edge: Edge) -> str:
    path = f"/{{{node.name.lower()}-id}}" + (f"/{edge.name}" if edge.name else "")
    lines = [f"\n### `{edge.method} {path}`\n\n{edge.doc} Source: {edge.source}.\n\n"]
    lines.append(f"Tokens: {', '.join(edge.tokens)}.")
    if edge.scope:
        lines.append(f" Permission: `{edge.scope}`.")
    if edge.proof:
        lines.append(f" `appsecret_proof` always required with: {', '.join(edge.proof)}.")
    if edge.proof_expanded is not None:
        lines.append(f" Through `fields` only with: {', '.join(edge.proof_expanded)}.")
    if edge.since or edge.until:
        lines.append(f" Versions: {_span(edge.since, edge.until)}.")
    if edge.returns is not None and edge.method == "GET":
        lines.append(f" Returns a list of {edge.returns.name}.")
    lines.append("\n" + _param_table(edge.params))
    return "".join(lines)


def _root_section(root: Root) -> str:
    lines = [f"\n### `{' '.join(root.methods)} /{root.path}`\n\n{root.doc} Source: {root.source}.\n\n"]
    lines.append("No token needed.\n" if root.public else f"Tokens: {', '.join(root.tokens)}.\n")
    if root.proof:
        lines.append(f"`appsecret_proof` always required with: {', '.join(root.proof)}.\n")
    lines.append(_param_table(root.params))
    return "".join(lines)


def _param_table(params: tuple[Param, ...]) -> str:
    if not params:
        return ""
    rows = [
        f"| `{p.name}` | {p.type} | {'yes' if p.required else ''} | {_cell(p.doc)}{_choices(p)} |\n" for p in params
    ]
    return "\n| parameter | type | required | what |\n|---|---|---|---|\n" + "".join(rows)


def _choices(param: Param) -> str:
    return f" One of {', '.join(f'`{c}`' for c in param.choices)}." if param.choices else ""


def _errors_page() -> str:
    lines = [_GENERATED, "# Errors\n\nEvery error this server can answer. `{…}` are values.\n"]
    lines.append(
        "\n| name | code | subcode | HTTP | type | message | when | source |\n|---|---|---|---|---|---|---|---|\n"
    )
    lines.extend(
        f"| {e.name} | {_show(e.code)} | {_show(e.subcode)} | {e.status} | {e.type} | `{_cell(e.message)}` "
        f"| {_cell(e.when)} | {_cell(e.source)} |\n"
        for e in errors.CATALOGUE.values()
    )
    return "".join(lines)


def _limits_page() -> str:
    lines = [_GENERATED, "# Limits\n\n| name | value | unit | what | source |\n|---|---|---|---|---|\n"]
    lines.extend(
        f"| `{each.name}` | {each.value:,} | {each.unit} | {_cell(each.text)} | {_cell(each.source)} |\n"
        for each in limits.LIMITS.values()
    )
    return "".join(lines)


def _versions_page() -> str:
    lines = [_GENERATED, "# Versions\n\n| version | released | usable until | source |\n|---|---|---|---|\n"]
    lines.extend(
        f"| {versions.version_text(r.version)} | {r.released} | {r.until or 'not announced'} | {_cell(r.source)} |\n"
        for r in reversed(versions.RELEASES)
    )
    lines.append("\n## What changed\n\n| gate | versions | what | source |\n|---|---|---|---|\n")
    lines.extend(
        f"| {g.name} | {_span(g.since, g.until)} | {_cell(g.text)} | {_cell(g.source)} |\n"
        for g in versions.GATES.values()
    )
    return "".join(lines)


def _unbuilt_page(registry: Registry) -> str:
    lines = [
        _GENERATED,
        "# Known, not built\n\nThese edges exist on the platform. Here they answer with code 3 and are",
    ]
    lines.append(" counted; nothing pretends to work.\n\n| node | edge | verb | source |\n|---|---|---|---|\n")
    rows = sorted((e.owner.name, e.name, e.method, e.source) for e in registry.unbuilt())
    lines.extend(f"| {node} | `{name}` | {method} | {_cell(source)} |\n" for node, name, method, source in rows)
    return "".join(lines)


def _span(since: Version | None, until: Version | None) -> str:
    if since is None and until is None:
        return ""
    start = versions.version_text(since) if since else ""
    end = f"before {versions.version_text(until)}" if until else "on"
    return f"{start} {end}".strip()


def _show(value: object) -> str:
    return "" if value is None else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
