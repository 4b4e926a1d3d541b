"""World files: what is read, what is refused and how it is said. Pure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polynym.sandbox
from polynym.sandbox.draft import dump, parse, render_yaml
from polynym.sandbox.moments import birthday_of_age, format_moment, parse_moment_ms
from polynym.sandbox.source import DEPTH_MAX, WorldFileError, read_document
from polynym.sandbox.world_file import Person, WorldFile
from tests.support.worlds import moments, worlds

NOW_MS = 1_763_757_000_000
HOUR_MS = 3_600_000
a_few_worlds = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEMO = Path(polynym.sandbox.__file__).parent / "demo.yaml"


def read(text: str, file: str = "world.yaml") -> WorldFile:
    return parse(text.encode(), file, NOW_MS)


def refused(text: str, file: str = "world.yaml") -> list[str]:
    with pytest.raises(WorldFileError) as caught:
        read(text, file)
    return str(caught.value).splitlines()


@given(worlds())
@a_few_worlds
def test_a_dumped_world_is_read_back_equal_from_json(world: WorldFile) -> None:
    assert parse(json.dumps(dump(world)).encode(), "world.json", NOW_MS) == world


@given(worlds())
@a_few_worlds
def test_a_dumped_world_is_read_back_equal_from_yaml(world: WorldFile) -> None:
    assert parse(render_yaml(world).encode(), "world.yaml", NOW_MS) == world


def test_yaml_shows_letters_of_every_script_as_they_are() -> None:
    world = WorldFile(polynym=1, people=(Person(key="p", name="ليلى 🌞 Núñez"),))
    assert "name: ليلى 🌞 Núñez" in render_yaml(world)


def test_the_demo_world_holds_the_example_of_the_id_matching_guide() -> None:
    world = parse(DEMO.read_bytes(), "demo.yaml", NOW_MS)
    apps = {app.id: app for app in world.apps}
    assert (apps["1419232575008550"].name, apps["1419232575008550"].category) == ("John's Game App", "Business")
    assert apps["259773517400382"].namespace == "johnsmovieappns"
    assert apps["259773517400382"].category is None
    page = next(page for page in world.pages if page.id == "380374449010653")
    assert (page.name, page.category) == ("John's Next Great Thing", "Musician")
    john = next(person for person in world.people if person.name == "John Smith")
    assert {login.app: login.id for login in john.apps}["game"] == "10152368852405295"
    assert {login.app: login.id for login in john.apps}["movie"] == "645195294"
    assert john.pages[0].id == "12345123"
    assert john.pages[0].wrote == NOW_MS - 2 * HOUR_MS
    assert john.payment_enabled is not None


def test_in_the_demo_world_john_wrote_to_one_page_of_his_business_and_to_a_foreign_one() -> None:
    world = parse(DEMO.read_bytes(), "demo.yaml", NOW_MS)
    owner = {page.key: page.business for page in world.pages}
    john = next(person for person in world.people if person.key == "john")
    assert [owner[contact.page] for contact in john.pages] == ["johns", "rival"]
    assert list(owner.values()).count("johns") == 2


def test_every_problem_is_said_with_file_line_and_path() -> None:
    text = """\
polynym: 1
businesses:
  - {key: b, name: B, bussiness: x}
apps:
  - key: a
    name: A
    mode: Live
    business: c
    roles: [{person: nobody, role: admin}]
  - {key: a, id: "007", name: 7}
people:
  - {key: p, name: P, apps: [{app: a, scopes: [publc_profile]}]}
  - text
