"""Whose ids may be shown to whom: the same-business rule, and whether a business may ask at all. Pure.

ID matching links ids inside one business and nowhere else. What counts is who *owns* the caller's app (and, for a page
token, the page) and who owns the asset, at the moment of the read. A shared asset is not owned, so it never counts.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from polynym.identity import roles
from polynym.wire import limits

ReviewMode = Literal["instant", "delayed", "manual", "reject"]
ReviewState = Literal["approved", "pending", "rejected", "unreviewed"]
Change = Literal["open", "approve", "reject"]

#: Using the assets of this many other businesses makes a business a service provider (contract graph 6.5).
CLIENTS_OF_A_PROVIDER: Final = 2


class Standing(NamedTuple):
    """A caller as far as ID matching cares: who owns its app and page, and how that business stands.

    `business` owns the app, `page_business` the page of a page token (`page` tells whether there is one); None for
    nobody. Times are epoch milliseconds. `visible` is False when the caller's app is in development mode and the person
    has no role on it.
    """

    business: str | None
    page: bool = False
    page_business: str | None = None
    review_state: ReviewState = "unreviewed"
    review_due_ms: int | None = None
    verified_ms: int | None = None
    service_provider_ms: int | None = None
    visible: bool = True


class Verdict(NamedTuple):
    """Whether the business may match ids now, and what this call makes of its review (`due_ms` goes with "open")."""

    allowed: bool
    change: Change | None = None
    due_ms: int | None = None


_ALLOWED: Final = Verdict(True)


def review(standing: Standing, mode: ReviewMode, now_ms: int) -> Verdict:
    """Judge the business that owns the caller's app, and only it: the verdict must not depend on the id asked for.

    A caller without a business has nothing to review; its lists are empty anyway. A review ends at the very instant
    it is due. The first call of an unreviewed business opens the review, unless the mode is instant.
    """
    if standing.business is None:
        return _ALLOWED
    if standing.service_provider_ms is not None or standing.verified_ms is None:
        return Verdict(False)
    if standing.review_state == "approved":
        return _ALLOWED
    if standing.review_state == "rejected":
        return Verdict(False)
    if standing.review_state == "pending":
        return _pending(standing, mode, now_ms)
    if mode == "instant":
        return Verdict(True)
    return Verdict(False, "open", review_due_ms(mode, now_ms))


def _pending(standing: Standing, mode: ReviewMode, now_ms: int) -> Verdict:
    if standing.review_due_ms is None or now_ms < standing.review_due_ms:
        return Verdict(False)
    if mode == "reject":
        return Verdict(False, "reject")
    return Verdict(True, "approve")


def review_due_ms(mode: ReviewMode, now_ms: int) -> int | None:
    """When a review that begins now decides itself; None when somebody must decide."""
    return None if mode == "manual" else now_ms + limits.REVIEW_MS


def is_provider_call(standing: Standing, businesses_served: int) -> bool:
    """Whether a business that works for several others asks on behalf of one: with the token of a page it does not own.

    `businesses_served` is how many other businesses own something that it uses as a client.
    """
    return standing.page and standing.page_business != standing.business and businesses_served >= CLIENTS_OF_A_PROVIDER


def matching_business(standing: Standing) -> str | None:
    """The business whose assets may be shown to this caller; None when no asset may."""
    if not standing.visible:
        return None
    if standing.page and standing.page_business != standing.business:
        return None
    return standing.business


def may_show(business: str | None, owner: str | None, *, development: bool, role: str | None) -> bool:
    """Whether an asset of `owner` belongs in a list for `business`.

    An app in development mode and a person without a role on it do not see each other; pages have no such mode.
    """
    if business is None or owner != business:
        return False
    return not development or roles.uses_app_in_development(role)
