"""The stage of the linkage game: business X, whose every token the adversary holds, and what foreigners may add to it.

Both worlds of a game have the same X and the same public things (apps and pages, which anybody may look up by id). The
crowded one also has what X must never learn of: who uses the foreigners' apps and pages, a whole business that X has never
heard of, its people and their tokens. Ids, tokens, time and chance are the same in both, so answers can be compared byte
for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from polynym import app
from polynym.core import config
from polynym.core.ctx import Ctx
from polynym.core.db import Db, Tx
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.identity import store as identity
from polynym.sandbox.load import load_document
from polynym.sandbox.store import set_contact
from polynym.tokens import grants
from polynym.tokens.issuing import issue_system_user_token
from polynym.wire.signatures import appsecret_proof
from tests.support.asgi import Asgi

#: Where the world's clock stands, unless a test moves it.
NOW_MS: Final = 1_700_000_000_000
SECRET_KEY: Final = "the secret key of a game"
ADMIN_KEY: Final = "the-admin-key-of-a-game"

X, RIVAL, PARTNER, GHOST = "102030405060708", "208172634455661", "311908277364510", "411908277364517"
GAME, MOVIE, LAB = "1419232575008550", "259773517400382", "612345678901234"
RIVAL_APP, PARTNER_APP, GHOST_APP = "735519182640027", "735519182640028", "835519182640021"
THING, COFFEE = "380374449010653", "517220948113306"
RIVAL_PAGE, PARTNER_PAGE, GHOST_PAGE = "664810290375528", "664810290375529", "864810290375521"
OWNER_MEMBER, GHOST_MEMBER = "711110290375521", "811110290375529"
SECRETS: Final = {GAME: "a1" * 16, MOVIE: "b2" * 16, LAB: "c3" * 16, RIVAL_APP: "d4" * 16}

#: What X knows of its people, by person and asset.
OWN_IDS: Final = {
    ("john", GAME): "4152368852405295", ("john", MOVIE): "4645195294000001", ("john", THING): "4123451230000002",
    ("john", COFFEE): "4123451230000003", ("mary", GAME): "4152368852405296", ("mary", COFFEE): "4123451230000004",
    ("owner", GAME): "4152368852405297", ("carlos", LAB): "4152368852405298", ("carlos", MOVIE): "4152368852405299",
    ("john", PARTNER_PAGE): "4123451230000005",
}  # fmt: skip
#: What only the crowded world has.
FOREIGN_IDS: Final = {
    ("john", RIVAL_APP): "5152368852405291", ("john", PARTNER_APP): "5152368852405292",
    ("john", GHOST_APP): "5152368852405293", ("john", RIVAL_PAGE): "5123451230000001",
    ("john", GHOST_PAGE): "5123451230000002", ("mary", RIVAL_APP): "5152368852405294",
    ("mary", GHOST_PAGE): "5123451230000003", ("ghost", GHOST_APP): "5152368852405295",
    ("ghost", RIVAL_PAGE): "5123451230000004",
}  # fmt: skip
#: Foreign ids that the adversary may try as a node. Apps and pages are public, so X may know whether they exist.
FOREIGN_NODES: Final = (*FOREIGN_IDS.values(), GHOST, GHOST_MEMBER)
#: Nobody has these in either world; the same number of digits as the foreign ones.
INVENTED: Final = ("5987654321098765", "5123451230000009", "411908277364518", "811110290375520")
PEOPLE_SCOPES: Final = ["public_profile", "email", "user_age_range", "user_birthday", "user_gender"]
STAFF_SCOPES: Final = [
    "public_profile", "email", "pages_show_list", "pages_messaging", "pages_manage_metadata", "business_management",
]  # fmt: skip

Presence = Literal["absent", "late", "early"]


def _logins(person: str, assets: dict[str, str], scopes: list[str], crowded: bool) -> list[dict[str, Any]]:
    known = OWN_IDS | (FOREIGN_IDS if crowded else {})
    return [
        {"app": key, "id": known[person, asset], "scopes": scopes, "at": "-1d"}
        for key, asset in assets.items()
        if (person, asset) in known and asset != GHOST_APP
    ]


def _contacts(person: str, assets: dict[str, str], crowded: bool) -> list[dict[str, Any]]:
    known = OWN_IDS | (FOREIGN_IDS if crowded else {})
    return [
        {"page": key, "id": known[person, asset], "wrote": "-1h", "text": f"hello {key}"}
        for key, asset in assets.items()
        if (person, asset) in known and asset != GHOST_PAGE
    ]


_APPS: Final = {
    "game": GAME, "movie": MOVIE, "lab": LAB, "rivalapp": RIVAL_APP, "partnerapp": PARTNER_APP, "ghostapp": GHOST_APP,
}  # fmt: skip
_PAGES: Final = {
    "thing": THING, "coffee": COFFEE, "rivalpage": RIVAL_PAGE, "partnerpage": PARTNER_PAGE, "ghostpage": GHOST_PAGE,
}  # fmt: skip


def _person(key: str, name: str, crowded: bool, scopes: list[str] = PEOPLE_SCOPES, **more: Any) -> dict[str, Any]:
    return {
        "key": key, "name": name, "birthday": "1990-05-17", "email": f"{key}@example.com", "created": "-11d",
        "apps": _logins(key, _APPS, scopes, crowded), "pages": _contacts(key, _PAGES, crowded),
    } | more  # fmt: skip


def _business(key: str, id_: str, **more: Any) -> dict[str, Any]:
    made = {"created": "-11d", "updated": "-11d", "verified": "-11d", "review": "approved"}
    return {"key": key, "id": id_, "name": f"Business {key}"} | made | more


def _app(key: str, business: str, **more: Any) -> dict[str, Any]:
    id_ = _APPS[key]
    return {
        "key": key, "id": id_, "name": f"App {key}", "business": business, "mode": "live", "category": "Business",
        "secret": SECRETS.get(id_, "e5" * 16), "client_token": "f6" * 16, "created": "-11d",
        "business_since": "-11d",
    } | more  # fmt: skip


def _page(key: str, business: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key, "id": _PAGES[key], "name": f"Page {key}", "business": business, "category": "Shop",
        "created": "-11d", "business_since": "-11d",
    } | more  # fmt: skip


def _tasks(person: str) -> list[dict[str, Any]]:
    return [{"person": person, "tasks": ["MANAGE", "MESSAGING"]}]


def document(crowded: bool) -> dict[str, Any]:
    """The world file of everything but the ghosts, whose own file is `GHOSTS`."""
    people = [
        _person("john", "John Smith", crowded, phones=[{"number": "+12125552368", "verified": "-2d"}],
                business_tokens=[{"business": "x", "token": "AbJohnForX"}]
                + ([{"business": "rival", "token": "AbJohnForRival"}] if crowded else [])),
        _person("mary", "Mary Jones", crowded, locale="fr_FR"),
        _person("owner", "Olivia Bennett", crowded, STAFF_SCOPES),
        _person("carlos", "Carlos Núñez", crowded, locale="es_ES", profile="name_only"),
        _person("ruth", "Ruth Rivera", crowded),
    ]  # fmt: skip
    businesses = [
        _business("x", X, members=[{"person": "owner", "role": "ADMIN", "id": OWNER_MEMBER}], created_by="owner",
                  primary_page="thing"),
        _business("rival", RIVAL, members=[{"person": "ruth", "role": "ADMIN"}]),
        _business("partner", PARTNER),
    ]  # fmt: skip
    apps = [
        _app("game", "x", roles=[{"person": "owner", "role": "admin"}], client_of=["rival"] if crowded else []),
        _app("movie", "x", namespace="moviens", require_app_secret=True),
        _app("lab", "x", mode="development", roles=[{"person": "carlos", "role": "tester"}]),
        _app("rivalapp", "rival", roles=[{"person": "ruth", "role": "admin"}]),
        _app("partnerapp", "partner", client_of=["x"]),
    ]  # fmt: skip
    pages = [
        _page("thing", "x", tasks=_tasks("owner"), client_of=["rival"] if crowded else []),
        _page("coffee", "x", tasks=_tasks("owner")),
        _page("rivalpage", "rival", tasks=_tasks("ruth")),
        # X works for the partner: it holds this page's token and still does not own the page.
        _page("partnerpage", "partner", client_of=["x"], tasks=_tasks("owner")),
    ]  # fmt: skip
    return {
        "polynym": 1, "businesses": businesses, "apps": apps, "pages": pages, "people": people,
        "tokens": [_fixed(token) for token in TOKENS if token.stored and (crowded or not token.foreign)],
    }  # fmt: skip


def ghosts() -> dict[str, Any]:
    """The world file of a business that X has never heard of, and of many assets that nobody uses."""
    return {
        "polynym": 1,
        "businesses": [_business("ghost", GHOST, members=[{"person": "ghost", "role": "ADMIN", "id": GHOST_MEMBER}])],
        "apps": [_app("ghostapp", "ghost")] + [_filler("app", number) for number in range(6)],
        "pages": [_page("ghostpage", "ghost")] + [_filler("page", number) for number in range(6)],
        "people": [{"key": "ghost", "name": "Gus Ghost"}],
    }


def _filler(kind: str, number: int) -> dict[str, Any]:
    """A foreign asset that nobody uses, so that there are many."""
    id_ = f"{9 if kind == 'app' else 8}0000000000000{number}"
    made: dict[str, Any] = {"key": f"{kind}{number}", "id": id_, "name": f"Filler {number}", "business": "ghost"}
    return made | ({"secret": "0d" * 16, "client_token": "0e" * 16} if kind == "app" else {})


# ------------------------------------------------------------------------------------------------------------- tokens


@dataclass(frozen=True)
class Token:
    """A token of the game; `text` is None for literal ones, which are made of the secret."""

    name: str
    app: str
    person: str | None = None
    page: str | None = None
    scopes: tuple[str, ...] = ()
    foreign: bool = False

    @property
    def text(self) -> str:
        """The token itself."""
        app_id = _APPS[self.app]
        if self.name.startswith("literal"):
            return f"{app_id}|{SECRETS[app_id]}"
        if self.name.startswith("client"):
            return f"{app_id}|{'f6' * 16}"
        if self.person is None and self.page is None:
            return f"{app_id}|{'minted'.ljust(27, 'x')}"
        return f"EAA{self.name.replace(' ', '').ljust(40, 'Z')}"

    @property
    def stored(self) -> bool:
        """Whether it is a row; literal and client tokens are the app's own."""
        return not self.name.startswith(("literal", "client"))

    @property
    def proof(self) -> str:
        """Its appsecret_proof."""
        return appsecret_proof(self.text, SECRETS[_APPS[self.app]])


