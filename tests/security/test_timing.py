"""Time tells nothing (reliability B.6 case 11): where two answers must look alike, the same statements are run and the same
functions called in the same order. Counted, not clocked: a clock on a busy machine finds whatever it likes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import polynym
from polynym.core.db import Db, Tx, connect
from tests.security import stage
from tests.security.adversary import Query, get, posted
from tests.security.stage import FOREIGN_IDS, GAME, OWN_IDS, SECRETS, THING, TOKENS, Stage

PACKAGE = str(Path(polynym.__file__).parent)
#: Chance comes in buffers, so every so many answers fill one.
BUFFERED = ("core/ids.py",)
TOKEN = {token.name: token for token in TOKENS}


class Recording:
    """A database, or a transaction of one, that notes every statement."""

    def __init__(self, db: Db, texts: list[str]) -> None:
        self._db = db
        self.texts = texts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def all(self, sql: str, **params: Any) -> Any:
        """Note and pass on."""
        self.texts.append(sql)
        return await self._db.all(sql, **params)

    async def one(self, sql: str, **params: Any) -> Any:
        """Note and pass on."""
        self.texts.append(sql)
        return await self._db.one(sql, **params)

    async def run(self, sql: str, **params: Any) -> Any:
        """Note and pass on."""
        self.texts.append(sql)
        return await self._db.run(sql, **params)

    async def transaction(self, fn: Callable[[Tx], Awaitable[Any]]) -> Any:
        """Note what happens inside, too."""
        self.texts.append("BEGIN")
        return await self._db.transaction(lambda tx: fn(Recording(tx, self.texts)))  # type: ignore[arg-type]


@pytest.fixture
async def recorded(blank: Callable[[int], Awaitable[str]], tmp_path: Path) -> AsyncIterator[tuple[Stage, list[str]]]:
    """A stage whose statements are noted, on each engine in turn."""
    texts: list[str] = []
    db = Recording(await connect(await blank(0)), texts)
    made = await stage.build(db, tmp_path / "data")  # type: ignore[arg-type]
    yield made, texts
    await made.world.close()


@pytest.fixture
async def quiet(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on SQLite, which answers without waiting, so that the order of calls is the program's own."""
    path = tmp_path / "world.db"
    shutil.copyfile(sqlite_template, path)
    made = await stage.build(await connect(f"sqlite:///{path}"), tmp_path / "data")
    yield made
    await made.world.close()


@contextmanager
def profiled(calls: list[str]) -> Iterator[None]:
    """Note every function of polynym that is called, and every built-in that it calls, in order."""

    def note(frame: FrameType, event: str, argument: Any) -> None:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) or file.endswith(BUFFERED):
            return
        if event == "call":
            calls.append(f"{file.removeprefix(PACKAGE)}:{frame.f_code.co_qualname}")  # type: ignore[attr-defined]
        elif event == "c_call":
            calls.append(getattr(argument, "__qualname__", ""))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


async def profile(made: Stage, query: Query) -> list[str]:
    """The calls of the second of two equal requests: the first may fill caches of paths, plans and tokens.

    Every few hundred calls the usage header is written anew, whatever was asked; then the request is repeated.
    """
    await query.ask(made.client)
    while True:
        calls: list[str] = []
        with profiled(calls):
            await query.ask(made.client)
        assert len(calls) > 20
        if not any(call.endswith("Usage._made") for call in calls):
            return calls


async def statements(recorded: tuple[Stage, list[str]], query: Query) -> list[str]:
    """The statements of a request whose token is known already, as it is while the server polls for changes."""
    made, texts = recorded
    while True:
        await made.world.epoch.poll(made.world.db)
        await query.ask(made.client)
        texts.clear()
        await query.ask(made.client)
        # On a machine so busy that this took a second, tokens were looked up anew.
        if made.world.epoch.fresh:
            return list(texts)


