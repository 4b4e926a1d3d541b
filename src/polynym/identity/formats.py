"""How stored values look on the wire: links, times, ages, birthdays. Pure."""

from __future__ import annotations

import unicodedata
import zlib
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote

#: Marks that only choose how the character before them looks, mostly emoji.
_VARIATIONS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
#: Age brackets as the platform gives them: lowest age, highest age (None for open).
_BRACKETS: Final = ((21, None), (18, 20), (13, 17))


def graph_time(ms: int) -> str:
    """Epoch milliseconds as the Graph writes a time: `2021-04-30T01:37:07+0000`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def app_link(app: str, namespace: str | None, link: str | None) -> str:
    """Where an app lives: its own link, or one made of its namespace, or of its id."""
    if link is not None:
        return link
    if namespace is not None:
        return f"https://apps.facebook.com/{quote(namespace, safe='')}/"
    return f"https://www.facebook.com/games/?app_id={app}"


def page_link(page: str, name: str, link: str | None) -> str:
    """Where a page lives: its own link, or its name as a slug with its id; the id alone for a name without letters."""
    if link is not None:
        return link
    slug = _quoted_slug(name)
    return f"https://www.facebook.com/{slug}-{page}/" if slug else f"https://www.facebook.com/{page}/"


@lru_cache(maxsize=4096)
def _quoted_slug(name: str) -> str:
    return quote(page_slug(name), safe="-")


def page_slug(name: str) -> str:
    """Letters and digits of every script, words joined by hyphens; apostrophes, emoji and invisible characters vanish."""
    kept = []
    for character in unicodedata.normalize("NFC", name):
        kind = unicodedata.category(character)
        if kind[0] in "LN" or (kind in ("Mn", "Mc") and character not in _VARIATIONS):
            kept.append(character)
        elif kind[0] == "Z" or kind == "Pd" or character in "\t\n\r":
            kept.append(" ")
    words = "".join(kept).split()
    # A mark that lost its letter (the keycap of an emoji) would hang on the hyphen before it.
    return "-".join(word for word in words if any(unicodedata.category(each)[0] in "LN" for each in word))


def category_id(category: str) -> str:
    """The id of a page category: the same for every page and installation."""
    return str(2 * 10**14 + zlib.crc32(category.encode()))


def age(birthday: str, now_ms: int) -> int:
    """Full years since an ISO birthday, by UTC days; who was born on 29 February has birthday on 1 March in other years."""
    born = date.fromisoformat(birthday)
    today = datetime.fromtimestamp(now_ms // 1000, UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def age_range(birthday: str | None, now_ms: int) -> dict[str, int] | None:
    """The bracket a person is in now; None without a birthday. Children below 13 count as the youngest bracket."""
    if birthday is None:
        return None
    years = age(birthday, now_ms)
    low, high = next((bracket for bracket in _BRACKETS if years >= bracket[0]), _BRACKETS[-1])
    return {"min": low} if high is None else {"max": high, "min": low}


def birthday_for_age(years: int, now_ms: int) -> str:
    """An ISO birthday that makes somebody this old today."""
    today = datetime.fromtimestamp(now_ms // 1000, UTC).date()
    if (today.month, today.day) == (2, 29):
        today = today.replace(day=28)
    return today.replace(year=today.year - years).isoformat()


def graph_birthday(birthday: str) -> str:
    """An ISO birthday as the Graph writes it: `MM/DD/YYYY`."""
    return date.fromisoformat(birthday).strftime("%m/%d/%Y")
