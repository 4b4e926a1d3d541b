"""Graph API versions: which exist, until when, and what changed between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

#: (major, minor)
Version = tuple[int, int]

#: `exact` serves old semantics for ever; `fall_forward` treats a version past its date as the platform does.
Policy = Literal["exact", "fall_forward"]

_CHANGELOG = "D docs/graph-api/changelog/versions"


@dataclass(frozen=True, slots=True)
class Release:
    """One published version. `until` is the first day it can no longer be used, None while unannounced."""

    version: Version
    released: date
    until: date | None
    source: str = _CHANGELOG


def _release(version: str, released: str, until: str | None, source: str = _CHANGELOG) -> Release:
    major, _, minor = version.partition(".")
    gone = None if until is None else date.fromisoformat(until)
    return Release((int(major), int(minor)), date.fromisoformat(released), gone, source)


#: Oldest first.
RELEASES: Final = (
    _release("2.3", "2015-03-25", "2017-07-08", "K"),
    _release("2.4", "2015-07-08", "2017-10-09", "K"),
    _release("2.5", "2015-10-07", "2018-04-12", "K"),
    _release("2.6", "2016-04-12", "2018-07-13"),
    _release("2.7", "2016-07-13", "2018-10-05"),
    _release("2.8", "2016-10-05", "2019-04-18"),
    _release("2.9", "2017-04-18", "2019-07-22"),
    _release("2.10", "2017-07-18", "2019-11-07"),
    _release("2.11", "2017-11-07", "2020-01-28"),
    _release("2.12", "2018-01-30", "2020-05-05"),
    _release("3.0", "2018-05-01", "2020-07-28"),
    _release("3.1", "2018-07-26", "2020-10-27"),
    _release("3.2", "2018-10-23", "2021-05-04"),
    _release("3.3", "2019-04-30", "2021-08-03"),
    _release("4.0", "2019-07-29", "2021-11-02"),
    _release("5.0", "2019-10-29", "2022-02-03"),
    _release("6.0", "2020-02-03", "2022-05-05"),
    _release("7.0", "2020-05-05", "2022-08-04"),
    _release("8.0", "2020-08-04", "2022-11-01"),
    _release("9.0", "2020-11-10", "2023-02-23"),
    _release("10.0", "2021-02-23", "2023-06-08"),
    _release("11.0", "2021-06-08", "2023-09-14"),
    _release("12.0", "2021-09-14", "2024-02-08"),
    _release("13.0", "2022-02-08", "2024-05-28"),
    _release("14.0", "2022-05-25", "2024-09-17"),
    _release("15.0", "2022-09-15", "2024-11-20"),
    _release("16.0", "2023-02-02", "2025-05-14"),
    _release("17.0", "2023-05-23", "2025-09-12"),
    _release("18.0", "2023-09-12", "2026-01-26"),
    _release("19.0", "2024-01-23", "2026-05-21"),
    _release("20.0", "2024-05-21", "2026-09-24"),
    _release("21.0", "2024-10-02", "2027-01-21"),
    _release("22.0", "2025-01-21", "2027-05-20"),
    _release("23.0", "2025-05-29", "2027-10-08"),
    _release("24.0", "2025-10-08", "2028-02-18"),
    _release("25.0", "2026-02-18", "2028-07-29"),
    _release("26.0", "2026-07-29", None),
)

OLDEST: Final[Version] = RELEASES[0].version
NEWEST: Final[Version] = RELEASES[-1].version
#: What we use where nobody asked for a version: links we make, documentation, the kit.
DEFAULT: Final[Version] = NEWEST


def version_text(version: Version) -> str:
    """`(19, 0)` as `v19.0`."""
    return f"v{version[0]}.{version[1]}"


_BY_SEGMENT: Final = {version_text(release.version): release.version for release in RELEASES}


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


_UNTIL_MS: Final = {r.version: None if r.until is None else _midnight_ms(r.until) for r in RELEASES}


def parse_version(segment: str) -> Version | None:
    """The version a path segment names, or None: then the segment is a node like any other.

    Only the platform's own spelling counts: `v19.0`, not `V19.0`, `v19`, `v019.0` or a version that never
    was.
    """
    return _BY_SEGMENT.get(segment)


def at_least(version: Version, least: Version) -> bool:
    """Whether `version` is `least` or newer. Numbers compare as numbers: v2.12 is newer than v2.9."""
    return version >= least


def is_usable(version: Version, now_ms: int) -> bool:
    """Whether the platform still served this version at `now_ms`; `until` begins at midnight UTC."""
    until_ms = _UNTIL_MS[version]
    return until_ms is None or now_ms < until_ms


def oldest_usable(now_ms: int) -> Version:
    """The oldest version not yet retired at `now_ms`: what an unversioned call gets."""
    return next(version for version, until_ms in _UNTIL_MS.items() if until_ms is None or now_ms < until_ms)


def effective(requested: Version | None, policy: Policy, now_ms: int) -> Version:
    """The version a call is served by and that `facebook-api-version` reports.

    `requested` is None for a path without a version, which means the oldest usable one under either policy.
    """
    if requested is None or (policy == "fall_forward" and not is_usable(requested, now_ms)):
        return oldest_usable(now_ms)
    return requested


# --- gates ---


@dataclass(frozen=True, slots=True)
class Gate:
    """A behaviour that holds from `since` (included) up to `until` (excluded)."""

    name: str
    since: Version | None
    until: Version | None
    source: str
    text: str

    def holds(self, version: Version) -> bool:
        """Whether a call served by `version` sees the behaviour."""
        return (self.since is None or version >= self.since) and (self.until is None or version < self.until)


_GATES = (
    Gate("bare_true_results", None, (2, 2), "K", "Updates and deletions answer `true`, not `{success: true}`."),
    Gate(
        "oauth_form_text",
        None,
        (2, 3),
        "C koala fixtures",
        "/oauth/access_token answers form text, not JSON.",
    ),
    Gate("wide_default_fields", None, (2, 4), "K", "Without `fields` a node shows a wide default set."),
    Gate("id_matching", (2, 9), None, "C amuramoto/messenger-node#4", "ids_for_apps and ids_for_pages exist."),
    Gate(
        "permission_403",
        (3, 0),
        None,
        "I: both statuses observed",
        "Codes 10 and 200-299 answer 403, before 400.",
    ),
    Gate(
        "profile_fields_public",
        None,
        (3, 0),
        "K",
        "public_profile covers age_range, link, gender, locale, timezone.",
    ),
    Gate("page_perms", None, (3, 1), "K", "Pages in /me/accounts carry `perms`; later `tasks`."),
    Gate("bare_subscribed_fields", None, (3, 2), "K", "Subscriptions list field names, later {name, version}."),
    Gate("subscribed_fields_optional", None, (3, 2), "K", "POST subscribed_apps needs no subscribed_fields."),
    Gate("legacy_permissions", None, (7, 0), "I", "manage_pages and its like stand for the modern permissions."),
    Gate(
        "no_token_200",
        (18, 0),
        None,
        "I: both observed",
        "No token is (#200) Provide valid app ID, before 104.",
    ),
)

#: Every version gate by name.
GATES: Final[dict[str, Gate]] = {gate.name: gate for gate in _GATES}
