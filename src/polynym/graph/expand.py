"""Field tree -> plan -> result tree.

A plan is compiled once for a node type, a field selection and a version, and cached; unknown fields, wrong arguments and
too costly selections are refused while compiling, before any query runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.graph import paging
from polynym.graph.bag import fields_text
from polynym.graph.call import Call
from polynym.graph.node import Edge, Field, Node, Version
from polynym.graph.params import Arguments, read_params, truthy
from polynym.wire import errors, fields, limits
from polynym.wire.errors import GraphError
from polynym.wire.fields import Item

#: Arguments that every field accepts and that are not parameters of an edge.
COMMON_ARGUMENTS: Final = frozenset(
    ["limit", "offset", "after", "before", "since", "until", "order", "summary", "filter", "as", "fields"]
)


_NOTHING: Final[Mapping[str, str]] = {}
#: Parameters of the call that hold for nested edges too, and so for their paging links.
_EVERYWHERE: Final = frozenset(("pretty", "locale", "date_format", "appsecret_proof", "appsecret_time"))


@dataclass(frozen=True, slots=True)
class Step:
    """One selected field or edge and how to render it.

    `read` takes a field's value from the row (`load`, where the field has one, with a query). `page` are an edge's paging
    arguments as they were written, `carried` is what its paging links repeat.
    """

    key: str
    field: Field | None = None
    read: Callable[[Any], Any] | None = None
    edge: Edge | None = None
    arguments: Arguments | None = None
    page: Mapping[str, str] | None = None
    plan: Plan | None = None
    carried: Mapping[str, str] | None = None
    unix_time: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read from one row. `cost` counts nodes below one row.

    `plain` plans touch no database and need no await; what they read is in `reads`: key, check, getter and nested plan.
    """

    steps: tuple[Step, ...]
    plain: bool
    cost: int
    edges: tuple[Edge, ...]
    reads: tuple[tuple[str, Callable[[Ctx, Any], bool] | None, Callable[[Any], Any], Plan | None], ...]


@dataclass(slots=True)
class Ref:
    """The node an edge hangs on: its public id and its row, None for edges that resolve it themselves."""

    id: str
    row: Any | None


@dataclass(slots=True)
class Reading:
    """One read in progress: the context, the call and the cursor maker."""

    ctx: Ctx
    call: Call
    cursors: paging.Cursors


def selection(params: Mapping[str, Any]) -> tuple[Item, ...] | None:
    """The items of `fields`, None when absent or empty (default fields)."""
    return _items(params.get("fields"))


def _items(raw: Any) -> tuple[Item, ...] | None:
    if raw is None or raw == "":
        return None
    if isinstance(raw, list) and all(isinstance(part, str) for part in raw):
        raw = ",".join(raw)
    if not isinstance(raw, str):
        raise GraphError(errors.PARAM_INVALID, name="fields", expected="a string or a list of strings")
    if "[" in raw:
        # Only `parse_json` may read JSON of strangers: texts in it can hold what no database takes.
        raw = fields_text(raw)
        if raw.lstrip().startswith("["):
            raise GraphError(errors.FIELDS_SYNTAX, problem="Expected name.", position=0, text=raw)
    return fields.parse(raw) or None


def plan_for(node: Node, params: Mapping[str, Any], version: Version, defaults: tuple[str, ...] = ()) -> Plan:
    """The plan for a call's `fields`, which share a cache unless they are long.

    Raises FIELDS_SYNTAX, TOO_MUCH_DATA, NONEXISTING_FIELD, FIELD_DEPRECATED, PARAM_INVALID or UNBUILT_EDGE.
    """
    raw = params.get("fields")
    unix_time = params.get("date_format") == "U"
    if raw is None or (isinstance(raw, str) and len(raw) <= limits.FIELDS_CACHED_CHARS_MAX):
        return _cached_plan(node, raw, version, defaults, unix_time)
    return compile_plan(node, _items(raw), version, defaults, unix_time)


