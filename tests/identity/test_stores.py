"""Apps, pages, businesses and people as rows: made, refused, changed, removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from polynym.identity import store
from polynym.identity.store import NewApp, NewPerson, Phone

from .conftest import GAME, GAME_ASID, JOHNS, KEYRING, MOVIE, NOW_MS, RIVAL, THING, World


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("app", {"id": GAME}), ("app", {"id": JOHNS}), ("app", {"id": GAME_ASID}), ("app", {"namespace": "johnsmovieappns"}),
        ("page", {"id": THING}), ("page", {"id": GAME}), ("page", {"username": "thing"}),
        ("business", {"id": RIVAL}), ("business", {"key": "johns"}),
        ("person", {"key": "john"}), ("person", {"email": "john@example.com"}),
    ],
)  # fmt: skip
async def test_what_is_taken_is_refused_and_leaves_nothing_behind(
    world: World, kind: str, taken: dict[str, str]
) -> None:
    before = await counts(world)
    with pytest.raises(store.Duplicate):
        await getattr(world, kind)(**taken)
    assert await counts(world) == before


async def counts(world: World) -> list[int]:
    found = []
    for table in ("object", "scope", "app", "page", "business", "person"):
        row = await world.db.one(f"SELECT COUNT(*) AS number FROM {table}")
        assert row is not None
        found.append(row["number"])
    return found


async def test_ids_keys_and_secrets_are_made_when_absent(world: World) -> None:
    app, page = await world.app(), await world.page()
    business = await world.business()
    assert len({app.id, page.id, business}) == 3
    assert len(app.secret) == len(app.client_token) == 32
    row = await store.app_row(world.db, app.id)
    assert row is not None
    assert app.secret not in row["secret_sealed"]
    assert KEYRING.open(row["secret_sealed"], store.secret_context(app.id)) == app.secret
    assert KEYRING.open(row["client_token_sealed"], store.client_token_context(app.id)) == app.client_token


async def test_lists_of_an_app_come_back_as_they_went_in(world: World) -> None:
    app = await world.app(
        redirect_uris=("http://127.0.0.1:*/*", "https://é.example/"), permissions={"email": "standard"}
    )
    row = await store.app_row(world.db, app.id)
    assert row is not None
    assert store.list_of_text(row["redirect_uris"]) == ["http://127.0.0.1:*/*", "https://é.example/"]
    assert store.list_of_text(row["app_domains"]) == []
    assert await store.permissions_of(world.db, app.id) == {"email": "standard"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("John Smith", ("John", None, "Smith")), ("Carlos Núñez Ibáñez", ("Carlos", "Núñez", "Ibáñez")),
        ("Cher", ("Cher", None, None)), ("ليلى حداد", ("ليلى", None, "حداد")), ("", ("", None, None)),
    ],
)  # fmt: skip
def test_a_name_falls_into_parts(name: str, parts: tuple[Any, ...]) -> None:
    assert store.split_name(name) == parts


async def test_given_name_parts_win_over_derived_ones(world: World) -> None:
    person = await world.person(name="Ludwig van Beethoven", first_name="Ludwig", last_name="van Beethoven")
    row = await store.person_row(world.db, person)
    assert row is not None
    assert (row["first_name"], row["middle_name"], row["last_name"]) == ("Ludwig", None, "van Beethoven")
    await world.tx(lambda tx: store.update_person(tx, person, name="Ada King Lovelace"))
    row = await store.person_row(world.db, person)
    assert row is not None
    assert (row["first_name"], row["middle_name"], row["last_name"]) == ("Ada", "King", "Lovelace")


async def test_a_changed_email_must_be_free(world: World) -> None:
    with pytest.raises(store.Duplicate):
        await world.tx(lambda tx: store.update_person(tx, world.owner, email="john@example.com"))
    assert await world.tx(lambda tx: store.update_person(tx, world.john, email="john@example.com"))


async def test_only_known_columns_change(world: World) -> None:
    with pytest.raises(KeyError):
        await world.tx(lambda tx: store.update_app(tx, GAME, secret_sealed="x"))
    assert await world.tx(lambda tx: store.update_app(tx, GAME))
    assert not await world.tx(lambda tx: store.update_app(tx, "1", name="x"))
    assert not await world.tx(lambda tx: store.update_page(tx, "1"))


async def test_many_people_keep_their_order_and_phones(world: World) -> None:
    new = [NewPerson(name=f"P {n}", phones=(Phone(f"+1{n:010}", NOW_MS),)) for n in range(30)]
    people = await world.tx(lambda tx: store.create_people(tx, NOW_MS, new))
    for person, each in zip(people, new, strict=True):
        row = await store.person_row(world.db, person)
        assert row is not None
        assert row["name"] == each.name
        assert [dict(phone) for phone in await store.phones_of(world.db, person)] == [asdict(p) for p in each.phones]
    assert await world.person() == people[-1] + 1


async def test_tasks_are_stored_with_what_they_imply(world: World) -> None:
    await world.tx(lambda tx: store.set_tasks(tx, THING, world.owner, ["CREATE_CONTENT"]))
    expected = ("ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MESSAGING")
    assert await store.tasks_of(world.db, THING, world.owner) == expected
    await world.tx(lambda tx: store.set_tasks(tx, THING, world.owner, []))
    assert await store.people_of(world.db, THING) == []


async def test_roles_are_one_for_each_person(world: World) -> None:
    await world.tx(lambda tx: store.set_role(tx, GAME, world.owner, "tester"))
    await world.tx(lambda tx: store.set_role(tx, GAME, world.owner, "admin"))
    assert await store.role_of(world.db, GAME, world.owner) == "admin"
    await world.tx(lambda tx: store.set_role(tx, GAME, world.owner, None))
    assert await store.roles_of(world.db, GAME) == []


async def test_a_member_keeps_one_business_scoped_id(world: World) -> None:
    async def member(role: str | None) -> str | None:
        return await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.owner, role))

    first = await member("EMPLOYEE")
    assert first is not None
    assert await member("ADMIN") == first
    assert await store.kind_of(world.db, first) == "business_user"
    assert await member(None) is None
    assert await store.kind_of(world.db, first) is None
    assert await member("ADMIN") != first


async def test_a_new_owner_is_no_client_any_more_and_all_claims_are_settled(world: World) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "page", page.id, JOHNS, ["MESSAGING"]))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", page.id, RIVAL, "owned"))
    await world.tx(lambda tx: store.set_owner(tx, NOW_MS, "page", page.id, JOHNS))
    assert await store.clients_of(world.db, "page", page.id) == []
    assert await store.claims_on(world.db, "page", page.id) == []


@pytest.mark.parametrize("access", ["owned", "client"])
async def test_an_approved_claim_takes_effect_once(world: World, access: Any) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", page.id, RIVAL, access, ["MESSAGING"]))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", page.id, RIVAL, access))
    (waiting,) = await store.claims_on(world.db, "page", page.id)
    assert await world.tx(lambda tx: store.approve_claim(tx, NOW_MS, waiting["id"]))
    assert not await world.tx(lambda tx: store.approve_claim(tx, NOW_MS, waiting["id"]))
    row = await store.page_row(world.db, page.id)
    assert row is not None
    assert row["business"] == (RIVAL if access == "owned" else None)
    assert await store.is_client(world.db, "page", page.id, RIVAL) is (access == "client")


async def test_a_declined_claim_is_gone(world: World) -> None:
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "app", GAME, RIVAL, "client"))
    (waiting,) = await store.claims_on(world.db, "app", GAME)
    assert await world.tx(lambda tx: store.decline_claim(tx, waiting["id"]))
    assert not await world.tx(lambda tx: store.decline_claim(tx, waiting["id"]))


async def test_removed_things_leave_no_scoped_id_and_no_object(world: World) -> None:
    await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.owner, "ADMIN"))
    await world.tx(lambda tx: store.delete_app_row(tx, GAME))
    await world.tx(lambda tx: store.delete_page_row(tx, THING))
    await world.tx(lambda tx: store.delete_business_row(tx, JOHNS))
    for public_id in (GAME, THING, JOHNS):
        assert await store.kind_of(world.db, public_id) is None
    gone = (world.apps[GAME].scope, world.pages[THING].scope)
    for table in ("scoped_id", "person_scope"):
        rows = await world.db.all(f"SELECT scope FROM {table}")
        assert not {row["scope"] for row in rows} & set(gone)
    movie = await store.app_row(world.db, MOVIE)
    assert movie is not None
    assert movie["business"] is None


def test_new_things_do_not_show_their_secrets() -> None:
    assert "topsecret" not in repr(NewApp(name="x", secret="topsecret", client_token="topsecret"))
