"""Acts: what people do. The sandbox does it for them: write to a page, log in to an app, leave it, be erased."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity import roles
from polynym.identity import store as identity
from polynym.identity.erasure import Eraser, erase_identity, erase_person
from polynym.sandbox import lookup, store
from polynym.sandbox.load import INSTALL
from polynym.sandbox.lookup import Found
from polynym.sandbox.plane import ControlError, list_param, refuse_unknown, text_param
from polynym.tokens import acts as token_acts
from polynym.tokens import grants, issuing
from polynym.tokens.scopes import CATALOGUE

#: What a person can send, one of them at a time.
_CONTENTS: Final = ("text", "attachment", "quick_reply", "postback", "ref")
TEXT_CHARS_MAX: Final = 2_000


async def say(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """A person writes to a page: they get a page-scoped id if they have none, and the contact is dated.

    There are no messages yet, so `mid` is null and nothing but the contact (with its text) is kept.
    """
    refuse_unknown(body, "person", "psid", "page", *_CONTENTS)
    given = [name for name in _CONTENTS if body.get(name) is not None]
    if len(given) != 1:
        raise ControlError(400, f"exactly one of {', '.join(_CONTENTS)} is needed", given[1] if given else "text")
    text = _message(body) if given == ["text"] else None
    page = await lookup.find(ctx.db, "page", cast(str, text_param(body, "page")))
    person = await _speaker(ctx, body, page)

    async def write(tx: Tx) -> int:
        psid = await identity.scoped_id(tx, ctx.ids, person, page.scope)
        await store.set_contact(tx, person, page.scope, ctx.clock.now_ms(), text)
        return psid

    psid = await ctx.db.transaction(write)
    return {"psid": str(psid), "mid": None, "note": "Messages are not built yet: only the contact was noted."}


def _message(body: Mapping[str, Any]) -> str:
    text = cast(str, text_param(body, "text"))
    if len(text) > TEXT_CHARS_MAX or any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise ControlError(400, f'"text" must have at most {TEXT_CHARS_MAX} characters that can be stored', "text")
    return text


async def _speaker(ctx: Ctx, body: Mapping[str, Any], page: Found) -> int:
    """The person who acts on a page: named, or by their id there."""
    name, psid = text_param(body, "person", required=False), text_param(body, "psid", required=False)
    if (name is None) == (psid is None):
        raise ControlError(400, 'give either "person" or "psid"', "person")
    if name is not None:
        return (await lookup.find(ctx.db, "person", name)).person
    number = identity.parse_id(psid or "")
    person = None if number is None else await identity.person_by_scoped_id(ctx.db, number, page.scope)
    if person is None:
        raise ControlError(404, f'nobody has the id "{psid}" on page {page.key or page.id}', "psid")
    return person


async def log_in(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """A person logs in to an app and allows it `scopes`, those about pages only for `pages` when any are named.

    Answers the app-scoped id and a short-lived user token with everything granted so far.
    """
    refuse_unknown(body, "person", "app", "scopes", "pages")
    person = await lookup.find(ctx.db, "person", cast(str, text_param(body, "person")))
    app = await lookup.find(ctx.db, "app", cast(str, text_param(body, "app")))
    scopes = list_param(body, "scopes")
    pages = [(await lookup.find(ctx.db, "page", name)).id for name in list_param(body, "pages")]
    await _check_admitted(ctx, app, person)
    targets = {name: pages for name in scopes if pages and name in CATALOGUE and CATALOGUE[name].tasks}

    async def enter(tx: Tx) -> dict[str, Any]:
        inside = ctx.on(tx)
        asid = await identity.scoped_id(tx, ctx.ids, person.person, app.scope)
        try:
            await grants.grant(inside, person.person, app.id, scopes, targets=targets)
        except grants.UnknownScopesError as unknown:
            raise ControlError(400, str(unknown), "scopes") from None
        return {"asid": str(asid), "user_token": await issuing.issue_user_token(inside, person.person, app.id)}

    return await ctx.db.transaction(enter)


async def _check_admitted(ctx: Ctx, app: Found, person: Found) -> None:
    row = await identity.app_row(ctx.db, app.id)
    if row is None or row["mode"] != "development":
        return
    if not roles.uses_app_in_development(await identity.role_of(ctx.db, app.id, person.person)):
        message = f"app {app.key or app.id} is in development mode and {person.key or person.name} has no role on it"
        raise ControlError(409, message, "person", "give the person a role on the app, or make the app live")


async def leave(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """A person removes an app: its tokens for them die, their id there is forgotten. `left` is False when they never came."""
    refuse_unknown(body, "person", "app")
    person = await lookup.find(ctx.db, "person", cast(str, text_param(body, "person")))
    app = await lookup.find(ctx.db, "app", cast(str, text_param(body, "app")))
    left = await ctx.db.transaction(lambda tx: token_acts.deauthorize(ctx.on(tx), person.person, app.id))
    return {"left": left}


async def erase(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """A person is erased everywhere: no row that leads from any of their ids to another remains."""
    refuse_unknown(body, "person")
    person = await lookup.find(ctx.db, "person", cast(str, text_param(body, "person")))
    return {"erased": await erase_person(ctx, person.person, ERASERS)}


async def erase_sandbox(ctx: Ctx, tx: Tx, person: int) -> None:
    """This feature's eraser: contacts, kept sections, the person's name in kept installs."""
    await store.forget_contacts(tx, person=person)
    await store.forget_sections(tx, "person", str(person))
    for (_, app, external_id), content in (await store.sections(ctx, INSTALL)).items():
        if content.get("by") == person:
            await store.keep_section(ctx, INSTALL, app, external_id, content | {"by": None})


async def erase_tokens(ctx: Ctx, _tx: Tx, person: int) -> None:
    """The eraser of tokens and grants."""
    await token_acts.erased(ctx, person=person)


#: Features that depend on identity first.
ERASERS: Final[tuple[Eraser, ...]] = (erase_sandbox, erase_tokens, erase_identity)
