"""Call -> Answer: the order of checks (contract graph 2.4), node resolution and the result.

path and version, token presence, token validity, rate limit, appsecret_proof, node, permission, parameters, handler.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Protocol

from polynym.core.ctx import Caller, Ctx
from polynym.core.db import BadText, Db, Unavailable
from polynym.core.log import Log
from polynym.graph import expand, paging
from polynym.graph.call import Answer, Budget, Call
from polynym.graph.expand import Plan, Reading, Ref
from polynym.graph.metadata import metadata, with_debug
from polynym.graph.node import Edge, Method, Node, Root
from polynym.graph.params import ID_DIGITS_MAX, read_params, truthy
from polynym.graph.prepared import Prepared, may_keep
from polynym.graph.registry import Registry
from polynym.graph.usage import Usage
from polynym.wire import errors, limits
from polynym.wire.errors import Error, GraphError

log = Log("polynym.graph")

METHODS: Final = {"GET": "GET", "HEAD": "GET", "POST": "POST", "PUT": "POST", "DELETE": "DELETE"}
#: Since this version a call without a token is answered by the newer gateway (contract graph 2.4).
NEW_GATEWAY: Final = (18, 0)
#: Segments of the path of an edge.
NODE_AND_EDGE: Final = 2
VERSION_LIKE: Final = re.compile(r"v[0-9]{1,4}(\.[0-9]{1,4})?\Z")
#: When to come back after the storage did not answer.
RETRY_AFTER_S: Final = b"1"


class Tokens(Protocol):
    """What dispatch needs of the token store; `app.py` hands it in."""

    def cached(self, token: str) -> Caller | None:
        """The caller of a token that is known and alive, without a query."""

    async def authenticate(self, db: Db, token: str) -> Caller:
        """The caller of a living token; raises the error of a dead or unknown one."""

    def check_proof(
        self, caller: Caller, params: Mapping[str, Any], repeated: frozenset[str], now_ms: Callable[[], int],
        *, required: bool,
    ) -> None:  # fmt: skip
        """Refuse a proof that is missing where it is demanded, or present and wrong."""


class Graph:
    """One world's graph: answers calls."""

    def __init__(
        self, registry: Registry, tokens: Tokens, cursors: paging.Cursors, usage: Usage, context: Callable[[], Ctx]
    ) -> None:
        self.registry = registry
        self.tokens = tokens
        self.cursors = cursors
        self.usage = usage
        #: How often each known-but-unbuilt edge was asked for.
        self.missed: Counter[str] = Counter()
        self._context = context

    async def answer(self, call: Call, prepared: Prepared | None = None, node_id: str = "") -> Answer:
        """The answer to a call; every failure becomes an error answer, and only a bug becomes a 500.

        With `prepared` the call was asked before, of another node: `may_repeat` says whether it may be answered like that.
        """
        ctx = self._context()
        ctx.version, ctx.locale, ctx.origin = call.version, call.locale, call.origin
        try:
            if prepared is None:
                return await self._answer(ctx, call)
            caller = ctx.caller = call.caller
            assert caller is not None
            self.usage.charge(caller, ctx.clock.now_ms())
            node, edge, plan, arguments = Ref(node_id, None), prepared.edge, prepared.plan, prepared.arguments
            reading = Reading(ctx, call, self.cursors)
            return Answer(200, await expand.connection(reading, edge, node, plan, arguments, call.params, call.query))
        except GraphError as error:
            return self.error(call, error)
        except BadText as error:
            return self.error(call, GraphError(errors.BAD_ENCODING, reason=str(error)))
        except Unavailable as error:
            log.warning("storage unavailable", reason=str(error))
            return self.error(call, GraphError(errors.UNAVAILABLE))
        except Exception:
            asked = "/".join((node_id, *call.segments[1:]) if prepared is not None else call.segments)
            log.exception("unhandled error", path=asked, method=call.method)
            return self.error(call, GraphError(errors.UNKNOWN))

    def error(self, call: Call, error: GraphError) -> Answer:
        """An error as an answer; the trace id is put in by whoever sends it."""
        if error.entry is errors.UNBUILT_EDGE:
            self.missed[f"{error.values.get('node')}/{error.values.get('edge')}"] += 1
        answer = Answer(error.status(call.version), error, error=True)
        answer.headers.append((b"WWW-Authenticate", error.www_authenticate().encode("latin-1", "replace")))
        if error.entry is errors.UNAVAILABLE:
            answer.headers.append((b"Retry-After", RETRY_AFTER_S))
        return answer

    async def _answer(self, ctx: Ctx, call: Call) -> Answer:
        segments = call.segments
        if call.method not in METHODS:
            raise GraphError(errors.UNSUPPORTED_METHOD, verb=call.method[:20].lower())
        method: Method = METHODS[call.method]  # type: ignore[assignment]
        if call.budget is None:
            call.budget = Budget(limits.EXPANSION_NODES_MAX)
        root = self.registry.roots.get("/".join(segments))
        if root is not None:
            return await self._root(ctx, call, root, method)
        if "ids" in call.params and method == "GET" and len(segments) <= self.registry.edge_depth:
            return await self._many(ctx, call)
        if not segments:
            raise GraphError(errors.NO_NODE)
        if len(segments) > 1 and VERSION_LIKE.match(segments[0]):
            # An unknown version is a node to the platform, and what follows it an unknown path (contract graph 1.2).
            raise GraphError(errors.UNKNOWN_PATH, path="/" + "/".join(segments[1:]))
        return await self._node(ctx, call, method, segments[0], "/".join(segments[1:]))

    # ------------------------------------------------------------------------------------------- asked before

    def prepare(self, call: Call) -> Prepared | None:
        """What is worth keeping of a call that was answered; None when its text alone does not decide."""
        if len(call.segments) != NODE_AND_EDGE or not may_keep(call):
            return None
        edge = self.registry.direct(call.segments[1], "GET")
        if edge is None or edge.returns is None:
            return None
        plan = expand.plan_for(edge.returns, call.params, call.version, edge.default_fields)
        return Prepared(call, edge, plan, read_params(edge.params, call.params))

    def may_repeat(self, prepared: Prepared, node_id: str) -> bool:
        """Whether a read asked before may be answered for another node: the token still means the same caller."""
        caller = prepared.call.caller
        assert caller is not None
        return self.tokens.cached(caller.token) is caller and len(node_id) <= ID_DIGITS_MAX and numeric(node_id)

    # ------------------------------------------------------------------------------------------- who asks

    async def _caller(self, ctx: Ctx, call: Call, *, me: bool, public: bool) -> None:
        """Find out who asks and charge the call; public things may be asked by nobody."""
        token = call.params.get("access_token") or call.header_token
        if not token:
            if public:
                return
            if me:
                raise GraphError(errors.TOKEN_REQUIRED_ME)
            raise GraphError(_no_token(call))
        if not isinstance(token, str):
            raise GraphError(errors.CANNOT_PARSE_TOKEN)
        caller = self.tokens.cached(token) or await self.tokens.authenticate(ctx.db, token)
        if caller.kind == "app" and caller.app.native:
            raise GraphError(_no_token(call))
        ctx.caller = call.caller = caller
        if caller.locale and not call.locale_given:
            ctx.locale = call.locale = caller.locale
        self.usage.charge(caller, ctx.clock.now_ms())

    def _check_proof(self, ctx: Ctx, call: Call, *, required: bool) -> None:
        if ctx.caller is not None:
            self.tokens.check_proof(ctx.caller, call.params, call.repeated, ctx.clock.now_ms, required=required)

    def _check_kind(self, ctx: Ctx, allowed: tuple[str, ...], wrong: Error | None) -> None:
        caller = ctx.caller
        if caller is None or caller.kind in allowed:
            return
        if wrong is not None:
            raise GraphError(wrong)
        if allowed == ("app",):
            raise GraphError(errors.APP_TOKEN_REQUIRED)
        if allowed == ("page",):
            raise GraphError(errors.PAGE_TOKEN_REQUIRED)
        raise GraphError(errors.PROVIDE_APP_ID if caller.kind == "client" else errors.PERMISSIONS_ERROR)

    def _check_edge(self, ctx: Ctx, call: Call, edge: Edge, *, expanded: bool = False) -> None:
        """Version, proof, token kind and permission of one edge, before its handler sees anything."""
        expand.check_edge_version(edge, call.version)
        caller = ctx.caller
        if caller is None:
            if not edge.public:
                raise GraphError(_no_token(call))
            return
        demanded = edge.proof if not expanded or edge.proof_expanded is None else edge.proof_expanded
        self._check_proof(ctx, call, required=caller.kind in demanded)
        if caller.kind not in edge.tokens:
            self._check_kind(ctx, edge.tokens, edge.wrong_token)
        if edge.scope is not None and caller.kind != "app" and edge.scope not in caller.scopes:
            raise GraphError(errors.PERMISSION_REQUIRED, permission=edge.scope)

    # ------------------------------------------------------------------------------------------- what is asked

    async def _root(self, ctx: Ctx, call: Call, root: Root, method: Method) -> Answer:
        if method not in root.methods:
            raise GraphError(errors.UNSUPPORTED_METHOD, verb=method.lower())
        if not root.public:
            await self._caller(ctx, call, me=False, public=False)
            assert ctx.caller is not None
            self._check_proof(ctx, call, required=ctx.caller.kind in root.proof)
            self._check_kind(ctx, root.tokens, root.wrong_token)
        arguments = read_params(root.params, call.params, call.files)
        if root.transaction:
            value = await ctx.db.transaction(lambda tx: root.handler(ctx.on(tx), call, **arguments))
        else:
            value = await root.handler(ctx, call, **arguments)
        return self._finished(ctx, call, value)

    async def _node(self, ctx: Ctx, call: Call, method: Method, name: str, edge_name: str) -> Answer:
        direct = self.registry.direct(edge_name, method) if edge_name else None
        await self._caller(ctx, call, me=name == "me", public=edge_name in self.registry.public_edges)
        node_id = self._node_id(ctx, name)
        if direct is not None and numeric(node_id) and len(node_id) <= ID_DIGITS_MAX:
            self._check_edge(ctx, call, direct)
            if method == "GET":
                return await self._read_edge(ctx, call, direct, Ref(node_id, None))
            return await self._write(ctx, call, direct, Ref(node_id, None))
        if not (edge_name or method != "GET"):
            return await self._read_node(ctx, call, node_id)
        return await self._edge(ctx, call, method, node_id, edge_name)

    async def _many(self, ctx: Ctx, call: Call) -> Answer:
        """`?ids=A,B` on the root or an edge: a map from the ids as given to what each alone would answer."""
        ids = id_list(call.params["ids"])
        params = {name: value for name, value in call.params.items() if name != "ids"}
        query = {name: value for name, value in call.query.items() if name != "ids"}
        edge_name = "/".join(call.segments)
        out: dict[str, Any] = {}
        for each in ids:
            part = replace(call, params=params, query=query)
            try:
                answer = await self._node(ctx, part, "GET", each, edge_name)
            finally:
                call.caller, call.locale = part.caller, part.locale
            out[each] = answer.value
        return Answer(200, out)

    async def _edge(self, ctx: Ctx, call: Call, method: Method, node_id: str, edge_name: str) -> Answer:
        self._check_proof(ctx, call, required=False)
        node, row = await self._resolve(ctx, node_id, method)
        edge = node.edges.get((edge_name, method)) or _with_tail(node, edge_name, method, call)
        if edge is None:
            raise self._no_edge(node, edge_name, node_id, method)
        self._check_edge(ctx, call, edge)
        ref = Ref(str(node.id(row)), row)
        if method == "GET":
            return await self._read_edge(ctx, call, edge, ref)
        return await self._write(ctx, call, edge, ref)

    def _node_id(self, ctx: Ctx, name: str) -> str:
        caller = ctx.caller
        if name == "me":
            if caller is None or caller.subject is None:
                raise GraphError(errors.TOKEN_REQUIRED_ME)
            return caller.subject
        if name == "app" and caller is not None:
            return caller.app.id
        return name

    async def _resolve(self, ctx: Ctx, node_id: str, method: Method) -> tuple[Node, Any]:
        is_number = numeric(node_id)
        found = None
        # Nobody has a longer number, and int() of a very long one is an error of its own.
        if not is_number or len(node_id) <= ID_DIGITS_MAX:
            with suppress(BadText):
                found = await self.registry.resolve(ctx, node_id)
        if found is not None:
            return found
        if is_number:
            raise GraphError(errors.NO_SUCH_OBJECT, verb=method.lower(), id=node_id)
        raise GraphError(errors.UNKNOWN_ALIAS, alias=node_id)

    def _no_edge(self, node: Node, edge_name: str, node_id: str, method: Method) -> GraphError:
        first, slash, rest = edge_name.partition("/")
        if slash and any(name == first for name, _ in node.edges):
            return GraphError(errors.UNKNOWN_PATH, path=f"/{rest}")
        if method == "GET":
            return GraphError(errors.NONEXISTING_FIELD, field=first, node=node.name)
        return GraphError(errors.NO_SUCH_OBJECT, verb=method.lower(), id=node_id)

    # ------------------------------------------------------------------------------------------- the result

    def _plan(self, ctx: Ctx, call: Call, node: Node, defaults: tuple[str, ...], rows: int) -> Plan:
        """Compile the selection and pay for it: `rows` nodes of it at most."""
        plan = expand.plan_for(node, call.params, call.version, defaults)
        assert call.budget is not None
        if not call.budget.spend(max(rows, rows * plan.cost)):
            raise GraphError(errors.TOO_MUCH_DATA)
        for nested in plan.edges:
            self._check_edge(ctx, call, nested, expanded=True)
        return plan

    async def _read_edge(self, ctx: Ctx, call: Call, edge: Edge, ref: Ref) -> Answer:
        if edge.returns is None:
            assert edge.handler is not None
            page = paging.Window(edge.limit_default)
            value = await edge.handler(ctx, ref, page, **read_params(edge.params, call.params))
            return self._finished(ctx, call, value)
        plan = self._plan(ctx, call, edge.returns, edge.default_fields, paging.requested_limit(call.params, edge))
        arguments = read_params(edge.params, call.params)
        reading = Reading(ctx, call, self.cursors)
        value = await expand.connection(reading, edge, ref, plan, arguments, call.params, call.query)
        return self._finished(ctx, call, value)

    async def _read_node(self, ctx: Ctx, call: Call, node_id: str) -> Answer:
        self._check_proof(ctx, call, required=False)
        caller = ctx.caller
        if caller is not None and caller.kind == "client" and node_id != caller.app.id:
            # A client token says which app asks, and opens nothing else.
            raise GraphError(errors.PROVIDE_APP_ID)
        node, row = await self._resolve(ctx, node_id, "GET")
        plan = self._plan(ctx, call, node, (), 1)
        value = await expand.render(Reading(ctx, call, self.cursors), plan, row, node)
        if truthy(call.params.get("metadata")):
            value["metadata"] = metadata(call, node, str(node.id(row)))
        return self._finished(ctx, call, value)

    async def _write(self, ctx: Ctx, call: Call, edge: Edge, ref: Ref) -> Answer:
        arguments = read_params(edge.params, call.params, call.files)
        read_back = self._reads_back(call, edge)
        handler = edge.handler
        assert handler is not None

        async def work(inside: Ctx) -> Any:
            value = await handler(inside, ref, **arguments)
            return await self._read_back(inside, call, value) if read_back else value

        if edge.transaction:
            value = await ctx.db.transaction(lambda tx: work(ctx.on(tx)))
        else:
            value = await work(ctx)
        return self._finished(ctx, call, value)

    @staticmethod
    def _reads_back(call: Call, edge: Edge) -> bool:
        """Whether `fields` asks to see what was written; read before anything is, so that bad grammar writes nothing."""
        if any(param.name == "fields" for param in edge.params):
            return False
        return expand.selection(call.params) is not None

    async def _read_back(self, ctx: Ctx, call: Call, value: Any) -> Any:
        """The answer of a write with the selected fields of the node it names."""
        if not (isinstance(value, dict) and "id" in value):
            return value
        node, row = await self._resolve(ctx, str(value["id"]), "GET")
        plan = self._plan(ctx, call, node, (), 1)
        return value | await expand.render(Reading(ctx, call, self.cursors), plan, row, node)

    def _finished(self, ctx: Ctx, call: Call, value: Any) -> Answer:
        if isinstance(value, Answer):
            return value
        return Answer(200, with_debug(ctx, call, value) if "debug" in call.params else value)


