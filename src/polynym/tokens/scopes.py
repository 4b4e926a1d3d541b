"""Scopes: which permissions exist, what each opens, which tokens may carry it, and what a page token inherits. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from polynym.core.ctx import TokenKind
from polynym.identity.roles import MANAGE_TASKS, PAGE_TASKS, expand_tasks
from polynym.wire.versions import GATES, Version

_MINIMUM = "D documentation/facebook-login/guides/permissions; contract graph 8.5"
_SYSTEM_USER = "D docs/business-management-apis/system-users/install-apps-and-generate-tokens"

#: Targets of a grant: scope -> ids of the assets it is limited to. A scope that is not named covers all assets.
Targets = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission a person (or a business, for a system user) can grant to an app.

    `kinds` are the token kinds that may carry it. A page token carries it only while the person has one of `tasks` on the
    page; no tasks means that it is not about pages. `replaced_by` marks a legacy name and the modern set it stands for.
    """

    name: str
    gates: str
    source: str
    kinds: frozenset[TokenKind]
    tasks: frozenset[str] = frozenset()
    replaced_by: tuple[str, ...] = ()

    @property
    def legacy(self) -> bool:
        """Whether the platform dropped it with v7.0."""
        return bool(self.replaced_by)


#: Tasks of the new Pages experience and of messaging tools, and the common task each stands for (K).
_STANDS_FOR: Final[dict[str, str]] = {
    "PROFILE_PLUS_FULL_CONTROL": "MANAGE",
    "PROFILE_PLUS_FACEBOOK_ACCESS": "MANAGE",
    "PROFILE_PLUS_MANAGE": "MANAGE",
    "PROFILE_PLUS_CREATE_CONTENT": "CREATE_CONTENT",
    "PROFILE_PLUS_MODERATE": "MODERATE",
    "PROFILE_PLUS_MESSAGING": "MESSAGING",
    "PROFILE_PLUS_ADVERTISE": "ADVERTISE",
    "PROFILE_PLUS_ANALYZE": "ANALYZE",
    "PROFILE_PLUS_MANAGE_LEADS": "MANAGE_LEADS",
    "PAGES_MESSAGING": "MESSAGING",
}

_USER: Final[frozenset[TokenKind]] = frozenset(("user",))
_PERSON: Final[frozenset[TokenKind]] = frozenset(("user", "page"))
_ALL: Final[frozenset[TokenKind]] = frozenset(("user", "page", "system_user"))
_ANY_TASK: Final = frozenset(MANAGE_TASKS)


def _page(names: str, gates: str, *tasks: str) -> list[Permission]:
    return [Permission(name, gates, _MINIMUM, _ALL, frozenset(tasks) or _ANY_TASK) for name in names.split()]


def _plain(names: str, gates: str, kinds: frozenset[TokenKind], source: str = _MINIMUM) -> list[Permission]:
    return [Permission(name, gates, source, kinds) for name in names.split()]


def _legacy(name: str, gates: str, stands_for: str) -> Permission:
    return Permission(
        name, gates, "S, I: stands for the modern set before v7.0", _ALL, _ANY_TASK, tuple(stands_for.split())
    )


