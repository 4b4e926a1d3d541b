"""Load: a read world becomes rows, all of it in one transaction or none.

What the file mentions but does not define must exist already; what it defines must not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Tx, Value
from polynym.identity import store as identity
from polynym.sandbox import lookup, store
from polynym.sandbox.draft import Draft, read_draft, refuse_unresolved
from polynym.sandbox.lookup import Found, Kind
from polynym.sandbox.shape import Claim, Many, Struct
from polynym.sandbox.source import Problem, WorldFileError
from polynym.sandbox.world_file import (
    App,
    Asking,
    Business,
    Client,
    Contact,
    Install,
    Login,
    Page,
    PageApp,
    Person,
    Token,
    Webhook,
    WorldFile,
)
from polynym.tokens import grants
from polynym.tokens import store as tokens

#: Where a value that must be unique may exist already: group of claims -> (table, column, how the value is stored).
_UNIQUE: Final[Mapping[str, tuple[tuple[str, str, Callable[[str], Value]], ...]]] = {
    "business.key": (("business", "key", str),),
    "app.key": (("app", "key", str),),
    "page.key": (("page", "key", str),),
    "person.key": (("person", "key", str),),
    "id": (("object", "id", str), ("scoped_id", "id", int), ("business_claim", "id", str)),
    "namespace": (("app", "namespace", str),),
    "username": (("page", "username", str),),
    "email": (("person", "email", str),),
}
#: The kept sections of installs hang on the app: this is their kind.
INSTALL: Final = "install"
INSTALLS: Final = Struct(Install)
WEBHOOKS: Final = Many(Struct(Webhook))


class ConflictError(WorldFileError):
    """A world that defines what exists already."""


async def load_document(ctx: Ctx, data: bytes, file: str) -> WorldFile:
    """Read a document and add it to the database. Raises WorldFileError; then nothing has changed."""
    draft = read_draft(data, file, ctx.clock.now_ms())
    await ctx.db.transaction(lambda tx: load_draft(ctx.on(tx), draft))
    return draft.world


async def load_draft(ctx: Ctx, draft: Draft) -> None:
    """Add a read world. `ctx.db` is an open transaction. Raises WorldFileError."""
    known = await _known(ctx, draft)
    await _check_conflicts(ctx, draft)
    await Loader(ctx, known).load(draft.world)


async def _known(ctx: Ctx, draft: Draft) -> dict[tuple[str, str], Found]:
    """What the references mean that the file does not define itself."""
    known: dict[tuple[str, str], Found] = {}
    dangling = []
    for reference in draft.unresolved:
        found = await lookup.by_key(ctx.db, cast(Kind, reference.kind), reference.name)
        if found is None:
            dangling.append(reference)
        else:
            known[reference.kind, reference.name] = found
    refuse_unresolved(draft, dangling)
    return known


async def _check_conflicts(ctx: Ctx, draft: Draft) -> None:
    problems = [
        Problem(draft.reading.file, claim.line, claim.path, f'"{claim.value}" exists already')
        for claim in await conflicts(ctx, list(draft.reading.claims.values()))
    ]
    if problems:
        raise ConflictError(sorted(problems, key=lambda problem: problem.line))


async def conflicts(ctx: Ctx, claims: Sequence[Claim]) -> list[Claim]:
    """Those of the claims whose value is taken."""
    taken: list[Claim] = []
    for group, places in _UNIQUE.items():
        ours = {claim.value: claim for claim in claims if claim.group == group}
        for table, column, stored in places:
            values = {stored(value): claim for value, claim in ours.items()}
            taken += [values[value] for value in await store.existing(ctx.db, table, column, list(values))]
    for claim in claims:
        if claim.group == "token" and await tokens.token_row(ctx.db, ctx.keyring.hashes(claim.value)) is not None:
            taken.append(claim)
    return taken


@dataclass(slots=True)
class Loader:
    """Writes entities in the order in which they need each other. `names` finds what was written or is known."""

    ctx: Ctx
    names: dict[tuple[str, str], Found]
    now_ms: int = field(init=False)
    tx: Tx = field(init=False)

    def __post_init__(self) -> None:
        self.now_ms = self.ctx.clock.now_ms()
        self.tx = cast(Tx, self.ctx.db)

    async def load(self, world: WorldFile) -> None:
        """Write a whole world."""
        for business in world.businesses:
            await self.business(business)
        await self.people(world.people)
        for app in world.apps:
            await self.app(app)
        for page in world.pages:
            await self.page(page)
        for business in world.businesses:
            await self.finish_business(business)
        for person in world.people:
            await self.links(self.person(person.key), person)
        for install in world.installs:
            await self.install(install)
        for token in world.tokens:
            await self.token(token)
        await self.ctx.epoch.bump(self.tx)

    def person(self, name: str) -> int:
        """The internal key of a mentioned person."""
        return self.names["person", name].person

    def id(self, kind: str, name: str | None) -> str | None:
        """The id of a mentioned business, app or page."""
        return None if name is None else self.names[kind, name].id

    def at(self, moment_ms: int | None) -> int:
        """A time of the file, or now."""
        return self.now_ms if moment_ms is None else moment_ms

    async def business(self, entry: Business) -> str:
        """Write a business, without what needs people and pages."""
        new = identity.NewBusiness(
            id=entry.id,
            key=entry.key,
            name=entry.name,
            verified_ms=entry.verified,
            review_state=cast(Any, entry.review),
            review_due_ms=entry.review_due,
            service_provider_ms=entry.service_provider,
            vertical=entry.vertical,
            timezone_id=entry.timezone_id,
        )
        made = await identity.create_business(self.tx, self.ctx.ids, self.at(entry.created), new)
        self.names["business", entry.key] = Found("business", entry.key, entry.name, made)
        return made

    async def finish_business(self, entry: Business) -> None:
        """Write members and what mentions them and pages."""
        business = self.names["business", entry.key].id
        creator: str | None = None
        for member in entry.members:
            person = self.person(member.person)
            made = await identity.set_member(self.tx, self.ctx.ids, self.now_ms, business, person, member.role)
            if member.id is not None and made != member.id:
                await store.fix_member(self.tx, business, person, member.id)
            if member.person == entry.created_by:
                creator = member.id or made
        updated_ms = self.at(entry.created if entry.updated is None else entry.updated)
        await store.finish_business(self.tx, business, self.id("page", entry.primary_page), creator, updated_ms)

    async def people(self, entries: Sequence[Person]) -> None:
        """Write people and their phones; many at once."""
        made = await identity.create_people(self.tx, self.now_ms, [new_person(entry) for entry in entries])
        for person, entry in zip(made, entries, strict=True):
            self.names["person", entry.key] = Found("person", entry.key, entry.name, person=person)
            if entry.password is not None:
                await store.keep_section(self.ctx, "person", str(person), "password", entry.password)
        dated: list[dict[str, Value]] = [
            {"key": person, "created_ms": entry.created}
            for person, entry in zip(made, entries, strict=True)
            if entry.created is not None
        ]
        await store.set_times(self.tx, "person", dated)

    async def app(self, entry: App) -> str:
        """Write an app with its settings, roles, clients and claims."""
        made = await identity.create_app(
            self.tx, self.ctx.ids, self.ctx.keyring, self.at(entry.created), new_app(entry)
        )
        self.names["app", entry.key] = Found("app", entry.key, entry.name, made.id, scope=made.scope)
        times = {"require_app_secret_ms": entry.require_app_secret, "native_ms": entry.native}
        await identity.update_app(self.tx, made.id, **times)
        for role in entry.roles:
            await identity.set_role(self.tx, made.id, self.person(role.person), cast(Any, role.role))
        await self.owner("app", made.id, entry.business, entry.business_since)
        await self.clients("app", made.id, entry.client_of)
        await self.claims("app", made.id, entry.claims)
        await self.webhooks(made.id, entry.webhooks)
        return made.id

    async def page(self, entry: Page) -> str:
        """Write a page with its tasks, clients and claims."""
        new = identity.NewPage(
            id=entry.id,
            key=entry.key,
            name=entry.name,
            username=entry.username,
            category=entry.category,
            link=entry.link,
            about=entry.about,
            otn_state=cast(Any, entry.one_time_notification),
            is_published=entry.published,
        )
        made = await identity.create_page(self.tx, self.ctx.ids, self.at(entry.created), new)
        self.names["page", entry.key] = Found("page", entry.key, entry.name, made.id, scope=made.scope)
        for given in entry.tasks:
            await identity.set_tasks(self.tx, made.id, self.person(given.person), given.tasks)
        await self.owner("page", made.id, entry.business, entry.business_since)
        await self.clients("page", made.id, entry.client_of)
        await self.claims("page", made.id, entry.claims)
        await self.page_apps(made.id, entry.apps)
        return made.id

    async def owner(self, kind: Any, asset: str, business: str | None, since_ms: int | None) -> None:
        """Make a business the owner of an app or page, since its creation unless said otherwise."""
        if business is not None:
            await identity.set_owner(self.tx, self.at(since_ms), kind, asset, self.id("business", business))

    async def clients(self, kind: Any, asset: str, entries: Sequence[Client]) -> None:
        """Let businesses use an asset."""
        for client in entries:
            business = self.names["business", client.business].id
            await identity.add_client(self.tx, self.now_ms, kind, asset, business, client.tasks)

    async def claims(self, kind: str, asset: str, entries: Sequence[Asking]) -> None:
        """Write what waits for the owner's consent."""
        for asking in entries:
            values: dict[str, Value] = {
                "id": asking.id or self.ctx.ids.object_id(),
                "business": self.id("business", asking.business),
                "kind": kind,
                "asset": asset,
                "access": asking.access,
                "tasks": ",".join(asking.tasks) or None,
            }
            await store.add_claim(self.tx, self.now_ms, values)

    async def webhooks(self, app: str, entries: Sequence[Webhook]) -> None:
        """Keep the subscriptions of an app until webhooks are built."""
        await store.keep_section(self.ctx, "app", app, "webhooks", WEBHOOKS.dump(tuple(entries)))

    async def page_apps(self, page: str, entries: Sequence[PageApp]) -> None:
        """Keep the apps of a page, by id, until webhooks and handover are built."""
        content = [
            {"app": self.id("app", entry.app), "role": entry.role, "fields": list(entry.fields)} for entry in entries
        ]
        await store.keep_section(self.ctx, "page", page, "apps", content)

    async def links(self, person: int, entry: Person) -> None:
        """Write a person's logins, contacts and business tokens."""
        for login in entry.apps:
            await self.login(person, login)
        for contact in entry.pages:
            await self.contact(person, contact)
        rows: list[dict[str, Value]] = [
            {"person": person, "business": self.id("business", token.business), "token": token.token}
            for token in entry.business_tokens
        ]
        if rows:
            await store.add_business_tokens(self.tx, rows)

    async def login(self, person: int, login: Login) -> int:
        """Give a person their id in an app, and write what they allowed it."""
        app = self.names["app", login.app]
        fixed = None if login.id is None else int(login.id)
        made = await identity.scoped_id(self.tx, self.ctx.ids, person, app.scope, fixed)
        targets = login.targets or {}
        await grants.grant(self.ctx, person, app.id, login.scopes, declined=login.declined, targets=targets)
        if login.at is not None:
            await store.set_login_time(self.tx, person, app.id, login.at)
        return made

    async def contact(self, person: int, contact: Contact) -> int:
        """Give a person their id for a page, and note when they last wrote."""
        page = self.names["page", contact.page]
        fixed = None if contact.id is None else int(contact.id)
        made = await identity.scoped_id(self.tx, self.ctx.ids, person, page.scope, fixed)
        if contact.wrote is not None or contact.text is not None:
            wrote_ms = self.at(contact.wrote)
            await store.set_contact(self.tx, person, page.scope, wrote_ms, contact.text)
        return made

    async def install(self, entry: Install) -> None:
        """Keep an install, by ids, until the Business Extension is built."""
        app = self.names["app", entry.app].id
        content = INSTALLS.dump(entry) | {
            "app": app,
            "business": self.id("business", entry.business),
            "page": self.id("page", entry.page),
            "by": None if entry.by is None else self.person(entry.by),
        }
        await store.keep_section(self.ctx, INSTALL, app, entry.external_business_id, content)

    async def token(self, entry: Token) -> None:
        """Issue a fixed token. It can be shown again, so an export has it too."""
        kind: Any = "page" if entry.page else "user" if entry.person else "app"
        new = tokens.NewToken(
            kind=kind,
            app=self.names["app", entry.app].id,
            person=None if entry.person is None else self.person(entry.person),
            page=self.id("page", entry.page),
            scopes=entry.scopes,
            targets=entry.targets or {},
            expires_ms=entry.expires,
            data_access_expires_ms=entry.data_access_expires,
            shown=True,
            fixed=entry.token,
        )
        try:
            await tokens.issue(self.ctx, new)
        except tokens.TokenRefusedError as refused:
            raise WorldFileError([Problem("the world", 0, "tokens", str(refused))]) from None
        if entry.issued is not None:
            await store.set_token_time(self.tx, self.ctx.keyring.hash_token(entry.token), entry.issued)


