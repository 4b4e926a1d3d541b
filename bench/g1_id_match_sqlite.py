"""G1: ID matching on SQLite, a million people, proof on."""

from __future__ import annotations

import base64
import json

from bench import matching, peers, world
from bench.measure import Result, interleave, ratio
from bench.options import Options
from bench.party import Child, Server, http_get, http_post, python

TOKENS = 20_000


def run(options: Options) -> Result:
    """Polynym, the smallest application on the same server, and node-oidc-provider's token introspection."""
    place = world.sqlite(options.people)
    command, folder = peers.node("oidc.mjs")
    with (
        Child("polynym", python("bench.servers.polynym_server", place.data_dir, place.database)) as polynym,
        Child("hello", python("bench.servers.hello")) as hello,
        Child("oidc", [*command, str(TOKENS)], cwd=folder) as oidc,
    ):
        matching.check(polynym.ready, place.facts)
        ours = Server(polynym, matching.requests(place.facts), name="polynym ID match")
        control = Server(hello, [http_get("/")], name="hello on the same server")
        peer = Server(oidc, introspections(json.loads(oidc.line("TOKENS"))), name="oidc-provider introspection")
        samples = interleave((control, ours, peer), seconds=options.seconds)
    result = Result("G1", f"ID match on SQLite, {place.facts.people:,} people, proof on", "requests", samples)
    mine, theirs, hellos = samples[ours.name], samples[peer.name], samples[control.name]
    result.figures = [
        ratio("req/s ÷ hello", mine, hellos, 0.35, 0.42),
        ratio("req/s ÷ oidc introspection", mine, theirs, 3, 4.5),
        ratio("CPU of hello ÷ CPU", hellos, mine, 0.35, 0.42, of=lambda sample: sample.cpu_us),
        ratio("CPU of introspection ÷ CPU", theirs, mine, 3, 4.5, of=lambda sample: sample.cpu_us),
    ]
    return result


def introspections(tokens: list[str]) -> list[bytes]:
    """A request for each token, with the client's credentials."""
    credentials = base64.b64encode(b"bench:bench-secret").decode()
    header = f"Authorization: Basic {credentials}"
    return [http_post("/token/introspection", f"token={token}".encode(), header) for token in tokens]