def _with_tail(node: Node, edge_name: str, method: Method, call: Call) -> Edge | None:
    """The edge whose `tail` parameter is the path's last segment: `permissions/{permission}`."""
    first, slash, rest = edge_name.partition("/")
    edge = node.edges.get((first, method))
    if not slash or edge is None or edge.tail is None or "/" in rest:
        return None
    call.params = {**call.params, edge.tail: rest}
    return edge


def _no_token(call: Call) -> Error:
    return errors.PROVIDE_APP_ID if call.version >= NEW_GATEWAY else errors.TOKEN_REQUIRED


def id_list(raw: Any) -> list[str]:
    """The ids of `?ids=`, without repetitions; raises EMPTY_IDENTIFIER or TOO_MANY_IDS."""
    if isinstance(raw, str):
        raw = [part.strip().strip('"') for part in raw.strip().removeprefix("[").removesuffix("]").split(",")]
    if not isinstance(raw, list) or not raw or not all(_is_identifier(each) for each in raw):
        raise GraphError(errors.EMPTY_IDENTIFIER)
    ids = list(dict.fromkeys(str(each) for each in raw))
    if len(ids) > limits.IDS_MAX:
        raise GraphError(errors.TOO_MANY_IDS, limit=limits.IDS_MAX, count=len(ids))
    return ids


def _is_identifier(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def numeric(text: str) -> bool:
    """ASCII digits only: Arabic-Indic digits and friends are not ids."""
    return text.isascii() and text.isdigit()
