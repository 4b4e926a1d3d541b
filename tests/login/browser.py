"""A browser without a screen: it keeps cookies, follows nothing by itself, and fills forms as they were shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.asgi import Asgi, Reply


class _Forms(HTMLParser):
    """The fields of the POST form of a page, its buttons, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.fields: dict[str, str] = {}
        self.offered: dict[str, str] = {}
        self.buttons: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = given.get("method") == "post"
        if not self.inside:
            return
        if (tag == "input" and given.get("type") in ("hidden", "text")) or (tag == "input" and "checked" in given):
            self.fields[given["name"]] = given["value"]
        elif tag == "input":
            self.offered[f"{given['name']}={given['value']}"] = given["value"]
        elif tag == "button":
            self._button = (given.get("name", ""), given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        if tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        # Names are set apart by two invisible characters.
        text = data.replace("\u2068", "").replace("\u2069", "").strip()
        if self._button is not None:
            self.buttons.append((*self._button, text))
        if text:
            self.words.append(text)


@dataclass
class Browser:
    """One visitor."""

    client: Asgi
    cookies: dict[str, str] = field(default_factory=dict)
    url: str = ""
    reply: Reply | None = None
    extra: dict[str, str] = field(default_factory=dict)
    #: Cookies of other programs on the same host, as they stand in the header.
    others: str = ""

    async def open(self, path: str, **params: Any) -> Reply:
        """Visit an address."""
        self.url = f"{path}?{urlencode(params)}"
        return await self._send("GET", self.url, b"")

    async def press(self, label: str, *, without: tuple[str, ...] = (), **fields: str) -> Reply:
        """Press the button with this label; `without` unticks boxes, `fields` sets others."""
        form = self.form
        name, value, _ = next(button for button in form.buttons if button[2] == label)
        filled = {key: text for key, text in form.fields.items() if key not in without} | fields
        return await self._send("POST", self.url, urlencode(filled | {name: value}).encode())

    async def post(self, fields: dict[str, str]) -> Reply:
        """Send a form made by hand to where we are."""
        return await self._send("POST", self.url, urlencode(fields).encode())

    @property
    def form(self) -> _Forms:
        """The form we look at."""
        assert self.reply is not None
        parsed = _Forms()
        parsed.feed(self.reply.body.decode())
        return parsed

    @property
    def text(self) -> str:
        """What the page says."""
        return " ".join(self.form.words)

    async def _send(self, method: str, target: str, body: bytes) -> Reply:
        headers = {"content-type": "application/x-www-form-urlencoded"} if body else {}
        if cookies := [self.others] * bool(self.others) + [f"{name}={value}" for name, value in self.cookies.items()]:
            headers["cookie"] = "; ".join(cookies)
        self.reply = await self.client.send(method, target, body=body, headers=headers | self.extra)
        for name, value in self.reply.headers:
            if name.lower() == "set-cookie":
                assert "HttpOnly" in value
                assert "SameSite=Lax" in value
                key, _, text = value.partition(";")[0].partition("=")
                self.cookies[key] = text
        return self.reply


def went_to(reply: Reply) -> tuple[str, dict[str, str], dict[str, str]]:
    """Where a redirect leads: the address, its query and its fragment."""
    assert reply.status in (302, 303), reply.body
    location = reply.header("location")
    assert location is not None
    parts = urlsplit(location)
    query, fragment = (dict(parse_qsl(text, keep_blank_values=True)) for text in (parts.query, parts.fragment))
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query, fragment
