"""The only way out, tried with real sockets; a listener that must never be reached watches what must be refused."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from itertools import product
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polynym.core.egress import (
    PUBLIC_POLICY,
    SANDBOX_POLICY,
    EgressError,
    EgressPolicy,
    FakeEgress,
    FakeResolver,
    Gate,
    OutRequest,
    OutResponse,
    Reason,
    Resolver,
    SocketEgress,
    SystemResolver,
)
from polynym.core.gate import ADDRESSES_MAX

pytestmark = pytest.mark.anyio

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Listener:
    """A loopback server that plays `script` and counts who came."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.received = b""
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            self.received += await reader.readuntil(b"\r\n\r\n")
            await self.script(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, RuntimeError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(
        self, hosts: Sequence[str] = ("127.0.0.1",), tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Listener]:
        servers = [await asyncio.start_server(self._serve, hosts[0], 0, ssl=tls)]
        self.port = servers[0].sockets[0].getsockname()[1]
        servers += [await asyncio.start_server(self._serve, host, self.port, ssl=tls) for host in hosts[1:]]
        try:
            yield self
        finally:
            for server in servers:
                server.close()
            for writer in self._writers:
                writer.transport.abort()
            for server in servers:
                await server.wait_closed()


def saying(*parts: bytes) -> Script:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(parts)

    return script


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: Yes\r\n\r\nok")


def sandbox(resolver: Resolver | None = None, own_ports: frozenset[int] = frozenset()) -> SocketEgress:
    return SocketEgress(Gate(SANDBOX_POLICY, resolver or SystemResolver(), own_ports))


def public(resolver: Resolver | None = None) -> SocketEgress:
    return SocketEgress(Gate(PUBLIC_POLICY, resolver or SystemResolver()))


async def refusal(egress: SocketEgress | FakeEgress, request: OutRequest) -> EgressError:
    with pytest.raises(EgressError) as caught:
        await egress.fetch(request)
    return caught.value


async def reason_of(script: Script, **bounds: float) -> Reason:
    async with Listener(script).running() as server:
        request = OutRequest("GET", f"http://127.0.0.1:{server.port}/", timeout_s=bounds.get("timeout_s", 5.0))
        return (await refusal(sandbox(), request)).reason


# --------------------------------------------------------------------------------------------- hostile URLs


def spellings(address: str) -> set[str]:
    """An IPv4 address in every way a resolver is known to read."""
    number = int(IPv4Address(address))
    octets = [number >> shift & 255 for shift in (24, 16, 8, 0)]
    wide = str.maketrans("0123456789.", "０１２３４５６７８９。")
    mixed = {
        ".".join(s.format(o) for s, o in zip(p, octets, strict=True))
        for p in product(("{}", "0x{:x}", "0{:o}"), repeat=4)
    }
    return mixed | {
        str(number),
        hex(number),
        f"0{number:o}",
        f"0x{number:016x}",
        f"{octets[0]}.{number & 0xFFFFFF}",
        f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
        f"0x{octets[0]:x}.{number & 0xFFFFFF}",
        f"{address}.",
        address.translate(wide),
        address.replace("1", "①"),
        address.replace(".", "%2e"),
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2001:0:1:1::{(number >> 16) ^ 0xFFFF:x}:{(number & 0xFFFF) ^ 0xFFFF:x}]",
        f"[fe80::5efe:{address}]",
        f"user@{address}",
        f"example.com@{address}",
        f"example.com\\@{address}",
        f"[{address}]",
    }


HOSTILE_HOSTS = sorted(
    spellings("127.0.0.1")
    | spellings("169.254.169.254")
    | spellings("10.0.0.1")
    | spellings("0.0.0.0")
    | {
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::1%25lo]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "127.0.0.2",
        "127.255.255.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "172.16.0.1",
        "192.168.1.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0",
        "metadata.google.internal",
        "x.metadata.google.internal",
    }
)
HOSTILE_URLS = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "data:text/html,x",
    "dict://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "unix:///tmp/socket",
    "http+unix://%2Ftmp%2Fsocket/",
    "ws://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\r\n/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:1023/",
    *(f"http://{host}:{{port}}/hook" for host in HOSTILE_HOSTS),
]


