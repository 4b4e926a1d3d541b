"""ID matching as the goals ask for it: all four use cases, every call with its proof, tens of thousands of people."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from itertools import islice

from bench.party import http_get, http_post
from bench.world import VERSION, Facts

#: Ids in one call of pages_id_mapping.
BATCH = 200


def requests(facts: Facts) -> list[bytes]:
    """One request for each sampled person, the four use cases in turn."""
    return [http_get(target) for target, _ in _cases(facts)]


def _cases(facts: Facts) -> list[tuple[str, list[int]]]:
    """The target of each request, and the two ids that its answer must hold."""
    app, page = facts.app_query(), facts.page_query()
    out = []
    for number, (asid, asid_2, psid, psid_2) in enumerate(facts.sample):
        asked, edge, query, ids = (
            (psid, "ids_for_apps", page, [asid, asid_2]),
            (asid, "ids_for_pages", app, [psid, psid_2]),
            (asid, "ids_for_apps", app, [asid, asid_2]),
            (psid, "ids_for_pages", page, [psid, psid_2]),
        )[number % 4]
        out.append((f"/{VERSION}/{asked}/{edge}?{query}", ids))
    return out


def check(url: str, facts: Facts) -> None:
    """Ask the server for some people; RuntimeError when an answer is not what was stored."""
    for target, ids in islice(_cases(facts), 40):
        with urllib.request.urlopen(url.rstrip("/") + target) as answer:
            found = [int(row["id"]) for row in json.load(answer)["data"]]
        if found != ids:
            raise RuntimeError(f"{target.partition('?')[0]} answered {found}, not {ids}")


def batches(facts: Facts) -> list[list[int]]:
    """The sample as lists of BATCH app-scoped ids."""
    asids = [row[0] for row in facts.sample]
    return [asids[at : at + BATCH] for at in range(0, len(asids) - BATCH + 1, BATCH)]


def batch_requests(facts: Facts) -> list[bytes]:
    """One pages_id_mapping call for each batch."""
    return [http_post(f"/{VERSION}/pages_id_mapping", _body(facts, batch)) for batch in batches(facts)]


def check_batch(url: str, facts: Facts) -> None:
    """Ask for one batch; RuntimeError when an answer is not what was stored."""
    psids = {str(row[0]): {"id": str(row[2])} for row in facts.sample[:BATCH]}
    body = _body(facts, [row[0] for row in facts.sample[:BATCH]])
    with urllib.request.urlopen(f"{url.rstrip('/')}/{VERSION}/pages_id_mapping", data=body) as answer:
        if json.load(answer) != psids:
            raise RuntimeError("pages_id_mapping answered something else than what was stored")


def _body(facts: Facts, batch: Sequence[int]) -> bytes:
    return f"user_ids={'%2C'.join(map(str, batch))}&{facts.page_query()}".encode()
