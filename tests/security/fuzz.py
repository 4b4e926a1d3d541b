"""Fuzzing of whole requests: `python -m tests.security.fuzz --requests 100000 [--seed N] [--database URL]`.

Requests are made of what is declared, of what the adversary of the linkage game asks, and of the traps; then bytes are
changed here and there. Prints how many answers there were of each status, and exits with 1 when there was an answer that
no request may get: a 5xx, an error that is not shaped like the Graph's, a header that was broken into.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from traceback import extract_tb
from typing import Final
from urllib.parse import quote_from_bytes, quote_plus, urlencode

from polynym import app
from polynym.app import FEATURES, World
from polynym.core import migrate
from polynym.core.db import connect
from polynym.graph.registry import Registry
from tests.security import stage, traps
from tests.security.adversary import Player, Query, edges, game_filters, game_nodes, signed
from tests.security.raw import FORM, JSON, Headers, Raw, ask, fault
from tests.security.stage import ADMIN_KEY, HELD

BOUNDARY: Final = b"b0undary"
METHODS: Final = ("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "")
#: What a fuzzed request is mostly made of.
ALPHABET: Final = tuple(b"{}[](),.:;=&%?/\\\"'$*|\x00\xff\xed\xa0\x80 \r\n\t0123456789aZ")
CONTROL: Final = (
    "clock",
    "env",
    "acts/say",
    "acts/log_in",
    "people",
    "apps",
    "pages",
    "people/john",
    "apps/game",
    "nothing",
)


class Fuzzer:
    """Draws requests from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.registry = Registry(FEATURES)
        self.player = Player(self.registry, self.rng, game_nodes(), game_filters())
        self._texts = list(traps.TEXTS.values())
        self._names = sorted(
            {param.name for _, edge in edges(self.registry) for param in edge.params}
            | {param.name for root in self.registry.roots.values() for param in root.params}
            | {"fields", "ids", "limit", "after", "before", "offset", "batch", "method", "locale", "callback", "debug"}
            | {
                "appsecret_proof",
                "appsecret_time",
                "access_token",
                "metadata",
                "pretty",
                "date_format",
                "include_headers",
            }
        )

    def requests(self) -> Iterator[Raw]:
        """Requests without end."""
        kinds = (
            self.asked,
            self.asked,
            self.trapped,
            self.trapped,
            self.trapped,
            self.noise,
            self.batched,
            self.controlled,
        )
        while True:
            raw = self.rng.choice(kinds)()
            raw = self.mutated(raw) if self.rng.random() < 0.3 else raw
            if not removes_an_app(raw):
                yield raw

    def asked(self) -> Raw:
        """What the adversary asks."""
        return raw_of(self.player.query())

    def trapped(self) -> Raw:
        """Traps in some parameters, brought in every way there is."""
        rng = self.rng
        method = rng.choice(METHODS[:5])
        values = dict(signed(rng.choice(HELD)))
        for name in rng.sample(self._names, rng.choice((1, 1, 2, 4))):
            values[name] = self._trap()
        path = f"{rng.choice(('', '/v19.0', '/v2.6', '/v9999.1'))}{self.player._path('GET')}"
        if rng.random() < 0.15:
            path = f"/{self._trap()}/{self._trap()[:50]}"
        return self._brought(method, path.encode("utf-8", "replace"), values)

    def _trap(self) -> str:
        text = self.rng.choice(self._texts)
        return text if len(text) < 3_000 or self.rng.random() < 0.05 else text[:200]

    def _brought(self, method: str, path: bytes, values: dict[str, str]) -> Raw:
        rng = self.rng
        path = quote_from_bytes(path, safe="/?{}[]()").encode()
        query = urlencode(values, errors="replace").encode()
        if rng.random() < 0.2:
            query += b"&" + quote_plus(rng.choice(self._names)).encode() + b"=" + rng.choice(list(traps.BYTES.values()))
        if method in ("GET", "HEAD"):
            return Raw(method, path, query)
        carrier = rng.randrange(4)
        if carrier == 0:
            return Raw(method, path, b"", (FORM,), (query,))
        if carrier == 1:
            return Raw(method, path, b"", (JSON,), self._pieces(self._json(values)))
        if carrier == 2:
            return Raw(method, path, b"", (multipart_type(),), self._pieces(multipart(values, rng.random() < 0.3)))
        return Raw(method, path, query, (FORM,), (b"",))

    def _json(self, values: dict[str, str]) -> bytes:
        """The values as JSON: as texts, or as whatever JSON they are."""
        parts = [
            f"{json.dumps(name)}:{value if self.rng.random() < 0.3 and len(value) < 10_000 else json.dumps(value)}"
            for name, value in values.items()
        ]
        return ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass")

    def _pieces(self, body: bytes) -> tuple[bytes, ...]:
        cut = self.rng.randrange(len(body) + 1)
        return (body[:cut], body[cut:]) if self.rng.random() < 0.3 else (body,)

    def noise(self) -> Raw:
        """Nothing but bytes."""
        rng = self.rng
        some = [bytes(rng.choices(ALPHABET, k=rng.choice((0, 1, 5, 40)))) for _ in range(6)]
        headers: Headers = tuple(
            (rng.choice((b"content-type", b"authorization", b"if-none-match", b"x-odd", b"cookie")), each)
            for each in some[:2]
        )
        path = b"/" + some[2].replace(b"?", b"")
        return Raw(rng.choice(METHODS), path, some[3], headers, (some[4], some[5]))

    def batched(self) -> Raw:
        """Batches with traps inside, and things that are no batches."""
        rng = self.rng
        items: list[object] = []
        for number in range(rng.choice((1, 2, 4, 51))):
            item: dict[str, object] = {"method": rng.choice(METHODS), "relative_url": self.player._path("GET")[1:]}
            for name in rng.sample(("body", "name", "depends_on", "headers", "attached_files", "relative_url"), 2):
                item[name] = rng.choice((self._trap(), [], {}, None, 5, [self._trap()], {self._trap(): self._trap()}))
            if number and rng.random() < 0.5:
                item["relative_url"] = (
                    "{result=n0:$." + rng.choice(("id", "data.*.id", "data[0]", "*", self._trap()[:80])) + "}"
                )
            items.append(item if rng.random() < 0.95 else rng.choice((None, 5, [], "x")))
        if isinstance(items[0], dict):
            items[0]["name"] = "n0"
        values = {"batch": json.dumps(items)} | signed(rng.choice(HELD))
        return self._brought("POST", rng.choice((b"/", b"/me", b"/v19.0/")), values)

    def controlled(self) -> Raw:
        """The control plane, with its key and with traps."""
        rng = self.rng
        name = rng.choice(CONTROL)
        keys = (
            "person",
            "page",
            "app",
            "text",
            "name",
            "key",
            "id",
            "advance",
            "freeze",
            "scale",
            "apps",
            "phones",
            "mode",
        )
        values: dict[str, object] = {
            key: rng.choice((self._trap(), "john", "game", "thing", 5, None, [], {}, True, [self._trap()]))
            for key in rng.sample(keys, rng.choice((1, 2, 3)))
        }
        body = (
            json.dumps(values).encode()
            if rng.random() < 0.8
            else self.rng.choice(self._texts).encode("utf-8", "replace")
        )
        authorization = (b"authorization", b"Bearer " + ADMIN_KEY.encode())
        method = rng.choice(("GET", "POST", "PATCH"))
        query = urlencode({rng.choice(("app", "person", "page")): self._trap()}).encode() if name == "env" else b""
        return Raw(method, b"/_polynym/v1/" + name.encode(), query, (authorization, JSON), (body,))

    def mutated(self, raw: Raw) -> Raw:
        """The request with some bytes of its path, query or body changed, added or taken away."""
        rng = self.rng
        part = rng.randrange(3)
        if part == 0:
            return Raw(raw.method, b"/" + self._bent(raw.path[1:]).replace(b"?", b""), raw.query, raw.headers, raw.body)
        if part == 1:
            return Raw(raw.method, raw.path, self._bent(raw.query), raw.headers, raw.body)
        return Raw(raw.method, raw.path, raw.query, raw.headers, tuple(self._bent(piece) for piece in raw.body))

    def _bent(self, data: bytes) -> bytes:
        rng = self.rng
        bent = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            at = rng.randrange(len(bent) + 1)
            action = rng.randrange(4)
            if action == 0:
                bent[at:at] = bytes(rng.choices(ALPHABET, k=rng.choice((1, 1, 3))))
            elif action == 1:
                del bent[at : at + rng.choice((1, 1, 5, 50))]
            elif action == 2 and at < len(bent):
                bent[at] ^= 1 << rng.randrange(8)
            else:
                bent[at:at] = bent[max(0, at - 20) : at]
        return bytes(bent)