@lru_cache(maxsize=1024)
def _cached_plan(node: Node, raw: str | None, version: Version, defaults: tuple[str, ...], unix_time: bool) -> Plan:
    return compile_plan(node, _items(raw), version, defaults, unix_time)


def compile_plan(
    node: Node, items: tuple[Item, ...] | None, version: Version, defaults: tuple[str, ...], unix_time: bool
) -> Plan:
    """The plan for a selection, None for the default fields: `defaults`, or else the node's own."""
    chosen = items
    if chosen is None:
        names = defaults or node.defaults(version)
        chosen = tuple(Item(n) for n in names if n not in node.fields or node.fields[n].exists_in(version))
    steps = [_step(node, item, version, unix_time) for item in chosen]
    if all(step.key != "id" for step in steps) and "id" in node.fields:
        steps.append(Step("id", field=node.fields["id"], read=node.fields["id"].get))
    plain = all(s.edge is None and s.field is not None and s.field.load is None and _plain(s.plan) for s in steps)
    cost = 1 + sum(_cost(step) for step in steps)
    edges = tuple(dict.fromkeys(edge for step in steps for edge in _edges(step)))
    reads = [(step.key, step.field.check, step.read, step.plan) for step in steps if step.field and step.read]
    return Plan(tuple(steps), plain, cost, edges, tuple(reads))


def _plain(plan: Plan | None) -> bool:
    return plan is None or plan.plain


def _cost(step: Step) -> int:
    below = step.plan.cost if step.plan else 0
    if step.edge is None:
        return below
    return paging.requested_limit(step.page or _NOTHING, step.edge) * max(1, below)


def _edges(step: Step) -> Iterator[Edge]:
    if step.edge is not None:
        yield step.edge
    if step.plan is not None:
        yield from step.plan.edges


def _step(node: Node, item: Item, version: Version, unix_time: bool) -> Step:
    field = node.fields.get(item.name)
    arguments = dict(item.args)
    key = item.alias or item.name
    if field is not None and field.exists_in(version):
        return _field_step(field, item, key, version, unix_time)
    edge = node.edges.get((item.name, "GET"))
    if edge is None:
        if field is not None and field.until is not None and version >= field.until:
            major, minor = field.until
            raise GraphError(errors.FIELD_DEPRECATED, field=item.name, version=f"v{major}.{minor}")
        raise GraphError(errors.NONEXISTING_FIELD, field=item.name, node=node.name)
    check_edge_version(edge, version)
    if edge.returns is None:
        raise GraphError(errors.NONEXISTING_FIELD, field=item.name, node=node.name)
    typed = read_params(edge.params, arguments)
    page = {name: raw for name, raw in arguments.items() if name in COMMON_ARGUMENTS}
    plan = compile_plan(edge.returns, item.children, version, edge.default_fields, unix_time)
    carried = {name: raw for name, raw in arguments.items() if name not in paging.NOT_CARRIED}
    if item.children:
        carried["fields"] = fields.render(item.children)
    return Step(key, edge=edge, arguments=typed, page=page, plan=plan, carried=carried)


def _field_step(field: Field, item: Item, key: str, version: Version, unix_time: bool) -> Step:
    if field.node is None:
        if item.children:
            raise GraphError(errors.NO_SUBFIELDS, field=field.name)
        if unix_time and field.type == "datetime":
            get = field.get
            return Step(key, field=field, read=lambda row: _unix(get(row)), unix_time=True)
        return Step(key, field=field, read=field.get)
    plan = compile_plan(field.node, item.children, version, field.nested, unix_time)
    return Step(key, field=field, read=field.get, plan=plan)


def _unix(value: Any) -> Any:
    """`2021-04-30T01:37:07+0000` as unix seconds, which `date_format=U` asks for."""
    return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else value


