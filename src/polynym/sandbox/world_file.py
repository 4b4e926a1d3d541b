"""World file: the entities of a world as frozen dataclasses, and how each of their keys is read.

Each class is one kind of entry; its fields are the file's keys, in the order in which an export writes them. Times are epoch
milliseconds inside. Keys that belong to features which are not built yet (webhooks, the apps of a page, installs, passwords)
are checked like all others and kept for export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from polynym.identity.roles import APP_ROLES, BUSINESS_ROLES, PAGE_TASKS
from polynym.sandbox import moments
from polynym.sandbox.shape import (
    Flag,
    Key,
    Many,
    Moment,
    Place,
    PublicId,
    Ref,
    Struct,
    Table,
    Text,
    Whole,
    entry,
)
from polynym.sandbox.source import Scalar, Tree
from polynym.tokens.scopes import CATALOGUE

FORMAT: Final = 1
TIMEZONE_IDS_MAX: Final = 1000

NAME: Final = Text(length=200)
URL: Final = Text(length=2000, pattern=r"https?://[^\s]+", expected="an http or https address")
PERMISSION: Final = Text(length=100, choices=tuple(CATALOGUE), expected="the name of a permission")
DIGITS: Final = Text(length=40, pattern=r"[0-9]+", expected="an id of decimal digits")
TASKS: Final = Many(Text(choices=PAGE_TASKS, expected="a task such as MANAGE"), unique="")
LOCALE: Final = Text(pattern=r"[a-z]{2,3}_[A-Z]{2}", expected="a locale such as en_US")

REVIEW_STATES: Final = ("unreviewed", "pending", "approved", "rejected")
PROFILES: Final = ("full", "first_last", "name_only", "none", "denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person's role in a business; `id` is their business-scoped user id."""

    person: str = entry(Ref("person"), required=True)
    role: str = entry(Text(choices=BUSINESS_ROLES, expected="a role such as ADMIN or EMPLOYEE"), default="ADMIN")
    id: str | None = entry(PublicId())


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """A business: owner of apps and pages, the boundary of ID matching."""

    key: str = entry(Key("business"), required=True)
    id: str | None = entry(PublicId())
    name: str = entry(NAME, required=True)
    verified: int | None = entry(Moment(since=True))
    review: str = entry(Text(choices=REVIEW_STATES), default="unreviewed")
    review_due: int | None = entry(Moment())
    service_provider: int | None = entry(Moment(since=True))
    vertical: str | None = entry(Text(length=100))
    timezone_id: int | None = entry(Whole(0, TIMEZONE_IDS_MAX))
    primary_page: str | None = entry(Ref("page"))
    members: tuple[Member, ...] = entry(Many(Struct(Member), unique="person"), default=())
    created_by: str | None = entry(Ref("person"))
    created: int | None = entry(Moment())
    updated: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A business that may use an app or page without owning it; without `tasks` it may do everything on a page."""

    business: str = entry(Ref("business"), required=True)
    tasks: tuple[str, ...] = entry(TASKS, default=())


class ClientStruct(Struct):
    """Reads a client, also from the bare key of the business."""

    def read(self, tree: Tree, place: Place) -> Any:
        """The client."""
        if isinstance(tree, Scalar):
            return Client(business=Ref("business").read(tree, place))
        return Struct.read(self, tree, place)

    def dump(self, value: Client) -> Any:
        """The bare key when that says it all."""
        return Struct.dump(self, value) if value.tasks else value.business


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A business that asked for an app or page and waits for the owner's consent."""

    business: str = entry(Ref("business"), required=True)
    access: str = entry(Text(choices=("owned", "client")), required=True)
    tasks: tuple[str, ...] = entry(TASKS, default=())
    id: str | None = entry(PublicId())


