"""The same-business rule and the review, alone and against a naive model on both engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.core.db import Db
from polynym.identity import store
from polynym.identity.matching import (
    ReviewMode,
    Standing,
    Verdict,
    is_provider_call,
    matching_business,
    may_show,
    review,
    review_due_ms,
)
from polynym.identity.nodes import USER
from polynym.wire import limits
from polynym.wire.errors import GraphError

from .conftest import NOW_MS, World, rows

times = st.integers(0, 2**42)
modes: st.SearchStrategy[Any] = st.sampled_from(["instant", "delayed", "manual", "reject"])
standings = st.builds(
    Standing,
    business=st.none() | st.sampled_from(["a", "b"]),
    page=st.booleans(),
    page_business=st.none() | st.sampled_from(["a", "b"]),
    review_state=st.sampled_from(["approved", "pending", "rejected", "unreviewed"]),
    review_due_ms=st.none() | times,
    verified_ms=st.none() | times,
    service_provider_ms=st.none() | times,
    visible=st.booleans(),
)
owned = Standing("a", verified_ms=0)


@given(standings, modes, times)
def test_only_a_verified_business_that_is_no_provider_may_match(
    standing: Standing, mode: ReviewMode, now_ms: int
) -> None:
    if review(standing, mode, now_ms).allowed and standing.business is not None:
        assert standing.verified_ms is not None
        assert standing.service_provider_ms is None
        assert standing.review_state != "rejected"


@given(standings, modes, times, st.booleans(), st.none() | st.sampled_from(["a", "b"]))
def test_the_verdict_looks_at_the_business_and_not_at_the_id_or_the_page(
    standing: Standing, mode: ReviewMode, now_ms: int, visible: bool, page_business: str | None
) -> None:
    other = standing._replace(visible=visible, page=not standing.page, page_business=page_business)
    assert review(standing, mode, now_ms) == review(other, mode, now_ms)


@given(modes, times)
def test_an_unreviewed_business_waits_unless_reviews_are_instant(mode: ReviewMode, now_ms: int) -> None:
    verdict = review(owned, mode, now_ms)
    if mode == "instant":
        assert verdict == Verdict(True)
    else:
        assert verdict == Verdict(False, "open", None if mode == "manual" else now_ms + limits.REVIEW_MS)


@given(times, st.integers(-10, 10))
def test_a_review_is_over_at_the_very_instant_it_is_due(due_ms: int, delta: int) -> None:
    pending = owned._replace(review_state="pending", review_due_ms=due_ms)
    assert review(pending, "delayed", due_ms + delta) == (Verdict(True, "approve") if delta >= 0 else Verdict(False))
    assert review(pending, "reject", due_ms + delta) == (Verdict(False, "reject") if delta >= 0 else Verdict(False))


@given(modes, times)
def test_a_pending_review_without_a_due_time_waits_for_somebody(mode: ReviewMode, now_ms: int) -> None:
    assert review(owned._replace(review_state="pending"), mode, now_ms) == Verdict(False)


def test_a_business_that_nobody_owns_is_not_reviewed() -> None:
    assert review(Standing(None), "reject", 0) == Verdict(True)
    assert review_due_ms("manual", 5) is None


@given(standings, st.integers(0, 5))
def test_a_provider_call_is_one_for_somebody_elses_page(standing: Standing, served: int) -> None:
    expected = standing.page and standing.page_business != standing.business and served >= 2
    assert is_provider_call(standing, served) is expected


@given(standings)
def test_a_page_of_another_business_matches_nothing(standing: Standing) -> None:
    found = matching_business(standing)
    assert found in (None, standing.business)
    if standing.page and standing.page_business != standing.business:
        assert found is None


@given(st.none() | st.text(max_size=2), st.none() | st.text(max_size=2), st.booleans(), st.none() | st.just("tester"))
def test_an_asset_shows_to_its_owner_only(
    business: str | None, owner: str | None, development: bool, role: str | None
) -> None:
    shown = may_show(business, owner, development=development, role=role)
    assert shown is (business is not None and owner == business and (not development or role is not None))


# ------------------------------------------------------------------------------------------------ against a model

BUSINESSES, ASSETS, PEOPLE = 3, 5, 3
owners = st.lists(st.none() | st.integers(0, BUSINESSES - 1), min_size=ASSETS, max_size=ASSETS)
links = st.frozensets(st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, ASSETS - 1)))


@dataclass(frozen=True)
class Plan:
    """A world by numbers: who owns, uses, knows, develops what."""

    app_owners: list[int | None]
    page_owners: list[int | None]
    development: frozenset[int]
    roles: frozenset[tuple[int, int]]
    app_links: frozenset[tuple[int, int]]
    page_links: frozenset[tuple[int, int]]
    clients: frozenset[tuple[int, int]]


plans = st.builds(
    Plan, app_owners=owners, page_owners=owners, development=st.frozensets(st.integers(0, ASSETS - 1), max_size=2),
    roles=links, app_links=links, page_links=links,
    clients=st.frozensets(st.tuples(st.integers(0, BUSINESSES - 1), st.integers(0, ASSETS - 1)), max_size=3),
)  # fmt: skip


@dataclass
class Made:
    """The plan as rows: ids by number."""

    businesses: list[str] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    asids: dict[tuple[int, int], str] = field(default_factory=dict)
    psids: dict[tuple[int, int], str] = field(default_factory=dict)


async def make(world: World, plan: Plan) -> Made:
    made = Made()
    made.businesses = [await world.business() for _ in range(BUSINESSES)]

    def owner(number: int | None) -> str | None:
        return None if number is None else made.businesses[number]

    for number in range(ASSETS):
        mode = "development" if number in plan.development else "live"
        made.apps.append((await world.app(business=owner(plan.app_owners[number]), mode=mode)).id)
        made.pages.append((await world.page(business=owner(plan.page_owners[number]))).id)
    made.people = [await world.person() for _ in range(PEOPLE)]
    for person, app in sorted(plan.roles):
        await world.tx(lambda tx, p=person, a=app: store.set_role(tx, made.apps[a], made.people[p], "tester"))  # type: ignore[misc]
    for business, page in plan.clients:
        await world.tx(
            lambda tx, b=business, p=page: store.add_client(tx, NOW_MS, "page", made.pages[p], made.businesses[b])  # type: ignore[misc]
        )
    for person, app in sorted(plan.app_links):
        made.asids[person, app] = await world.log_in(made.people[person], made.apps[app])
    for person, page in sorted(plan.page_links):
        made.psids[person, page] = await world.write(made.people[person], made.pages[page])
    return made


def expected(plan: Plan, made: Made, person: int, app: int, page: int | None, target: str) -> list[str]:
    """The list as the rule says it, in the order in which the assets were made."""
    business = plan.app_owners[app]
    visible = app not in plan.development or (person, app) in plan.roles
    if business is None or not visible or (page is not None and plan.page_owners[page] != business):
        return []
    if target == "page":
        return [
            made.psids[person, p]
            for p in range(ASSETS)
            if plan.page_owners[p] == business and (person, p) in made.psids
        ]
    return [
        made.asids[person, a]
        for a in range(ASSETS)
        if plan.app_owners[a] == business
        and (person, a) in made.asids
        and (a not in plan.development or (person, a) in plan.roles)
    ]


def serves_two(plan: Plan, app: int, page: int) -> bool:
    """Whether the app's business works for two others, and asks with a page that is not its own."""
    business = plan.app_owners[app]
    if business is None or plan.page_owners[page] == business:
        return False
    served = {plan.page_owners[p] for b, p in plan.clients if b == business} - {None, business}
    return len(served) >= 2