def test_the_hostile_list_is_long() -> None:
    assert len(set(HOSTILE_URLS)) >= 300


async def test_no_hostile_url_reaches_a_listener_of_this_machine() -> None:
    egress = public()
    async with Listener(OK).running(("127.0.0.1", "127.0.0.2", "::1")) as trap:
        for template in HOSTILE_URLS:
            url = template.replace("{port}", str(trap.port))
            error = await refusal(egress, OutRequest("POST", url, body=b"x", timeout_s=5))
            assert error.reason in ("bad_url", "refused_address"), url
            with pytest.raises(EgressError):
                await egress.check(url)
        assert trap.connections == 0
        # The trap works: a sandbox may come in by the front door.
        await sandbox().fetch(OutRequest("GET", f"http://127.0.0.1:{trap.port}/"))
        assert trap.connections == 1


PLAIN_LOOPBACK = {
    "127.0.0.1",
    "127.0.0.1.",
    "127.0.0.2",
    "127.255.255.254",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "①27.0.0.①",
    "１２７。０。０。１",
}


async def test_a_sandbox_differs_only_by_plain_loopback() -> None:
    dialled: list[str] = []

    async def dial(address: str, *_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialled.append(address)
        raise ConnectionRefusedError

    egress = SocketEgress(Gate(SANDBOX_POLICY, SystemResolver()), dial=dial)
    for host in HOSTILE_HOSTS:
        error = await refusal(egress, OutRequest("GET", f"http://{host}:8080/", timeout_s=5))
        assert (
            error.reason == "connect" if host in PLAIN_LOOPBACK else error.reason in ("bad_url", "refused_address")
        ), host
    assert all(ip_address(address).is_loopback for address in dialled)


LEGITIMATE_URLS = [
    f"{scheme}://{host}{port}{path}"
    for scheme, port in (("https", ""), ("https", ":8443"), ("http", ""), ("http", ":8080"), ("https", ":443"))
    for host in ("example.com", "hooks.example.co.uk", "xn--bcher-kva.example", "a_b-c.example.com", "1.2.example.com")
    for path in ("", "/webhook?hub.mode=subscribe&a=%20b")
] + [
    "https://münchen.example/hook",
    "https://例え.テスト/",
    "https://93.184.216.34/",
    "https://[2606:4700:4700::1111]/hook",
    "https://[64:ff9b::8.8.8.8]/",
    "https://EXAMPLE.com./Hook",
    "https://example.com:65535/",
    "https://0.example.com/",
    "https://10.0.0.1.example.com/",
    "https://localhost.example.com/",
]


async def test_no_legitimate_url_is_refused() -> None:
    dialled: list[tuple[str, int]] = []
    async with Listener(OK).running() as server:

        async def dial(address: str, port: int, *_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            dialled.append((address, port))
            return await asyncio.open_connection("127.0.0.1", server.port)

        egress = SocketEgress(Gate(PUBLIC_POLICY, FakeResolver()), dial=dial)
        for url in LEGITIMATE_URLS:
            await egress.check(url)
            assert (await egress.fetch(OutRequest("GET", url))).body == b"ok"
    assert len(LEGITIMATE_URLS) >= 50
    assert len(dialled) == len(LEGITIMATE_URLS)
    assert ("93.184.216.34", 8443) in dialled


# --------------------------------------------------------------------------------------------- names and addresses


async def test_a_name_that_rebinds_is_connected_at_the_judged_address_only() -> None:
    async with Listener(OK).running(("127.0.0.2",)) as judged:
        trap = await asyncio.start_server(lambda r, w: None, "127.0.0.1", judged.port)
        async with trap:
            resolver = FakeResolver({"rebind.example": [["127.0.0.2"], ["127.0.0.1"]]})
            response = await sandbox(resolver).fetch(OutRequest("GET", f"http://rebind.example:{judged.port}/"))
    assert response.address == "127.0.0.2"
    assert resolver.asked == ["rebind.example"]


async def test_a_name_that_was_public_when_saved_is_judged_again_when_sent_to() -> None:
    async with Listener(OK).running() as trap:
        egress = public(FakeResolver({"rebind.example": [["93.184.216.34"], ["127.0.0.1"]]}))
        url = f"http://rebind.example:{trap.port}/"
        await egress.check(url)
        assert (await refusal(egress, OutRequest("GET", url))).reason == "refused_address"
        assert trap.connections == 0


@pytest.mark.parametrize(
    "records",
    [
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["93.184.216.34", "::1"],
        ["93.184.216.34", "10.0.0.1"],
        ["93.184.216.34", "::ffff:127.0.0.1"],
        ["93.184.216.34"] * 3 + ["fe80::1%eth0"],
        ["93.184.216.34", "not an address"],
    ],
)
@pytest.mark.parametrize("policy", [PUBLIC_POLICY, SANDBOX_POLICY], ids=lambda policy: policy.name)
async def test_one_bad_record_spoils_a_name(policy: EgressPolicy, records: list[str]) -> None:
    async with Listener(OK).running() as trap:
        egress = SocketEgress(Gate(policy, FakeResolver({"mixed.example": records})))
        error = await refusal(egress, OutRequest("GET", f"http://mixed.example:{trap.port}/"))
        assert error.reason == "refused_address"
        assert trap.connections == 0


async def test_a_name_without_an_address_and_one_with_too_many_are_not_resolved() -> None:
    resolver = FakeResolver({"many.example": ["93.184.216.34"] * (ADDRESSES_MAX + 1), "none.example": []})
    for host in ("many.example", "none.example"):
        assert (await refusal(sandbox(resolver), OutRequest("GET", f"http://{host}/"))).reason == "resolve"


async def test_as_many_addresses_as_the_bound_are_resolved() -> None:
    gate = Gate(PUBLIC_POLICY, FakeResolver({"many.example": ["93.184.216.34"] * ADDRESSES_MAX}))
    assert len((await gate.vet("http://many.example/")).addresses) == ADDRESSES_MAX


async def test_a_name_the_system_does_not_know_is_a_resolve_error() -> None:
    assert (await refusal(sandbox(), OutRequest("GET", "http://no-such-name.invalid/"))).reason in (
        "resolve",
        "timeout",
    )


async def test_a_resolver_that_hangs_is_cut_at_the_time_bound() -> None:
    class Hanging:
        async def resolve(self, host: str) -> Sequence[str]:
            await asyncio.Event().wait()
            return ()

    egress = SocketEgress(Gate(SANDBOX_POLICY, Hanging()), connect_timeout_s=0.02)
    error = await refusal(egress, OutRequest("GET", "http://example.com/", timeout_s=0.02))
    assert error.reason == "timeout"
    with pytest.raises(EgressError) as caught:
        await egress.check("http://example.com/")
    assert caught.value.reason == "resolve"


async def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    async with Listener(OK).running() as server:

        async def dial(address: str, port: int, *_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if address == "127.0.0.9":
                await asyncio.Event().wait()
            return await asyncio.open_connection(address, port)

        resolver = FakeResolver({"two.example": ["127.0.0.9", "127.0.0.1"]})
        egress = SocketEgress(Gate(SANDBOX_POLICY, resolver), dial=dial, connect_timeout_s=0.05)
        assert (await egress.fetch(OutRequest("GET", f"http://two.example:{server.port}/"))).address == "127.0.0.1"


async def test_the_next_address_is_tried_when_the_first_refuses() -> None:
    async with Listener(OK).running(("127.0.0.1",)) as server:
        resolver = FakeResolver({"two.example": ["127.0.0.9", "127.0.0.1"]})
        response = await sandbox(resolver).fetch(OutRequest("GET", f"http://two.example:{server.port}/"))
    assert response.address == "127.0.0.1"


async def test_the_servers_own_ports_are_refused_on_loopback() -> None:
    async with Listener(OK).running(("127.0.0.1", "::1")) as own:
        ports = {own.port}
        egress = SocketEgress(Gate(SANDBOX_POLICY, SystemResolver(), ports))
        for host in ("127.0.0.1", "localhost", "[::1]", "127.0.0.2"):
            error = await refusal(egress, OutRequest("POST", f"http://{host}:{own.port}/"))
            assert error.reason == "refused_address"
        assert own.connections == 0
        ports.clear()
        assert (await egress.fetch(OutRequest("POST", f"http://127.0.0.1:{own.port}/"))).status == 200


async def test_own_ports_are_refused_on_own_public_addresses_and_nowhere_else() -> None:
    gate = Gate(PUBLIC_POLICY, FakeResolver(), frozenset({8484}), frozenset({"93.184.216.34"}))
    with pytest.raises(EgressError):
        await gate.vet("http://93.184.216.34:8484/")
    await gate.vet("http://93.184.216.34:8443/")
    await gate.vet("http://93.184.216.35:8484/")


@pytest.mark.parametrize("host", ["facebook.com", "graph.facebook.com", "Graph.Facebook.COM.", "x.fbcdn.net", "m.me"])
async def test_a_sandbox_never_calls_the_real_platform(host: str) -> None:
    error = await refusal(sandbox(FakeResolver()), OutRequest("GET", f"https://{host}/me"))
    assert error.reason == "refused_address"
    assert host.lower().rstrip(".") in str(error)


@pytest.mark.parametrize("host", ["notfacebook.com", "facebook.com.example", "some.me"])
async def test_a_name_that_only_looks_like_the_platform_is_allowed(host: str) -> None:
    await sandbox(FakeResolver()).check(f"https://{host}/")


@pytest.mark.parametrize(
    ("port", "allowed"), [(80, True), (443, True), (8443, True), (1024, True), (1023, False), (22, False)]
)
async def test_ports_are_those_of_the_policy(port: int, allowed: bool) -> None:
    gate = Gate(PUBLIC_POLICY, FakeResolver())
    if allowed:
        await gate.vet(f"http://example.com:{port}/")
    else:
        with pytest.raises(EgressError):
            await gate.vet(f"http://example.com:{port}/")


async def test_high_ports_can_be_switched_off() -> None:
    gate = Gate(EgressPolicy(name="public", loopback=False, port_min=None), FakeResolver())
    await gate.vet("https://example.com:8443/")
    with pytest.raises(EgressError):
        await gate.vet("https://example.com:9000/")


# --------------------------------------------------------------------------------------------- what is sent


async def test_a_request_keeps_the_name_and_is_sent_as_given() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await reader.readexactly(9)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + body)

    async with Listener(echo).running() as server:
        resolver = FakeResolver({"hook.example": ["127.0.0.1"]})
        url = f"http://Hook.example:{server.port}/a?b=ü#c"
        request = OutRequest("POST", url, [("X-Hub-Signature", "sha1=ab")], b'{"a":"b"}')
        response = await sandbox(resolver).fetch(request)
    head = server.received.decode("ascii")
    assert head.startswith("POST /a?b=%C3%BC HTTP/1.1\r\n")
    assert f"\r\nHost: hook.example:{server.port}\r\n" in head
    assert "\r\nX-Hub-Signature: sha1=ab\r\n" in head
    assert "\r\nContent-Length: 9\r\n" in head
    assert response == OutResponse(200, (("content-length", "9"),), b'{"a":"b"}', "127.0.0.1", response.took_ms)


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nX-Evil: 1"),
        ("X-A", "b\nX-Evil: 1"),
        ("X-A", "b\0"),
        ("X-A", "snow ☃"),
        ("X-A\r\nX-Evil", "1"),
        ("X A", "1"),
        ("", "1"),
        ("Host", "evil"),
        ("content-length", "3"),
        ("Transfer-Encoding", "chunked"),
    ],
)
async def test_a_header_that_would_split_the_message_is_never_sent(header: tuple[str, str]) -> None:
    async with Listener(OK).running() as trap:
        error = await refusal(sandbox(), OutRequest("GET", f"http://127.0.0.1:{trap.port}/", [header]))
        assert error.reason == "protocol"
        assert trap.connections == 0


