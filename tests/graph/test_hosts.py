"""Which Host headers are answered (reliability B.6, case 31)."""

from __future__ import annotations

import pytest

from polynym.graph.hosts import HOST_CHARS_MAX, host_allowed

ACCEPTED = frozenset({"graph.example", "Pinned.example:8443", "*.wild.example", "192.0.2.7", "[2001:db8::7]"})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8484",
        "LOCALHOST:1",
        "localhost.",
        "localhost.:8484",
        "app.localhost:8484",
        "127.0.0.1",
        "127.0.0.1:8484",
        "127.8.9.10:1",
        "[::1]",
        "[::1]:8484",
        "[0:0:0:0:0:0:0:1]:8484",
        "graph.facebook.com",
        "Graph.Facebook.com:443",
        "graph-video.facebook.com",
        "www.facebook.com",
        "m.facebook.com",
        "graph.beta.facebook.com",
        "graph-video.beta.facebook.com:8484",
        "graph.example",
        "graph.example:9",
        "GRAPH.example.",
        "pinned.example:8443",
        "a.wild.example",
        "a.b.wild.example:80",
        "192.0.2.7:8484",
        "[2001:db8::7]:8484",
    ],
)
def test_a_name_of_this_server_is_allowed(host: str) -> None:
    assert host_allowed(host, ACCEPTED)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8484",
        "evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io:8484",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "::1",
        "[::1",
        "[::1]x",
        "[::ffff:10.0.0.1]",
        "[127.0.0.1]",
        "[127.0.0.1]:x",
        "localhost:",
        "localhost:123456",
        "localhost:80:80",
        "localhost:8o",
        "user@localhost",
        "localhost/",
        "localhost, evil.example",
        "localhost\0",
        " localhost",
        "facebook.com",
        "evil.facebook.com",
        "graph.facebook.com.evil.example",
        "xgraph.facebook.com",
        "notgraph.example",
        "sub.graph.example",
        "pinned.example",
        "pinned.example:80",
        "wild.example",
        "evilwild.example",
        "*.wild.example",
        "ｌocalhost",
        "a" * 10_000,
        "a." * HOST_CHARS_MAX + "wild.example",
    ],
)
def test_any_other_name_is_not(host: str) -> None:
    assert not host_allowed(host, ACCEPTED)


@pytest.mark.parametrize("accepted", [[], (), set(), ["graph.example"]])
def test_any_collection_of_names_may_be_given(accepted: list[str]) -> None:
    assert host_allowed("localhost:8484", accepted)
    assert host_allowed("graph.example", accepted) is bool(accepted)
