"""Batch: up to 50 calls in one request, with names, dependencies and JSONPath references (contract graph 1.11).

Items run one after the other, each as its own call with its own token, proof, transaction and status. A failing item does
not fail its neighbours; what depends on it becomes null. All items share one cost budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from polynym.graph.bag import Bag, parse_json, parse_pairs
from polynym.graph.call import Answer, Budget, Call, Upload
from polynym.graph.params import truthy
from polynym.graph.path import split_path
from polynym.graph.references import REFERENCES_MAX, references_in, resolved_text, resolved_value
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

if TYPE_CHECKING:
    from polynym.graph.http import GraphHttp

NOT_MODIFIED: Final = 304
#: A relative_url that is not: the host is ours whatever it says.
_HOST: Final = re.compile(r"\s*(?:https?://[^/?#]*)?", re.IGNORECASE)
_TRANSPORT_PARAMS: Final = ("access_token", "appsecret_proof", "appsecret_time")


@dataclass(slots=True)
class Item:
    """One request of a batch as it was sent."""

    index: int
    method: str
    relative_url: str
    body: str | Mapping[str, Any] | None
    headers: dict[str, str]
    name: str | None
    depends_on: tuple[str, ...]
    omit: bool | None
    files: tuple[str, ...]
    uses: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Done:
    """What became of an item: its slot in the result, and whether it succeeded."""

    slot: dict[str, Any] | None
    ok: bool = False


@dataclass(slots=True)
class _Run:
    """A batch in progress: what became of named items, and the JSON values of those that succeeded."""

    http: GraphHttp
    call: Call
    budget: Budget
    with_headers: bool
    ok: dict[str, bool] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


async def answer(http: GraphHttp, call: Call) -> Answer:
    """The answer to a batch request: a list of slots in order, or one error when the batch itself is wrong."""
    try:
        items = read_items(call)
    except GraphError as error:
        return http.graph.error(call, error)
    include = call.params.get("include_headers")
    run = _Run(http, call, Budget(limits.EXPANSION_NODES_MAX), include is None or truthy(include))
    referenced = frozenset(name for item in items for name in (*item.depends_on, *item.uses))
    return Answer(200, [await _slot(run, item, item.name in referenced) for item in items])


# ------------------------------------------------------------------------------------------------ reading


def read_items(call: Call) -> list[Item]:
    """The items of `batch`, checked as a whole: count, shape, names and the order of dependencies."""
    raw = call.params["batch"]
    if isinstance(raw, str):
        try:
            raw = parse_json(raw.encode())
        except GraphError as error:
            raise GraphError(errors.BATCH_INVALID) from error
    if not isinstance(raw, list):
        raise GraphError(errors.BATCH_INVALID)
    if not raw:
        raise GraphError(errors.BATCH_EMPTY)
    if len(raw) > limits.BATCH_MAX:
        raise GraphError(errors.BATCH_TOO_MANY)
    used = 0
    items = []
    for index, each in enumerate(raw):
        item, references = _item(index, each)
        used += references
        if used > REFERENCES_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)
        items.append(item)
    _check_order(items)
    return items


def _item(index: int, raw: Any) -> tuple[Item, int]:
    """An item, and how many references it makes."""
    if not isinstance(raw, dict):
        raise _wrong(index, "it is not an object")
    url, method, name = raw.get("relative_url"), raw.get("method") or "GET", raw.get("name")
    if not isinstance(url, str) or not isinstance(method, str):
        raise _wrong(index, "relative_url and method must be strings")
    if name is not None and not isinstance(name, str):
        raise _wrong(index, "name must be a string")
    body = raw.get("body")
    if not (body is None or isinstance(body, (str, dict))):
        raise _wrong(index, "body must be a string or an object")
    references = references_in([url, body])
    omit = raw.get("omit_response_on_success")
    item = Item(
        index, method.upper(), url, body, _item_headers(index, raw.get("headers")), name or None,
        _names(index, raw.get("depends_on")), None if omit is None else truthy(omit),
        _names(index, raw.get("attached_files")), frozenset(references),
    )  # fmt: skip
    return item, len(references)


def _wrong(index: int, problem: str) -> GraphError:
    return GraphError(errors.BATCH_ITEM_INVALID, index=index, problem=problem)


def _names(index: int, raw: Any) -> tuple[str, ...]:
    if raw is None or raw == "":
        return ()
    if isinstance(raw, str):
        raw = raw.split(",")
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise _wrong(index, "names must be strings")
    return tuple(each.strip() for each in raw if each.strip())


def _item_headers(index: int, raw: Any) -> dict[str, str]:
    """Headers as `[{"name", "value"}]`, as `"Name: value"` texts, or as an object; names lower-cased."""
    if raw is None:
        return {}
    pairs: list[tuple[Any, Any]] = [(None, None)]
    if isinstance(raw, dict):
        pairs = list(raw.items())
    elif isinstance(raw, list):
        pairs = [_header(each) for each in raw]
    if not all(isinstance(name, str) and isinstance(value, str) for name, value in pairs):
        raise _wrong(index, "headers must be names and values")
    return {name.strip().lower(): value.strip() for name, value in pairs}


def _header(raw: Any) -> tuple[Any, Any]:
    if isinstance(raw, str):
        name, _, value = raw.partition(":")
        return name, value
    return (raw.get("name"), raw.get("value")) if isinstance(raw, dict) else (None, None)


def _check_order(items: Iterable[Item]) -> None:
    known: set[str] = set()
    for item in items:
        for name in (*item.depends_on, *sorted(item.uses)):
            if name not in known:
                raise GraphError(errors.BATCH_UNRESOLVED, index=item.index, name=name)
        if item.name is not None:
            if item.name in known:
                raise GraphError(errors.BATCH_NAME_TWICE, index=item.index, name=item.name)
            known.add(item.name)


# ------------------------------------------------------------------------------------------------ running


async def _slot(run: _Run, item: Item, referenced: bool) -> dict[str, Any] | None:
    if all(run.ok[name] for name in (*item.depends_on, *item.uses)):
        done = await _perform(run, item)
    else:
        done = _Done(None)
    if item.name is not None:
        run.ok[item.name] = done.ok
    # A named item that others reference is left out unless asked for; failures are always shown.
    omit = item.omit if item.omit is not None else referenced
    return None if omit and done.ok else done.slot


async def _perform(run: _Run, item: Item) -> _Done:
    http, outer = run.http, run.call
    call = Call(
        "GET", (), outer.version, {}, origin=outer.origin, locale=outer.locale, locale_given=outer.locale_given,
        client=outer.client, in_batch=True, budget=run.budget,
    )  # fmt: skip
    try:
        inherits = _fill(run, item, call)
        result = await http.graph.answer(call)
        if inherits and outer.caller is None:
            # Whose usage the headers of the whole answer tell.
            outer.caller = call.caller
    except GraphError as error:
        result = http.graph.error(call, error)
    reply = http.encode(call, result)
    slot: dict[str, Any] = {"code": reply.status}
    if run.with_headers:
        slot["headers"] = [{"name": name.decode(), "value": value.decode("latin-1")} for name, value in reply.headers]
    slot["body"] = None if reply.status == NOT_MODIFIED else reply.body.decode(errors="replace")
    if item.name is not None and not result.error:
        run.results[item.name] = result.value
    return _Done(slot, not result.error)


def _fill(run: _Run, item: Item, call: Call) -> bool:
    """Turn an item into a call: references, path, parameters, token and files; whether the token is the batch's."""
    text = resolved_text(item.relative_url, run.results, encode=True)
    text = text[match.end() :] if (match := _HOST.match(text)) else text
    path, _, query = text.partition("#")[0].partition("?")
    requested, call.segments = split_path(unquote(path))
    if requested is not None:
        call.version = run.http.version(requested)
    call.method = item.method
    bag = Bag()
    bag.query, bag.repeated = parse_pairs(query.encode())
    bag.values = dict(bag.query)
    if item.method != "GET":
        _read_body(run, item, bag)
    if "batch" in bag.values:
        raise GraphError(errors.BATCH_NESTED, index=item.index)
    call.params, call.query, call.repeated = bag.values, bag.query, bag.repeated
    call.if_none_match = item.headers.get("if-none-match")
    call.files = {name: _attached(run, name) for name in item.files}
    inherits = _take_token(run, item, call)
    run.http.settle(call)
    return inherits