async def test_an_unknown_method_is_never_sent() -> None:
    assert (await refusal(sandbox(), OutRequest("GET /\r\n", "http://127.0.0.1:8080/"))).reason == "protocol"


async def test_proxy_settings_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listener(OK).running() as proxy, Listener(OK).running() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        await sandbox().fetch(OutRequest("GET", f"http://127.0.0.1:{server.port}/"))
        assert (proxy.connections, server.connections) == (0, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/", "file:///etc/passwd", "//127.0.0.1:{port}/"])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int, location: str) -> None:
    async with Listener(OK).running() as trap:
        to = location.replace("{port}", str(trap.port)).encode()
        moved = saying(b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, to))
        async with Listener(moved).running() as server:
            response = await sandbox().fetch(OutRequest("GET", f"http://127.0.0.1:{server.port}/"))
        assert (response.status, response.header("location")) == (status, to.decode())
        assert trap.connections == 0


# --------------------------------------------------------------------------------------------- what is answered

BIG = 64 * 1024


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", 500, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x=y\r\n!\r\n0\r\nT: v\r\n\r\n",
            200,
            b"ok!",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
            200,
            b"1",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n",
            200,
            b"ok",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\0\0garbage", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG, 200, b"x" * BIG),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", 200, b"\x1f\x8b\x08"),
    ],
)
async def test_every_framing_of_an_answer_is_read(answer: bytes, status: int, body: bytes) -> None:
    async with Listener(saying(answer)).running() as server:
        response = await sandbox().fetch(OutRequest("GET", f"http://127.0.0.1:{server.port}/"))
    assert (response.status, response.body) == (status, body)