def removes_an_app(raw: Raw) -> bool:
    """Whether this could take an app from somebody, after which there would be little left to ask about."""
    text = b" ".join((raw.method.encode(), raw.path, raw.query, *raw.body)).lower()
    return b"permissions" in text and b"delete" in text


def raw_of(query: Query) -> Raw:
    """An adversary's request as bytes."""
    headers = tuple((name.encode(), value.encode()) for name, value in query.headers)
    body = () if query.body is None else (query.body.encode(),)
    return Raw(query.method, query.path.encode(), urlencode(query.params).encode(), headers, body or (b"",))


def multipart_type() -> tuple[bytes, bytes]:
    """The content type of `multipart` bodies."""
    return b"content-type", b"multipart/form-data; boundary=" + BOUNDARY


def multipart(values: dict[str, str], with_file: bool = False) -> bytes:
    """Values as parts of a form; with a file if asked."""
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s'
        % (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
        for name, value in values.items()
    ]
    if with_file:
        parts.append(
            b'Content-Disposition: form-data; name="file0"; filename="../\xff\x00.svg"\r\nContent-Type: x\r\n\r\n<svg>'
        )
    return b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY, part) for part in parts) + b"--%s--\r\n" % BOUNDARY


# --------------------------------------------------------------------------------------------------------- by itself