def check_edge_version(edge: Edge, version: Version) -> None:
    """Refuse an edge that this version does not have, or that nobody has built."""
    if edge.handler is not None and edge.until is None and (edge.since is None or version >= edge.since):
        return
    if edge.since is not None and version < edge.since:
        if edge.too_old is not None:
            major, minor = edge.since
            raise GraphError(edge.too_old, name=edge.name, version=f"v{major}.{minor}")
        raise GraphError(errors.NONEXISTING_FIELD, field=edge.name, node=edge.owner.name)
    if edge.until is not None and version >= edge.until:
        major, minor = edge.until
        raise GraphError(errors.FIELD_DEPRECATED, field=edge.name, version=f"v{major}.{minor}")
    if not edge.built:
        raise GraphError(errors.UNBUILT_EDGE, edge=edge.name, node=edge.owner.name)


def render_plain(ctx: Ctx, plan: Plan, row: Any) -> dict[str, Any]:
    """The selected fields of a row, for plans that need no query. Unset fields are omitted."""
    out: dict[str, Any] = {}
    for key, check, read, nested in plan.reads:
        if check is not None and not check(ctx, row):
            continue
        value = read(row)
        if value is None:
            continue
        if nested is None:
            out[key] = value
        elif isinstance(value, list):
            out[key] = [render_plain(ctx, nested, each) for each in value]
        else:
            out[key] = render_plain(ctx, nested, value)
    return out


async def render(reading: Reading, plan: Plan, row: Any, node: Node) -> dict[str, Any]:
    """The selected fields and edges of a row."""
    if plan.plain:
        return render_plain(reading.ctx, plan, row)
    out: dict[str, Any] = {}
    for step in plan.steps:
        if step.edge is not None:
            value = await _nested_edge(reading, step, row, node)
        else:
            value = await _value(reading, step, row)
        if value is not None:
            out[step.key] = value
    return out


async def _value(reading: Reading, step: Step, row: Any) -> Any:
    field, read, ctx = step.field, step.read, reading.ctx
    assert field is not None
    assert read is not None
    if field.check is not None and not field.check(ctx, row):
        return None
    if field.load is None:
        value = read(row)
    else:
        value = await field.load(ctx, row)
        value = _unix(value) if step.unix_time else value
    if value is None or step.plan is None or field.node is None:
        return value
    if isinstance(value, list):
        return [await render(reading, step.plan, each, field.node) for each in value]
    return await render(reading, step.plan, value, field.node)


async def _nested_edge(reading: Reading, step: Step, row: Any, node: Node) -> dict[str, Any] | None:
    edge = step.edge
    assert edge is not None
    assert step.plan is not None
    ref = Ref(str(node.id(row)), row)
    carried = {name: value for name, value in reading.call.query.items() if name in _EVERYWHERE}
    carried.update(step.carried or _NOTHING)
    result = await connection(reading, edge, ref, step.plan, step.arguments or {}, step.page or _NOTHING, carried)
    # An empty nested edge is left out altogether (contract graph 1.7).
    return result if result["data"] or "summary" in result else None


async def connection(
    reading: Reading, edge: Edge, ref: Ref, plan: Plan, arguments: Arguments, values: Mapping[str, Any],
    carried: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Read one page of an edge: `{"data": […], "paging": {…}[, "summary": {…}]}`."""
    ctx, cursors = reading.ctx, reading.cursors
    assert edge.handler is not None
    bound = paging.binding(reading.call, ref.id, edge, arguments)
    page = paging.window(values, edge, cursors, bound)
    rows = await edge.handler(ctx, ref, page, **arguments)
    shown, links = paging.envelope(
        reading.call, edge, ref.id, rows, page, cursors=cursors, bound=bound, carried=carried
    )
    if plan.plain:
        data = [render_plain(ctx, plan, row) for row in shown]
    else:
        returns = edge.returns
        assert returns is not None
        data = [await render(reading, plan, row, returns) for row in shown]
    result: dict[str, Any] = {"data": data}
    if links is not None:
        result["paging"] = links
    if edge.count is not None and _wants_count(values.get("summary")):
        result["summary"] = {"total_count": await edge.count(ctx, ref, **arguments)}
    return result


def _wants_count(summary: Any) -> bool:
    return summary is not None and (truthy(summary) or "total_count" in str(summary))
