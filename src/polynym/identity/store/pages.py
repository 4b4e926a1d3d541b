"""Pages: rows of `page` and what people may do on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from polynym.core.db import Db, Row, Tx, Value
from polynym.core.ids import Ids
from polynym.identity import roles
from polynym.identity.store.rows import insert, register, take_numbers, unregister, update

OneTimeNotification = Literal["none", "requested", "granted"]

COLUMNS: Final = frozenset(["key", "name", "username", "category", "link", "about", "otn_state", "is_published"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """A page to be; `id` is made when absent."""

    name: str
    id: str | None = None
    key: str | None = None
    username: str | None = None
    category: str | None = None
    link: str | None = None
    about: str | None = None
    business: str | None = None
    otn_state: OneTimeNotification = "none"
    is_published: bool = True


@dataclass(frozen=True, slots=True)
class CreatedPage:
    """What came into being."""

    id: str
    scope: int


async def create_page(tx: Tx, ids: Ids, now_ms: int, new: NewPage) -> CreatedPage:
    """Store a page and its scope. Raises Duplicate when id, key or username is taken."""
    page = await register(tx, ids, "page", new.id)
    scope = await take_numbers(tx, "scope")
    values: dict[str, Value] = {
        "id": page,
        "key": new.key,
        "scope": scope,
        "name": new.name,
        "username": new.username,
        "category": new.category,
        "link": new.link,
        "about": new.about,
        "business": new.business,
        "business_since_ms": None if new.business is None else now_ms,
        "otn_state": new.otn_state,
        "is_published": int(new.is_published),
        "created_ms": now_ms,
    }
    await insert(tx, "page", "page", values, new.key or new.username or page)
    await insert(tx, "page", "scope", {"number": scope, "kind": "page", "asset": page}, page)
    return CreatedPage(page, scope)


async def update_page(tx: Tx, page: str, **changes: Value) -> bool:
    """Set columns of a page; False when there is none."""
    return await update(tx, "page", "id", page, changes, COLUMNS)


async def page_row(db: Db, page: str) -> Row | None:
    """Every column of a page by id."""
    return await db.one("SELECT * FROM page WHERE id = :page", page=page)


async def set_tasks(tx: Tx, page: str, person: int, tasks: Sequence[str]) -> None:
    """Make these (with what they imply) the person's tasks on the page; none takes the person off it.

    Raises ValueError for a task that does not exist. The caller bumps the epoch: page tokens depend on it.
    """
    expanded = roles.expand_tasks(tasks)
    if not expanded:
        await tx.run("DELETE FROM page_task WHERE page = :page AND person = :person", page=page, person=person)
        return
    await tx.run(
        "INSERT INTO page_task (page, person, tasks) VALUES (:page, :person, :tasks)"
        " ON CONFLICT (page, person) DO UPDATE SET tasks = excluded.tasks",
        page=page,
        person=person,
        tasks=",".join(expanded),
    )


async def tasks_of(db: Db, page: str, person: int) -> tuple[str, ...]:
    """The person's tasks on the page, in the platform's order; empty without any."""
    row = await db.one("SELECT tasks FROM page_task WHERE page = :page AND person = :person", page=page, person=person)
    return () if row is None else tuple(row["tasks"].split(","))


async def people_of(db: Db, page: str) -> Sequence[Row]:
    """Everybody with a task on the page: person, tasks."""
    return await db.all("SELECT person, tasks FROM page_task WHERE page = :page ORDER BY person", page=page)


async def delete_page_row(tx: Tx, page: str) -> None:
    """Remove a page and what hangs on it here: scope, scoped ids, tasks, clients, claims."""
    await tx.run("DELETE FROM scoped_id WHERE scope = (SELECT scope FROM page WHERE id = :page)", page=page)
    await tx.run("DELETE FROM person_scope WHERE scope = (SELECT scope FROM page WHERE id = :page)", page=page)
    await tx.run("DELETE FROM business_claim WHERE kind = 'page' AND asset = :page", page=page)
    await tx.run("DELETE FROM page_client WHERE page = :page", page=page)
    await tx.run("DELETE FROM page_task WHERE page = :page", page=page)
    await tx.run("DELETE FROM scope WHERE asset = :page", page=page)
    await tx.run("DELETE FROM page WHERE id = :page", page=page)
    await unregister(tx, page)
