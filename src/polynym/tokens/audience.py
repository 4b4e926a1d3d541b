"""How many people use an app or a page: what rate limits are multiplied by."""

from __future__ import annotations

from typing import Final

from polynym.core.db import Db

#: Counting stops here: a quota for this many users is out of a process's reach.
ENOUGH: Final = 10_000

_APP: Final = """
SELECT count(*) AS users FROM (SELECT DISTINCT person FROM app_grant WHERE app = :asset LIMIT :enough) AS granted
"""
_PAGE: Final = """
SELECT count(*) AS users FROM
(SELECT 1 AS one FROM contact c JOIN page p ON p.scope = c.scope WHERE p.id = :asset LIMIT :enough) AS engaged
"""


async def users_of(db: Db, kind: str, asset: str) -> int:
    """People who granted the app (`kind` "app") or contacted the page ("page"), counted up to ENOUGH."""
    row = await db.one(_PAGE if kind == "page" else _APP, asset=asset, enough=ENOUGH)
    return row["users"] if row else 0