_STAFF, _FRIEND = tuple(STAFF_SCOPES), tuple(PEOPLE_SCOPES)
_PAGE_SCOPES = ("pages_messaging", "pages_manage_metadata", "pages_show_list")
TOKENS: Final = (
    Token("literal game", "game"), Token("literal movie", "movie"), Token("literal lab", "lab"),
    Token("client game", "game"), Token("minted game", "game"),
    Token("owner", "game", "owner", scopes=_STAFF), Token("john", "game", "john", scopes=_FRIEND),
    Token("john movie", "movie", "john", scopes=_FRIEND), Token("mary", "game", "mary", scopes=_FRIEND),
    Token("thing", "game", "owner", "thing", _PAGE_SCOPES), Token("coffee", "game", "owner", "coffee", _PAGE_SCOPES),
    Token("thing movie", "movie", "owner", "thing", _PAGE_SCOPES),
    Token("partner page", "game", "owner", "partnerpage", _PAGE_SCOPES),
    Token("john rival", "rivalapp", "john", scopes=_FRIEND, foreign=True),
    Token("rival page", "rivalapp", "ruth", "rivalpage", _PAGE_SCOPES, foreign=True),
)  # fmt: skip
#: Everything that business X has. The system user's token is issued by `build`.
HELD: Final = tuple(token for token in TOKENS if not token.foreign)


