"""Links, slugs, ages and times as the wire has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.identity import formats, roles


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("John's Next Great Thing", "Johns-Next-Great-Thing"),
        ("John\u2019s Café", "Johns-Café"),
        ("  Rock & Roll -- Club  ", "Rock-Roll-Club"),
        ("AC/DC", "ACDC"),
        ("مقهى جون", "مقهى-جون"),
        ("とても 良い", "とても-良い"),
        ("Cafe\u0301", "Café"),
        ("👋🏽 🌞", ""),
        ("1️⃣ Shop", "1-Shop"),
        ("a\u202eb\u200bc", "abc"),
        ("...", ""),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert formats.page_slug(name) == slug


def test_page_links() -> None:
    assert formats.page_link("380374449010653", "John's Next Great Thing", None) == (
        "https://www.facebook.com/Johns-Next-Great-Thing-380374449010653/"
    )
    assert formats.page_link("7", "Café", None) == "https://www.facebook.com/Caf%C3%A9-7/"
    assert formats.page_link("7", "🌞", None) == "https://www.facebook.com/7/"
    assert formats.page_link("7", "x", "https://example.com/") == "https://example.com/"


def test_app_links() -> None:
    assert formats.app_link("7", None, None) == "https://www.facebook.com/games/?app_id=7"
    assert formats.app_link("7", "name", None) == "https://apps.facebook.com/name/"
    assert formats.app_link("7", "name", "https://example.com/") == "https://example.com/"


@given(st.text())
def test_every_name_makes_an_ascii_link_that_ends_with_the_id(name: str) -> None:
    if any(0xD800 <= ord(each) <= 0xDFFF for each in name):
        return
    link = formats.page_link("7", name, None)
    assert link.isascii()
    assert link.endswith("7/")
    assert not set(link) & set(" <>\"'\\^`{|}")


@pytest.mark.parametrize(
    ("birthday", "today", "years"),
    [
        ("2000-07-15", "2026-07-14", 25), ("2000-07-15", "2026-07-15", 26), ("2004-02-29", "2025-02-28", 20),
        ("2004-02-29", "2025-03-01", 21), ("2004-02-29", "2028-02-29", 24),
    ],
)  # fmt: skip
def test_ages(birthday: str, today: str, years: int) -> None:
    now_ms = int(datetime.fromisoformat(today).replace(tzinfo=UTC).timestamp() * 1000)
    assert formats.age(birthday, now_ms) == years


@given(st.integers(0, 110), st.integers(631_152_000_000, 3_786_912_000_000))
def test_a_birthday_made_for_an_age_gives_that_age_and_its_bracket(years: int, now_ms: int) -> None:
    birthday = formats.birthday_for_age(years, now_ms)
    assert formats.age(birthday, now_ms) == years
    bracket = {"min": 21} if years > 20 else {"max": 20, "min": 18} if years > 17 else {"max": 17, "min": 13}
    assert formats.age_range(birthday, now_ms) == bracket


def test_unknown_ages_have_no_bracket() -> None:
    assert formats.age_range(None, 0) is None


def test_times_and_birthdays() -> None:
    assert formats.graph_time(1_619_746_627_999) == "2021-04-30T01:37:07+0000"
    assert formats.graph_birthday("2001-07-05") == "07/05/2001"
    assert formats.category_id("Musician") == formats.category_id("Musician") != formats.category_id("Band")


# ------------------------------------------------------------------------------------------------ roles


def test_manage_brings_every_ordinary_task() -> None:
    assert roles.expand_tasks(["MANAGE"]) == roles.MANAGE_TASKS


@given(st.lists(st.sampled_from(roles.PAGE_TASKS)))
def test_expanding_tasks_keeps_them_and_settles(tasks: list[str]) -> None:
    once = roles.expand_tasks(tasks)
    assert set(tasks) <= set(once)
    assert roles.expand_tasks(once) == once
    assert list(once) == sorted(once, key=roles.PAGE_TASKS.index)
    assert roles.administers_page(once) is ("MANAGE" in tasks)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="DANCE"):
        roles.expand_tasks(["DANCE"])


def test_old_perms_stand_for_tasks() -> None:
    assert roles.perms_of_tasks(roles.MANAGE_TASKS) == [
        "ADMINISTER", "EDIT_PROFILE", "CREATE_CONTENT", "MODERATE_CONTENT", "CREATE_ADS", "BASIC_ADMIN",
    ]  # fmt: skip
    assert roles.perms_of_tasks(["ANALYZE"]) == ["BASIC_ADMIN"]


def test_who_may_do_what() -> None:
    assert [role for role in (*roles.APP_ROLES, None) if roles.administers_app(role)] == ["admin"]
    assert [role for role in (*roles.APP_ROLES, None) if roles.develops_app(role)] == ["admin", "developer"]
    assert not roles.uses_app_in_development(None)
    assert all(roles.uses_app_in_development(role) for role in roles.APP_ROLES)
    assert [role for role in roles.BUSINESS_ROLES if roles.administers_business(role)] == ["ADMIN", "MANAGE"]
