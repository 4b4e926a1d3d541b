"""Rows that only a sandbox has (sections kept for later features, contacts), and the columns that only a world file sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Row, Tx, Value

_IN_MAX: Final = 500


async def keep_section(ctx: Ctx, kind: str, entity: str, section: str, content: Any) -> None:
    """Store what a world file says under `section` of an entity, sealed; None or something empty forgets it."""
    await ctx.db.run(
        "DELETE FROM world_section WHERE kind = :kind AND entity = :entity AND section = :section",
        kind=kind,
        entity=entity,
        section=section,
    )
    if not content:
        return
    text = msgspec.json.encode(content).decode()
    await ctx.db.run(
        "INSERT INTO world_section (kind, entity, section, content) VALUES (:kind, :entity, :section, :content)",
        kind=kind,
        entity=entity,
        section=section,
        content=ctx.keyring.seal(text, _section_context(kind, entity, section)),
    )


async def sections(ctx: Ctx, kind: str | None = None, entity: str | None = None) -> dict[tuple[str, str, str], Any]:
    """Kept sections by (kind, entity, section), of everything or of one kind or entity."""
    rows = await ctx.db.all(
        "SELECT kind, entity, section, content FROM world_section"
        " WHERE (CAST(:kind AS TEXT) IS NULL OR kind = :kind) AND (CAST(:entity AS TEXT) IS NULL OR entity = :entity)"
        " ORDER BY kind, entity, section",
        kind=kind,
        entity=entity,
    )
    return {
        (row["kind"], row["entity"], row["section"]): msgspec.json.decode(
            ctx.keyring.open(row["content"], _section_context(row["kind"], row["entity"], row["section"]))
        )
        for row in rows
    }


def _section_context(kind: str, entity: str, section: str) -> str:
    return f"world:{kind}:{entity}:{section}"


async def forget_sections(tx: Tx, kind: str, entity: str) -> None:
    """Forget everything kept about an entity."""
    await tx.run("DELETE FROM world_section WHERE kind = :kind AND entity = :entity", kind=kind, entity=entity)


async def set_contact(tx: Tx, person: int, scope: int, wrote_ms: int, message: str | None) -> None:
    """Note that a person wrote to a page."""
    await tx.run(
        "INSERT INTO contact (person, scope, wrote_ms, message) VALUES (:person, :scope, :wrote_ms, :message)"
        " ON CONFLICT (person, scope) DO UPDATE SET wrote_ms = excluded.wrote_ms, message = excluded.message",
        person=person,
        scope=scope,
        wrote_ms=wrote_ms,
        message=message,
    )


async def forget_contacts(tx: Tx, *, person: int | None = None, scope: int | None = None) -> None:
    """Forget the contacts of a person, with a page, or of the one with the other."""
    await tx.run(
        "DELETE FROM contact WHERE (CAST(:person AS BIGINT) IS NULL OR person = :person)"
        " AND (CAST(:scope AS BIGINT) IS NULL OR scope = :scope)",
        person=person,
        scope=scope,
    )


async def fix_member(tx: Tx, business: str, person: int, member_id: str) -> None:
    """Give a member the business-scoped user id that a world file says; the caller knows that it is free."""
    await tx.run(
        "UPDATE object SET id = :id WHERE id ="
        " (SELECT id FROM business_member WHERE business = :business AND person = :person)",
        id=member_id,
        business=business,
        person=person,
    )
    await tx.run(
        "UPDATE business_member SET id = :id WHERE business = :business AND person = :person",
        id=member_id,
        business=business,
        person=person,
    )


async def add_claim(tx: Tx, now_ms: int, values: Mapping[str, Value]) -> None:
    """Store a waiting claim with its fixed id."""
    await tx.run(
        "INSERT INTO business_claim (id, business, kind, asset, access, tasks, created_ms)"
        " VALUES (:id, :business, :kind, :asset, :access, :tasks, :now_ms)",
        now_ms=now_ms,
        **values,
    )


async def add_business_tokens(tx: Tx, rows: Sequence[Mapping[str, Value]]) -> None:
    """Store token_for_business values: person, business, token."""
    await tx.many("INSERT INTO business_token (person, business, token) VALUES (:person, :business, :token)", rows)


async def replace_business_tokens(tx: Tx, person: int, rows: Sequence[Mapping[str, Value]]) -> None:
    """Make these the person's only token_for_business values."""
    await tx.run("DELETE FROM business_token WHERE person = :person", person=person)
    await add_business_tokens(tx, rows)


