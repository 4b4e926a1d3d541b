"""SQL text: names to numbers, locks away, scripts apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.sql import numbered, statements, without_locks

OPAQUE = (
    "':a'",
    "'it''s :a'",
    "E'\\':a'",
    '":a"',
    '"a""b:a"',
    "-- :a it's\n",
    "/* :a ' */",
    "$$ :a $$",
    "$tag$ :a $$ ; $tag$",
    "x::a",
    "arr[1:2]",
)


def test_names_become_numbers_in_the_order_they_appear() -> None:
    text, names = numbered("SELECT :b, :a, :b WHERE x = :a_1")
    assert text == "SELECT $1, $2, $1 WHERE x = $3"
    assert names == ("b", "a", "a_1")


@pytest.mark.parametrize("opaque", OPAQUE)
def test_literals_names_comments_and_casts_are_left_alone(opaque: str) -> None:
    text, names = numbered(f"SELECT {opaque}, :z")
    assert text == f"SELECT {opaque}, $1"
    assert names == ("z",)


@given(st.lists(st.sampled_from([*OPAQUE, ":a", ":b", "x", "=", "FOR UPDATE", ";"]), max_size=12))
def test_only_parameters_change(parts: list[str]) -> None:
    text, names = numbered(" ".join(parts))
    back = {f"${position}": f":{name}" for position, name in enumerate(names, 1)}
    numbers = {name: number for number, name in back.items()}
    assert text == " ".join(numbers.get(part, part) for part in parts)


@pytest.mark.parametrize(
    "lock",
    ["FOR UPDATE", "FOR UPDATE SKIP LOCKED", "for update nowait", "FOR NO KEY UPDATE", "FOR SHARE", "FOR UPDATE OF j"],
)
def test_lock_clauses_are_stripped(lock: str) -> None:
    assert without_locks(f"SELECT a FROM j LIMIT 3 {lock}") == "SELECT a FROM j LIMIT 3"
    assert without_locks(f"UPDATE j WHERE id IN (SELECT id FROM j\n {lock}) RETURNING id") == (
        "UPDATE j WHERE id IN (SELECT id FROM j) RETURNING id"
    )


def test_a_lock_clause_in_a_literal_stays() -> None:
    text = "SELECT 'FOR UPDATE', x -- FOR UPDATE\n FROM form_update"
    assert without_locks(text) == text


def test_a_script_falls_into_its_statements() -> None:
    script = "-- first; comment\nCREATE TABLE a (b TEXT DEFAULT ';');\n\n/* ; */ INSERT INTO a VALUES ('x');\n-- end;\n"
    assert list(statements(script)) == [
        "-- first; comment\nCREATE TABLE a (b TEXT DEFAULT ';')",
        "/* ; */ INSERT INTO a VALUES ('x')",
    ]


def test_a_script_of_comments_has_no_statements() -> None:
    assert list(statements("-- nothing;\n /* here; */ ; ;\n")) == []
