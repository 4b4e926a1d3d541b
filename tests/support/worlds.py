"""Random worlds: whole, valid world files for properties."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

from hypothesis import strategies as st

from polynym.identity.roles import APP_ROLES, BUSINESS_ROLES, PAGE_TASKS
from polynym.sandbox.world_file import (
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
from polynym.tokens.scopes import CATALOGUE

MODERN = sorted(name for name, permission in CATALOGUE.items() if not permission.replaced_by)

moments = st.integers(0, 4_000_000_000_000)
maybe_moment = st.none() | moments
#: Letters of several scripts, and everything that means something to YAML, JSON or SQL.
ALPHABET = "aZ09 éñß漢م😀\u200d\u2028'\"\\:#{}[]-~,&*!|>%@`?=<;$"
texts = st.text(ALPHABET, min_size=1, max_size=12)
lines = st.text(ALPHABET + "\n", min_size=1, max_size=12)
names = texts.filter(lambda text: text.strip() == text and bool(text.split()))
maybe_name = st.none() | names
urls = st.sampled_from(["https://example.com/a", "http://127.0.0.1:9000/hook?x=1"])
maybe_url = st.none() | urls
secrets = st.text("0123456789abcdef", min_size=32, max_size=32)
tasks = st.lists(st.sampled_from(PAGE_TASKS), min_size=1, max_size=4, unique=True).map(tuple)
scopes = st.lists(st.sampled_from(MODERN), max_size=4, unique=True).map(tuple)
numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


def some(draw: st.DrawFn, values: list[str], most: int = 3) -> list[str]:
    """A few different ones of `values`."""
    return draw(st.lists(st.sampled_from(values), max_size=most, unique=True)) if values else []


def one(draw: st.DrawFn, values: list[str]) -> str | None:
    """One of `values`, or none."""
    return draw(st.none() | st.sampled_from(values)) if values else None


@st.composite
def worlds(draw: st.DrawFn) -> WorldFile:
    """A world of a few of everything."""
    public_ids = count(draw(st.integers(10**9, 10**15)), 7_919)

    def new_id() -> str:
        return str(next(public_ids))

    def keys(kind: str, most: int) -> list[str]:
        return [f"{kind}{number}" for number in range(draw(st.integers(0, most)))]

    businesses, apps, pages, people = keys("b", 3), keys("a", 3), keys("p", 3), keys("x", 3)

    def maybe_id() -> str | None:
        return new_id() if draw(st.booleans()) else None

    def asset(kind: str) -> dict[str, Any]:
        owner = one(draw, businesses)
        return {
            "business": owner,
            "business_since": draw(moments) if owner else None,
            "client_of": tuple(
                Client(business=b, tasks=draw(tasks) if kind == "page" else ())
                for b in sorted(some(draw, businesses))
                if b != owner
            ),
            "claims": tuple(
                Asking(business=b, access=draw(st.sampled_from(["owned", "client"])), id=new_id())
                for b in some(draw, businesses, 1)
            ),
            "created": draw(maybe_moment),
        }

    def business(key: str) -> Business:
        members = some(draw, people)
        return Business(
            key=key,
            id=maybe_id(),
            name=draw(names),
            verified=draw(maybe_moment),
            review=draw(st.sampled_from(["unreviewed", "pending", "approved", "rejected"])),
            review_due=draw(maybe_moment),
            service_provider=draw(maybe_moment),
            vertical=draw(maybe_name),
            timezone_id=draw(st.none() | st.integers(0, 500)),
            primary_page=one(draw, pages),
            members=tuple(
                Member(person=p, role=draw(st.sampled_from(BUSINESS_ROLES)), id=maybe_id()) for p in sorted(members)
            ),
            created_by=one(draw, members),
            created=draw(maybe_moment),
            updated=draw(maybe_moment),
        )

    def app(key: str) -> App:
        return App(
            key=key,
            id=maybe_id(),
            name=draw(names),
            secret=draw(st.none() | secrets),
            client_token=draw(st.none() | secrets),
            mode=draw(st.sampled_from(["development", "live"])),
            category=draw(maybe_name),
            subcategory=draw(maybe_name),
            namespace=draw(st.none() | st.just(f"ns_{key}")),
            link=draw(maybe_url),
            description=draw(st.none() | lines),
            company=draw(maybe_name),
            app_type=draw(st.none() | st.integers(0, 3)),
            require_app_secret=draw(maybe_moment),
            native=draw(maybe_moment),
            redirect_uris=tuple(draw(st.lists(texts, max_size=2, unique=True))),
            app_domains=tuple(draw(st.lists(texts, max_size=2, unique=True))),
            privacy_policy_url=draw(maybe_url),
            terms_of_service_url=draw(maybe_url),
            deauth_callback_url=draw(maybe_url),
            deletion_callback_url=draw(maybe_url),
            permissions=draw(
                st.none()
                | st.dictionaries(
                    st.sampled_from(MODERN), st.sampled_from(["none", "standard", "advanced"]), min_size=1, max_size=3
                )
            ),
            roles=tuple(AppRole(person=p, role=draw(st.sampled_from(APP_ROLES))) for p in sorted(some(draw, people))),
            webhooks=tuple(
                Webhook(object=o, callback_url=draw(urls), verify_token=draw(maybe_name), fields=("messages",))
                for o in some(draw, ["page", "user"], 2)
            ),
            **asset("app"),
        )

    def page(key: str) -> Page:
        return Page(
            key=key,
            id=maybe_id(),
            name=draw(names),
            username=draw(st.none() | st.just(f"user.{key}")),
            category=draw(maybe_name),
            link=draw(maybe_url),
            about=draw(st.none() | lines),
            published=draw(st.booleans()),
            tasks=tuple(PageTasks(person=p, tasks=draw(tasks)) for p in sorted(some(draw, people))),
            apps=tuple(
                PageApp(app=a, role=draw(st.sampled_from(["primary", "secondary"])), fields=("messages",))
                for a in some(draw, apps)
            ),
            one_time_notification=draw(st.sampled_from(["none", "requested", "granted"])),
            **asset("page"),
        )

    def login(key: str) -> Login:
        given = draw(scopes)
        refused = tuple(name for name in draw(scopes) if name not in given and name != "public_profile")
        limited = {name: (new_id(),) for name in given[:1]}
        return Login(
            app=key, id=maybe_id(), scopes=given, declined=refused, targets=limited or None, at=draw(maybe_moment)
        )

    def contact(key: str) -> Contact:
        wrote = draw(maybe_moment)
        return Contact(
            page=key, id=maybe_id(), wrote=wrote, text=draw(st.none() | lines) if wrote is not None else None
        )

    def person(key: str) -> Person:
        return Person(
            key=key,
            name=draw(names),
            first_name=draw(maybe_name),
            middle_name=draw(maybe_name),
            last_name=draw(maybe_name),
            locale=draw(st.sampled_from(["en_US", "fr_FR", "ar_AR"])),
            timezone=draw(st.none() | st.integers(-12, 14)),
            gender=draw(st.none() | st.sampled_from(["female", "male"])),
            email=draw(st.none() | st.just(f"{key}@example.com")),
            birthday=draw(
                st.none()
                | st.dates(min_value=date(1901, 1, 1), max_value=date(2020, 1, 1)).map(lambda day: day.isoformat())
            ),
            phones=tuple(
                Phone(number=n, verified=draw(maybe_moment))
                for n in sorted(draw(st.lists(numbers, max_size=2, unique=True)))
            ),
            payment_enabled=draw(maybe_moment),
            profile=draw(st.sampled_from(["full", "first_last", "name_only", "none", "denied"])),
            password=draw(maybe_name),
            apps=tuple(login(a) for a in sorted(some(draw, apps))),
            pages=tuple(contact(p) for p in sorted(some(draw, pages))),
            business_tokens=tuple(
                BusinessToken(business=b, token=f"AB{key}{b}_-") for b in sorted(some(draw, businesses))
            ),
            created=draw(maybe_moment),
        )

    def install(number: int) -> Install:
        return Install(
            app=draw(st.sampled_from(apps)),
            external_business_id=f"shop-{number}",
            business=one(draw, businesses),
            by=one(draw, people),
            via=draw(st.sampled_from(["business_login", "business_apps", "instagram"])),
            page=one(draw, pages),
            features=("fb_shop",),
            assets={"pixel": new_id()},
            at=draw(maybe_moment),
        )

    def token(number: int) -> Token:
        person = one(draw, people) or people[0]
        return Token(
            token=f"EAAfixedtoken{number}",
            app=draw(st.sampled_from(apps)),
            person=person,
            page=one(draw, pages),
            scopes=("pages_messaging",),
            issued=draw(maybe_moment),
        )

    return WorldFile(
        polynym=1,
        businesses=tuple(business(key) for key in businesses),
        apps=tuple(app(key) for key in apps),
        pages=tuple(page(key) for key in pages),
        people=tuple(person(key) for key in people),
        installs=tuple(install(number) for number in range(draw(st.integers(0, 2)))) if apps else (),
        tokens=tuple(token(number) for number in range(draw(st.integers(0, 2)))) if apps and people else (),
    )