async def everything(world: World, plan: Plan, made: Made) -> dict[tuple[Any, ...], list[str] | None]:
    """Every question that somebody with a token can ask; None for a refusal."""
    answers: dict[tuple[Any, ...], list[str] | None] = {}
    for target, app, person in product(("app", "page"), range(ASSETS), range(PEOPLE)):
        edge = f"ids_for_{target}s"
        if (person, app) in made.asids:
            found = await rows(world.by_app(made.apps[app]), USER, edge, made.asids[person, app])
            answers[target, app, None, person] = [row["id"] for row in found]
        page = (app + person) % ASSETS
        if (person, page) in made.psids:
            ctx = world.by_page(made.pages[page], made.apps[app])
            try:
                found = await rows(ctx, USER, edge, made.psids[person, page])
                answers[target, app, page, person] = [row["id"] for row in found]
            except GraphError:
                answers[target, app, page, person] = None
    return answers


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans)
async def test_every_list_in_every_world_is_what_the_rule_says(db: Db, plan: Plan) -> None:
    world = World(db)
    made = await make(world, plan)
    for (target, app, page, person), found in (await everything(world, plan, made)).items():
        if page is not None and serves_two(plan, app, page):
            assert found is None
        else:
            assert found == expected(plan, made, person, app, page, target)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans)
async def test_what_a_foreign_business_does_with_the_same_people_changes_no_answer(db: Db, plan: Plan) -> None:
    world = World(db)
    made = await make(world, plan)
    before = await everything(world, plan, made)
    foreign = await world.business()
    app, page = await world.app(business=foreign), await world.page(business=foreign)
    for person in made.people:
        await world.log_in(person, app.id)
        await world.write(person, page.id)
    assert await everything(world, plan, made) == before