def _read_body(run: _Run, item: Item, bag: Bag) -> None:
    body = item.body
    if isinstance(body, str):
        # JSON as text: its references are replaced inside its strings, so that no value can break out of one.
        if not body.lstrip().startswith("{") or body.lstrip().startswith("{result="):
            values, repeated = parse_pairs(resolved_text(body, run.results, encode=True).encode())
            bag.repeated |= repeated
            bag.values.update(values)
            return
        body = parse_json(body.encode())
    if isinstance(body, Mapping):
        bag.values.update(resolved_value(body, run.results))


def _attached(run: _Run, name: str) -> Upload:
    upload = run.call.files.get(name)
    if upload is None:
        raise GraphError(errors.BATCH_FILE_MISSING, name=name)
    return upload


def _take_token(run: _Run, item: Item, call: Call) -> bool:
    """An item without its own token uses the batch's, together with the batch's proof; its own token needs its own."""
    outer = run.call
    if (authorization := item.headers.get("authorization")) is not None:
        run.http.authorize(call, authorization)
    if call.params.get("access_token") or call.header_token:
        return False
    for name in _TRANSPORT_PARAMS:
        if name in outer.params and name not in call.params:
            call.params[name] = outer.params[name]
            if isinstance(outer.params[name], str):
                # A paging link repeats the proof of the token that it repeats.
                call.query[name] = outer.params[name]
    call.repeated |= outer.repeated & frozenset(_TRANSPORT_PARAMS)
    call.header_token = outer.header_token
    return True
