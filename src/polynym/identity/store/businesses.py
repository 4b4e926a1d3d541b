"""Businesses, their members, and the state of their review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from polynym.core.db import Db, Row, Tx, Value
from polynym.core.ids import Ids
from polynym.identity.store.rows import insert, register, unregister, update

ReviewState = Literal["approved", "pending", "rejected", "unreviewed"]

COLUMNS: Final = frozenset(
    [
        "key",
        "name",
        "verified_ms",
        "review_state",
        "review_due_ms",
        "service_provider_ms",
        "vertical",
        "timezone_id",
        "primary_page",
    ]
)

#: What ends with a business.
_LET_GO: Final = (
    "UPDATE app SET business = NULL, business_since_ms = NULL WHERE business = :id",
    "UPDATE page SET business = NULL, business_since_ms = NULL WHERE business = :id",
    "DELETE FROM business_member WHERE business = :id",
    "DELETE FROM business_claim WHERE business = :id",
    "DELETE FROM app_client WHERE business = :id",
    "DELETE FROM page_client WHERE business = :id",
    "DELETE FROM business_token WHERE business = :id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBusiness:
    """A business to be; `id` is made when absent. Times are epoch milliseconds, None for "not"."""

    name: str
    id: str | None = None
    key: str | None = None
    verified_ms: int | None = None
    review_state: ReviewState = "unreviewed"
    review_due_ms: int | None = None
    service_provider_ms: int | None = None
    vertical: str | None = None
    timezone_id: int | None = None
    primary_page: str | None = None


async def create_business(tx: Tx, ids: Ids, now_ms: int, new: NewBusiness) -> str:
    """Store a business; answers its id. Raises Duplicate when id or key is taken."""
    business = await register(tx, ids, "business", new.id)
    values: dict[str, Value] = {
        "id": business,
        "key": new.key,
        "name": new.name,
        "verified_ms": new.verified_ms,
        "review_state": new.review_state,
        "review_due_ms": new.review_due_ms,
        "service_provider_ms": new.service_provider_ms,
        "vertical": new.vertical,
        "timezone_id": new.timezone_id,
        "primary_page": new.primary_page,
        "created_by": None,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
    await insert(tx, "business", "business", values, new.key or business)
    return business


async def update_business(tx: Tx, now_ms: int, business: str, **changes: Value) -> bool:
    """Set columns of a business; False when there is none. A decided review loses its due time unless one is given."""
    if "review_state" in changes:
        changes = {"review_due_ms": None} | changes
    found = await update(tx, "business", "id", business, changes, COLUMNS)
    await tx.run("UPDATE business SET updated_ms = :now WHERE id = :business", now=now_ms, business=business)
    return found


async def business_row(db: Db, business: str) -> Row | None:
    """Every column of a business by id."""
    return await db.one("SELECT * FROM business WHERE id = :business", business=business)


async def open_review(tx: Tx, business: str, due_ms: int | None) -> None:
    """Put an unreviewed business under review until `due_ms` (None: until somebody decides)."""
    await tx.run(
        "UPDATE business SET review_state = 'pending', review_due_ms = :due"
        " WHERE id = :business AND review_state = 'unreviewed'",
        due=due_ms,
        business=business,
    )


async def close_review(tx: Tx, business: str, state: ReviewState, now_ms: int) -> None:
    """Record what a review that fell due came to."""
    await tx.run(
        "UPDATE business SET review_state = :state, review_due_ms = NULL"
        " WHERE id = :business AND review_state = 'pending' AND review_due_ms <= :now",
        state=state,
        business=business,
        now=now_ms,
    )


async def reopen_review(tx: Tx, business: str, due_ms: int | None) -> None:
    """Put an approved business under review again, because what it owns has changed."""
    await tx.run(
        "UPDATE business SET review_state = 'pending', review_due_ms = :due"
        " WHERE id = :business AND review_state = 'approved'",
        due=due_ms,
        business=business,
    )


async def set_member(tx: Tx, ids: Ids, now_ms: int, business: str, person: int, role: str | None) -> str | None:
    """Make a person a member of a business in this role, or take them out (None); answers their business-scoped id."""
    existing = await member(tx, business, person)
    if role is None:
        if existing is not None:
            await unregister(tx, existing["id"])
            await tx.run(
                "DELETE FROM business_member WHERE business = :business AND person = :person",
                business=business,
                person=person,
            )
        return None
    if existing is not None:
        await tx.run(
            "UPDATE business_member SET role = :role WHERE business = :business AND person = :person",
            role=role,
            business=business,
            person=person,
        )
        return str(existing["id"])
    member_id = await register(tx, ids, "business_user", None)
    values: dict[str, Value] = {
        "business": business, "person": person, "id": member_id, "role": role, "created_ms": now_ms,
    }  # fmt: skip
    await insert(tx, "business_user", "business_member", values, member_id)
    return member_id


async def member(db: Db, business: str, person: int) -> Row | None:
    """A person's membership of a business: id (business-scoped), role, created_ms."""
    return await db.one(
        "SELECT id, role, created_ms FROM business_member WHERE business = :business AND person = :person",
        business=business,
        person=person,
    )


async def members_of(db: Db, business: str) -> Sequence[Row]:
    """Everybody in the business: person, id, role."""
    return await db.all(
        "SELECT person, id, role FROM business_member WHERE business = :business ORDER BY person", business=business
    )


async def leave_businesses(tx: Tx, person: int) -> None:
    """Take a person out of every business; for erasure."""
    rows = await tx.all("SELECT id FROM business_member WHERE person = :person", person=person)
    for row in rows:
        await unregister(tx, row["id"])
        await tx.run("UPDATE business SET created_by = NULL WHERE created_by = :id", id=row["id"])
    await tx.run("DELETE FROM business_member WHERE person = :person", person=person)


async def delete_business_row(tx: Tx, business: str) -> None:
    """Remove a business: its assets are owned by nobody then, its members and claims are gone."""
    for row in await members_of(tx, business):
        await unregister(tx, row["id"])
    for statement in _LET_GO:
        await tx.run(statement, id=business)
    await tx.run("DELETE FROM business WHERE id = :id", id=business)
    await unregister(tx, business)
