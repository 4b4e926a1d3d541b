"""Roles and tasks: who may administer, develop, test; what a task on a page brings with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: Tasks on a page that a role grants, in the platform's order (contract graph 4.7, 7.5).
MANAGE_TASKS: Final = ("ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MANAGE", "MESSAGING")
#: Everything the platform accepts as a task on a page.
PAGE_TASKS: Final = (
    *MANAGE_TASKS,
    *[
        "MODERATE_COMMUNITY",
        "MANAGE_JOBS",
        "MANAGE_LEADS",
        "PAGES_MESSAGING",
        "PAGES_MESSAGING_SUBSCRIPTIONS",
        "READ_PAGE_MAILBOXES",
        "VIEW_MONETIZATION_INSIGHTS",
        "CASHIER_ROLE",
        "GLOBAL_STRUCTURE_MANAGEMENT",
    ],
    *(
        f"PROFILE_PLUS_{name}"
        for name in [
            "ADVERTISE",
            "ANALYZE",
            "CREATE_CONTENT",
            "FACEBOOK_ACCESS",
            "FULL_CONTROL",
            "GLOBAL_STRUCTURE_MANAGEMENT",
            "MANAGE",
            "MANAGE_LEADS",
            "MESSAGING",
            "MODERATE",
            "MODERATE_DELEGATE_COMMUNITY",
            "REVENUE",
        ]
    ),
)
#: What each task includes (contract graph 7.5: MANAGE > CREATE_CONTENT > MODERATE > ADVERTISE > ANALYZE).
_IMPLIED: Final[dict[str, tuple[str, ...]]] = {
    "MANAGE": MANAGE_TASKS,
    "CREATE_CONTENT": ("MODERATE", "MESSAGING", "ADVERTISE", "ANALYZE"),
    "MODERATE": ("MESSAGING", "ADVERTISE", "ANALYZE"),
    "ADVERTISE": ("ANALYZE",),
}
#: What pages in /me/accounts carried before v3.1, by the task that stands behind each.
_PERMS: Final = (
    ("ADMINISTER", "MANAGE"),
    ("EDIT_PROFILE", "CREATE_CONTENT"),
    ("CREATE_CONTENT", "CREATE_CONTENT"),
    ("MODERATE_CONTENT", "MODERATE"),
    ("CREATE_ADS", "ADVERTISE"),
    ("BASIC_ADMIN", "ANALYZE"),
)

APP_ROLES: Final = ("admin", "developer", "tester", "insights")
BUSINESS_ROLES: Final = (
    *[
        "ADMIN",
        "EMPLOYEE",
        "DEVELOPER",
        "DEFAULT",
        "MANAGE",
        "FINANCE_EDITOR",
        "FINANCE_ANALYST",
        "FINANCE_EDIT",
        "FINANCE_VIEW",
    ],
    *["ADS_RIGHTS_REVIEWER", "PARTNER_CENTER_ADMIN", "PARTNER_CENTER_ANALYST", "PARTNER_CENTER_EDUCATION"],
)


def expand_tasks(tasks: Iterable[str]) -> tuple[str, ...]:
    """The tasks with everything they imply, each once, in the platform's order. Raises ValueError for an unknown one."""
    found: set[str] = set()
    for task in tasks:
        if task not in PAGE_TASKS:
            raise ValueError(f"{task} is not a task on a page")
        found.update((task, *_IMPLIED.get(task, ())))
    return tuple(task for task in PAGE_TASKS if task in found)


def perms_of_tasks(tasks: Iterable[str]) -> list[str]:
    """The `perms` of versions before v3.1 that stand for these tasks."""
    held = set(tasks)
    return [perm for perm, task in _PERMS if task in held]


def administers_page(tasks: Iterable[str]) -> bool:
    """Whether these tasks make somebody an admin of the page."""
    return "MANAGE" in tasks


def administers_app(role: str | None) -> bool:
    """Whether this role may change the app and decide to whom it belongs."""
    return role == "admin"


def develops_app(role: str | None) -> bool:
    """Whether this role may inspect the app's tokens and settings."""
    return role in ("admin", "developer")


def uses_app_in_development(role: str | None) -> bool:
    """Whether a person with this role and an app in development mode see each other (contract graph 11)."""
    return role in APP_ROLES


def administers_business(role: str | None) -> bool:
    """Whether this role may change what a business owns and who is in it."""
    return role in ("ADMIN", "MANAGE")
