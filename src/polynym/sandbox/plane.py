"""Plane: what the control plane is given to work on, and the one error it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from polynym.core.clock import Clock
from polynym.core.config import Config
from polynym.core.ctx import Caller, Ctx
from polynym.core.db import Db


class Authenticating(Protocol):
    """Where tokens are recognised."""

    async def authenticate(self, db: Db, token: str) -> Caller:
        """The caller of a living token."""


class Host(Protocol):
    """The running world, as the control plane sees it."""

    @property
    def config(self) -> Config:
        """Its settings."""

    @property
    def db(self) -> Db:
        """Its database."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def authenticator(self) -> Authenticating:
        """Its tokens."""

    @property
    def sandbox(self) -> bool:
        """Whether people can be acted for and time bent here."""

    def ctx(self) -> Ctx:
        """A fresh context without a caller."""


class ControlError(Exception):
    """An answer of the control plane that is no success: 400, 401, 404, 409 (421 for a foreign Host, 503 for no database).

    `param` names what the caller sent wrong, `hint` says what would be right.
    """

    def __init__(self, status: int, message: str, param: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.hint = hint
        self.more: Mapping[str, Any] = {}

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"message": str(self), "param": self.param, "hint": self.hint, **self.more}}


def text_param(body: Mapping[str, Any], name: str, *, required: bool = True) -> str | None:
    """A text from a body. Raises ControlError when it is missing (if required) or no text."""
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise ControlError(400, f'"{name}" must be text' if value is not None else f'"{name}" is missing', name)
    return value


def list_param(body: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts from a body, empty when absent. Raises ControlError."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ControlError(400, f'"{name}" must be a list of texts', name)
    return value


def refuse_unknown(body: Mapping[str, Any], *known: str) -> None:
    """Raise ControlError for a key that is not `known`."""
    for name in body:
        if name not in known:
            raise ControlError(400, f'"{name[:80]}" is not known here', name[:80], f"known: {', '.join(known)}")