def about(id_: str) -> Iterator[Query]:
    """Everything that can be asked about an id, with every sort of token."""
    for name in ("literal game", "minted game", "literal movie", "owner", "john", "thing", "coffee", "partner page"):
        token = TOKEN[name]
        yield get(f"/{id_}", token)
        yield get(f"/{id_}", token, fields="id,name,ids_for_apps{id,app},ids_for_pages", metadata="1")
        for edge in ("ids_for_apps", "ids_for_pages", "ids_for_business", "permissions", "picture", "owned_apps"):
            yield get(f"/{id_}/{edge}", token)
        yield get("/", token, ids=f"{OWN_IDS['john', GAME]},{id_}")
        yield Query("DELETE", f"/{id_}/permissions", get("", token).params)
        yield posted("/pages_id_mapping", token, user_ids=f"{OWN_IDS['john', GAME]},{id_}")
        yield posted("/pages_id_mapping", token, user_ids=id_, ignore_invalid_ids="true")


#: A foreign id and an invented one of the same length.
TWINS = [
    (FOREIGN_IDS["john", stage.RIVAL_APP], "5987654321098761"),
    (FOREIGN_IDS["john", stage.GHOST_PAGE], "5987654321098762"),
    (FOREIGN_IDS["ghost", stage.GHOST_APP], "5987654321098763"),
]


@pytest.mark.parametrize(("real", "invented"), TWINS)
async def test_a_foreign_id_costs_the_same_statements_as_an_invented_one(
    recorded: tuple[Stage, list[str]], real: str, invented: str
) -> None:
    for query in about(real):
        assert await statements(recorded, query) == await statements(recorded, query.replaced(real, invented)), query


@pytest.mark.parametrize(("real", "invented"), TWINS)
async def test_a_foreign_id_takes_the_same_way_through_the_program_as_an_invented_one(
    quiet: Stage, real: str, invented: str
) -> None:
    for query in about(real):
        assert await profile(quiet, query) == await profile(quiet, query.replaced(real, invented)), query


async def test_an_id_of_another_scope_of_ones_own_takes_the_same_way_as_an_invented_one(quiet: Stage) -> None:
    thing, coffee, invented = OWN_IDS["john", THING], OWN_IDS["mary", stage.COFFEE], "4123451230000999"
    for path in ("", "/ids_for_apps", "/ids_for_pages"):
        unknown = await profile(quiet, get(f"/{invented}{path}", TOKEN["coffee"]))
        assert await profile(quiet, get(f"/{thing}{path}", TOKEN["coffee"])) == unknown
        assert await profile(quiet, get(f"/{coffee}{path}", TOKEN["coffee"])) != unknown


@pytest.mark.parametrize("foreign", [stage.GHOST, stage.RIVAL, stage.GHOST_MEMBER])
async def test_a_foreign_business_costs_as_many_statements_as_an_invented_one(
    recorded: tuple[Stage, list[str]], foreign: str
) -> None:
    invented = "411908277364599"
    for token in ("literal game", "owner", "john", "thing"):
        for path in ("", "/owned_apps", "/client_pages", "/business_users", "/picture"):
            query = get(f"/{foreign}{path}", TOKEN[token])
            real, never = (
                await statements(recorded, query),
                await statements(recorded, query.replaced(foreign, invented)),
            )
            assert len(real) == len(never), (query, real, never)


@pytest.mark.parametrize("edge", ["ids_for_apps", "ids_for_pages"])
async def test_a_known_app_as_a_filter_takes_the_same_way_as_an_unknown_one(quiet: Stage, edge: str) -> None:
    name = edge.removeprefix("ids_for_").removesuffix("s")
    for token in ("literal game", "john"):
        for foreign in (stage.RIVAL_APP, stage.GHOST_APP, stage.PARTNER_APP, stage.RIVAL_PAGE, stage.PARTNER_PAGE):
            query = get(f"/{OWN_IDS['john', GAME]}/{edge}", TOKEN[token], **{name: foreign})
            assert await profile(quiet, query) == await profile(quiet, query.replaced(foreign, "9" * 15)), query