async def set_client_token(tx: Tx, app: str, sealed: str) -> None:
    """Replace an app's sealed client token."""
    await tx.run("UPDATE app SET client_token_sealed = :sealed WHERE id = :app", sealed=sealed, app=app)


async def set_owner_time(tx: Tx, table: str, asset: str, since_ms: int) -> None:
    """Set since when an app or page has its owner; `table` is app or page."""
    sql = f"UPDATE {table} SET business_since_ms = :since_ms WHERE id = :asset AND business IS NOT NULL"  # noqa: S608
    await tx.run(sql, since_ms=since_ms, asset=asset)


async def scoped_ids(db: Db, person: int) -> tuple[Sequence[Row], Sequence[Row]]:
    """A person's ids in apps and for pages: id, scope, asset, name."""
    apps = await db.all(
        "SELECT m.id, m.scope, a.id AS asset, a.name FROM person_scope m JOIN app a ON a.scope = m.scope"
        " WHERE m.person = :person ORDER BY m.scope",
        person=person,
    )
    pages = await db.all(
        "SELECT m.id, m.scope, p.id AS asset, p.name FROM person_scope m JOIN page p ON p.scope = m.scope"
        " WHERE m.person = :person ORDER BY m.scope",
        person=person,
    )
    return apps, pages


async def set_times(tx: Tx, table: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """Set `created_ms` of rows of person, app, page or business; `table` is one of these names."""
    key = "person" if table == "person" else "id"
    await tx.many(f"UPDATE {table} SET created_ms = :created_ms WHERE {key} = :key", rows)  # noqa: S608


async def finish_business(
    tx: Tx, business: str, primary_page: str | None, created_by: str | None, updated_ms: int
) -> None:
    """Set what needs the pages and members to exist first."""
    await tx.run(
        "UPDATE business SET primary_page = :primary_page, created_by = :created_by, updated_ms = :updated_ms"
        " WHERE id = :business",
        primary_page=primary_page,
        created_by=created_by,
        updated_ms=updated_ms,
        business=business,
    )


async def set_login_time(tx: Tx, person: int, app: str, at_ms: int) -> None:
    """Date what a person allowed an app."""
    await tx.run(
        "UPDATE app_grant SET granted_ms = :at_ms WHERE person = :person AND app = :app",
        at_ms=at_ms,
        person=person,
        app=app,
    )


async def set_token_time(tx: Tx, hash_: str, issued_ms: int) -> None:
    """Date a token."""
    await tx.run("UPDATE token SET issued_ms = :issued_ms WHERE hash = :hash", issued_ms=issued_ms, hash=hash_)


async def existing(db: Db, table: str, column: str, values: Sequence[Value]) -> list[Value]:
    """Which of `values` the column has already. `table` and `column` are constants of this package."""
    found: list[Value] = []
    for start in range(0, len(values), _IN_MAX):
        part = values[start : start + _IN_MAX]
        marks = ", ".join(f":v{index}" for index in range(len(part)))
        sql = f"SELECT {column} AS value FROM {table} WHERE {column} IN ({marks})"  # noqa: S608
        rows: Sequence[Row] = await db.all(sql, **{f"v{index}": value for index, value in enumerate(part)})
        found += [row["value"] for row in rows]
    return found


async def setting(db: Db, name: str, proposed: str) -> str:
    """A fact of this installation; `proposed` becomes it when there is none."""
    await db.run(
        "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
        name=name,
        value=proposed,
    )
    row = await db.one("SELECT value FROM setting WHERE name = :name", name=name)
    assert row is not None
    return str(row["value"])


async def is_empty(db: Db) -> bool:
    """Whether nobody and nothing lives in this database yet."""
    row = await db.one(
        "SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM object) OR EXISTS(SELECT 1 FROM world_section) AS found"
    )
    return row is not None and not row["found"]
