"""Ids: their form, their chance, and their repetition under a seed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from polynym.core.ids import SCOPED_ID_MAX, SCOPED_ID_MIN, Ids

FORMS: dict[str, tuple[Callable[[Ids], str], str]] = {
    "object id": (Ids.object_id, r"[1-9]\d{14}"),
    "token": (lambda ids: ids.token("1419232575008550"), r"EAA[A-Za-z0-9]{40,50}ZDZD"),
    "token of an odd app": (lambda ids: ids.token("not-a-number"), r"EAA[A-Za-z0-9]{33}ZDZD"),
    "app token part": (Ids.app_token_part, r"[A-Za-z0-9_-]{27}"),
    "secret": (Ids.secret, r"[0-9a-f]{32}"),
    "client token": (Ids.client_token, r"[0-9a-f]{32}"),
    "verify token": (Ids.verify_token, r"[A-Za-z0-9_-]{32}"),
    "trace id": (Ids.trace_id, r"A[A-Za-z0-9_-]{22}"),
    "short trace id": (Ids.short_trace_id, r"[A-Za-z0-9_-]{11}"),
    "debug id": (Ids.debug_id, r"[A-Za-z0-9+/]{88}"),
    "request ids": (lambda ids: " ".join(ids.request_ids()), r"A[\w-]{22} [\w-]{11} [A-Za-z0-9+/]{88}"),
    "url-safe": (lambda ids: ids.url_safe(43), r"[A-Za-z0-9_-]{43}"),
}


@pytest.mark.parametrize("kind", FORMS)
def test_each_kind_has_its_form_and_never_repeats(kind: str) -> None:
    make, form = FORMS[kind]
    ids = Ids()
    made = [make(ids) for _ in range(2_000)]
    assert all(re.fullmatch(form, each, re.ASCII) for each in made)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("kind", FORMS)
def test_a_seed_repeats_and_another_does_not(kind: str) -> None:
    make, _ = FORMS[kind]
    first, again, other = ([make(ids) for _ in range(50)] for ids in (Ids(7), Ids(7), Ids(8)))
    assert first == again
    assert not set(first) & set(other)


def test_scoped_ids_are_uniform_sixteen_digit_numbers() -> None:
    made = Ids(1).scoped_ids(90_000)
    assert all(SCOPED_ID_MIN <= each <= SCOPED_ID_MAX for each in made)
    assert len(set(made)) == len(made)
    eighths = [0] * 8
    for each in made:
        eighths[(each - SCOPED_ID_MIN) * 8 // (SCOPED_ID_MAX - SCOPED_ID_MIN + 1)] += 1
    expected = len(made) / 8
    # The 99.99th percentile of chi-squared with 7 degrees of freedom.
    assert sum((count - expected) ** 2 / expected for count in eighths) < 29.9


def test_successive_scoped_ids_do_not_correlate() -> None:
    made = Ids(2).scoped_ids(100_000)
    mean = sum(made) / len(made)
    covariance = sum((a - mean) * (b - mean) for a, b in pairwise(made))
    variance = sum((a - mean) ** 2 for a in made)
    # Four standard deviations.
    assert abs(covariance / variance) < 0.0126


def test_no_object_id_looks_like_a_scoped_id() -> None:
    assert all(int(Ids(3).object_id()) < SCOPED_ID_MIN for _ in range(1_000))


def test_bytes_are_exact_and_never_given_twice() -> None:
    ids = Ids(5)
    whole = b"".join(ids.bytes(count) for count in (0, 1, 31, 64, 4_000, 200, 9_000))
    assert len(whole) == 13_296
    chunks = [whole[at : at + 16] for at in range(0, len(whole) - 16, 16)]
    assert len(set(chunks)) == len(chunks)


def test_a_forked_process_draws_other_bytes() -> None:
    ids = Ids()
    ids.bytes(1)
    ids.url_safe(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, ids.bytes(32) + ids.url_safe(32).encode())
        os._exit(0)
    os.waitpid(child, 0)
    childs = os.read(reading, 64)
    assert childs[:32] != ids.bytes(32)
    assert childs[32:] != ids.url_safe(32).encode()
    os.close(reading)
    os.close(writing)
