"""From a text to a caller: every kind of token, every kind of nonsense, and a cache that is never wrong for long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.core.ctx import Ctx
from polynym.core.db import Db, connect
from polynym.core.epoch import Epoch
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.identity.store import forget_scope, set_secret, update_app
from polynym.tokens import acts, store
from polynym.tokens.authenticate import Authenticator
from polynym.tokens.grants import grant
from polynym.tokens.issuing import app_token, issue_system_user_token, issue_user_token
from polynym.tokens.pages import page_token
from polynym.tokens.store import NewToken, issue
from polynym.wire import signatures
from polynym.wire.errors import GraphError

from .conftest import KEY, NOW_MS, PAGE_SCOPES, SECRET, ManualClock, World, build


async def refusal(world: World, token: str) -> GraphError:
    with pytest.raises(GraphError) as raised:
        await world.caller(token)
    return raised.value


async def test_a_user_token_stands_for_the_apps_own_id_of_the_person(world: World) -> None:
    token = await world.log_in(targets={"pages_messaging": [world.page]})
    caller = await world.caller(token)
    assert (caller.kind, caller.subject, caller.person, caller.locale) == ("user", world.asid, world.john, "fr_FR")
    assert caller.scopes == {*PAGE_SCOPES, "public_profile"}
    assert caller.targets == (("pages_messaging", (world.page,)),)
    assert (caller.app.id, caller.app.scope, caller.app.secret) == (world.app.id, world.app.scope, SECRET)
    assert caller.proof == signatures.appsecret_proof(token, SECRET)
    assert (caller.issued_ms, caller.literal) == (NOW_MS, False)


async def test_a_page_token_stands_for_the_page(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    token = await page_token(ctx, ctx.caller, world.page)
    assert token is not None
    caller = await world.caller(token)
    assert (caller.kind, caller.subject, caller.page, caller.expires_ms) == ("page", world.page, world.page, None)
    assert caller.page_scope is not None
    assert caller.person == world.john


async def test_a_system_users_token_stands_for_the_system_user(world: World) -> None:
    token = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management", "public_profile"])
    caller = await world.caller(token)
    assert (caller.kind, caller.subject, caller.expires_ms) == ("system_user", "990011", None)
    assert caller.scopes == {"business_management"}


async def test_id_and_secret_are_the_app_without_any_token_stored(world: World) -> None:
    token = f"{world.app.id}|{SECRET}"
    caller = await world.caller(token)
    assert (caller.kind, caller.subject, caller.literal, caller.app.name) == ("app", None, True, "John's Game App")
    assert caller.proof == signatures.appsecret_proof(token, SECRET)


async def test_a_minted_app_token_is_the_app(world: World) -> None:
    token = await world.change(lambda ctx: app_token(ctx, world.app.id))
    app, _, rest = token.partition("|")
    assert (app, len(rest)) == (world.app.id, 27)
    caller = await world.caller(token)
    assert (caller.kind, caller.subject, caller.literal) == ("app", None, False)


async def test_id_and_client_token_only_say_which_app_it_is(world: World) -> None:
    caller = await world.caller(f"{world.app.id}|{world.app.client_token}")
    assert (caller.kind, caller.literal, caller.scopes) == ("client", False, frozenset())


NONSENSE = ["garbage", "EAAnotoken", "", " ", "EAA" + "x" * 5_000, "ünïcödé", "EAA\x00", "EAA'--", "\ud800", "٣٣"]


@pytest.mark.parametrize("token", NONSENSE)
async def test_an_invented_token_cannot_be_parsed(world: World, token: str) -> None:
    error = await refusal(world, token)
    assert (error.entry.code, error.entry.subcode) == (190, None)
    assert error.message() == "Invalid OAuth access token - Cannot parse access token"


async def test_a_real_token_with_something_more_or_less_is_an_invented_one(world: World) -> None:
    token = await world.log_in()
    for changed in (token + " ", token[:-1], token.lower(), " " + token, token + "\n"):
        assert (await refusal(world, changed)).entry.name == "CANNOT_PARSE_TOKEN"


async def test_a_wrong_secret_is_a_wrong_signature(world: World) -> None:
    for rest in ("", "wrong", SECRET.upper(), SECRET[:-1], SECRET + " ", world.other_app.secret, f"{SECRET}|"):
        error = await refusal(world, f"{world.app.id}|{rest}")
        assert error.message() == "Invalid OAuth access token signature."
        assert error.entry.code == 190


async def test_a_minted_token_under_another_apps_id_is_a_wrong_signature(world: World) -> None:
    token = await world.change(lambda ctx: app_token(ctx, world.app.id))
    forged = f"{world.other_app.id}|{token.partition('|')[2]}"
    assert (await refusal(world, forged)).entry.name == "TOKEN_SIGNATURE"


@pytest.mark.parametrize("app", ["", "1", "0" * 400, "abc", "-1", "1 OR 1=1", "|"])
async def test_an_unknown_app_is_said_to_be_unknown(world: World, app: str) -> None:
    error = await refusal(world, f"{app}|{SECRET}")
    assert error.entry.code == 101
    assert error.message() == "Error validating application. Cannot get application info due to a system error."


async def test_a_page_or_business_id_is_no_app(world: World) -> None:
    assert (await refusal(world, f"{world.page}|{SECRET}")).entry.code == 101


async def test_an_expired_token_says_when_it_expired(world: World) -> None:
    token = await world.log_in()
    world.clock.advance(hours=2)
    error = await refusal(world, token)
    assert (error.entry.code, error.entry.subcode) == (190, 463)
    assert error.message() == (
        "Error validating access token: Session has expired on Saturday, 30-Mar-24 17:00:00 PDT. "
        "The current time is Saturday, 30-Mar-24 17:20:00 PDT."
    )


async def test_a_person_whom_the_app_can_no_longer_name_is_not_acted_for(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: forget_scope(ctx.db, world.john, world.app.scope))
    assert (await refusal(world, token)).entry.subcode == 458


async def test_tokens_of_an_older_key_are_still_found(world: World) -> None:
    token = await world.log_in()
    newer = Keyring(f"another key that is long enough,{KEY}", Ids())
    caller = await Authenticator(world.clock, world.epoch, newer).authenticate(world.db, token)
    assert caller.subject == world.asid
    # What is derived from it must find it again by the hash it has in the database.
    assert caller.hash == world.keyring.hash_token(token)


async def test_no_secret_is_in_what_a_caller_prints(world: World) -> None:
    caller = await world.caller(await world.log_in())
    shown = repr(caller)
    for secret in (caller.token, caller.proof, SECRET):
        assert secret not in shown
    assert "person" not in shown


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=80), form=st.sampled_from(["{}", "EAA{}", "{}|{}", "APP|{}", "APP|SECRET{}", "{}APP|SECRET"])
)
async def test_no_text_but_a_token_is_ever_a_caller_and_every_refusal_is_a_graph_error(world, text, form) -> None:
    token = form.replace("{}", text).replace("APP", world.app.id).replace("SECRET", SECRET)
    if token == f"{world.app.id}|{SECRET}":
        return
    error = await refusal(world, token)
    assert error.entry.code in (101, 190)


# --- what the database gives away


async def test_nothing_in_the_token_table_authenticates(world: World) -> None:
    ctx = await world.as_(await world.log_in(shown=True))
    await page_token(ctx, ctx.caller, world.page)
    await world.change(lambda inner: app_token(inner, world.app.id))
    values: set[str] = set()
    for table in ("token", "app_grant", "app"):
        for row in await world.db.all(f"SELECT * FROM {table}"):
            values.update(str(value) for value in dict(row).values() if value is not None)
    assert len(values) > 20
    for value in values:
        for text in (value, value.rpartition(".")[2], f"EAA{value}", f"{world.app.id}|{value}", f"EAA{value}ZDZD"):
            with pytest.raises(GraphError):
                await world.caller(text)


async def test_no_token_or_secret_stands_in_the_database_in_clear(world: World) -> None:
    user = await world.log_in(shown=True)
    ctx = await world.as_(user)
    page = await page_token(ctx, ctx.caller, world.page)
    app = await world.change(lambda inner: app_token(inner, world.app.id))
    dump = ""
    for table in ("token", "app"):
        for row in await world.db.all(f"SELECT * FROM {table}"):
            dump += repr(dict(row))
    for secret in (user, page, app, app.partition("|")[2], SECRET, world.app.client_token):
        assert secret is not None
        assert secret not in dump


# --- the cache


async def test_a_known_token_costs_no_statement(world: World) -> None:
    token = await world.log_in()
    caller = await world.authenticator.authenticate(world.db, token)
    before = world.db.statements
    assert world.authenticator.cached(token) is caller
    assert world.db.statements == before


@pytest.mark.parametrize(
    ("kind", "statements"), [("user", 2), ("page", 1), ("literal", 1), ("minted", 2), ("garbage", 1)]
)
async def test_a_look_up_costs_one_or_two_statements(world: World, kind: str, statements: int) -> None:
    user = await world.log_in()
    ctx = await world.as_(user)
    tokens = {
        "user": user,
        "page": await page_token(ctx, ctx.caller, world.page),
        "literal": f"{world.app.id}|{SECRET}",
        "minted": await world.change(lambda inner: app_token(inner, world.app.id)),
        "garbage": "EAAgarbage",
    }
    before = world.db.statements
    try:
        await world.caller(tokens[kind] or "")
    except GraphError:
        assert kind == "garbage"
    assert world.db.statements - before == statements


async def test_a_cached_token_expires_on_the_clock(world: World) -> None:
    token = await world.log_in()
    caller = await world.authenticator.authenticate(world.db, token)
    assert caller.expires_ms is not None
    world.clock.ms = caller.expires_ms - 1
    assert world.authenticator.cached(token) is caller
    world.clock.ms = caller.expires_ms
    assert world.authenticator.cached(token) is None


async def test_failures_are_not_remembered(world: World) -> None:
    token = "EAAfixedtoken"
    for _ in range(3):
        with pytest.raises(GraphError):
            await world.authenticator.authenticate(world.db, token)
    assert len(world.authenticator) == 0
    await issue(world.ctx, NewToken(kind="user", app=world.app.id, person=world.john, fixed=token))
    assert (await world.authenticator.authenticate(world.db, token)).subject == world.asid


async def test_a_dead_token_is_not_remembered(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    with pytest.raises(GraphError):
        await world.authenticator.authenticate(world.db, token)
    assert len(world.authenticator) == 0


async def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(world: World) -> None:
    small = Authenticator(world.clock, world.epoch, world.keyring, cached_max=3)
    tokens = [await world.log_in() for _ in range(4)]
    for token in tokens[:3]:
        await small.authenticate(world.db, token)
    assert small.cached(tokens[0])
    await small.authenticate(world.db, tokens[3])
    assert len(small) == 3
    assert [small.cached(token) is not None for token in tokens] == [True, False, True, True]


CHANGES: dict[str, Any] = {
    "token death": lambda ctx, world: acts.password_changed(ctx, world.john),
    "scope taken": lambda ctx, world: store.remove_scope(ctx, world.john, world.app.id, "pages_messaging"),
    "app left": lambda ctx, world: acts.deauthorize(ctx, world.john, world.app.id),
    "secret reset": lambda ctx, world: acts.secret_reset(ctx, world.app.id),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_empties_the_cache_as_soon_as_it_is_committed(world: World, change: Any) -> None:
    token = await world.log_in()
    await world.authenticator.authenticate(world.db, token)
    await world.change(lambda ctx: change(ctx, world))
    assert world.authenticator.cached(token) is None


async def test_a_change_that_rolls_back_empties_nothing(world: World) -> None:
    token = await world.log_in()
    await world.authenticator.authenticate(world.db, token)

    async def fail(ctx: Ctx) -> None:
        await acts.password_changed(ctx, world.john)
        raise KeyError

    with pytest.raises(KeyError):
        await world.change(fail)
    assert world.authenticator.cached(token)
    assert (await world.caller(token)).subject == world.asid


async def test_a_look_up_during_a_revocation_is_not_kept(world: World) -> None:
    """Between reading the row and keeping it, the token dies."""
    token = await world.log_in()

    class Meanwhile:
        """The database, and somebody who changes it right after it was read."""

        async def one(self, sql: str, **params: Any) -> Any:
            row = await world.db.one(sql, **params)
            await world.change(lambda ctx: acts.password_changed(ctx, world.john))
            return row

    meanwhile: Any = Meanwhile()
    caller = await world.authenticator.authenticate(meanwhile, token)
    assert caller.subject == world.asid
    assert world.authenticator.cached(token) is None
    assert len(world.authenticator) == 0


async def test_after_a_secret_reset_the_old_secret_is_worth_nothing(world: World) -> None:
    literal, user = f"{world.app.id}|{SECRET}", await world.log_in()
    minted = await world.change(lambda ctx: app_token(ctx, world.app.id))
    for token in (literal, minted, user):
        await world.authenticator.authenticate(world.db, token)

    async def reset(ctx: Ctx) -> None:
        await set_secret(ctx.db, world.keyring, world.app.id, "f" * 32)
        await acts.secret_reset(ctx, world.app.id)

    await world.change(reset)
    assert [world.authenticator.cached(token) for token in (literal, minted, user)] == [None, None, None]
    assert (await refusal(world, literal)).entry.name == "TOKEN_SIGNATURE"
    dead = await refusal(world, minted)
    assert (dead.entry.code, dead.entry.subcode) == (190, None)
    survivor = await world.caller(user)
    assert survivor.proof == signatures.appsecret_proof(user, "f" * 32)
    fresh = await world.change(lambda ctx: app_token(ctx, world.app.id))
    assert fresh != minted
    assert (await world.caller(fresh)).kind == "app"


async def test_the_apps_switches_come_with_every_caller(world: World) -> None:
    async def switch(ctx: Ctx) -> None:
        await update_app(ctx.db, world.app.id, require_app_secret_ms=NOW_MS, native_ms=NOW_MS, mode="development")

    await world.change(switch)
    app = (await world.caller(await world.log_in())).app
    assert (app.require_app_secret, app.native, app.mode) == (True, True, "development")


# --- several processes on one database


class Process:
    """One of several servers on the same database: its own epoch and its own cache."""

    def __init__(self, db: Db, clock: ManualClock, keyring: Keyring) -> None:
        self.db = db
        self.epoch = Epoch(clock, shared=True)
        self.authenticator = Authenticator(clock, self.epoch, keyring)

    async def poll(self) -> None:
        await self.epoch.poll(self.db)


async def test_a_revocation_reaches_the_other_process_with_its_next_poll(postgresql_url: str) -> None:
    here, there = await connect(postgresql_url), await connect(postgresql_url)
    try:
        world = World(here, **await build(here, Keyring(KEY, Ids())))
        other = Process(there, world.clock, Keyring(KEY, Ids()))
        await other.poll()
        token = await world.log_in()
        assert await other.authenticator.authenticate(there, token)
        await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
        assert other.authenticator.cached(token), "nobody has told this process yet"
        await other.poll()
        assert other.authenticator.cached(token) is None
        with pytest.raises(GraphError) as raised:
            await other.authenticator.authenticate(there, token)
        assert raised.value.entry.subcode == 458
    finally:
        await here.close()
        await there.close()


async def test_a_process_that_has_not_polled_for_a_second_trusts_nothing(postgresql_url: str) -> None:
    db = await connect(postgresql_url)
    try:
        world = World(db, **await build(db, Keyring(KEY, Ids())))
        other = Process(db, world.clock, world.keyring)
        await other.poll()
        token = await world.log_in()
        await other.authenticator.authenticate(db, token)
        world.clock.real_s += 1.0
        assert other.authenticator.cached(token)
        world.clock.real_s += 0.001
        assert other.authenticator.cached(token) is None
        before = db.statements
        assert await other.authenticator.authenticate(db, token)
        assert db.statements - before == 2, "it still answers, from the database"
        await other.poll()
        assert other.authenticator.cached(token)
    finally:
        await db.close()


async def test_a_poll_that_sees_no_change_keeps_the_cache(world: World) -> None:
    other = Process(world.db, world.clock, world.keyring)
    await other.poll()
    token = await world.log_in()
    await other.authenticator.authenticate(world.db, token)
    await other.poll()
    assert other.authenticator.cached(token)


async def test_granting_more_later_does_not_widen_a_token_given_out_before(world: World) -> None:
    token = await world.log_in(None, "email")
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["pages_messaging"]))
    assert (await world.caller(token)).scopes == {"email", "public_profile"}
    wider = await issue_user_token(world.ctx, world.john, world.app.id)
    assert (await world.caller(wider)).scopes == {"email", "public_profile", "pages_messaging"}
