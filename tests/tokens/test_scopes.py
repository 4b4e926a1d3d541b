"""Which scopes a token may carry, and what a page token inherits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polynym.identity.roles import PAGE_TASKS
from polynym.tokens.scopes import (
    CATALOGUE,
    all_tasks,
    fitting,
    known,
    lists_page,
    page_scopes,
    page_targets,
    taken_away,
)

NAMES = st.sets(st.sampled_from(sorted(CATALOGUE)))
TASKS = st.sets(st.sampled_from(PAGE_TASKS))
PAGE = "380374449010653"
TARGETS = st.dictionaries(st.sampled_from(sorted(CATALOGUE)), st.sets(st.sampled_from([PAGE, "1", "2"])))


def test_every_permission_says_what_it_gates_and_where_that_is_written() -> None:
    assert all(permission.gates and permission.source and permission.kinds for permission in CATALOGUE.values())


def test_legacy_permissions_stand_for_modern_ones_only() -> None:
    for permission in CATALOGUE.values():
        assert not any(CATALOGUE[name].legacy for name in permission.replaced_by)


def test_manage_pages_brings_what_replaced_it_before_v7() -> None:
    asked, unknown = known(["manage_pages", "page_messaging"], (6, 0))
    assert {"manage_pages", "pages_show_list", "pages_manage_metadata", "pages_messaging"} <= asked
    assert unknown == ()


def test_manage_pages_is_no_permission_since_v7() -> None:
    assert known(["manage_pages", "email"], (7, 0)) == (frozenset(["email"]), ("manage_pages",))


def test_invented_names_are_reported_in_order() -> None:
    assert known(["b", "email", "a"])[1] == ("b", "a")


def test_public_profile_is_not_for_system_users() -> None:
    assert fitting(["public_profile", "pages_messaging", "nonsense"], "system_user") == {"pages_messaging"}


def test_a_page_token_does_not_carry_what_is_about_the_person() -> None:
    assert page_scopes(["email", "user_birthday", "pages_messaging"], {}, PAGE, ["MANAGE"]) == {"pages_messaging"}


def test_an_analyst_does_not_get_messaging_for_the_page() -> None:
    granted = ["pages_messaging", "read_insights", "pages_show_list"]
    assert page_scopes(granted, {}, PAGE, ["ANALYZE"]) == {"read_insights", "pages_show_list"}


def test_a_moderator_answers_messages() -> None:
    assert page_scopes(["pages_messaging"], {}, PAGE, ["MODERATE"]) == {"pages_messaging"}


def test_full_control_of_a_new_page_is_manage() -> None:
    assert "CREATE_CONTENT" in all_tasks(["PROFILE_PLUS_FULL_CONTROL"])


def test_a_scope_limited_to_other_pages_is_not_inherited() -> None:
    assert page_scopes(["pages_messaging"], {"pages_messaging": ["1"]}, PAGE, ["MANAGE"]) == frozenset()


@given(NAMES, TARGETS, TASKS)
def test_a_page_token_never_has_more_than_the_person_granted(granted, targets, tasks) -> None:
    assert page_scopes(granted, targets, PAGE, tasks) <= granted


@given(NAMES, TARGETS, TASKS, TASKS)
def test_more_tasks_never_take_a_scope_away(granted, targets, tasks, more) -> None:
    assert page_scopes(granted, targets, PAGE, tasks) <= page_scopes(granted, targets, PAGE, tasks | more)


@given(NAMES, TARGETS)
def test_without_a_task_a_page_token_has_no_scope(granted, targets) -> None:
    assert page_scopes(granted, targets, PAGE, []) == frozenset()


@given(NAMES, TARGETS, TASKS)
def test_narrowing_twice_is_narrowing_once(granted, targets, tasks) -> None:
    once = page_scopes(granted, targets, PAGE, tasks)
    assert page_scopes(once, {}, PAGE, tasks) == once


@given(TASKS)
def test_including_tasks_is_idempotent_and_loses_none(tasks) -> None:
    assert all_tasks(all_tasks(tasks)) == all_tasks(tasks) >= tasks


@given(NAMES)
def test_taking_a_permission_back_takes_what_asking_for_it_gave(names) -> None:
    for name in names:
        assert taken_away(name) == known([name])[0]


def test_listing_pages_needs_pages_show_list_for_that_page() -> None:
    assert lists_page(["pages_show_list"], {}, PAGE)
    assert lists_page(["pages_show_list"], {"pages_show_list": [PAGE]}, PAGE)
    assert not lists_page(["pages_show_list"], {"pages_show_list": []}, PAGE)
    assert not lists_page(["pages_messaging"], {}, PAGE)


def test_the_page_picker_limits_permissions_about_pages_only() -> None:
    assert page_targets(["email", "pages_messaging", "business_management"], ["2", "1"]) == {
        "pages_messaging": ("1", "2")
    }
