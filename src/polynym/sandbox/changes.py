"""Changes: the given keys of an existing entity, with everything that follows from them (tokens that die, reviews)."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.core.db import Tx, Value
from polynym.identity import ownership
from polynym.identity import store as identity
from polynym.sandbox import store
from polynym.sandbox.load import Loader
from polynym.sandbox.lookup import Found
from polynym.sandbox.plane import ControlError
from polynym.sandbox.world_file import App, Business, Page, Person
from polynym.tokens import acts as token_acts
from polynym.tokens import grants


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


#: Keys of the file that are plain columns: key -> column.
_BUSINESS: Final = _same("key", "name", "review_due", "vertical", "timezone_id") | {
    "verified": "verified_ms",
    "review": "review_state",
    "review_due": "review_due_ms",
    "service_provider": "service_provider_ms",
}
_APP: Final = (
    _same("key", "name", "mode", "category", "subcategory", "namespace", "link", "description", "company", "app_type")
    | _same("privacy_policy_url", "terms_of_service_url", "deauth_callback_url", "deletion_callback_url")
    | {"require_app_secret": "require_app_secret_ms", "native": "native_ms"}
)
_PAGE: Final = _same("key", "name", "username", "category", "link", "about") | {
    "published": "is_published",
    "one_time_notification": "otn_state",
}
_NAME_PARTS: Final = ("first_name", "middle_name", "last_name")
_PERSON: Final = _same("key", "name", *_NAME_PARTS, "locale", "timezone", "gender", "email", "birthday", "profile") | {
    "payment_enabled": "payment_enabled_ms"
}


@dataclass(slots=True)
class Changer:
    """One change: what is changed, and the given keys with their read values (None for null)."""

    loader: Loader
    found: Found
    given: Mapping[str, Any]

    @property
    def ctx(self) -> Ctx:
        """The context, on the open transaction."""
        return self.loader.ctx

    @property
    def tx(self) -> Tx:
        """The open transaction."""
        return self.loader.tx

    def value(self, entity: type[Any], name: str) -> Any:
        """The given value of a key, or its default when null was given. Raises ControlError for a required key."""
        value = self.given[name]
        if value is not None:
            return value
        declared = {each.name: each for each in dataclasses.fields(entity)}[name]
        if declared.metadata["required"]:
            raise ControlError(400, f'"{name}" cannot be null', name)
        return declared.default

    def columns(self, entity: type[Any], names: Mapping[str, str]) -> dict[str, Value]:
        """Column -> value of the given keys that are plain columns."""
        return {column: self.value(entity, name) for name, column in names.items() if name in self.given}

    async def again(self) -> Found:
        """The entity as it is called now."""
        key = self.given.get("key") or self.found.key
        name = self.given.get("name") or self.found.name
        return dataclasses.replace(self.found, key=key, name=name)


async def change_business(change: Changer) -> None:
    """Change a business."""
    tx, now_ms, business = change.tx, change.loader.now_ms, change.found.id
    await identity.update_business(tx, now_ms, business, **change.columns(Business, _BUSINESS))
    await _dated(change, "business", business)
    if "members" in change.given:
        await _members(change)
    if change.given.keys() & {"primary_page", "created_by", "updated"}:
        await _finish_business(change)


async def _members(change: Changer) -> None:
    tx, business = change.tx, change.found.id
    wanted = {change.loader.person(each.person): each for each in change.value(Business, "members")}
    for row in await identity.members_of(tx, business):
        if row["person"] not in wanted:
            await identity.set_member(tx, change.ctx.ids, change.loader.now_ms, business, row["person"], None)
    for person, each in wanted.items():
        made = await identity.set_member(tx, change.ctx.ids, change.loader.now_ms, business, person, each.role)
        if each.id is not None and made != each.id:
            await store.fix_member(tx, business, person, each.id)


async def _finish_business(change: Changer) -> None:
    row = await identity.business_row(change.tx, change.found.id)
    assert row is not None
    page, creator, updated_ms = row["primary_page"], row["created_by"], row["updated_ms"]
    if "primary_page" in change.given:
        page = change.loader.id("page", change.given["primary_page"])
    if "created_by" in change.given:
        creator = await _member_id(change, change.given["created_by"])
    if change.given.get("updated") is not None:
        updated_ms = change.given["updated"]
    await store.finish_business(change.tx, change.found.id, page, creator, updated_ms)


async def _member_id(change: Changer, name: str | None) -> str | None:
    if name is None:
        return None
    member = await identity.member(change.tx, change.found.id, change.loader.person(name))
    if member is None:
        raise ControlError(409, f"{name} is no member of this business", "created_by")
    return str(member["id"])


async def change_app(change: Changer) -> None:
    """Change an app; a new secret ends its minted tokens, a new owner goes through review where there is one."""
    tx, app = change.tx, change.found.id
    columns = change.columns(App, _APP)
    for name in ("redirect_uris", "app_domains"):
        if name in change.given:
            columns[name] = identity.text_of_list(change.value(App, name))
    await identity.update_app(tx, app, **columns)
    await _dated(change, "app", app)
    if "secret" in change.given or "client_token" in change.given:
        await _secrets(change)
    if "permissions" in change.given:
        await identity.set_permissions(tx, app, change.given["permissions"] or {})
    if "roles" in change.given:
        wanted = {change.loader.person(each.person): each.role for each in change.value(App, "roles")}
        for person in {row["person"] for row in await identity.roles_of(tx, app)} | wanted.keys():
            await identity.set_role(tx, app, person, wanted.get(person))
    await _shared(change, App, "app")
    if "webhooks" in change.given:
        await change.loader.webhooks(app, change.value(App, "webhooks"))


async def _secrets(change: Changer) -> None:
    app, keyring, ids = change.found.id, change.ctx.keyring, change.ctx.ids
    if "secret" in change.given:
        await identity.set_secret(change.tx, keyring, app, change.given["secret"] or ids.secret())
        await token_acts.secret_reset(change.ctx, app)
    if "client_token" in change.given:
        token = change.given["client_token"] or ids.client_token()
        await store.set_client_token(change.tx, app, keyring.seal(token, identity.client_token_context(app)))


async def change_page(change: Changer) -> None:
    """Change a page; page tokens of people who lose tasks are narrowed or end."""
    tx, page = change.tx, change.found.id
    await identity.update_page(tx, page, **change.columns(Page, _PAGE))
    await _dated(change, "page", page)
    if "tasks" in change.given:
        wanted = {change.loader.person(each.person): each.tasks for each in change.value(Page, "tasks")}
        for person in {row["person"] for row in await identity.people_of(tx, page)} | wanted.keys():
            await identity.set_tasks(tx, page, person, wanted.get(person, ()))
            left = await identity.tasks_of(tx, page, person)
            await token_acts.tasks_changed(change.ctx, person, page, left)
    await _shared(change, Page, "page")
    if "apps" in change.given:
        await change.loader.page_apps(page, change.value(Page, "apps"))


async def _shared(change: Changer, entity: type[Any], kind: Any) -> None:
    """What apps and pages have in common: owner, clients, claims."""
    tx, asset = change.tx, change.found.id
    if "business" in change.given:
        await ownership.transfer(change.ctx, kind, asset, change.loader.id("business", change.given["business"]))
    if change.given.get("business_since") is not None:
        await store.set_owner_time(tx, kind, asset, change.given["business_since"])
    if "client_of" in change.given:
        for business in await identity.clients_of(tx, kind, asset):
            await identity.remove_client(tx, kind, asset, business)
        await change.loader.clients(kind, asset, change.value(entity, "client_of"))
    if "claims" in change.given:
        for row in await identity.claims_on(tx, kind, asset):
            await identity.decline_claim(tx, row["id"])
        await change.loader.claims(kind, asset, change.value(entity, "claims"))


async def change_person(change: Changer) -> None:
    """Change a person. Apps that are no longer listed are left, as if the person removed them."""
    tx, person = change.tx, change.found.person
    columns = change.columns(Person, _PERSON)
    derived = identity.split_name(str(columns.get("name") or change.found.name))
    for name, part in zip(_NAME_PARTS, derived, strict=True):
        if name in columns and columns[name] is None:
            columns[name] = part
    await identity.update_person(tx, person, **columns)
    if change.given.get("created") is not None:
        await store.set_times(tx, "person", [{"key": person, "created_ms": change.given["created"]}])
    if "phones" in change.given:
        phones = [identity.Phone(each.number, each.verified) for each in change.value(Person, "phones")]
        await identity.replace_phones(tx, person, phones)
    if "password" in change.given:
        await store.keep_section(change.ctx, "person", str(person), "password", change.given["password"])
        await token_acts.password_changed(change.ctx, person)
    if "apps" in change.given:
        await _logins(change)
    if "pages" in change.given:
        await _contacts(change)
    if "business_tokens" in change.given:
        rows: list[Mapping[str, Value]] = [
            {"person": person, "business": change.loader.id("business", each.business), "token": each.token}
            for each in change.value(Person, "business_tokens")
        ]
        await store.replace_business_tokens(tx, person, rows)


async def _logins(change: Changer) -> None:
    tx, person, logins = change.tx, change.found.person, change.value(Person, "apps")
    kept = {change.loader.names["app", each.app].id for each in logins}
    apps, _ = await store.scoped_ids(tx, person)
    for row in apps:
        if row["asset"] not in kept:
            await token_acts.deauthorize(change.ctx, person, row["asset"])
    for login in logins:
        await grants.delete_grants(change.ctx, person, change.loader.names["app", login.app].id)
        await change.loader.login(person, login)


async def _contacts(change: Changer) -> None:
    tx, person, contacts = change.tx, change.found.person, change.value(Person, "pages")
    kept = {change.loader.names["page", each.page].scope for each in contacts}
    _, pages = await store.scoped_ids(tx, person)
    for row in pages:
        if row["scope"] not in kept:
            await store.forget_contacts(tx, person=person, scope=row["scope"])
            await identity.forget_scope(tx, person, row["scope"])
    for contact in contacts:
        await change.loader.contact(person, contact)


async def _dated(change: Changer, table: str, key: str) -> None:
    if change.given.get("created") is not None:
        await store.set_times(change.tx, table, [{"key": key, "created_ms": change.given["created"]}])


CHANGES: Final[Mapping[str, Callable[[Changer], Awaitable[None]]]] = {
    "businesses": change_business,
    "apps": change_app,
    "pages": change_page,
    "people": change_person,
}
