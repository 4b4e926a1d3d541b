"""Env: everything a client needs to talk to one app and one page of this world, as `polynym env` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Row, Tx
from polynym.identity import roles
from polynym.identity import store as identity
from polynym.sandbox import lookup, store
from polynym.sandbox.load import INSTALL
from polynym.sandbox.plane import Host
from polynym.tokens import grants, issuing
from polynym.tokens import pages as page_tokens
from polynym.tokens import store as tokens
from polynym.wire.versions import NEWEST

KEYS: Final = (
    "BASE_URL", "GRAPH_VERSION", "APP_ID", "APP_SECRET", "APP_TOKEN", "PAGE_ID", "PAGE_TOKEN", "USER_TOKEN", "PSID", "ASID",
    "BUSINESS_ID", "SECOND_APP_ID", "SECOND_PAGE_ID", "SECOND_PAGE_TOKEN", "EXTERNAL_BUSINESS_ID", "VERIFY_TOKEN",
)  # fmt: skip
#: What the administrator's token must be able to do.
SCOPES: Final = frozenset(("public_profile", "pages_messaging", "pages_show_list", "business_management"))
_PROPOSED: Final = "verify_token"

_APP: Final = "SELECT id, scope, business, secret_sealed FROM app"
_PAGE: Final = "SELECT id, scope, business FROM page"
_PERSON: Final = (
    "SELECT m.person, m.id AS psid, a.id AS asid FROM person_scope m"
    " LEFT JOIN person_scope a ON a.person = m.person AND a.scope = :app_scope"
    " WHERE m.scope = :page_scope ORDER BY CASE WHEN a.id IS NULL THEN 1 ELSE 0 END, m.person LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The app and the page an environment is about. Either may be missing in a small world."""

    app: Row | None
    page: Row | None

    @property
    def app_id(self) -> str | None:
        """The app's id."""
        return None if self.app is None else str(self.app["id"])


async def environment(
    host: Host, origin: str, app: str | None = None, page: str | None = None, person: str | None = None
) -> dict[str, str]:
    """All of KEYS, empty where the world has nothing. `app`, `page` and `person` are keys, names or ids.

    In the sandbox tokens are made when there are none yet, which logs the page's administrator in to the app; nobody is
    logged in like that in production. Raises LookupFailedError.
    """
    ctx = host.ctx()
    choice = await _choose(ctx, app, page)
    values = dict.fromkeys(KEYS, "")
    values["BASE_URL"] = host.config.public_url or origin
    values["GRAPH_VERSION"] = _version(host.config.graph_version)
    values |= await _of_app(ctx, choice)
    values |= await _of_page(host, ctx, choice)
    values |= await _of_person(ctx, choice, person)
    # Without a wish, any install will do; an app that was asked for has its own or none.
    installs = await store.sections(ctx, INSTALL, choice.app_id if app is not None else None)
    values["EXTERNAL_BUSINESS_ID"] = next((external_id for _, _, external_id in installs), "")
    values["VERIFY_TOKEN"] = await _verify_token(ctx, choice)
    return values


def _version(configured: str | None) -> str:
    if configured in (None, "newest", "oldest"):
        return f"v{NEWEST[0]}.{NEWEST[1]}"
    return configured if configured.startswith("v") else f"v{configured}"


async def _choose(ctx: Ctx, app: str | None, page: str | None) -> Choice:
    """The named ones; else the first page and its primary receiver, each within the business of the other."""
    pages = await ctx.db.all(f"{_PAGE} ORDER BY scope")
    apps = await ctx.db.all(f"{_APP} ORDER BY scope")
    app_row = await _named(ctx, "app", app, apps)
    page_row = await _named(ctx, "page", page, pages)
    page_row = page_row or _first(pages, None if app_row is None else app_row["business"])
    if app_row is None and page_row is not None:
        app_row = await _primary(ctx, page_row, apps) or _first(apps, page_row["business"])
    return Choice(app_row or _first(apps, None), page_row)


async def _named(ctx: Ctx, kind: lookup.Kind, name: str | None, rows: Sequence[Row]) -> Row | None:
    if name is None:
        return None
    found = await lookup.find(ctx.db, kind, name)
    return next(row for row in rows if row["id"] == found.id)


def _first(rows: Sequence[Row], business: str | None) -> Row | None:
    """The first one, of the business if one of it is there."""
    ours = [row for row in rows if business is not None and row["business"] == business]
    return next(iter(ours or rows), None)


