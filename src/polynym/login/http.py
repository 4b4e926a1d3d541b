"""The login dialog over HTTP: `/dialog/oauth` and `/{version}/dialog/oauth`.

Server-rendered, without scripts, one form a screen. What was decided so far travels in the form, sealed and bound to the
visitor's cookie: a form of another visitor, of another request or from another site is refused. In the sandbox anybody may
continue as anybody; `polynym_person` and `polynym_grant` answer the whole dialog with one GET.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from polynym.core.ctx import Ctx
from polynym.core.db import BadText, Row, Unavailable
from polynym.core.log import Log
from polynym.graph.bag import parse_pairs
from polynym.graph.http import Receive, Scope, Send
from polynym.graph.path import split_path
from polynym.login import flow, screens
from polynym.login.flow import Decision, Offer
from polynym.login.person import People, Person
from polynym.login.screens import Page
from polynym.login.visitor import Form, Visitor
from polynym.tokens import dialog
from polynym.tokens.dialog import Asked
from polynym.tokens.scopes import ALWAYS, CATALOGUE, page_targets
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Version

log = Log("polynym.login")

PATH: Final = ("dialog", "oauth")
FORM_BYTES_MAX: Final = 64 * 1024
OK: Final = 200
SEE_OTHER: Final = 303
FOUND: Final = 302
#: The two parameters of the shortcut for tests, and the pages it picks (all, when it is not there).
PERSON, GRANT, PAGES = "polynym_person", "polynym_grant", "polynym_pages"


class Host(Protocol):
    """What the dialog needs of its server."""

    sandbox: bool

    def ctx(self) -> Ctx:
        """A fresh context without a caller."""

    def version(self, requested: Version | None) -> Version:
        """The version that serves a call."""


class LoginDialog:
    """The dialog of one world as an ASGI application. `people` finds those who can be continued as."""

    def __init__(self, host: Host, people: People) -> None:
        self._host = host
        self._people = people

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is the dialog's, with or without a version."""
        return split_path(path)[1] == PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; every failure is a page of ours."""
        public_url = self._host.ctx().config.public_url or f"{scope['scheme']}://"
        visitor = Visitor.of(scope["headers"], secure=public_url.startswith("https:"))
        try:
            page = await self._page(scope, receive, visitor)
        except GraphError as error:
            page = screens.error(error, visitor.locale, self._host.version(split_path(scope["path"])[0]))
        except BadText:
            page = screens.error(GraphError(errors.BAD_ENCODING, reason="a parameter"), visitor.locale)
        except Unavailable as error:
            log.warning("storage unavailable", reason=str(error))
            page = screens.error(GraphError(errors.UNAVAILABLE), visitor.locale)
        except Exception:
            log.exception("unhandled error", path=scope["path"], method=scope["method"])
            page = screens.error(GraphError(errors.UNKNOWN), visitor.locale)
        await _answer(send, scope["method"], page)

    async def _page(self, scope: Scope, receive: Receive, visitor: Visitor) -> Page:
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise GraphError(errors.UNSUPPORTED_METHOD, verb=scope["method"][:20].lower())
        params, _ = parse_pairs(scope["query_string"])
        ctx = self._host.ctx()
        ctx.version = self._host.version(split_path(scope["path"])[0])
        locale = params.get("locale") or None
        visitor.locale = locale or visitor.locale
        app, asked = await flow.asked_by(ctx.db, params, ctx.version)
        if not self._host.sandbox:
            # Nobody may continue as just anybody there, and passwords do not exist yet.
            raise GraphError(errors.UNBUILT_EDGE, edge="dialog/oauth", node="Login")
        if scope["method"] == "HEAD":
            # A look at the address; nobody logs in by it.
            return Page(OK)
        turn = _Turn(ctx, self._people, visitor, app, asked, locale)
        if scope["method"] == "POST":
            return await turn.answered(Form(await _form(receive), visitor, ctx.keyring, asked, ctx.clock.now_ms()))
        if PERSON in params or GRANT in params:
            return await turn.at_once(params)
        return await turn.first(params)


class _Turn:
    """One request of one visitor."""

    def __init__(self, ctx: Ctx, people: People, visitor: Visitor, app: Row, asked: Asked, locale: str | None) -> None:
        self.ctx = ctx
        self.people = people
        self.visitor = visitor
        self.app = app
        self.asked = asked
        self.locale = locale

    async def first(self, params: Mapping[str, str]) -> Page:
        """Whom to continue as; somebody who continued before and is asked nothing new goes straight back."""
        known = self.visitor.person(self.ctx.keyring)
        person = None if known is None else await self.people.by_number(self.ctx, known)
        search = params.get("polynym_search", "")[:100]
        if person is not None and "polynym_search" not in params and "polynym_switch" not in params:
            quiet = False
            with suppress(GraphError):
                # Somebody who may not use this app is told so when they choose to; another person may.
                offered = await self._offer(person)
                quiet = dialog.is_quiet(self.asked, offered.offered, offered.states)
            if quiet:
                return await self._done(person, None, FOUND)
        found = await self.people.some(self.ctx, search)
        return screens.choose_person(self._context(), found, person, search)

    async def answered(self, form: Form) -> Page:
        """What a form says: a person was chosen, permissions were decided, or the dialog was cancelled."""
        if form.cancelled:
            return screens.redirect(dialog.cancelled(self.asked), SEE_OTHER)
        person = await self._person_of(form)
        offered = await self._offer(person)
        if form.step == "person":
            if dialog.is_quiet(self.asked, offered.offered, offered.states):
                return await self._done(person, None, SEE_OTHER)
            return await self._permissions(person, offered)
        names = frozenset(dialog.undecided(self.asked, offered.offered, offered.states))
        picked = await self._picked(person, form)
        granted = flow.ticked(names, form.scopes, offered, nothing_of=[kind for kind, ids in picked.items() if not ids])
        decision = Decision(granted | {ALWAYS}, names - granted, flow.targets_of(granted, picked))
        return await self._done(person, decision, SEE_OTHER)

    async def at_once(self, params: Mapping[str, str]) -> Page:
        """The whole dialog in one GET, for tests: `polynym_grant` is all, none (cancelled) or names of permissions."""
        if not params.get(PERSON):
            raise GraphError(errors.PARAM_REQUIRED, name=PERSON)
        person = await self.people.find(self.ctx, params[PERSON])
        grant = params.get(GRANT, "all")
        offered = await self._offer(person)
        if grant == "none":
            return screens.redirect(dialog.cancelled(self.asked), FOUND)
        names = (
            offered.offered
            if grant == "all"
            else frozenset(part for part in grant.replace(" ", ",").split(",") if part)
        )
        decision = flow.decided(offered, names, self.ctx.version)
        if chosen := [part for part in params.get(PAGES, "").split(",") if part]:
            mine = {page.id for page in await self.people.pages(self.ctx, person)}
            if not mine.issuperset(chosen):
                raise GraphError(
                    errors.PARAM_INVALID, name=PAGES, expected="ids of pages on which the person has a task"
                )
            decision = Decision(decision.granted, decision.declined, page_targets(decision.granted, chosen))
        return await self._done(person, decision, FOUND)

    async def _offer(self, person: Person) -> Offer:
        return await flow.offer(self.ctx.db, self.app, self.asked, person.number)

    async def _person_of(self, form: Form) -> Person:
        person = await self.people.by_number(self.ctx, form.person)
        if person is None:
            raise GraphError(errors.PARAM_INVALID, name="person", expected="somebody to continue as")
        return person

    async def _permissions(self, person: Person, offered: Offer) -> Page:
        names = dialog.undecided(self.asked, offered.offered, offered.states)
        about_pages = any(CATALOGUE[name].tasks for name in names)
        about_businesses = "business_management" in names
        mine = await self.people.pages(self.ctx, person) if about_pages else []
        firms = await self.people.businesses(self.ctx, person) if about_businesses else []
        return screens.decide(self._context(), person, names, mine, firms)

    async def _picked(self, person: Person, form: Form) -> dict[str, tuple[str, ...]]:
        """The person's own assets that were picked, by kind; kinds that were not limited are not there."""
        picked: dict[str, tuple[str, ...]] = {}
        if form.pages is not None:
            mine = {page.id for page in await self.people.pages(self.ctx, person)}
            picked["page"] = tuple(sorted(mine & form.pages))
        if form.businesses is not None:
            firms = {firm.id for firm in await self.people.businesses(self.ctx, person)}
            picked["business"] = tuple(sorted(firms & form.businesses))
        return picked

    async def _done(self, person: Person, decision: Decision | None, status: int) -> Page:
        given = await self.ctx.db.transaction(
            lambda tx: flow.conclude(self.ctx.on(tx), self.app, self.asked, person.number, decision)
        )
        address = dialog.success(self.asked, given, empty_fragment=self.ctx.config.login_fragment)
        page = screens.redirect(address, status)
        page.headers.append(self.visitor.remember(self.ctx.keyring, person.number))
        return page

    def _context(self) -> screens.Context:
        ctx, app = self.ctx, self.app
        return screens.Context(
            app["name"], app["id"], self.asked, self.visitor, ctx.keyring, ctx.ids, ctx.clock.now_ms(), self.locale
        )


async def _form(receive: Receive) -> dict[str, str]:
    """The fields of a form; of one name the last. Raises BODY_TOO_LARGE, BAD_BODY."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GraphError(errors.BAD_BODY, reason="the connection was closed")
        body += message.get("body", b"")
        if len(body) > FORM_BYTES_MAX:
            raise GraphError(errors.BODY_TOO_LARGE, limit=FORM_BYTES_MAX)
        if not message.get("more_body", False):
            break
    return parse_pairs(body)[0]


async def _answer(send: Send, method: str, page: Page) -> None:
    headers = [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Cache-Control", b"no-store"),
        (b"Referrer-Policy", b"no-referrer"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"X-Frame-Options", b"DENY"),
        (b"Content-Length", b"%d" % len(page.body)),
        *page.headers,
    ]
    await send({"type": "http.response.start", "status": page.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else page.body})
