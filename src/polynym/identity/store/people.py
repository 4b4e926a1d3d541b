"""People: rows of `person` and `phone`. The internal key `person` never leaves the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from polynym.core.db import Db, Row, Tx, Value
from polynym.identity.store.rows import BULK_ROWS_MAX, Duplicate, insert, take_numbers, update

#: What a page may read of the person: everything, first and last name, the name only, nothing (two ways to say so).
Profile = Literal["full", "first_last", "name_only", "none", "denied"]

COLUMNS: Final = frozenset(
    [
        "key",
        "name",
        "first_name",
        "middle_name",
        "last_name",
        "locale",
        "timezone",
        "gender",
        "email",
        "birthday",
        "payment_enabled_ms",
        "profile",
        "password_hash",
        "session_epoch",
    ]
)
_INSERT: Final = (
    "INSERT INTO person (person, key, name, first_name, middle_name, last_name, locale, timezone, gender, email, birthday,"
    " payment_enabled_ms, profile, password_hash, session_epoch, created_ms) VALUES (:person, :key, :name, :first_name,"
    " :middle_name, :last_name, :locale, :timezone, :gender, :email, :birthday, :payment_enabled_ms, :profile,"
    " :password_hash, :session_epoch, :created_ms)"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone number in E.164 form and when the person proved it is theirs, epoch milliseconds."""

    number: str
    verified_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A person to be. Name parts derive from `name`; `birthday` is ISO `YYYY-MM-DD`; `timezone` is hours from UTC."""

    name: str
    key: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    locale: str = "en_US"
    timezone: int | None = None
    gender: str | None = None
    email: str | None = None
    birthday: str | None = None
    payment_enabled_ms: int | None = None
    profile: Profile = "full"
    password_hash: str | None = None
    phones: tuple[Phone, ...] = ()


def split_name(name: str) -> tuple[str, str | None, str | None]:
    """First, middle and last name of a full name: the first word, the last word, and what is between."""
    first, *rest = name.split() or [name]
    if not rest:
        return first, None, None
    return first, " ".join(rest[:-1]) or None, rest[-1]


async def create_person(tx: Tx, now_ms: int, new: NewPerson) -> int:
    """Store a person; answers the internal key. Raises Duplicate when key or email is taken."""
    person = await take_numbers(tx, "person")
    await insert(tx, "person", "person", _row(person, now_ms, new), new.key or new.email or new.name)
    for phone in new.phones:
        await set_phone(tx, person, phone)
    return person


async def create_people(tx: Tx, now_ms: int, new: Sequence[NewPerson]) -> range:
    """Store many people at once, for loading; their keys in order. Raises UniqueViolation for a taken key or email."""
    first = await take_numbers(tx, "person", len(new))
    people = range(first, first + len(new))
    for start in range(0, len(new), BULK_ROWS_MAX):
        part = zip(people[start : start + BULK_ROWS_MAX], new[start : start + BULK_ROWS_MAX], strict=True)
        await tx.many(_INSERT, [_row(person, now_ms, each) for person, each in part])
    phones: list[dict[str, Value]] = [
        {"person": person, "number": phone.number, "verified_ms": phone.verified_ms}
        for person, each in zip(people, new, strict=True)
        for phone in each.phones
    ]
    await tx.many("INSERT INTO phone (person, number, verified_ms) VALUES (:person, :number, :verified_ms)", phones)
    return people


def _row(person: int, now_ms: int, new: NewPerson) -> dict[str, Value]:
    first, middle, last = split_name(new.name)
    given = new.first_name is not None or new.last_name is not None
    return {
        "person": person,
        "key": new.key,
        "name": new.name,
        "first_name": new.first_name or first,
        "middle_name": new.middle_name or (None if given else middle),
        "last_name": new.last_name or (None if given else last),
        "locale": new.locale,
        "timezone": new.timezone,
        "gender": new.gender,
        "email": new.email,
        "birthday": new.birthday,
        "payment_enabled_ms": new.payment_enabled_ms,
        "profile": new.profile,
        "password_hash": new.password_hash,
        "session_epoch": 0,
        "created_ms": now_ms,
    }


async def update_person(tx: Tx, person: int, **changes: Value) -> bool:
    """Set columns of a person; False when there is none. A new name brings new name parts unless they are given too."""
    name = changes.get("name")
    if isinstance(name, str):
        first, middle, last = split_name(name)
        parts: dict[str, Value] = {"first_name": first, "middle_name": middle, "last_name": last}
        changes = parts | changes
    email = changes.get("email")
    if email is not None:
        taken = await tx.one("SELECT person FROM person WHERE email = :email", email=email)
        if taken is not None and taken["person"] != person:
            raise Duplicate("person", str(email))
    return await update(tx, "person", "person", person, changes, COLUMNS)


async def set_phone(tx: Tx, person: int, phone: Phone) -> None:
    """Add a phone number, or change when it was verified."""
    await tx.run(
        "INSERT INTO phone (person, number, verified_ms) VALUES (:person, :number, :verified_ms)"
        " ON CONFLICT (person, number) DO UPDATE SET verified_ms = excluded.verified_ms",
        person=person,
        number=phone.number,
        verified_ms=phone.verified_ms,
    )


async def replace_phones(tx: Tx, person: int, phones: Sequence[Phone]) -> None:
    """Make these the person's only phone numbers."""
    await tx.run("DELETE FROM phone WHERE person = :person", person=person)
    for phone in phones:
        await set_phone(tx, person, phone)


async def person_row(db: Db, person: int) -> Row | None:
    """Every column of a person by internal key."""
    return await db.one("SELECT * FROM person WHERE person = :person", person=person)


async def person_by_key(db: Db, key: str) -> Row | None:
    """A person by the name the world file gave it."""
    return await db.one("SELECT * FROM person WHERE key = :key", key=key)


async def phones_of(db: Db, person: int) -> Sequence[Row]:
    """The person's phone numbers: number, verified_ms."""
    return await db.all("SELECT number, verified_ms FROM phone WHERE person = :person ORDER BY number", person=person)


async def delete_person_row(tx: Tx, person: int) -> None:
    """Remove the person and phone rows; the rest of an erasure is `identity.erasure`."""
    await tx.run("DELETE FROM phone WHERE person = :person", person=person)
    await tx.run("DELETE FROM person WHERE person = :person", person=person)
