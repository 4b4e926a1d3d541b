"""The founding documents on ID matching (French and Spanish): every request, every answer, every condition they name."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.identity import store
from tests.support.demo import COFFEE, GAME, GAME_ASID, JOHNS, MOVIE, MOVIE_ASID, PSID, THING

IDS_FOR_APPS = [
    {
        "id": "10152368852405295",
        "app": {
            "category": "Business",
            "link": "https://www.facebook.com/games/?app_id=1419232575008550",
            "name": "John's Game App",
            "id": "1419232575008550",
        },
    },
    {
        "id": "645195294",
        "app": {
            "link": "https://apps.facebook.com/johnsmovieappns/",
            "name": "JohnsMovieApp",
            "namespace": "johnsmovieappns",
            "id": "259773517400382",
        },
    },
]
IDS_FOR_PAGES = [
    {
        "id": "12345123",
        "page": {
            "category": "Musician",
            "link": "https://www.facebook.com/Johns-Next-Great-Thing-380374449010653/",
            "name": "John's Next Great Thing",
            "id": "380374449010653",
        },
    }
]


def without_paging(body: dict[str, Any]) -> dict[str, Any]:
    """The answer with `paging` left out of its edges, as the documents abbreviate it; it must have been there."""
    out = dict(body)
    for edge in ("ids_for_apps", "ids_for_pages"):
        assert set(out[edge]) == {"data", "paging"}
        out[edge] = {"data": out[edge]["data"]}
    return out


@pytest.fixture
async def signed(demo) -> dict[str, str]:
    """Page token and proof, made through the app that manages the page."""
    return await demo.signed(GAME, (await demo.env())["PAGE_TOKEN"])


async def test_an_app_reads_the_linked_ids_of_its_user_as_in_the_first_example(demo):
    token = await demo.app_token(MOVIE)
    reply = await demo.client.get("/645195294", fields="name,age_range,ids_for_apps,ids_for_pages", access_token=token)
    assert reply.status == 200
    assert without_paging(reply.json()) == {
        "name": "John Smith",
        "age_range": {"min": 21},
        "ids_for_apps": {"data": IDS_FOR_APPS},
        "ids_for_pages": {"data": IDS_FOR_PAGES},
        "id": "645195294",
    }


async def test_a_bot_reads_the_linked_ids_of_its_person_as_in_the_second_example(demo, signed):
    reply = await demo.client.get("/12345123", fields="name,is_payment_enabled,ids_for_apps,ids_for_pages", **signed)
    assert reply.status == 200
    # The document prints the id of its first example here; see docs/decisions/0002.
    assert without_paging(reply.json()) == {
        "name": "John Smith",
        "is_payment_enabled": True,
        "ids_for_apps": {"data": IDS_FOR_APPS},
        "ids_for_pages": {"data": IDS_FOR_PAGES},
        "id": "12345123",
    }


async def test_case_1_a_psid_leads_to_the_ids_for_all_apps_of_the_business(demo, signed):
    reply = await demo.client.get(f"/{PSID}/ids_for_apps", **signed)
    assert reply.json()["data"] == IDS_FOR_APPS


async def test_case_1_a_psid_leads_to_the_id_for_one_app(demo, signed):
    reply = await demo.client.get(f"/{PSID}/ids_for_apps", app=MOVIE, **signed)
    assert reply.json()["data"] == IDS_FOR_APPS[1:]


async def test_case_2_an_asid_leads_to_the_ids_for_all_bots_of_the_business(demo):
    signed_app = await demo.signed(GAME, await demo.app_token(GAME))
    reply = await demo.client.get(f"/{GAME_ASID}/ids_for_pages", **signed_app)
    assert reply.json()["data"] == IDS_FOR_PAGES


async def test_case_2_an_asid_leads_to_the_id_for_one_bot(demo):
    signed_app = await demo.signed(GAME, await demo.app_token(GAME))
    reply = await demo.client.get(f"/{GAME_ASID}/ids_for_pages", page=THING, **signed_app)
    assert reply.json()["data"] == IDS_FOR_PAGES


async def test_case_2_needs_the_proof(demo):
    reply = await demo.client.get(f"/{GAME_ASID}/ids_for_pages", access_token=await demo.app_token(GAME))
    assert reply.error["message"] == "API calls from the server require an appsecret_proof argument"


async def test_case_3_an_asid_leads_to_the_ids_for_all_apps_without_a_proof(demo):
    reply = await demo.client.get(f"/{MOVIE_ASID}/ids_for_apps", access_token=await demo.app_token(MOVIE))
    assert reply.json()["data"] == IDS_FOR_APPS


async def test_case_3_an_asid_leads_to_the_id_for_one_app(demo):
    reply = await demo.client.get(f"/{MOVIE_ASID}/ids_for_apps", app=GAME, access_token=await demo.app_token(MOVIE))
    assert reply.json()["data"] == IDS_FOR_APPS[:1]


async def test_case_4_a_psid_leads_to_the_ids_for_all_pages(demo, signed):
    reply = await demo.client.get(f"/{PSID}/ids_for_pages", **signed)
    assert reply.json()["data"] == IDS_FOR_PAGES


@pytest.mark.parametrize("parameter", ["page", "app"])
async def test_case_4_a_psid_leads_to_the_id_for_one_page_even_under_the_documents_parameter_name(
    demo, signed, parameter
):
    reply = await demo.client.get(f"/{PSID}/ids_for_pages", **{parameter: THING}, **signed)
    assert reply.json()["data"] == IDS_FOR_PAGES


@pytest.mark.parametrize("edge", ["ids_for_apps", "ids_for_pages"])
async def test_a_page_token_needs_the_proof(demo, edge, signed):
    reply = await demo.client.get(f"/{PSID}/{edge}", access_token=signed["access_token"])
    assert reply.error["message"] == "API calls from the server require an appsecret_proof argument"


async def test_an_app_without_the_person_is_absent(demo):
    world = demo.world
    new = store.NewApp(name="Third", business=JOHNS)
    made = await world.db.transaction(lambda tx: store.create_app(tx, world.ids, world.keyring, 0, new))
    reply = await demo.client.get(f"/{MOVIE_ASID}/ids_for_apps", access_token=await demo.app_token(MOVIE))
    assert made.id not in [each["app"]["id"] for each in reply.json()["data"]]


async def test_the_second_page_appears_once_the_person_writes_to_it(demo, signed):
    john = await demo.world.db.one("SELECT person FROM person WHERE key = 'john'")
    coffee = await demo.world.db.one("SELECT scope FROM page WHERE id = :id", id=COFFEE)
    ids = demo.world.ids
    made = await demo.world.db.transaction(lambda tx: store.scoped_id(tx, ids, john["person"], coffee["scope"]))
    reply = await demo.client.get(f"/{PSID}/ids_for_pages", **signed)
    assert [(each["id"], each["page"]["id"]) for each in reply.json()["data"]] == [(PSID, THING), (str(made), COFFEE)]


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        ("fr_FR", "(#200) L’accès de votre entreprise à cette API est actuellement en cours de vérification"),
        ("es_ES", "(#200) Tu empresa está en fase de revisión para acceder a esta API"),
        ("en_US", "(#200) Your business is currently under review for access to this API"),
    ],
)
async def test_a_business_under_review_is_told_so_in_the_documents_words(demo, signed, locale, message):
    await demo.world.db.run(
        "UPDATE business SET review_state = 'pending', review_due_ms = NULL WHERE id = :id", id=JOHNS
    )
    reply = await demo.client.get(f"/{PSID}/ids_for_apps", locale=locale, **signed)
    assert reply.error["message"] == message
    assert reply.code == (403, 200, None)


async def test_a_service_provider_for_several_clients_is_refused(demo, signed):
    await demo.world.db.run("UPDATE business SET service_provider_ms = 1 WHERE id = :id", id=JOHNS)
    reply = await demo.client.get(f"/{PSID}/ids_for_apps", **signed)
    assert reply.code == (403, 200, None)