CLIENTS: Final = Many(ClientStruct(Client), unique="business")
CLAIMS: Final = Many(Struct(Asking))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRole:
    """A person's role on an app."""

    person: str = entry(Ref("person"), required=True)
    role: str = entry(Text(choices=APP_ROLES), required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An app's subscription to one object."""

    object: str = entry(Text(length=100, pattern=r"[a-z_]+", expected="an object such as page"), required=True)
    callback_url: str = entry(URL, required=True)
    verify_token: str | None = entry(Text(length=500))
    fields: tuple[str, ...] = entry(Many(Text(length=100), unique=""), default=())
    include_values: bool = entry(Flag(), default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app with its secret, settings and roles."""

    key: str = entry(Key("app"), required=True)
    id: str | None = entry(PublicId())
    name: str = entry(NAME, required=True)
    secret: str | None = entry(Text(pattern=r"[0-9A-Za-z]{16,128}", expected="16 to 128 letters and digits"))
    client_token: str | None = entry(Text(pattern=r"[0-9A-Za-z]{16,128}", expected="16 to 128 letters and digits"))
    business: str | None = entry(Ref("business"))
    business_since: int | None = entry(Moment())
    client_of: tuple[Client, ...] = entry(CLIENTS, default=())
    claims: tuple[Asking, ...] = entry(CLAIMS, default=())
    mode: str = entry(Text(choices=("development", "live")), default="live")
    category: str | None = entry(NAME)
    subcategory: str | None = entry(NAME)
    namespace: str | None = entry(
        Text(pattern=r"[a-z][a-z0-9_-]{1,49}", expected="lower-case letters, digits, _ and -", unique="namespace")
    )
    link: str | None = entry(URL)
    description: str | None = entry(Text(length=5000, lines=True))
    company: str | None = entry(NAME)
    app_type: int | None = entry(Whole(0, 100))
    require_app_secret: int | None = entry(Moment(since=True))
    native: int | None = entry(Moment(since=True))
    redirect_uris: tuple[str, ...] = entry(Many(Text(length=2000), unique=""), default=())
    app_domains: tuple[str, ...] = entry(Many(Text(length=255), unique=""), default=())
    privacy_policy_url: str | None = entry(URL)
    terms_of_service_url: str | None = entry(URL)
    deauth_callback_url: str | None = entry(URL)
    deletion_callback_url: str | None = entry(URL)
    permissions: Mapping[str, str] | None = entry(Table(Text(choices=("none", "standard", "advanced")), PERMISSION))
    roles: tuple[AppRole, ...] = entry(Many(Struct(AppRole), unique="person"), default=())
    webhooks: tuple[Webhook, ...] = entry(Many(Struct(Webhook), unique="object"), default=())
    created: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTasks:
    """What a person may do on a page."""

    person: str = entry(Ref("person"), required=True)
    tasks: tuple[str, ...] = entry(TASKS, required=True, default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PageApp:
    """An app that receives a page's events."""

    app: str = entry(Ref("app"), required=True)
    role: str = entry(Text(choices=("primary", "secondary")), default="secondary")
    fields: tuple[str, ...] = entry(Many(Text(length=100), unique=""), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page with its people and its apps."""

    key: str = entry(Key("page"), required=True)
    id: str | None = entry(PublicId())
    name: str = entry(NAME, required=True)
    username: str | None = entry(
        Text(pattern=r"[A-Za-z0-9.]{1,50}", expected="letters, digits and dots", unique="username")
    )
    category: str | None = entry(NAME)
    link: str | None = entry(URL)
    about: str | None = entry(Text(length=5000, lines=True))
    published: bool = entry(Flag(), default=True)
    business: str | None = entry(Ref("business"))
    business_since: int | None = entry(Moment())
    client_of: tuple[Client, ...] = entry(CLIENTS, default=())
    claims: tuple[Asking, ...] = entry(CLAIMS, default=())
    tasks: tuple[PageTasks, ...] = entry(Many(Struct(PageTasks), unique="person"), default=())
    apps: tuple[PageApp, ...] = entry(Many(Struct(PageApp), unique="app"), default=())
    one_time_notification: str = entry(Text(choices=("none", "requested", "granted")), default="none")
    created: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone number and when it was verified."""

    number: str = entry(
        Text(pattern=r"\+[1-9][0-9]{6,14}", expected="a number in international form such as +12125552368"),
        required=True,
    )
    verified: int | None = entry(Moment(since=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A person who logged in to an app: their app-scoped id there and what they allowed."""

    app: str = entry(Ref("app"), required=True)
    id: str | None = entry(PublicId())
    scopes: tuple[str, ...] = entry(Many(PERMISSION, unique=""), default=("public_profile",))
    declined: tuple[str, ...] = entry(Many(PERMISSION, unique=""), default=())
    targets: Mapping[str, tuple[str, ...]] | None = entry(Table(Many(DIGITS, unique=""), PERMISSION))
    at: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person who wrote to a page: their page-scoped id there, and when and what they last wrote."""

    page: str = entry(Ref("page"), required=True)
    id: str | None = entry(PublicId())
    wrote: int | None = entry(Moment())
    text: str | None = entry(Text(length=2000, lines=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessToken:
    """A person's token_for_business, the same for every app of the business."""

    business: str = entry(Ref("business"), required=True)
    token: str = entry(Text(length=200, pattern=r"[A-Za-z0-9_-]+", expected="letters, digits, _ and -"), required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person. `age` is only a way to write a birthday; a read person has a birthday."""

    key: str = entry(Key("person"), required=True)
    name: str = entry(NAME, required=True)
    first_name: str | None = entry(NAME)
    middle_name: str | None = entry(NAME)
    last_name: str | None = entry(NAME)
    locale: str = entry(LOCALE, default="en_US")
    timezone: int | None = entry(Whole(-12, 14))
    gender: str | None = entry(Text(length=50))
    email: str | None = entry(
        Text(length=254, pattern=r"[^@\s]+@[^@\s]+", expected="an e-mail address", unique="email")
    )
    birthday: str | None = entry(
        Text(pattern=r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", expected="a birthday as YYYY-MM-DD")
    )
    age: int | None = entry(Whole(0, 120))
    phones: tuple[Phone, ...] = entry(Many(Struct(Phone), unique="number"), default=())
    payment_enabled: int | None = entry(Moment(since=True))
    profile: str = entry(Text(choices=PROFILES), default="full")
    password: str | None = entry(Text(length=200))
    apps: tuple[Login, ...] = entry(Many(Struct(Login), unique="app"), default=())
    pages: tuple[Contact, ...] = entry(Many(Struct(Contact), unique="page"), default=())
    business_tokens: tuple[BusinessToken, ...] = entry(Many(Struct(BusinessToken), unique="business"), default=())
    created: int | None = entry(Moment())


class PersonStruct(Struct):
    """Reads a person: `age` becomes the birthday of somebody who turns that age today."""

    def read_given(self, tree: Tree, place: Place) -> dict[str, Any]:
        """The given keys, with a real birthday."""
        given = Struct.read_given(self, tree, place)
        age, birthday = given.pop("age", None), given.get("birthday")
        if age is not None and birthday is not None:
            place.reading.refuse(tree.line, place.at("age").path, "give either age or birthday")
        elif age is not None:
            given["birthday"] = moments.birthday_of_age(age, place.reading.now_ms)
        elif birthday is not None and not moments.is_date(birthday):
            place.reading.refuse(tree.line, place.at("birthday").path, f'there is no day "{birthday}"')
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """A Business Extension install of a partner app."""

    app: str = entry(Ref("app"), required=True)
    external_business_id: str = entry(Text(length=200), required=True)
    business: str | None = entry(Ref("business"))
    by: str | None = entry(Ref("person"))
    via: str = entry(Text(choices=("business_login", "business_apps", "instagram")), default="business_login")
    page: str | None = entry(Ref("page"))
    features: tuple[str, ...] = entry(Many(Text(length=100), unique=""), default=())
    assets: Mapping[str, str] | None = entry(
        Table(Text(length=200), Text(pattern=r"[a-z][a-z0-9_]{0,49}", expected="the kind of an asset"))
    )
    at: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A fixed access token: of a person for an app, with `page` of that page, without a person of the app itself.

    Without `expires` it never ends.
    """

    token: str = entry(
        Text(length=1024, pattern=r"[!-~]{8,}", expected="8 printable characters", unique="token"), required=True
    )
    app: str = entry(Ref("app"), required=True)
    person: str | None = entry(Ref("person"))
    page: str | None = entry(Ref("page"))
    scopes: tuple[str, ...] = entry(Many(PERMISSION, unique=""), default=())
    targets: Mapping[str, tuple[str, ...]] | None = entry(Table(Many(DIGITS, unique=""), PERMISSION))
    issued: int | None = entry(Moment())
    expires: int | None = entry(Moment())
    data_access_expires: int | None = entry(Moment())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFile:
    """A whole world, ready to be loaded."""

    polynym: int = entry(Whole(FORMAT, FORMAT), required=True)
    businesses: tuple[Business, ...] = entry(Many(Struct(Business)), default=())
    apps: tuple[App, ...] = entry(Many(Struct(App)), default=())
    pages: tuple[Page, ...] = entry(Many(Struct(Page)), default=())
    people: tuple[Person, ...] = entry(Many(PersonStruct(Person)), default=())
    installs: tuple[Install, ...] = entry(Many(Struct(Install)), default=())
    tokens: tuple[Token, ...] = entry(Many(Struct(Token)), default=())


#: The reader of one entity in world-file form, by the control plane's collection.
ENTITIES: Final[Mapping[str, Struct]] = {
    "businesses": Struct(Business),
    "apps": Struct(App),
    "pages": Struct(Page),
    "people": PersonStruct(Person),
}