# -------------------------------------------------------------------------------------------------- secrets and proofs


def spoiled(text: str) -> list[str]:
    """The text with one character changed: the first, one in the middle, the last; and quite another one."""
    places = (0, len(text) // 2, len(text) - 1)
    near = [text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :] for place in places]
    return [*near, "5" * len(text)]


async def ways(quiet: Stage, queries: list[Query]) -> list[list[str]]:
    """The different ways that some requests take."""
    found: list[list[str]] = []
    for query in queries:
        way = await profile(quiet, query)
        if way not in found:
            found.append(way)
    return found


@pytest.mark.parametrize("name", ["literal game", "minted game", "john", "owner", "thing"])
async def test_a_nearly_right_proof_takes_the_same_way_as_a_quite_wrong_one(quiet: Stage, name: str) -> None:
    token = TOKEN[name]
    wrong = [
        Query("GET", "/app", (("access_token", token.text), ("appsecret_proof", proof)))
        for proof in spoiled(token.proof)
    ]
    assert {(await query.ask(quiet.client)).status for query in wrong} == {400}
    (way,) = await ways(quiet, wrong)
    assert any("compare_digest" in call for call in way)
    right = await profile(quiet, get("/app", token))
    assert any("compare_digest" in call for call in right)
    # Both take the same way up to the comparison.
    first = next(place for place, call in enumerate(right) if "compare_digest" in call)
    assert way[: first + 1] == right[: first + 1]


async def test_a_nearly_right_app_secret_takes_the_same_way_as_a_quite_wrong_one(quiet: Stage) -> None:
    wrong = [Query("GET", "/app", (("access_token", f"{GAME}|{secret}"),)) for secret in spoiled(SECRETS[GAME])]
    (way,) = await ways(quiet, wrong)
    assert any("compare_digest" in call for call in way)
    grants = [
        Query("GET", "/oauth/access_token",
              (("client_id", GAME), ("client_secret", secret), ("grant_type", "client_credentials")))
        for secret in spoiled(SECRETS[GAME])
    ]  # fmt: skip
    (way,) = await ways(quiet, grants)
    assert any("compare_digest" in call for call in way)


@pytest.mark.parametrize("name", ["john", "thing", "minted game"])
async def test_a_nearly_right_token_takes_the_same_way_as_a_quite_wrong_one(quiet: Stage, name: str) -> None:
    """Tokens are looked up by their keyed hash, which has nothing to do with how near the text is."""
    text = TOKEN[name].text
    start = text.partition("|")[0] + "|" if "|" in text else "EAA"
    tokens = [start + rest for rest in spoiled(text.removeprefix(start))]
    queries = [Query("GET", "/me", (("access_token", token),)) for token in tokens]
    assert len(await ways(quiet, queries)) == 1


async def test_a_nearly_right_key_of_the_control_plane_takes_the_same_way_as_a_quite_wrong_one(quiet: Stage) -> None:
    keys = [f"Bearer {key}" for key in spoiled(stage.ADMIN_KEY)]
    queries = [Query("GET", "/_polynym/v1/clock", headers=(("authorization", key),)) for key in keys]
    assert {(await query.ask(quiet.client)).status for query in queries} == {401}
    (way,) = await ways(quiet, queries)
    assert any("compare_digest" in call for call in way)


async def test_the_profile_sees_a_difference_of_a_single_look(quiet: Stage) -> None:
    """The instrument itself: somebody's own id and an invented one are told apart by it."""
    own, invented = OWN_IDS["john", GAME], "4152368852405999"
    for token in (TOKEN["literal game"], TOKEN["john"]):
        assert await profile(quiet, get(f"/{own}", token)) != await profile(quiet, get(f"/{invented}", token))
