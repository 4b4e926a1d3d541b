"""Apps: rows of `app`, their sealed secrets, permissions and roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from polynym.core.db import Db, Row, Tx, Value
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.identity.store.rows import insert, register, take_numbers, unregister, update

Mode = Literal["development", "live"]
Role = Literal["admin", "developer", "tester", "insights"]

COLUMNS: Final = frozenset(
    [
        "key",
        "name",
        "mode",
        "category",
        "subcategory",
        "namespace",
        "link",
        "description",
        "company",
        "app_type",
        "privacy_policy_url",
        "terms_of_service_url",
        "deauth_callback_url",
        "deletion_callback_url",
        "app_domains",
        "redirect_uris",
        "require_app_secret_ms",
        "native_ms",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """An app to be. `id`, `secret` and `client_token` are made when absent. `permissions` are name → access level."""

    name: str
    id: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    client_token: str | None = field(default=None, repr=False)
    business: str | None = None
    mode: Mode = "live"
    category: str | None = None
    subcategory: str | None = None
    namespace: str | None = None
    link: str | None = None
    description: str | None = None
    company: str | None = None
    app_type: int | None = None
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    deauth_callback_url: str | None = None
    deletion_callback_url: str | None = None
    app_domains: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    require_app_secret: bool = False
    native: bool = False
    permissions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedApp:
    """What came into being; `secret` and `client_token` in clear, this once."""

    id: str
    scope: int
    secret: str = field(repr=False)
    client_token: str = field(repr=False)


async def create_app(tx: Tx, ids: Ids, keyring: Keyring, now_ms: int, new: NewApp) -> CreatedApp:
    """Store an app and its scope. Raises Duplicate when id, key or namespace is taken."""
    app = await register(tx, ids, "app", new.id)
    scope = await take_numbers(tx, "scope")
    made = CreatedApp(app, scope, new.secret or ids.secret(), new.client_token or ids.client_token())
    await insert(tx, "app", "app", _row(made, keyring, now_ms, new), new.key or new.namespace or app)
    await insert(tx, "app", "scope", {"number": scope, "kind": "app", "asset": app}, app)
    await set_permissions(tx, app, new.permissions)
    return made


def _row(made: CreatedApp, keyring: Keyring, now_ms: int, new: NewApp) -> dict[str, Value]:
    plain = (
        "key name business mode category subcategory namespace link description company app_type privacy_policy_url"
        " terms_of_service_url deauth_callback_url deletion_callback_url"
    )
    return {name: getattr(new, name) for name in plain.split()} | {
        "id": made.id,
        "scope": made.scope,
        "secret_sealed": keyring.seal(made.secret, secret_context(made.id)),
        "client_token_sealed": keyring.seal(made.client_token, client_token_context(made.id)),
        "business_since_ms": None if new.business is None else now_ms,
        "app_domains": text_of_list(new.app_domains),
        "redirect_uris": text_of_list(new.redirect_uris),
        "require_app_secret_ms": now_ms if new.require_app_secret else None,
        "native_ms": now_ms if new.native else None,
        "created_ms": now_ms,
    }


def secret_context(app: str) -> str:
    """What an app's sealed secret is bound to, so that a row copied onto another app does not open."""
    return f"app.secret:{app}"


def client_token_context(app: str) -> str:
    """What an app's sealed client token is bound to."""
    return f"app.client_token:{app}"


def text_of_list(values: Sequence[str]) -> str | None:
    """A list of texts as one column (JSON); an empty list is NULL."""
    return json.dumps(list(values), ensure_ascii=False) if values else None


def list_of_text(text: str | None) -> list[str]:
    """The list that `text_of_list` stored."""
    return [] if text is None else [str(each) for each in json.loads(text)]


async def update_app(tx: Tx, app: str, **changes: Value) -> bool:
    """Set columns of an app; False when there is none. The caller bumps the epoch: names and modes are cached."""
    return await update(tx, "app", "id", app, changes, COLUMNS)


async def set_secret(tx: Tx, keyring: Keyring, app: str, secret: str) -> None:
    """Replace an app's secret. The caller bumps the epoch."""
    await tx.run(
        "UPDATE app SET secret_sealed = :sealed WHERE id = :app",
        sealed=keyring.seal(secret, secret_context(app)),
        app=app,
    )


async def app_row(db: Db, app: str) -> Row | None:
    """Every column of an app by id."""
    return await db.one("SELECT * FROM app WHERE id = :app", app=app)


async def set_permissions(tx: Tx, app: str, permissions: Mapping[str, str]) -> None:
    """Make these the app's permissions: name → none, standard or advanced."""
    await tx.run("DELETE FROM app_permission WHERE app = :app", app=app)
    rows = [{"app": app, "name": name, "access": access} for name, access in permissions.items()]
    await tx.many("INSERT INTO app_permission (app, name, access) VALUES (:app, :name, :access)", rows)


async def permissions_of(db: Db, app: str) -> dict[str, str]:
    """The app's permissions and their access levels; one that is not listed has advanced access."""
    rows = await db.all("SELECT name, access FROM app_permission WHERE app = :app ORDER BY name", app=app)
    return {row["name"]: row["access"] for row in rows}


async def set_role(tx: Tx, app: str, person: int, role: Role | None) -> None:
    """Give a person a role on an app, or take it (None). The caller bumps the epoch."""
    if role is None:
        await tx.run("DELETE FROM app_role WHERE app = :app AND person = :person", app=app, person=person)
        return
    await tx.run(
        "INSERT INTO app_role (app, person, role) VALUES (:app, :person, :role)"
        " ON CONFLICT (app, person) DO UPDATE SET role = excluded.role",
        app=app,
        person=person,
        role=role,
    )


async def role_of(db: Db, app: str, person: int) -> str | None:
    """The person's role on the app, None without one."""
    row = await db.one("SELECT role FROM app_role WHERE app = :app AND person = :person", app=app, person=person)
    return None if row is None else str(row["role"])


async def roles_of(db: Db, app: str) -> Sequence[Row]:
    """Everybody with a role on the app: person, role."""
    return await db.all("SELECT person, role FROM app_role WHERE app = :app ORDER BY person", app=app)


async def delete_app_row(tx: Tx, app: str) -> None:
    """Remove an app and what hangs on it here: scope, scoped ids, roles, permissions, clients, claims."""
    await tx.run("DELETE FROM scoped_id WHERE scope = (SELECT scope FROM app WHERE id = :app)", app=app)
    await tx.run("DELETE FROM person_scope WHERE scope = (SELECT scope FROM app WHERE id = :app)", app=app)
    await tx.run("DELETE FROM business_claim WHERE kind = 'app' AND asset = :app", app=app)
    await tx.run("DELETE FROM app_role WHERE app = :app", app=app)
    await tx.run("DELETE FROM app_permission WHERE app = :app", app=app)
    await tx.run("DELETE FROM app_client WHERE app = :app", app=app)
    await tx.run("DELETE FROM scope WHERE asset = :app", app=app)
    await tx.run("DELETE FROM app WHERE id = :app", app=app)
    await unregister(tx, app)
