"""What uvicorn's HTTP protocol lets through: request smuggling, oversize, slow clients, floods of connections.

The parser (llhttp, strict) already refuses bare LF, folded headers, a space before the colon, odd chunk sizes and most
framing tricks; the guard gives those refusals a Graph body and refuses the rest. A request that arrives whole in one read
costs no timer and no more than uvicorn's own protocol; that is why the callbacks below are written out and name their
parent directly. uvicorn's own oddities that are corrected here are commented where they are.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Event, TimerHandle, Transport
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from polynym.graph import refusal
from polynym.graph.bounds import GuardLimits, peer_of
from polynym.graph.framing import body_max, check_sizes, check_target, plain_head
from polynym.graph.patience import IdleWatch, SlowWatch, StallWatch
from polynym.graph.refusal import Refusal, RefusedError, render
from polynym.graph.whole import WHOLE, header_lines

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.server import ServerState

__all__ = ["GuardLimits", "GuardedProtocol", "guarded_protocol"]

#: Chunk framing that is always granted per chunk: the size in hex and two line ends.
_CHUNK_FRAME = 20
#: Requests of one connection that wait for earlier ones.
_QUEUED_MAX = 64
#: Longer reads are fed in pieces, so that what a piece brought can be told.
_PIECE = 8 * 1024


def guarded_protocol(bounds: GuardLimits) -> type[HttpToolsProtocol]:
    """A protocol class for `uvicorn.Config(http=…)` that holds to `bounds` and counts its connections together."""

    class Guarded(GuardedProtocol):
        limits = bounds
        peers: ClassVar[Counter[str]] = Counter()
        crowds: ClassVar[Counter[str]] = Counter()

    return Guarded


# How far the current request has been read. Plain integers: a member of an enum costs more than a callback.
_BETWEEN, _HEAD, _BODY = range(3)


class _Flow(FlowControl):
    """Reading stays paused while bytes are held back; uvicorn resumes whenever an application reads its body."""

    held = False

    def resume_reading(self) -> None:
        if self.read_paused and not self.held:
            self.read_paused = False
            self._transport.resume_reading()


#: Headers that frame the message, or could be taken for one that does by somebody in front of us.
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding"})
_LOOKALIKES = frozenset({b"content_length", b"transfer_encoding"})
_WATCHED = _FRAMING | _LOOKALIKES | {b"expect"}
_VERSIONS = frozenset({"1.1", "1.0"})
_SLASH = ord("/")
#: The length of a body that has none declared.
_NONE = -1


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds. Make a configured one with `guarded_protocol`."""

    limits: ClassVar[GuardLimits] = GuardLimits()
    #: Connections by peer: those served, and those that linger after being turned away.
    peers: ClassVar[Counter[str]] = Counter()
    crowds: ClassVar[Counter[str]] = Counter()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._reads: _Flow
        self._slow = SlowWatch(self.loop, self.limits, self)
        self._idle = IdleWatch(self.loop, self.limits, self)
        self._stall: StallWatch
        self._held = b""
        self._seat: tuple[Counter[str], str] | None = None
        self._ending = False
        self._refusal: Refusal | None = None
        # Timers exist only for connections that keep somebody waiting.
        self._linger_timer: TimerHandle | None = None
        # The message being read.
        self._messages = 0
        self._phase = _BETWEEN
        self._host = False
        self._framed = False
        self._length = _NONE
        self._chunked = False
        self._body_max = 0
        self._upgrading = False
        self._piece_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._chunks = 0
        self._overhead = 0

    # ------------------------------------------------------------------------------------------- connections

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Count the connection; refuse it when its peer has too many."""
        super().connection_made(transport)
        self.flow = self._reads = _Flow(transport)
        self._stall = StallWatch(self.loop, transport, self.limits)
        if self.client is None or self._admit(*peer_of(self.client[0])):
            self._watch_reading()

    def _admit(self, peer: str, loopback: bool) -> bool:
        """Take a seat among the peer's connections, or among those turned away, who are as many at most."""
        bound = self.limits.connections_loopback_max if loopback else self.limits.connections_per_peer_max
        admitted = self.peers[peer] < bound
        self._seat = (self.peers if admitted else self.crowds, peer)
        self._seat[0][peer] += 1
        if not admitted and self.crowds[peer] > bound:
            self._end()
            self.transport.abort()
        elif not admitted:
            self._refuse(refusal.CROWDED)
        return admitted

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's timers and its place in the count."""
        self._ending = True
        self._slow.forget()
        self._stall.forget()
        self._idle.forget()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        if self._seat is not None:
            counts, peer = self._seat
            counts[peer] -= 1
            if not counts[peer]:
                del counts[peer]
        super().connection_lost(exc)

    # ------------------------------------------------------------------------------------------- reading

    def data_received(self, data: bytes) -> None:
        """Feed the parser and watch what it makes of the bytes."""
        if self._ending:
            return
        answered = self.server_state.total_requests
        size = len(data)
        if self._phase or size > _PIECE or self.pipeline:
            self._feed_pieces(data)
        else:
            self._piece_bytes = self._head_bytes = size
            try:
                self.parser.feed_data(data)
            except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
                self._stopped(error, data)
        cycle = self.cycle
        # Without a running request and without an answer, these were empty lines.
        nothing = (cycle is None or cycle.response_complete) and self.server_state.total_requests == answered
        if self._phase or nothing:
            self._watch_reading()
        elif self._slow.timer is not None:
            self._slow.forget()

    def _feed_pieces(self, data: bytes) -> None:
        """Feed a long read. What follows too many unanswered requests waits as bytes: a request costs more memory."""
        view = memoryview(self._held + data)
        self._hold(b"")
        while view and not self._ending:
            if len(self.pipeline) >= _QUEUED_MAX:
                self._hold(bytes(view))
                return
            step = _PIECE
            if self._phase == _BODY and self._length != _NONE:
                step = max(step, self._length - self._body_bytes)
            self._feed(view[:step])
            view = view[step:]

    def _hold(self, data: bytes) -> None:
        self._held = data
        self._reads.held = bool(data)
        if data:
            self.flow.pause_reading()

    def _feed(self, data: bytes | memoryview) -> None:
        self._piece_bytes = len(data)
        phase = self._phase
        self._head_bytes = self._piece_bytes if phase == _BETWEEN else self._head_bytes + self._piece_bytes
        message, body_bytes = self._messages, self._body_bytes
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
            self._stopped(error, data)
        else:
            if self._phase == _HEAD:
                self._check_partial_head()
            elif self._phase == phase == _BODY and self._chunked and message == self._messages:
                self._check_overhead(self._piece_bytes - (self._body_bytes - body_bytes))

    def _stopped(self, error: Exception, data: bytes | memoryview) -> None:
        """The parser gives up, or one of the callbacks did."""
        cause = error.__context__
        if isinstance(error, httptools.HttpParserUpgrade):
            self._decline_upgrade(data[error.args[0] :])
        else:
            self._refuse(cause.why if isinstance(cause, RefusedError) else refusal.INVALID)

    def _check_partial_head(self) -> None:
        """Bound what a head may grow to while it is still arriving; its exact size is judged when it is whole."""
        if len(self.url) > self.limits.url_bytes_max:
            self._refuse(refusal.URL_LONG)
        elif len(self.headers) > self.limits.headers_max:
            self._refuse(refusal.HEADERS_MANY)
        elif self._head_bytes > self.limits.headers_bytes_max + self.limits.url_bytes_max + _PIECE:
            self._refuse(refusal.HEADERS_LONG)

    def _check_overhead(self, bytes_not_body: int) -> None:
        """Bound chunk extensions and trailers, which the parser drops without telling."""
        self._overhead += bytes_not_body
        if self._overhead > self.limits.chunk_overhead_max + _CHUNK_FRAME * self._chunks:
            self._refuse(refusal.CHUNK_OVERHEAD)

    # ------------------------------------------------------------------------------------------- parser callbacks

    def on_message_begin(self) -> None:
        """Start a request."""
        HttpToolsProtocol.on_message_begin(self)
        self._messages += 1
        self._phase = _HEAD
        self._host = False
        if self._framed:
            self._framed = self._chunked = self._upgrading = False
            self._length = _NONE
            self._body_bytes = self._chunks = self._overhead = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; uvicorn's own version of this does the same and looks for Expect."""
        name = name.lower()
        if name in _WATCHED:
            if name == b"host" and not self._host:
                self._host = True
            elif name == b"content-length" and not self._framed:
                # The parser takes digits only, and raises for too many of them.
                self._framed = True
                self._length = int(value)
            else:
                self._watch_header(name, value)
        self.headers.append((name, value))

    def _watch_header(self, name: bytes, value: bytes) -> None:
        self._framed = True
        if self._phase == _BODY:
            raise RefusedError(refusal.TRAILER)
        if name == b"host":
            raise RefusedError(refusal.HOST_TWICE)
        if name == b"content-length":
            if self._length != _NONE:
                raise RefusedError(refusal.LENGTH_TWICE)
            self._length = int(value)
        elif name == b"transfer-encoding":
            # One coding, once: a list, a second header or another spelling is read differently by somebody.
            if self._chunked or value.strip(b" \t").lower() != b"chunked":
                raise RefusedError(refusal.ENCODING_BAD)
            self._chunked = True
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        else:
            raise RefusedError(refusal.LOOKALIKE)

    def on_headers_complete(self) -> None:
        """Judge the head, then let uvicorn start the request."""
        if not self._host or self._chunked or self._length > self.limits.body_bytes_max:
            self._check_framing()
        if self._head_bytes > self.limits.header_line_max or len(self.headers) > self.limits.headers_max:
            check_sizes(self.limits, self.url, self.headers)
        if self.url[0] != _SLASH:
            check_target(self.url, self.headers)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise RefusedError(refusal.CONNECT)
            self._upgrading = self._framed = True
            return
        HttpToolsProtocol.on_headers_complete(self)
        if self.pipeline and self.scope["http_version"] not in _VERSIONS:
            self.pipeline.popleft()
            raise RefusedError(refusal.VERSION)
        self._phase = _BODY
        # Trailers would otherwise be added to the headers the application already has.
        self.headers = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # Here uvicorn knows the version; asking the parser before it did would cost more than all other checks.
        if cycle.scope["http_version"] not in _VERSIONS:
            cycle.response_complete = True
            raise RefusedError(refusal.VERSION)
        at_once = self.limits.at_once
        if at_once is not None and cycle.keep_alive and cycle.scope["method"] == "GET":
            ready = at_once(cycle.scope)
            if ready is not None and _answer_whole(cycle, *ready):
                return
        cycle.scope["extensions"] = cast("Any", {WHOLE: partial(_answer_whole, cycle)})
        HttpToolsProtocol._start_asgi_task(self, cycle, app)

    def on_body(self, body: bytes) -> None:
        """Pass the body on; a streamed one is bounded here, a declared one was bounded before."""
        self._body_bytes += len(body)
        if self._chunked and self._body_bytes > self._body_max:
            raise RefusedError(refusal.BODY_LARGE)
        HttpToolsProtocol.on_body(self, body)

    def on_chunk_header(self) -> None:
        """Count chunks."""
        self._chunks += 1

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._upgrading:
            return
        self._phase = _BETWEEN
        # The rest of this read, at most, is already the head of the next request.
        self._head_bytes = self._piece_bytes
        HttpToolsProtocol.on_message_complete(self)

    # ------------------------------------------------------------------------------------------- judging the head

    def _check_framing(self) -> None:
        self._body_max = body_max(self.limits, self.headers)
        if self._length > self._body_max:
            raise RefusedError(refusal.BODY_LARGE)
        if self._chunked and self._length != _NONE:
            raise RefusedError(refusal.BOTH_FRAMINGS)
        version = self.parser.get_http_version()
        if self._chunked and version != "1.1":
            raise RefusedError(refusal.ENCODING_OLD)
        if not self._host and version == "1.1":
            raise RefusedError(refusal.HOST_MISSING)

    def _decline_upgrade(self, rest: bytes | memoryview) -> None:
        """Read a request for h2c or WebSocket as the plain request it also is.

        The parser ends at an upgrade and leaves the body unread: uvicorn would answer without the body and take it for
        the next request. Some clients ask for h2c in every first request, so it is read again without the asking.
        """
        head = plain_head(self.parser.get_method(), self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._phase = _BETWEEN
        self._feed(head)
        if not self._ending:
            self._feed_pieces(bytes(rest))

    # ------------------------------------------------------------------------------------------- slow clients

    def _watch_reading(self) -> None:
        if not self._ending:
            # Message 0 is the connection before its first byte: the first head counts from there.
            self._slow.watch(max(self._messages, 1), body=self._phase == _BODY)

    def body_bytes(self) -> int | None:
        """How much of the body came; None while it is we who do not read."""
        return None if self.flow.read_paused else self._body_bytes

    def head_too_slow(self) -> None:
        """The head did not come in time."""
        if self._phase == _BETWEEN:
            # Never sent a byte of a request: nothing to answer.
            self._end()
            self.transport.close()
        else:
            self._refuse(refusal.HEAD_SLOW)

    def body_too_slow(self) -> None:
        """The body came too slowly."""
        self._refuse(refusal.BODY_SLOW)

    def pause_writing(self) -> None:
        """The client reads slower than we write: give it some time."""
        super().pause_writing()
        self._stall.watch()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stall.forget()

    def on_response_complete(self) -> None:
        """Go on to the next request, to a refusal that waited its turn, or to waiting.

        uvicorn makes and cancels a timer per request; here the connection has one that looks at the time.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._stall.watch()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_queued()
        elif self._refusal is not None:
            self._answer(self._refusal)
        else:
            self._idle.begin()

    def _start_queued(self) -> None:
        self._start_asgi_task(*self.pipeline.pop())
        if self._held and not self.pipeline:
            self._feed_pieces(b"")
            if self._phase:
                self._watch_reading()
            if not self.pipeline:
                self.flow.resume_reading()

    def is_idle(self) -> bool:
        """Whether nothing is being read, worked on or queued."""
        return not self._phase and self.cycle is not None and self.cycle.response_complete

    def idle_too_long(self) -> None:
        """Nothing was asked for the keep-alive time."""
        self._end()
        self.transport.close()
        self._stall.watch()

    # ------------------------------------------------------------------------------------------- refusing

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """uvicorn's own refusal, as ours."""
        self._refuse(refusal.INVALID)

    def _end(self) -> None:
        """Take no more bytes."""
        self._ending = True
        self._hold(b"")
        self._slow.forget()

    def _refuse(self, why: Refusal) -> None:
        """Answer instead of the application and close.

        Answers to earlier requests of the connection come first: uvicorn would write its 400 before them, and the
        client would take it for the answer to the first.
        """
        if self._ending:
            return
        self._end()
        broken = self.cycle if self._phase == _BODY else None
        if broken is not None and self._drop_queued(broken):
            self._refusal = why
        elif broken is not None and broken.response_started:
            # Too late for another answer.
            self.transport.close()
            self._stall.watch()
        elif broken is not None:
            _disconnect(broken)
            self._answer(why)
        elif self.cycle is not None and not self.cycle.response_complete:
            self._refusal = why
        else:
            self._answer(why)

    def _drop_queued(self, cycle: RequestResponseCycle) -> bool:
        """Take a request out of the queue if it was waiting for earlier ones."""
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            return True
        return False

    def _answer(self, why: Refusal) -> None:
        """Write the refusal. Lingering reads on for a while: closing on unread bytes would reset our answer away."""
        self._refusal = None
        if self.transport.is_closing():
            return
        headers = [*self.server_state.default_headers, *self.limits.headers]
        self.transport.write(render(why, self.limits.trace_id(), headers))
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger_timer = self.loop.call_later(self.limits.linger_s, self.transport.abort)


def _answer_whole(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """The extension of `graph/whole.py`: uvicorn's `send` for an answer that is ready, with one write for all of it."""
    flow = cycle.flow
    if cycle.response_started or cycle.disconnected or not cycle.keep_alive or flow.write_paused:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    parts = (STATUS_LINE[status], header_lines(cycle.default_headers), head, b"\r\n", body)
    cycle.transport.write(b"".join(parts))
    cycle.message_event.set()
    cycle.on_response()
    return True


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Tell a running application that its client is gone; what it still sends is dropped."""
    cycle.disconnected = True
    waiting: Event = cycle.message_event
    waiting.set()