async def run(database: str | None, requests: int, seed: int) -> int:
    """Send that many requests to a fresh world; the exit code."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        db = await connect(database or f"sqlite:///{path / 'polynym.db'}")
        await migrate.upgrade(db, app.migration_folders())
        made = await stage.build(db, path / "data")
        tally = Tally()
        for raw in islice(Fuzzer(seed).requests(), requests):
            await tally.try_out(made.world, raw)
        await made.world.close()
    print(f"{requests} requests, seed {seed}")
    tally.show()
    return 1 if tally.faults else 0


@dataclass
class Tally:
    """How many answers there were of each status; of each kind of fault how many, and the first request."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[Raw, bytes]] = field(default_factory=dict)

    async def try_out(self, world: World, raw: Raw) -> None:
        """Send one request and look at the answer; an exception that gets out is a fault, too."""
        body = b""
        try:
            told = await ask(world, raw)
        except Exception as error:
            frames = [frame for frame in extract_tb(error.__traceback__) if "polynym" in frame.filename]
            found: str | None = f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}"
        else:
            self.statuses[told.status] += 1
            found, body = fault(raw, told), told.body
        if found is not None:
            self.faults[found] += 1
            self.first.setdefault(found, (raw, body))

    def show(self) -> None:
        """Print everything."""
        classes: Counter[int] = Counter()
        for status, number in self.statuses.items():
            classes[status // 100] += number
        print("  " + "  ".join(f"{kind}xx {number}" for kind, number in sorted(classes.items())))
        print("  " + "  ".join(f"{status} {number}" for status, number in sorted(self.statuses.items())))
        for found, number in self.faults.most_common():
            raw, body = self.first[found]
            print(f"FAULT {number} times: {found}\n  {str(raw)[:3_000]}\n  {body[:1_000]!r}")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="an empty database; default a temporary SQLite file")
    options = parser.parse_args()
    return asyncio.run(run(options.database, options.requests, options.seed))


if __name__ == "__main__":
    sys.exit(main())