def _fixed(token: Token) -> dict[str, Any]:
    made = {
        "token": token.text, "app": token.app, "person": token.person, "page": token.page, "scopes": list(token.scopes),
        "issued": "-1m",
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


# -------------------------------------------------------------------------------------------------------------- worlds


@dataclass
class Stage:
    """One world of a game."""

    world: app.World
    client: Asgi
    system_user: str


async def build(
    db: Db, data_dir: Path, presence: Presence = "late", *, first_person: int = 1, first_scope: int = 1
) -> Stage:
    """A world on an empty database, with its clock standing at NOW_MS and its chance seeded after loading.

    `first_person` and `first_scope` are where the internal numbers of people and of apps and pages begin.
    """
    await db.run(
        "INSERT INTO sandbox_clock (id, frozen_ms, base_ms, anchor_ms, scale_permille)"
        " VALUES (1, :now, :now, :now, 1000)",
        now=NOW_MS,
    )
    for name, first in (("person", first_person), ("scope", first_scope)):
        await db.run("UPDATE counter SET next = :first WHERE name = :name", first=first, name=name)
    flags = {"data_dir": str(data_dir), "secret_key": SECRET_KEY, "admin_token": ADMIN_KEY, "seed": "20240501"}
    world = await app.build(config.load(flags, {}, data_dir), db=db)
    # Loaded with chance of its own: however much that takes, both worlds go on with the same.
    chance = Ids()
    loading = replace(world.ctx(), ids=chance, keyring=Keyring(SECRET_KEY, chance))
    files = {"absent": [document(False)], "late": [document(True), ghosts()], "early": [ghosts(), document(True)]}
    for number, file in enumerate(files[presence]):
        await load_document(loading, json.dumps(file).encode(), f"stage{number}.json")
    if presence != "absent":
        await db.transaction(lambda tx: _haunt(loading.on(tx)))
    owner = await db.one("SELECT person FROM person WHERE key = 'owner'")
    assert owner is not None

    def issue(tx: Any) -> Any:
        ctx = world.ctx().on(tx)
        return issue_system_user_token(ctx, "990011223344556", GAME, STAFF_SCOPES, person=owner["person"])

    return Stage(world, Asgi(world.asgi), await db.transaction(issue))


async def _haunt(ctx: Ctx) -> None:
    """Everybody who deals with the ghosts' app and page."""
    for (name, asset), id_ in FOREIGN_IDS.items():
        person = await ctx.db.one("SELECT person FROM person WHERE key = :key", key=name)
        scope = await ctx.db.one("SELECT number FROM scope WHERE asset = :asset", asset=asset)
        assert person is not None
        assert scope is not None
        await identity.scoped_id(cast(Tx, ctx.db), ctx.ids, person["person"], scope["number"], int(id_))
        if asset in (GHOST_APP, RIVAL_APP):
            await grants.grant(ctx, person["person"], asset, PEOPLE_SCOPES)
        else:
            await set_contact(cast(Tx, ctx.db), person["person"], scope["number"], NOW_MS - 5_000, "boo")
