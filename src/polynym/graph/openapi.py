"""Declarations -> the OpenAPI document. Paths that differ only in the node are one path, as OpenAPI wants it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polynym.graph.node import Edge, Field, Node, Param
from polynym.graph.registry import Registry
from polynym.wire import versions

OPENAPI_VERSION: Final = "3.1.0"
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "id": {"type": "string", "pattern": "^[0-9]+$"},
    "enum": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
    "time": {"type": "string", "description": "unix seconds or ISO-8601"},
    "file": {"type": "string", "contentMediaType": "application/octet-stream"},
}
_COMMON: Final = (
    Param("fields", "string", "Fields and edges to return, with nesting and arguments."),
    Param("access_token", "string", "The token; or an Authorization header."),
    Param("appsecret_proof", "string", "hex HMAC-SHA256 of the token under the app secret."),
)
_PAGING: Final = (
    Param("limit", "int", "Rows of one page."),
    Param("after", "string", "Cursor of the row before the page."),
    Param("before", "string", "Cursor of the row after the page."),
)
_ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_ERROR_RESPONSE: Final = {
    "description": "A Graph error",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["message", "type", "fbtrace_id"],
                        "properties": {
                            "message": {"type": "string"},
                            "type": {"type": "string"},
                            "code": {"type": "integer"},
                            "error_subcode": {"type": "integer"},
                            "is_transient": {"type": "boolean"},
                            "error_user_title": {"type": "string"},
                            "error_user_msg": {"type": "string"},
                            "fbtrace_id": {"type": "string"},
                        },
                    }
                },
            }
        }
    },
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One verb on one path of one node, or of no node."""

    path: str
    method: str
    title: str
    doc: str
    tag: str
    params: tuple[Param, ...]
    returns: str | None = None
    is_list: bool = False


def openapi(registry: Registry, server_version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of every built edge and root, for the newest version."""
    groups: dict[tuple[str, str], list[_Operation]] = {}
    for operation in _operations(registry):
        groups.setdefault((operation.path, operation.method), []).append(operation)
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), same in sorted(groups.items(), key=lambda group: group[0]):
        paths.setdefault(path, {})[method] = _rendered(path, method, same)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": "polynym Graph API", "version": server_version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": f"/{versions.version_text(versions.NEWEST)}"}],
        "tags": [{"name": name} for name in sorted({each.tag for same in groups.values() for each in same})],
        "paths": paths,
        "components": {"schemas": _schemas(registry), "responses": {"Error": _ERROR_RESPONSE}},
    }


def _operations(registry: Registry) -> Iterable[_Operation]:
    for node in registry.nodes.values():
        if node.load is not None:
            yield _Operation("/{id}", "get", f"Read a {node.name}", node.doc, node.name, _COMMON, node.name)
        for edge in node.edges.values():
            if edge.built:
                yield _edge_operation(node, edge)
    for root in registry.roots.values():
        for method in root.methods:
            yield _Operation(f"/{root.path}", method.lower(), root.path, root.doc, "roots", root.params)


def _edge_operation(node: Node, edge: Edge) -> _Operation:
    is_list = edge.method == "GET" and edge.returns is not None
    common = (*_COMMON, *_PAGING) if is_list else _COMMON
    own = {param.name for param in edge.params}
    verb = {"GET": "Read", "POST": "Create" if edge.name else "Update", "DELETE": "Delete"}[edge.method]
    return _Operation(
        path=f"/{{id}}/{edge.name}" if edge.name else "/{id}",
        method=edge.method.lower(),
        title=f"{verb} {node.name}/{edge.name}" if edge.name else f"{verb} a {node.name}",
        doc=edge.doc,
        tag=node.name,
        params=(*edge.params, *(param for param in common if param.name not in own)),
        returns=edge.returns.name if is_list and edge.returns else None,
        is_list=is_list,
    )


def _rendered(path: str, method: str, same: Sequence[_Operation]) -> dict[str, Any]:
    """The operations of several nodes at one path, as one."""
    params = list({param.name: param for each in reversed(same) for param in each.params}.values())
    # What one node needs another may not know.
    needed = {p.name for p in params if all(any(q.name == p.name and q.required for q in each.params) for each in same)}
    out: dict[str, Any] = {
        "operationId": method + path.replace("/{id}", "_node").replace("/", "_").replace("{", "").replace("}", ""),
        "summary": "; ".join(each.title for each in same),
        "description": "\n\n".join(f"{each.tag}: {each.doc}" if len(same) > 1 else each.doc for each in same),
        "tags": list(dict.fromkeys(each.tag for each in same)),
        "parameters": [_ID] if path.startswith("/{id}") else [],
        "responses": {"200": _success(same), "4XX": {"$ref": "#/components/responses/Error"}},
    }
    if method == "post":
        out["requestBody"] = _request_body(params, needed)
    else:
        out["parameters"] += [_parameter(param, param.name in needed) for param in params]
    return out


def _success(same: Sequence[_Operation]) -> dict[str, Any]:
    schemas = list({str(schema): schema for schema in (_returned(each) for each in same)}.values())
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}


def _returned(operation: _Operation) -> dict[str, Any]:
    if operation.returns is None:
        return {"type": "object"}
    schema = {"$ref": f"#/components/schemas/{operation.returns}"}
    return (
        {"type": "object", "properties": {"data": {"type": "array", "items": schema}}} if operation.is_list else schema
    )


def _schema(param: Param) -> dict[str, Any]:
    schema = dict(_SCHEMAS[param.type])
    if param.choices and param.type == "list":
        schema["items"] = {"type": "string", "enum": list(param.choices)}
    elif param.choices:
        schema["enum"] = list(param.choices)
    return schema


def _parameter(param: Param, required: bool) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": "query",
        "required": required,
        "description": param.doc,
        "schema": _schema(param),
    }


def _request_body(params: Sequence[Param], needed: set[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {param.name: _schema(param) | {"description": param.doc} for param in params},
    }
    if needed:
        schema["required"] = sorted(needed)
    kinds = ["application/json", "application/x-www-form-urlencoded"]
    if any(param.type == "file" for param in params):
        kinds = ["multipart/form-data"]
    return {"required": bool(needed), "content": {kind: {"schema": schema} for kind in kinds}}


def _schemas(registry: Registry) -> dict[str, Any]:
    return {
        node.name: {
            "type": "object",
            "description": node.doc,
            "properties": {field.name: _field_schema(field) for field in node.fields.values()},
        }
        for node in registry.nodes.values()
    }


def _field_schema(field: Field) -> dict[str, Any]:
    if field.node is not None:
        one = {"$ref": f"#/components/schemas/{field.node.name}"}
        return {"type": "array", "items": one} if field.type.startswith("list") else one
    return {**_SCHEMAS.get(field.type, {}), "description": field.doc}