async def _primary(ctx: Ctx, page: Row, apps: Sequence[Row]) -> Row | None:
    kept = (await store.sections(ctx, "page", page["id"])).get(("page", page["id"], "apps"), [])
    ordered = sorted(kept, key=lambda entry: str(entry["role"]) != "primary")
    return next((row for entry in ordered for row in apps if row["id"] == entry["app"]), None)


async def _of_app(ctx: Ctx, choice: Choice) -> dict[str, str]:
    if choice.app is None:
        return {}
    app = choice.app["id"]
    secret = ctx.keyring.open(choice.app["secret_sealed"], identity.secret_context(app))
    return {
        "APP_ID": app,
        "APP_SECRET": secret,
        "APP_TOKEN": f"{app}|{secret}",
        "BUSINESS_ID": choice.app["business"] or "",
        "SECOND_APP_ID": await _second(ctx, _APP, choice.app),
    }


async def _second(ctx: Ctx, sql: str, row: Row) -> str:
    """The id of the next app or page of the same business."""
    if row["business"] is None:
        return ""
    rows = await ctx.db.all(
        f"{sql} WHERE business = :business AND id <> :id ORDER BY scope", business=row["business"], id=row["id"]
    )
    return str(rows[0]["id"]) if rows else ""


async def _of_page(host: Host, ctx: Ctx, choice: Choice) -> dict[str, str]:
    if choice.page is None:
        return {}
    page, second = choice.page["id"], await _second(ctx, _PAGE, choice.page)
    values = {"PAGE_ID": page, "SECOND_PAGE_ID": second}
    admin = await _administrator(ctx, page)
    app = choice.app_id
    if admin is None or app is None:
        return values
    user_token = await ctx.db.transaction(lambda tx: _user_token(ctx.on(tx), admin, app, make=host.sandbox))
    if user_token is None:
        return values
    caller = await host.authenticator.authenticate(ctx.db, user_token)
    values["USER_TOKEN"] = user_token
    values["PAGE_TOKEN"] = await page_tokens.page_token(ctx, caller, page) or ""
    values["SECOND_PAGE_TOKEN"] = (await page_tokens.page_token(ctx, caller, second) or "") if second else ""
    return values


async def _administrator(ctx: Ctx, page: str) -> int | None:
    """The first person who manages the page."""
    rows = await identity.people_of(ctx.db, page)
    return next((int(row["person"]) for row in rows if roles.administers_page(row["tasks"].split(","))), None)


async def _user_token(ctx: Ctx, person: int, app: str, *, make: bool) -> str | None:
    """A living token that was made here before, or (if `make`) a new long-lived one with everything granted."""
    for row in await tokens.shown_tokens(ctx, app, "user", person=person):
        if tokens.scopes_of(row["scopes"]) >= SCOPES:
            return tokens.reveal(ctx, row)
    if not make:
        return None
    app_row = await identity.app_row(ctx.db, app)
    assert app_row is not None
    await identity.scoped_id(cast(Tx, ctx.db), ctx.ids, person, app_row["scope"])
    await grants.grant(ctx, person, app, SCOPES)
    return await issuing.issue_user_token(ctx, person, app, long_lived=True, shown=True)


async def _of_person(ctx: Ctx, choice: Choice, name: str | None) -> dict[str, str]:
    """One person's ids for the page and for the app; who is not named has both if anybody has."""
    person = None if name is None else (await lookup.find(ctx.db, "person", name)).person
    if person is not None:
        return {
            "PSID": await _scoped(ctx, person, choice.page),
            "ASID": await _scoped(ctx, person, choice.app),
        }
    if choice.app is None or choice.page is None:
        return {}
    row = await ctx.db.one(_PERSON, app_scope=choice.app["scope"], page_scope=choice.page["scope"])
    return {} if row is None else {"PSID": str(row["psid"]), "ASID": _text(row["asid"])}


async def _scoped(ctx: Ctx, person: int, asset: Row | None) -> str:
    return "" if asset is None else _text(await identity.id_in_scope(ctx.db, person, asset["scope"]))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


async def _verify_token(ctx: Ctx, choice: Choice) -> str:
    """The verify token of the app's webhook for pages, or the one that this installation proposes."""
    app = choice.app_id
    kept = [] if app is None else (await store.sections(ctx, "app", app)).get(("app", app, "webhooks"), [])
    given = [entry["verify_token"] for entry in kept if entry["object"] == "page" and "verify_token" in entry]
    return str(given[0]) if given else await store.setting(ctx.db, _PROPOSED, ctx.ids.verify_token())
