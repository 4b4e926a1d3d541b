"""Export: the database as a world that loads back to an equal one.

Ids, secrets and those tokens that can be shown again are in it; the internal keys of people are not. What has no key of its
own is given one for the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from polynym.core.ctx import Ctx
from polynym.core.db import Row
from polynym.identity import store as identity
from polynym.sandbox import store
from polynym.sandbox.load import INSTALL, INSTALLS, WEBHOOKS
from polynym.sandbox.shape import Place, Reading
from polynym.sandbox.source import tree_of
from polynym.sandbox.world_file import (
    FORMAT,
    App,
    AppRole,
    Asking,
    Business,
    BusinessToken,
    Client,
    Contact,
    Install,
    Login,
    Member,
    Page,
    PageApp,
    PageTasks,
    Person,
    Phone,
    Token,
    Webhook,
    WorldFile,
)
from polynym.tokens import store as tokens

_BUSINESSES: Final = "SELECT * FROM business ORDER BY created_ms, id"
_APPS: Final = "SELECT * FROM app ORDER BY scope"
_PAGES: Final = "SELECT * FROM page ORDER BY scope"
_PEOPLE: Final = "SELECT * FROM person ORDER BY person"
_MEMBERS: Final = "SELECT business, person, id, role FROM business_member ORDER BY business, person"
_CLIENTS: Final = (
    "SELECT app AS asset, business, NULL AS tasks FROM app_client"
    " UNION ALL SELECT page, business, tasks FROM page_client ORDER BY 1, 2"
)
_CLAIMS: Final = "SELECT asset, id, business, access, tasks FROM business_claim ORDER BY asset, created_ms, id"
_ROLES: Final = "SELECT app AS asset, person, role FROM app_role ORDER BY app, person"
_PERMISSIONS: Final = "SELECT app AS asset, name, access FROM app_permission ORDER BY app, name"
_TASKS: Final = "SELECT page AS asset, person, tasks FROM page_task ORDER BY page, person"
_PHONES: Final = "SELECT person, number, verified_ms FROM phone ORDER BY person, number"
_LOGINS: Final = "SELECT m.person, m.id, a.id AS asset FROM person_scope m JOIN app a ON a.scope = m.scope ORDER BY m.person, m.scope"
_GRANTS: Final = "SELECT person, app, scope, state, targets, granted_ms FROM app_grant ORDER BY person, app, scope"
_CONTACTS: Final = (
    "SELECT m.person, m.id, p.id AS asset, c.wrote_ms, c.message FROM person_scope m JOIN page p ON p.scope = m.scope"
    " LEFT JOIN contact c ON c.person = m.person AND c.scope = m.scope ORDER BY m.person, m.scope"
)
_BUSINESS_TOKENS: Final = "SELECT person, business, token FROM business_token ORDER BY person, business"
_TOKENS: Final = (
    "SELECT hash, sealed, kind, app, person, page, scopes, targets, issued_ms, expires_ms, data_access_expires_ms FROM token"
    " WHERE sealed IS NOT NULL AND dead_ms IS NULL AND system_user_id IS NULL AND kind IN ('user', 'page', 'app')"
    " AND (expires_ms IS NULL OR expires_ms > :now_ms) ORDER BY issued_ms, hash"
)


async def export_world(ctx: Ctx) -> WorldFile:
    """The whole world as it is now, read in one transaction."""
    return await ctx.db.transaction(lambda tx: Exporter(ctx.on(tx)).world())


@dataclass(slots=True)
class Exporter:
    """Reads tables whole and puts entities together from them."""

    ctx: Ctx
    keys: dict[tuple[str, str | int], str] = field(default_factory=dict)
    kept: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    async def world(self) -> WorldFile:
        """Everything."""
        businesses, apps, pages, people = [await self.ctx.db.all(sql) for sql in (_BUSINESSES, _APPS, _PAGES, _PEOPLE)]
        for kind, rows in (("business", businesses), ("app", apps), ("page", pages), ("person", people)):
            self.name(kind, rows)
        self.kept = await store.sections(self.ctx)
        clients, claims = await self.grouped("asset", _CLIENTS), await self.grouped("asset", _CLAIMS)
        return WorldFile(
            polynym=FORMAT,
            businesses=await self.businesses(businesses),
            apps=await self.apps(apps, clients, claims),
            pages=await self.pages(pages, clients, claims),
            people=await self.people(people),
            installs=self.installs(),
            tokens=await self.tokens(),
        )

    def name(self, kind: str, rows: Sequence[Row]) -> None:
        """Settle the keys of one kind of entity: its own, or one made from its place among those without."""
        taken = {row["key"] for row in rows}
        number = 0
        for row in rows:
            key = row["key"]
            while key is None or (row["key"] is None and key in taken):
                number += 1
                key = f"{kind}-{number}"
            taken.add(key)
            self.keys[kind, row["person"] if kind == "person" else row["id"]] = key

    def key(self, kind: str, identity_: str | int | None) -> str | None:
        """The key of something mentioned; None when it is gone."""
        return None if identity_ is None else self.keys.get((kind, identity_))

    async def grouped(self, column: str, sql: str) -> dict[Any, list[Row]]:
        """Rows by the value of a column."""
        groups: dict[Any, list[Row]] = defaultdict(list)
        for row in await self.ctx.db.all(sql):
            groups[row[column]].append(row)
        return groups

    async def businesses(self, rows: Sequence[Row]) -> tuple[Business, ...]:
        """Businesses with their members."""
        members = await self.grouped("business", _MEMBERS)
        return tuple(self.business(row, members[row["id"]]) for row in rows)

    def business(self, row: Row, members: Sequence[Row]) -> Business:
        """One business."""
        creators = [member["person"] for member in members if member["id"] == row["created_by"]]
        return Business(
            key=self.keys["business", row["id"]],
            id=row["id"],
            name=row["name"],
            verified=row["verified_ms"],
            review=row["review_state"],
            review_due=row["review_due_ms"],
            service_provider=row["service_provider_ms"],
            vertical=row["vertical"],
            timezone_id=row["timezone_id"],
            primary_page=self.key("page", row["primary_page"]),
            members=tuple(
                Member(person=self.keys["person", member["person"]], role=member["role"], id=member["id"])
                for member in members
            ),
            created_by=self.key("person", creators[0]) if creators else None,
            created=row["created_ms"],
            updated=row["updated_ms"],
        )

    async def apps(self, rows: Sequence[Row], clients: Groups, claims: Groups) -> tuple[App, ...]:
        """Apps with their roles and permissions."""
        roles, permissions = await self.grouped("asset", _ROLES), await self.grouped("asset", _PERMISSIONS)
        return tuple(
            self.app(row, roles[row["id"]], permissions[row["id"]], clients[row["id"]], claims[row["id"]])
            for row in rows
        )

    def app(
        self,
        row: Row,
        roles: Sequence[Row],
        permissions: Sequence[Row],
        clients: Sequence[Row],
        claims: Sequence[Row],
    ) -> App:
        """One app."""
        opened = self.ctx.keyring.open
        return App(
            key=self.keys["app", row["id"]],
            id=row["id"],
            name=row["name"],
            secret=opened(row["secret_sealed"], identity.secret_context(row["id"])),
            client_token=opened(row["client_token_sealed"], identity.client_token_context(row["id"])),
            business=self.key("business", row["business"]),
            business_since=row["business_since_ms"],
            client_of=self.clients(clients),
            claims=self.claims(claims),
            mode=row["mode"],
            category=row["category"],
            subcategory=row["subcategory"],
            namespace=row["namespace"],
            link=row["link"],
            description=row["description"],
            company=row["company"],
            app_type=row["app_type"],
            require_app_secret=row["require_app_secret_ms"],
            native=row["native_ms"],
            redirect_uris=tuple(identity.list_of_text(row["redirect_uris"])),
            app_domains=tuple(identity.list_of_text(row["app_domains"])),
            privacy_policy_url=row["privacy_policy_url"],
            terms_of_service_url=row["terms_of_service_url"],
            deauth_callback_url=row["deauth_callback_url"],
            deletion_callback_url=row["deletion_callback_url"],
            permissions={each["name"]: each["access"] for each in permissions} or None,
            roles=tuple(AppRole(person=self.keys["person", each["person"]], role=each["role"]) for each in roles),
            webhooks=self.webhooks(row["id"]),
            created=row["created_ms"],
        )

    def clients(self, rows: Sequence[Row]) -> tuple[Client, ...]:
        """The businesses that may use an asset."""
        return tuple(
            Client(business=self.keys["business", row["business"]], tasks=_words(row["tasks"])) for row in rows
        )

    def claims(self, rows: Sequence[Row]) -> tuple[Asking, ...]:
        """The businesses that asked for an asset."""
        return tuple(
            Asking(
                business=self.keys["business", row["business"]],
                access=row["access"],
                tasks=_words(row["tasks"]),
                id=row["id"],
            )
            for row in rows
        )

    def webhooks(self, app: str) -> tuple[Webhook, ...]:
        """The kept subscriptions of an app."""
        content = tree_of(self.kept.get(("app", app, "webhooks"), []))
        read: tuple[Webhook, ...] = WEBHOOKS.read(content, Place(Reading("", 0), ""))
        return read

    async def pages(self, rows: Sequence[Row], clients: Groups, claims: Groups) -> tuple[Page, ...]:
        """Pages with what people may do on them."""
        tasks = await self.grouped("asset", _TASKS)
        return tuple(self.page(row, tasks[row["id"]], clients[row["id"]], claims[row["id"]]) for row in rows)

    def page(self, row: Row, tasks: Sequence[Row], clients: Sequence[Row], claims: Sequence[Row]) -> Page:
        """One page."""
        return Page(
            key=self.keys["page", row["id"]],
            id=row["id"],
            name=row["name"],
            username=row["username"],
            category=row["category"],
            link=row["link"],
            about=row["about"],
            published=bool(row["is_published"]),
            business=self.key("business", row["business"]),
            business_since=row["business_since_ms"],
            client_of=self.clients(clients),
            claims=self.claims(claims),
            tasks=tuple(
                PageTasks(person=self.keys["person", each["person"]], tasks=_words(each["tasks"])) for each in tasks
            ),
            apps=tuple(
                PageApp(app=key, role=each["role"], fields=tuple(each["fields"]))
                for each in self.kept.get(("page", row["id"], "apps"), [])
                if (key := self.key("app", each["app"])) is not None
            ),
            one_time_notification=row["otn_state"],
            created=row["created_ms"],
        )

    async def people(self, rows: Sequence[Row]) -> tuple[Person, ...]:
        """People with their phones, logins, contacts and business tokens."""
        phones, logins = await self.grouped("person", _PHONES), await self.grouped("person", _LOGINS)
        contacts, grants = await self.grouped("person", _CONTACTS), await self.grouped("person", _GRANTS)
        business_tokens = await self.grouped("person", _BUSINESS_TOKENS)
        return tuple(
            self.person(
                row,
                phones=tuple(
                    Phone(number=each["number"], verified=each["verified_ms"]) for each in phones[row["person"]]
                ),
                apps=tuple(self.login(each, grants[row["person"]]) for each in logins[row["person"]]),
                pages=tuple(self.contact(each) for each in contacts[row["person"]]),
                business_tokens=tuple(
                    BusinessToken(business=key, token=each["token"])
                    for each in business_tokens[row["person"]]
                    if (key := self.key("business", each["business"])) is not None
                ),
            )
            for row in rows
        )

    def person(self, row: Row, **parts: Any) -> Person:
        """One person."""
        derived = identity.split_name(row["name"])
        given = (row["first_name"], row["middle_name"], row["last_name"])
        first, middle, last = (None, None, None) if given == derived else given
        return Person(
            key=self.keys["person", row["person"]],
            name=row["name"],
            first_name=first,
            middle_name=middle,
            last_name=last,
            locale=row["locale"],
            timezone=row["timezone"],
            gender=row["gender"],
            email=row["email"],
            birthday=row["birthday"],
            payment_enabled=row["payment_enabled_ms"],
            profile=row["profile"],
            password=self.kept.get(("person", str(row["person"]), "password")),
            created=row["created_ms"],
            **parts,
        )

    def login(self, row: Row, grants: Sequence[Row]) -> Login:
        """A person's id in an app and what they allowed it."""
        given = [each for each in grants if each["app"] == row["asset"]]
        targets = {
            each["scope"]: tuple(msgspec.json.decode(each["targets"], type=list[str]))
            for each in given
            if each["targets"] is not None
        }
        return Login(
            app=self.keys["app", row["asset"]],
            id=str(row["id"]),
            scopes=tuple(each["scope"] for each in given if each["state"] == "granted"),
            declined=tuple(each["scope"] for each in given if each["state"] == "declined"),
            targets=targets or None,
            at=max((each["granted_ms"] for each in given), default=None),
        )

    def contact(self, row: Row) -> Contact:
        """A person's id for a page and when they last wrote."""
        return Contact(
            page=self.keys["page", row["asset"]], id=str(row["id"]), wrote=row["wrote_ms"], text=row["message"]
        )

    def installs(self) -> tuple[Install, ...]:
        """The kept installs, with keys instead of ids."""
        made = []
        for (kind, app_id, external_id), content in self.kept.items():
            app = self.key("app", app_id) if kind == INSTALL else None
            if app is None:
                continue
            named = {
                "app": app,
                "external_business_id": external_id,
                "business": self.key("business", content["business"]),
                "page": self.key("page", content["page"]),
                "by": self.key("person", content["by"]),
            }
            from_content = {name: content[name] for name in ("via", "features", "assets", "at") if name in content}
            made.append(_read_install(from_content | named))
        return tuple(made)

    async def tokens(self) -> tuple[Token, ...]:
        """Living tokens that can be shown again."""
        rows = await self.ctx.db.all(_TOKENS, now_ms=self.ctx.clock.now_ms())
        return tuple(
            Token(
                token=tokens.reveal(self.ctx, row),
                app=self.keys["app", row["app"]],
                person=self.key("person", row["person"]),
                page=self.key("page", row["page"]),
                scopes=tuple(sorted(tokens.scopes_of(row["scopes"]))),
                targets=tokens.targets_of(row["targets"]) or None,
                issued=row["issued_ms"],
                expires=row["expires_ms"],
                data_access_expires=row["data_access_expires_ms"],
            )
            for row in rows
        )


Groups = Mapping[Any, Sequence[Row]]


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _read_install(content: Mapping[str, Any]) -> Install:
    from_file: Install = INSTALLS.read(tree_of(dict(content)), Place(Reading("", 0), ""))
    return from_file
