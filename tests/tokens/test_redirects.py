"""Where a login may send people: exact addresses, and loopback ports in development."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.tokens import redirects
from polynym.tokens.redirects import DESKTOP, allowed

REGISTERED = (
    "https://app.example/cb", "https://app.example/other?tenant=7", "http://localhost:5000/exact", "myapp://auth",
    "http://127.0.0.1:*/*", "http://[::1]:*/done",
)  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/cb",
        "https://app.example/cb?state=abc",
        "https://app.example/other?tenant=7",
        "https://app.example/other?state=1&tenant=7",
        "http://localhost:5000/exact",
        "http://127.0.0.1/",
        "http://127.0.0.1:1/x/y?z=1",
        "http://127.0.0.1:65535",
        "http://[::1]:8000/done",
        "http://[::1]:8000/done?state=1",
        "myapp://auth",
        DESKTOP,
    ],
)
def test_a_registered_address_is_allowed(address: str) -> None:
    assert allowed(address, REGISTERED)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://evil.example/https://app.example/cb",
        "https://app.example/cb/../admin",
        "https://app.example/cb/%2e%2e/admin",
        "https://app.example/cb?x=1",
        "https://app.example/cb#x",
        "https://app.example/cb#",
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "http://app.example/cb",
        "https://app.example/cb/",
        "https://app.example:443/cb",
        "https://app.example./cb",
        "https://app.example//cb",
        "https:/app.example/cb",
        "//app.example/cb",
        "https:app.example/cb",
        "https://app.example\\cb",
        "https://app.example\\@evil.example/cb",
        "https://аpp.example/cb",
        "https://app.example/cb\r\nSet-Cookie: a=b",
        "https://app.example/cb\n",
        " https://app.example/cb",
        "https://app.example/cb\0",
        "https://app.example/other",
        "https://app.example/other?tenant=8",
        "https://app.example/other?tenant=7&tenant=8",
        "http://localhost:5001/exact",
        "http://localhost.evil.example:5000/exact",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:80@evil.example/",
        "https://127.0.0.1:8000/",
        "http://127.1:8000/",
        "http://0x7f000001/",
        "http://[::1]:8000/other",
        "http://[::ffff:127.0.0.1]:80/done",
        "myapp://auth2",
        "javascript://127.0.0.1/%0aalert(1)",
        "data:text/html,x",
        DESKTOP + "?x=1",
    ],
)
def test_any_other_spelling_or_place_is_refused(address: str) -> None:
    assert not allowed(address, REGISTERED)


def test_a_wildcard_for_anything_but_loopback_covers_nothing() -> None:
    for entry in (
        "https://*/*",
        "https://*.app.example/cb",
        "http://app.example:*/*",
        "*",
        "http://127.0.0.1.evil:*/*",
    ):
        assert not allowed("https://x.app.example/cb", [entry])
        assert not allowed("http://app.example:80/cb", [entry])


@given(st.text(max_size=40), st.text(max_size=10))
def test_no_text_around_a_registered_address_makes_it_allowed(before: str, after: str) -> None:
    address = "https://app.example/cb"
    given_address = before + address + after
    if given_address != address and redirects.without_state(given_address) != address:
        assert not allowed(given_address, [address])


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=5), st.booleans())
def test_values_arrive_as_they_were_behind_those_that_were_there(values: dict[str, str], fragment: bool) -> None:
    for address in ("https://app.example/cb", "https://app.example/cb?x=1", "https://app.example/cb?"):
        kept = [("x", "1")] if "x=1" in address else []
        if fragment:
            parts = urlsplit(redirects.with_fragment(address, values, marked=False))
            assert parse_qsl(parts.fragment, keep_blank_values=True) == list(values.items())
            assert parse_qsl(parts.query) == kept
        else:
            parts = urlsplit(redirects.with_query(address, values))
            assert parse_qsl(parts.query, keep_blank_values=True) == [*kept, *values.items()]