colour: red
"""
    assert refused(text) == [
        "world.yaml:3: businesses[0].bussiness: unknown key",
        'world.yaml:7: apps[0].mode: expected one of development, live; found "Live"',
        'world.yaml:8: apps[0].business: there is no business with the key "c"',
        'world.yaml:9: apps[0].roles[0].person: there is no person with the key "nobody"',
        'world.yaml:10: apps[1].key: "a" is already taken on line 5',
        'world.yaml:10: apps[1].id: expected an id of 1 to 17 decimal digits, found "007"',
        "world.yaml:10: apps[1].name: expected text, found int; put it in quotes",
        "world.yaml:12: people[0].apps[0].scopes[0]: expected the name of a permission, found "
        '"publc_profile"; did you mean "public_profile"?',
        "world.yaml:13: people[1]: expected a mapping",
        "world.yaml:14: colour: unknown key",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "world.yaml: the file is empty"),
        ("a: [1", "world.yaml:2: not YAML: did not find expected ',' or ']'"),
        ("polynym: 1\na: &x 1\n", "world.yaml:2: anchors and aliases are not supported; write the value out"),
        ("polynym: !!python/name:os.system x", "world.yaml:1: unsupported tag tag:yaml.org,2002:python/name:os.system"),
        ("polynym: 1\n---\npolynym: 1\n", "world.yaml:2: a second document begins here; one is expected"),
        ("1: x", "world.yaml:1: a key must be text; put it in quotes"),
        ("[" * 100_000, "world.yaml:1: nested too deeply"),
        ("polynym: 1\npolynym: 1\n", "world.yaml:2: polynym: the key is given twice"),
        ("polynym: 2", "world.yaml:1: polynym: expected a whole number from 1 to 1, found 2"),
        ("people: []", 'world.yaml:1: "polynym" is missing'),
        ("text", "world.yaml:1: expected a mapping"),
        ("polynym: 1\npeople: {}", "world.yaml:2: people: expected a list"),
        ("polynym: 1\npeople: [{name: P}]", 'world.yaml:2: people[0]: "key" is missing'),
        ("polynym: 1\npeople: [{key: p, name: P, age: 5, birthday: '2001-01-01'}]",
         "world.yaml:2: people[0].age: give either age or birthday"),
        ("polynym: 1\npeople: [{key: p, name: P, birthday: '2001-02-30'}]",
         'world.yaml:2: people[0].birthday: there is no day "2001-02-30"'),
        ("polynym: 1\npeople: [{key: p, name: P, created: soon}]",
         "world.yaml:2: people[0].created: expected a time such as -2h, -3d or 2026-11-21T20:43:00Z"),
        ("polynym: 1\npeople: [{key: p, name: P, created: +40000d}]",
         "world.yaml:2: people[0].created: a time between 1970 and 2100 is expected"),
        ("polynym: 1\npeople: [{key: p, name: P, phones: [{number: 0123}]}]",
         "world.yaml:2: people[0].phones[0].number: expected a number in international form such as +12125552368, "
         "found int; put it in quotes"),
        ('polynym: 1\npeople: [{key: p, name: "a\\0b"}]', "world.yaml:2: people[0].name: control characters are not allowed"),
        ("polynym: 1\nbusinesses: [{key: b, name: B, id: '5'}]\napps: [{key: a, name: A, id: '5'}]",
         'world.yaml:3: apps[0].id: "5" is already taken on line 2'),
        ("polynym: 1\napps: [{key: a, name: A}]\ntokens: [{token: EAA12345678, app: a}]",
         "world.yaml: tokens[0].token: the token of an app is its id, a bar and more; others have no bar"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_clear_line(text: str, problem: str) -> None:
    assert refused(text) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "world.json:1: not JSON: expected a string in double quotes"),
        ('{"polynym": 1,\n}', "world.json:2: not JSON: expected a string in double quotes"),
        ('{"polynym": 1}\n\nx', "world.json:3: not JSON: text after the end of the document"),
        ('{"polynym": 1,\n"people": [1 2]}', "world.json:2: not JSON: expected ',' or ']'"),
        ('{"polynym" 1}', "world.json:1: not JSON: expected ':'"),
        ('{"polynym": NaN}', "world.json:1: not JSON: expected a value"),
        ("[" * 100_000, "world.json:1: nested too deeply"),
        ('{"polynym": 1,\n\n"people": [{"key": "p", "name": "\\ud800"}]}',
         "world.json:3: people[0].name: control characters are not allowed"),
    ],
)  # fmt: skip
def test_wrong_json_is_refused_with_its_line(text: str, problem: str) -> None:
    assert refused(text, "world.json") == [problem]


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(WorldFileError) as caught:
        parse(b"polynym: 1\n# \xff\n", "world.yaml", NOW_MS)
    assert str(caught.value) == "world.yaml:2: not UTF-8 text"


def test_a_problem_with_a_reference_is_said_together_with_the_others() -> None:
    assert len(refused("polynym: 1\napps: [{key: a, name: A, business: b, mode: off}]")) == 2


def test_json_and_yaml_give_the_same_world() -> None:
    text = '{"polynym": 1, "people": [{"key": "p", "name": "Zoë \\ud83c\\udf1e", "created": "-2h", "payment_enabled": true}]}'
    yaml = "polynym: 1\npeople:\n  - {key: p, name: Zoë 🌞, created: -2h, payment_enabled: yes}\n"
    assert read(text, "world.json") == read(text) == read(yaml)


def test_an_id_keeps_its_digits_whether_quoted_or_not() -> None:
    world = read('polynym: 1\npages: [{key: a, name: A, id: 10152368852405295}, {key: b, name: B, id: "645195294"}]')
    assert [page.id for page in world.pages] == ["10152368852405295", "645195294"]


def test_true_means_from_now_on_and_false_means_not() -> None:
    world = read("polynym: 1\nbusinesses: [{key: a, name: A, verified: true}, {key: b, name: B, verified: false}]")
    assert [business.verified for business in world.businesses] == [NOW_MS, None]


def test_null_means_the_default() -> None:
    world = read("polynym: 1\npeople: [{key: p, name: P, locale: null, apps: null, email: ~}]")
    person = world.people[0]
    assert (person.locale, person.apps, person.email) == ("en_US", (), None)


def test_an_age_becomes_the_birthday_of_somebody_who_turns_it_today() -> None:
    world = read("polynym: 1\npeople: [{key: p, name: P, age: 21}]")
    assert world.people[0].birthday == "2004-11-21"
    assert birthday_of_age(21, 1_709_208_000_000) == "2003-02-28"


@given(moments)
def test_a_formatted_moment_is_read_back(moment_ms: int) -> None:
    assert parse_moment_ms(format_moment(moment_ms), NOW_MS) == moment_ms


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("now", NOW_MS),
        ("-2h", NOW_MS - 2 * HOUR_MS),
        ("+1d12h", NOW_MS + 36 * HOUR_MS),
        ("1970-01-01", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.001Z", 1),
    ],
)
def test_moments_are_relative_or_iso(text: str, moment_ms: int) -> None:
    assert parse_moment_ms(text, NOW_MS) == moment_ms


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for file in ("world.yaml", "world.json"):
        try:
            read_document(data, file)
        except WorldFileError as refusal:
            assert refusal.problems  # noqa: PT017


def test_nesting_up_to_the_limit_is_read() -> None:
    text = "[" * DEPTH_MAX + "]" * DEPTH_MAX
    assert read_document(text.encode(), "a.yaml") == read_document(text.encode(), "a.json")