def new_person(entry: Person) -> identity.NewPerson:
    """The row of a person."""
    return identity.NewPerson(
        key=entry.key,
        name=entry.name,
        first_name=entry.first_name,
        middle_name=entry.middle_name,
        last_name=entry.last_name,
        locale=entry.locale,
        timezone=entry.timezone,
        gender=entry.gender,
        email=entry.email,
        birthday=entry.birthday,
        payment_enabled_ms=entry.payment_enabled,
        profile=cast(Any, entry.profile),
        phones=tuple(identity.Phone(phone.number, phone.verified) for phone in entry.phones),
    )


def new_app(entry: App) -> identity.NewApp:
    """The row of an app; its owner and its times are set afterwards."""
    return identity.NewApp(
        id=entry.id,
        key=entry.key,
        name=entry.name,
        secret=entry.secret,
        client_token=entry.client_token,
        mode=cast(Any, entry.mode),
        category=entry.category,
        subcategory=entry.subcategory,
        namespace=entry.namespace,
        link=entry.link,
        description=entry.description,
        company=entry.company,
        app_type=entry.app_type,
        privacy_policy_url=entry.privacy_policy_url,
        terms_of_service_url=entry.terms_of_service_url,
        deauth_callback_url=entry.deauth_callback_url,
        deletion_callback_url=entry.deletion_callback_url,
        app_domains=entry.app_domains,
        redirect_uris=entry.redirect_uris,
        permissions=entry.permissions or {},
    )