_PERMISSIONS: Final = (
    *_plain("public_profile", "Basic fields of a person. Always granted, cannot be declined.", _PERSON),
    *_plain("email", "The person's e-mail address.", _USER),
    *_plain("user_friends", "Friends who use the app too.", _USER),
    *_plain("user_age_range user_link user_gender user_birthday", "The person's field of the same name.", _USER),
    *_plain("user_hometown user_location", "The person's field of the same name.", _USER),
    *_plain("openid", "An OpenID Connect identity token.", _USER),
    *_page("pages_show_list", "me/accounts and page tokens."),
    *_page("pages_messaging", "Send API, profiles, conversations, thread control.", "MESSAGING"),
    *_page("pages_manage_metadata", "subscribed_apps, page settings, messenger_profile.", "MODERATE"),
    *_page("pages_read_engagement", "What a page published, and its figures."),
    *_page("pages_read_user_content", "What people posted on a page.", "MODERATE"),
    *_page("pages_manage_posts", "Publishing as a page.", "CREATE_CONTENT"),
    *_page("pages_manage_engagement", "Answering and moderating comments.", "MODERATE"),
    *_page("pages_manage_ads", "Advertisements of a page.", "ADVERTISE"),
    *_page("pages_manage_cta", "The page's call-to-action button.", "CREATE_CONTENT"),
    *_page("pages_manage_instant_articles", "Instant articles of a page.", "CREATE_CONTENT"),
    *_page(
        "pages_user_locale pages_user_timezone pages_user_gender", "A field of people who write to a page.", "MESSAGING"
    ),
    *_page("leads_retrieval", "Leads of a page's forms.", "MANAGE_LEADS", "ADVERTISE"),
    *_page("read_insights", "Insights of pages and apps.", "ANALYZE"),
    *_page("instagram_basic", "The connected Instagram account."),
    *_page("instagram_manage_messages", "Messages of the Instagram account.", "MESSAGING"),
    *_page("instagram_manage_comments", "Comments of the Instagram account.", "MODERATE"),
    *_plain("business_management", "Business node, system users, claims, a page's business.", _ALL, _SYSTEM_USER),
    *_plain("manage_business_extension", "Business Extension endpoints.", _ALL, _SYSTEM_USER),
    *_plain("ads_management ads_read", "Ad accounts.", _ALL, _SYSTEM_USER),
    *_plain("catalog_management", "Product catalogues.", _ALL, _SYSTEM_USER),
    *_plain("whatsapp_business_management whatsapp_business_messaging", "WhatsApp Business.", _ALL, _SYSTEM_USER),
    *_plain("commerce_account_manage_orders commerce_account_read_orders", "Orders of a shop.", _ALL, _SYSTEM_USER),
    *_plain(
        "commerce_account_read_reports commerce_account_read_settings",
        "A shop's reports, settings.",
        _ALL,
        _SYSTEM_USER,
    ),
    *_plain("attribution_read private_computation_access", "Measurement.", _ALL, _SYSTEM_USER),
    *_plain("publish_video", "Live video.", _ALL, _SYSTEM_USER),
    *_plain("read_audience_network_insights", "Audience Network figures.", _ALL, _SYSTEM_USER),
    _legacy(
        "manage_pages",
        "Everything about pages, before v7.0.",
        "pages_show_list pages_read_engagement pages_manage_metadata pages_read_user_content pages_manage_ads",
    ),
    _legacy("publish_pages", "Publishing as a page, before v7.0.", "pages_manage_posts pages_manage_engagement"),
    _legacy("page_messaging", "The spelling of pages_messaging in older guides.", "pages_messaging"),
    _legacy("pages_messaging_subscriptions", "Messages without a preceding one, before v7.0.", "pages_messaging"),
    _legacy("pages_messaging_phone_number", "Messages by telephone number, before v7.0.", "pages_messaging"),
)

#: Every permission by name.
CATALOGUE: Final[dict[str, Permission]] = {permission.name: permission for permission in _PERMISSIONS}

#: Always granted, never declined.
ALWAYS: Final = "public_profile"


def known(names: Iterable[str], version: Version | None = None) -> tuple[frozenset[str], tuple[str, ...]]:
    """What a request for `names` asks for, and the names that are no permissions.

    Before v7.0 (and without a version) a legacy name also asks for the modern permissions it stands for; since then it is
    no permission any more. Tokens therefore hold modern names and need no translation when they are used.
    """
    legacy_allowed = version is None or GATES["legacy_permissions"].holds(version)
    asked: set[str] = set()
    unknown: list[str] = []
    for name in names:
        permission = CATALOGUE.get(name)
        if permission is None or (permission.legacy and not legacy_allowed):
            unknown.append(name)
        else:
            asked.update((name, *permission.replaced_by))
    return frozenset(asked), tuple(unknown)


def fitting(scopes: Iterable[str], kind: TokenKind) -> frozenset[str]:
    """The scopes that a token of this kind may carry; others are left out silently, as on the platform."""
    return frozenset(name for name in scopes if name in CATALOGUE and kind in CATALOGUE[name].kinds)


def taken_away(name: str) -> frozenset[str]:
    """What goes when the person takes `name` back: a legacy permission takes along what it stood for."""
    permission = CATALOGUE.get(name)
    return frozenset((name, *permission.replaced_by)) if permission else frozenset((name,))


def all_tasks(tasks: Iterable[str]) -> frozenset[str]:
    """The tasks and everything they include or stand for."""
    named = frozenset(tasks)
    return named.union(expand_tasks(_STANDS_FOR.get(task, task) for task in named.intersection(PAGE_TASKS)))


def page_scopes(granted: Iterable[str], targets: Targets, page: str, tasks: Iterable[str]) -> frozenset[str]:
    """What a token for `page` may do: the person's granted scopes, as far as their tasks and granular targets reach (K)."""
    every = all_tasks(tasks)
    if not every:
        return frozenset()
    return frozenset(
        name
        for name in fitting(granted, "page")
        if not (needed := CATALOGUE[name].tasks)
        or (not every.isdisjoint(needed) and (name not in targets or page in targets[name]))
    )


def lists_page(granted: Collection[str], targets: Targets, page: str) -> bool:
    """Whether a token with these scopes may list `page` and ask for its token."""
    return "pages_show_list" in granted and ("pages_show_list" not in targets or page in targets["pages_show_list"])


def concerns_assets(name: str) -> bool:
    """Whether a permission can be limited to single assets (pages, businesses, ad accounts) rather than the person."""
    permission = CATALOGUE.get(name)
    return permission is not None and "system_user" in permission.kinds


def page_targets(scopes: Iterable[str], pages: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Targets that limit every permission about pages among `scopes` to these pages, as the dialog's page picker does."""
    ids = tuple(sorted(pages))
    return {name: ids for name in sorted(scopes) if name in CATALOGUE and CATALOGUE[name].tasks}
