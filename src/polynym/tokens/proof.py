"""Proof: is the appsecret_proof of a call what its token and app demand. Pure, and the same for every batch item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Any, Final

from polynym.core.ctx import Caller
from polynym.wire import errors, signatures
from polynym.wire.errors import GraphError

PROOF: Final = "appsecret_proof"
TIME: Final = "appsecret_time"
#: A JSONP call comes from a browser, which must not know the secret.
JSONP: Final = "callback"


def check_proof(
    caller: Caller, params: Mapping[str, Any], repeated: frozenset[str], now_ms: Callable[[], int], *, required: bool
) -> None:
    """Refuse a call whose proof is missing where one is demanded, or present and wrong (contract graph 5.1).

    `required` is the edge's own demand, which nothing lifts. The app's switch *Require App Secret* does not bind calls with
    the literal `id|secret` (it is the secret), client tokens and JSONP. What is present is verified, needed or not.
    Raises PROOF_REQUIRED or PROOF_INVALID; the comparison takes the same time wherever the texts differ.
    """
    proof, time = params.get(PROOF), params.get(TIME)
    if proof is None and time is None:
        if required or _switched_on(caller, params):
            raise GraphError(errors.PROOF_REQUIRED)
        return
    if repeated and not repeated.isdisjoint((PROOF, TIME)):
        raise GraphError(errors.PROOF_INVALID)
    if not isinstance(proof, str):
        raise GraphError(errors.PROOF_INVALID)
    # A proof without a time never changes: it was made once, when the token was looked up.
    plain = time is None and proof.isascii() and compare_digest(proof, caller.proof)
    if not plain and not _is_timely(caller, proof, time, now_ms()):
        raise GraphError(errors.PROOF_INVALID)


def _switched_on(caller: Caller, params: Mapping[str, Any]) -> bool:
    return caller.app.require_app_secret and not caller.literal and caller.kind != "client" and not params.get(JSONP)


def _is_timely(caller: Caller, proof: str, time: Any, now_ms: int) -> bool:
    """Whether this is the proof of token and time together, and the time is now or nearly."""
    if isinstance(time, bool) or not isinstance(time, int | str):
        return False
    return signatures.appsecret_proof_is_valid(proof, caller.token, caller.app.secret, now_ms=now_ms, time=str(time))