async def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    async with Listener(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")).running() as server:
        response = await sandbox().fetch(OutRequest("HEAD", f"http://127.0.0.1:{server.port}/"))
    assert response.body == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"\0" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"* OK IMAP4rev1\r\n",
        b"<html>HTTP/0.9</html>",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nok\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_whole_and_valid_is_a_protocol_error(answer: bytes) -> None:
    assert await reason_of(saying(answer)) == "protocol"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BIG + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BIG + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (BIG + 1)
        + b"x" * (BIG + 1)
        + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 200_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: v\r\n" * 50_000,
        b"HTTP/1.1 200 " + b"O" * 200_000,
    ],
)
async def test_an_answer_over_the_bound_is_too_large(answer: bytes) -> None:
    assert await reason_of(saying(answer)) == "too_large"


async def test_an_endless_answer_is_not_read_to_memory() -> None:
    written = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _block in range(16_000):
            writer.write(b"x" * BIG)
            await writer.drain()
            written += BIG

    assert await reason_of(endless) == "too_large"
    assert written < 32 * 1024 * 1024


async def test_the_body_bound_is_the_requests_own() -> None:
    async with Listener(saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1025)).running() as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert (await refusal(sandbox(), OutRequest("GET", url, max_bytes=1024))).reason == "too_large"
        assert len((await sandbox().fetch(OutRequest("GET", url, max_bytes=1025))).body) == 1025


