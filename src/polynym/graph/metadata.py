"""What an answer says about itself when asked: `metadata=1` and `debug=all`."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote_plus

from polynym.core.ctx import Ctx
from polynym.graph.call import Call
from polynym.graph.node import Edge, Node

_LEVELS: Final = {"all": ("info", "warning"), "info": ("info", "warning"), "warning": ("warning",)}


def metadata(call: Call, node: Node, node_id: str) -> dict[str, Any]:
    """The `metadata=1` object: fields, type and connections of a node, from its declaration."""
    major, minor = call.version
    token = f"?access_token={quote_plus(call.caller.token)}" if call.caller and call.header_token is None else ""
    base = f"{call.origin}/v{major}.{minor}/{node_id}"
    return {
        "fields": [
            {"name": field.name, "description": field.doc, "type": field.type}
            for field in node.fields.values()
            if field.exists_in(call.version)
        ],
        "type": node.name.lower(),
        "connections": {
            edge.name: f"{base}/{edge.name}{token}" for edge in node.edges.values() if _is_connection(edge, call)
        },
    }


def _is_connection(edge: Edge, call: Call) -> bool:
    in_version = (edge.since is None or call.version >= edge.since) and (
        edge.until is None or call.version < edge.until
    )
    return edge.method == "GET" and edge.name != "" and edge.built and in_version


def with_debug(ctx: Ctx, call: Call, value: Any) -> Any:
    """The value with `__debug__`, if `debug` asked for it by one of its levels."""
    level = call.params.get("debug")
    shown = _LEVELS.get(level) if isinstance(level, str) else None
    if shown is None or not isinstance(value, dict):
        return value
    messages = [
        {"message": text, "type": kind} | ({"link": link} if link else {})
        for kind, text, link in ctx.debug
        if kind in shown
    ]
    return value | {"__debug__": {"messages": messages}}
