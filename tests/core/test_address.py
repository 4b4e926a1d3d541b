"""Where URLs lead: the table of reliability B.4, and everything else that once fooled somebody."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.address import URL_CHARS_MAX, UrlError, classify, parse_url

SPECIAL = (
    "64:ff9b::a9fe:a9fe",  # NAT64 of a metadata service
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",  # 6to4 of loopback
    "2002:808:808::1",
    "::127.0.0.1",  # IPv4-compatible
    "::8.8.8.8",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2001:2::1",
    "2001:10::1",
    "2a00:1450:4001:81b:0:5efe:10.0.0.1",  # ISATAP
    "2a00:1450:4001:81b:200:5efe:192.168.1.1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "4000::1",
    "224.0.0.1",
    "239.255.255.250",
    "192.88.99.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "localhost",
    "",
    "127.1",
    "0177.0.0.1",
    "[::1]",
)
LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1")
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2001:4860:4860::8888",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
)


@pytest.mark.parametrize("address", SPECIAL)
def test_addresses_that_are_not_the_public_internet_are_special(address: str) -> None:
    assert classify(address) == "special"


@pytest.mark.parametrize("address", LOOPBACK)
def test_plain_loopback_is_loopback(address: str) -> None:
    assert classify(address) == "loopback"


@pytest.mark.parametrize("address", PUBLIC)
def test_ordinary_addresses_are_public(address: str) -> None:
    assert classify(address) == "public"


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_the_library_calls_private_is_never_public(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert classify(str(address)) != "public"


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_an_ipv6_address_the_library_calls_private_is_never_public(address: IPv6Address) -> None:
    if not address.is_global or address.is_multicast:
        assert classify(str(address)) != "public"


@given(st.sampled_from([a for a in (*SPECIAL, *LOOPBACK) if a.count(".") == 3 and ":" not in a and a[0] != "0"]))
def test_wrapping_a_refused_address_in_ipv6_never_makes_it_acceptable(inner: str) -> None:
    number = int(IPv4Address(inner))
    for prefix in (0, 0xFFFF << 32, 0xFFFF << 48, 0x0064_FF9B << 96, 0x5EFE << 32):
        assert classify(str(IPv6Address(prefix | number))) == "special"
    assert classify(str(IPv6Address(0x2002 << 112 | number << 80))) == "special"
    assert classify(str(IPv6Address(0x20010000 << 96 | (number ^ 0xFFFF_FFFF)))) == "special"


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("HTTPS://Example.COM/Hook", "example.com", 443, "/Hook", "example.com"),
        ("https://example.com:443/", "example.com", 443, "/", "example.com"),
        ("http://example.com:8080/a?b=c#d", "example.com", 8080, "/a?b=c", "example.com:8080"),
        ("https://example.com?x=1", "example.com", 443, "/?x=1", "example.com"),
        ("https://example.com#x", "example.com", 443, "/", "example.com"),
        ("https://example.com./", "example.com", 443, "/", "example.com"),
        ("https://a_b.example.com/", "a_b.example.com", 443, "/", "a_b.example.com"),
        ("http://93.184.216.34/", "93.184.216.34", 80, "/", "93.184.216.34"),
        ("http://[2606:4700::1]:81/", "2606:4700::1", 81, "/", "[2606:4700::1]:81"),
        ("http://[2606:4700:0:0::1]/", "2606:4700::1", 80, "/", "[2606:4700::1]"),
        ("https://münchen.example/ö?ü=é", "xn--mnchen-3ya.example", 443, "/%C3%B6?%C3%BC=%C3%A9", None),
        ("https://example.com/a%20b/%zz", "example.com", 443, "/a%20b/%zz", "example.com"),
        ("https://example.com/{a}|b", "example.com", 443, "/%7Ba%7D%7Cb", "example.com"),
        ("https://example.com/@user:x//y;z", "example.com", 443, "/@user:x//y;z", "example.com"),
        ("https://123.example.com/", "123.example.com", 443, "/", "123.example.com"),
        ("https://0x7f.example/", "0x7f.example", 443, "/", "0x7f.example"),
    ],
)
def test_a_good_url_is_read_as_its_owner_meant_it(
    url: str, host: str, port: int, path: str, authority: str | None
) -> None:
    target = parse_url(url)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.authority == (authority or host)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "/path",
        "http:example.com",
        "http:/example.com",
        "http:///path",
        "http://",
        "http://?x",
        "http://.",
        "http://..",
        "http://.example.com",
        "http://a..b",
        "http://-a.example",
        "http://a-.example",
        "http://example.com..",
        f"http://{'a' * 64}.example",
        f"http://{'a.' * 130}example",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/_",
        "data:text/plain,x",
        "javascript://example.com/%0aalert(1)",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
        "dict://127.0.0.1:11211/stat",
        "ldap://127.0.0.1/",
        "jar:http://127.0.0.1!/",
        "ws://example.com/",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1:80@example.com/",
        "http://@example.com/",
        "http://example.com\uff20127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http://example.com/\\127.0.0.1",
        " http://example.com/",
        "http://example.com/ ",
        "http://exa mple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nHost: x",
        "http://example.com/\x00",
        "http://exam\tple.com/",
        "http://example.com/\u2028",
        "http://example.com\u00a0/",
        "ht\ttp://example.com/",
        "http://example.com:/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:99999999/",
        "http://example.com:+80/",
        "http://example.com:-1/",
        "http://example.com:8 0/",
        "http://example.com:٨٠/",
        "http://example.com:80:80/",
        "http://example.com:0x50/",
        "http://%6c%6f%63alhost/",
        "http://localhost%00.example.com/",
        "http://ex*mple.com/",
        "http://a,b/",
        "http://exa<mple.com/",
        "http://example\uff0ecom\uff0fevil/",
        "http://℀.example/",
        "http://faß.example/",
        "http://[::1",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1]:x/",
        "http://[v1.x]/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:0177.0.0.1]/",
        "http://[127.0.0.1]/",
        "http://[]/",
        "http://[example.com]/",
        "http://[::1].example.com/",
        "http://\ud800.example/",
        "http://example.com/\ud800",
        "http://" + "a" * URL_CHARS_MAX,
        # Numbers that a resolver would turn into 127.0.0.1, 0.0.0.0 or a metadata service.
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0X7F000001/",
        "http://017700000001/",
        "http://0/",
        "http://00/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.0x1/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://①②⑦.⓪.⓪.①.①/",
        "http://127。0。1/",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0251.0376.0251.0376/",
        "http://127.0.0.1.1/",
        "http://1.2.3.4.5/",
        "http://256.256.256.256/",
        "http://4294967296/",
        "http://18446744073709551617/",
        "http://example.1/",
        "http://example.0x/",
        "http://0x/",
        "http://127.0.0.1../",
    ],
)
def test_a_url_that_can_be_read_two_ways_is_refused(url: str) -> None:
    with pytest.raises(UrlError):
        parse_url(url)


@pytest.mark.parametrize(
    "url", ["http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://127.0.0.1./", "http://\uff11\uff12\uff17.0.0.1/"]
)
def test_wide_digits_and_dots_are_read_as_the_address_they_spell(url: str) -> None:
    assert parse_url(url).host == "127.0.0.1"


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for url in (text, "http://" + text, "https://example.com/" + text):
        try:
            target = parse_url(url)
        except UrlError:
            continue
        assert target.path.isascii()
        assert not set(target.path + target.authority) & set(" \r\n\t\0\\#")
        assert "@" not in target.authority


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["{}", "0x{:x}", "0X{:X}", "0{:o}", "0x{:08x}", "{}."]),
)
def test_no_single_number_is_a_host(number: int, shape: str) -> None:
    with pytest.raises(UrlError):
        parse_url(f"http://{shape.format(number)}/")


@given(st.tuples(*[st.integers(0, 255)] * 4), st.tuples(*[st.sampled_from(["{}", "0x{:x}", "0{:o}"])] * 4))
def test_a_dotted_quad_is_decimal_or_refused(octets: tuple[int, ...], shapes: tuple[str, ...]) -> None:
    written = ".".join(shape.format(octet) for shape, octet in zip(shapes, octets, strict=True))
    plain = ".".join(str(octet) for octet in octets)
    if written == plain:
        assert parse_url(f"http://{written}/").host == plain
    else:
        with pytest.raises(UrlError):
            parse_url(f"http://{written}/")