async def half_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await reader.read()


async def half_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")
    await reader.read()


@pytest.mark.parametrize("script", [silent, half_head, half_body])
async def test_a_slow_answer_is_cut_at_the_total_time(script: Script) -> None:
    assert await reason_of(script, timeout_s=0.05) == "timeout"


async def test_a_server_that_resets_is_a_protocol_error() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_once = struct.pack("ii", 1, 0)
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    assert await reason_of(reset) == "protocol"


async def test_an_answer_given_before_the_body_was_read_counts() -> None:
    async with Listener(saying(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")).running() as server:
        url = f"http://127.0.0.1:{server.port}/"
        response = await sandbox().fetch(OutRequest("POST", url, body=b"x" * 100_000))
    assert response.status == 413


async def free_port() -> int:
    """A port nobody listens on."""
    async with Listener(OK).running() as server:
        return server.port


async def test_a_closed_port_is_a_connect_error_that_names_it_to_a_sandbox() -> None:
    port = await free_port()
    error = await refusal(sandbox(), OutRequest("GET", f"http://127.0.0.1:{port}/"))
    assert error.reason == "connect"
    assert str(port) in str(error)


async def test_in_public_closed_silent_and_foreign_ports_read_the_same() -> None:
    texts = set()
    for script in (None, silent, saying(b"SSH-2.0-OpenSSH_9.2\r\n"), saying(b"")):
        async with Listener(script or OK).running() as server:
            port = server.port if script else await free_port()

            async def dial(
                address: str, _: int, context: ssl.SSLContext | None, name: str | None, to: int = port
            ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                return await asyncio.open_connection(
                    "127.0.0.1", to, ssl=context, server_hostname=name if context else None
                )

            egress = SocketEgress(Gate(PUBLIC_POLICY, FakeResolver()), dial=dial)
            for scheme in ("http", "https"):
                texts.add(str(await refusal(egress, OutRequest("GET", f"{scheme}://example.com:9000/", timeout_s=0.1))))
    assert len(texts) == 1


async def test_in_public_inside_names_read_like_invented_ones() -> None:
    resolver = FakeResolver({"db.corp.example": ["10.0.0.5"], "void.corp.example": []})
    texts = {
        str(await refusal(public(resolver), OutRequest("GET", f"http://{name}.corp.example/")))
        for name in ("db", "void")
    }
    assert len(texts) == 1


# --------------------------------------------------------------------------------------------- TLS


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._sign(self.name, self.key, None, "2099-01-01")

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None, until: str
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime.fromisoformat(until).replace(tzinfo=UTC))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, host: str, until: str = "2099-01-01") -> ssl.SSLContext:
        """A server's context with a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        file = self.folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + self._sign(subject, key, host, until).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def client(self) -> ssl.SSLContext:
        """A client's context that trusts only this authority."""
        return ssl.create_default_context(cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_tls_is_made_for_the_name_at_the_judged_address(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server("hook.example")
    context.sni_callback = lambda _, name, __: names.append(name)
    async with Listener(OK).running(tls=context) as server:
        gate = Gate(SANDBOX_POLICY, FakeResolver({"hook.example": ["127.0.0.1"]}))
        egress = SocketEgress(gate, tls=authority.client())
        response = await egress.fetch(OutRequest("GET", f"https://hook.example:{server.port}/"))
    assert (response.status, response.body) == (200, b"ok")
    assert names == ["hook.example"]


@pytest.mark.parametrize(
    ("host", "until", "trusted", "told"),
    [
        ("other.example", "2099-01-01", True, "mismatch"),
        ("hook.example", "2021-01-01", True, "expired"),
        ("hook.example", "2099-01-01", False, "unable to get local issuer"),
    ],
)
@pytest.mark.parametrize("policy", [PUBLIC_POLICY, SANDBOX_POLICY], ids=lambda policy: policy.name)
async def test_a_bad_certificate_is_refused_and_explained(
    authority: Authority, policy: EgressPolicy, host: str, until: str, trusted: bool, told: str
) -> None:
    async with Listener(OK).running(tls=authority.server(host, until)) as server:

        async def dial(
            address: str, port: int, context: ssl.SSLContext | None, name: str | None
        ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)

        egress = SocketEgress(
            Gate(policy, FakeResolver()), tls=authority.client() if trusted else ssl.create_default_context(), dial=dial
        )
        error = await refusal(egress, OutRequest("GET", f"https://hook.example:{server.port}/"))
        assert error.reason == "tls"
        assert told in str(error)
        assert server.received == b""


async def test_plain_http_where_tls_was_expected_is_a_tls_error() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await refusal(sandbox(), OutRequest("GET", url))).reason == "tls"


# --------------------------------------------------------------------------------------------- the fake


async def test_the_fake_judges_like_the_real_one_and_asks_its_handler() -> None:
    egress = FakeEgress(lambda request: OutResponse(200, body=request.body))
    response = await egress.fetch(OutRequest("POST", "https://example.com/", body=b"1"))
    assert (response.body, response.address) == (b"1", "93.184.216.34")
    for url in ("http://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://[::1]/", "http://10.0.0.1/"):
        assert (await refusal(egress, OutRequest("GET", url))).reason in ("refused_address", "bad_url")
        with pytest.raises(EgressError):
            await egress.check(url)
    assert [request.url for request in egress.sent] == ["https://example.com/"]


async def test_the_fakes_handler_may_be_slow_fail_or_answer_too_much() -> None:
    async def handler(request: OutRequest) -> OutResponse:
        if request.url.endswith("down"):
            raise EgressError("connect", "down")
        return OutResponse(200, body=b"x" * 100)

    egress = FakeEgress(handler)
    assert (await refusal(egress, OutRequest("GET", "http://example.com/down"))).reason == "connect"
    assert (await refusal(egress, OutRequest("GET", "http://example.com/", max_bytes=99))).reason == "too_large"
    assert (await egress.fetch(OutRequest("GET", "http://example.com/", max_bytes=100))).status == 200
