"""The two engines' schemas are one schema."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from polynym.core.db import Db, connect

COLUMNS = """
    SELECT t.table_name, c.column_name, upper(c.data_type) AS type, c.is_nullable, CAST(COALESCE(k.ordinal_position, 0) AS BIGINT) AS key
    FROM information_schema.tables t
    JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
    LEFT JOIN information_schema.table_constraints p
      ON p.table_schema = t.table_schema AND p.table_name = t.table_name AND p.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage k
      ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
      AND k.table_name = t.table_name AND k.column_name = c.column_name
    WHERE t.table_schema = 'public' ORDER BY t.table_name COLLATE "C", c.ordinal_position
"""


class Column(NamedTuple):
    """A column as both engines have it; `key` is its place in the primary key, 0 outside."""

    table: str
    name: str
    type: str
    nullable: bool
    key: int


async def sqlite_columns(db: Db) -> list[Column]:
    rows = await db.all(
        """
        SELECT t.name AS table_name, c.name AS column_name, upper(c.type) AS type, c."notnull" AS is_not_null, c.pk AS key
        FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name, c.cid
        """
    )
    return [
        Column(
            row["table_name"],
            row["column_name"],
            # The rowid under another name.
            "BIGINT" if row["type"] == "INTEGER" and row["key"] else row["type"],
            not row["is_not_null"],
            row["key"],
        )
        for row in rows
    ]


async def postgresql_columns(db: Db) -> list[Column]:
    rows = await db.all(COLUMNS)
    return [
        Column(row["table_name"], row["column_name"], row["type"], row["is_nullable"] == "YES", row["key"])
        for row in rows
    ]


async def test_both_engines_have_the_same_columns_in_the_same_order(
    sqlite_url: str, postgresql_url: str, features: tuple[Path, ...]
) -> None:
    sqlite, postgresql = await connect(sqlite_url), await connect(postgresql_url)
    try:
        on_sqlite, on_postgresql = await sqlite_columns(sqlite), await postgresql_columns(postgresql)
    finally:
        await sqlite.close()
        await postgresql.close()
    assert {"schema_migration", "counter", "setting"} <= {column.table for column in on_sqlite}
    assert on_sqlite == on_postgresql
    assert {column.type for column in on_sqlite} == {"TEXT", "BIGINT"}
    assert not [column for column in on_sqlite if column.nullable and column.key]


async def test_unique_constraints_are_the_same(sqlite_url: str, postgresql_url: str) -> None:
    sqlite, postgresql = await connect(sqlite_url), await connect(postgresql_url)
    try:
        on_sqlite = await sqlite.all(
            """
            SELECT t.name AS table_name, group_concat(c.name) AS columns
            FROM sqlite_master t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c
            WHERE t.type = 'table' AND i."unique" = 1 AND i.origin <> 'pk' GROUP BY t.name, i.name
            """
        )
        on_postgresql = await postgresql.all(
            """
            SELECT CAST(t.relname AS TEXT) AS table_name,
                   (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k (number, place)
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number) AS columns
            FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
            WHERE n.nspname = 'public' AND i.indisunique AND NOT i.indisprimary
            """
        )
    finally:
        await sqlite.close()
        await postgresql.close()
    assert sorted((row["table_name"], row["columns"]) for row in on_sqlite) == sorted(
        (row["table_name"], row["columns"]) for row in on_postgresql
    )
