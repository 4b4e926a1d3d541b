"""Hashes and seals: keyed, bound to their context, openable after a change of key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.db import BadText
from polynym.core.ids import Ids
from polynym.core.seal import Keyring, SealError, SecretKeyError, load

OLD, NEW = "the old secret key", "the new secret key"
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, texts)
def test_what_is_sealed_opens_with_its_context_only(text: str, context: str) -> None:
    keyring = Keyring(OLD, Ids(1))
    sealed = keyring.seal(text, context)
    assert keyring.open(sealed, context) == text
    with pytest.raises(SealError):
        keyring.open(sealed, context + "x")


@given(st.binary(min_size=1, max_size=8), st.integers(0, 200))
def test_a_changed_seal_does_not_open(change: bytes, at: int) -> None:
    keyring = Keyring(OLD, Ids(1))
    sealed = keyring.seal("an app's secret", "app.secret:1")
    at %= len(sealed)
    changed = sealed[:at] + change.hex() + sealed[at + 2 * len(change) :]
    if changed != sealed:
        with pytest.raises(SealError):
            keyring.open(changed, "app.secret:1")


@pytest.mark.parametrize("nonsense", ["", ".", "1", "1.", "1.2.3", "2.00000000.AAAA", "1.é.ü"])
def test_nonsense_does_not_open(nonsense: str) -> None:
    with pytest.raises(SealError):
        Keyring(OLD, Ids(1)).open(nonsense, "x")


def test_a_lone_surrogate_cannot_be_sealed() -> None:
    with pytest.raises(BadText):
        Keyring(OLD, Ids(1)).seal("\ud800", "x")


def test_sealing_twice_gives_two_texts() -> None:
    keyring = Keyring(OLD, Ids())
    assert keyring.seal("same", "x") != keyring.seal("same", "x")


def test_a_repeated_seed_repeats_no_nonce_for_another_text() -> None:
    nonces = {Keyring(OLD, Ids(1)).seal(text, "x").split(".")[2][:16] for text in ("a", "b", "c")}
    assert len(nonces) == 3


def test_after_a_change_of_key_the_old_is_found_and_the_new_is_used() -> None:
    before, after = Keyring(OLD, Ids()), Keyring(f"{NEW}, {OLD}", Ids())
    assert after.open(before.seal("text", "x"), "x") == "text"
    assert after.hashes("EAA") == (Keyring(NEW, Ids()).hash_token("EAA"), before.hash_token("EAA"))
    assert after.hash_token("EAA") == after.hashes("EAA")[0]
    assert after.cursor_key == Keyring(NEW, Ids()).cursor_key
    with pytest.raises(SealError, match="key"):
        before.open(after.seal("text", "x"), "x")


def test_a_hash_is_short_text_that_depends_on_the_key() -> None:
    hashes = {Keyring(key, Ids()).hash_token("EAA") for key in (OLD, NEW)}
    assert len(hashes) == 2
    assert all(len(each) == 43 for each in hashes)


@given(st.text())
def test_any_token_has_a_hash(token: str) -> None:
    assert len(Keyring(OLD, Ids(1)).hash_token(token)) == 43


def test_nothing_of_the_key_is_shown() -> None:
    keyring = Keyring(OLD, Ids())
    assert OLD not in repr(keyring) + repr(keyring.__dict__)
    assert keyring.cursor_key.hex() not in repr(keyring.__dict__)


@pytest.mark.parametrize("secrets", ["", "short", f"{OLD},short", ", ,"])
def test_a_short_secret_is_refused(secrets: str) -> None:
    with pytest.raises(SecretKeyError, match="16"):
        Keyring(secrets, Ids())


def test_the_key_file_is_made_once_private_and_not_from_the_seed(tmp_path: Path) -> None:
    first, second = (load(None, tmp_path / name, Ids(1)) for name in ("a", "b"))
    assert first.hash_token("EAA") != second.hash_token("EAA")
    assert load(None, tmp_path / "a", Ids(1)).hash_token("EAA") == first.hash_token("EAA")
    assert (tmp_path / "a" / "secret-key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["secret-key"]


def test_a_given_key_needs_no_file(tmp_path: Path) -> None:
    load(OLD, tmp_path, Ids())
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keyrings = list(threads.map(lambda _: load(None, tmp_path, Ids()), range(8)))
    assert len({keyring.hash_token("EAA") for keyring in keyrings}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret-key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load(None, tmp_path, Ids())
    (tmp_path / "secret-key").chmod(0o640)
    with pytest.raises(SecretKeyError, match="chmod 600"):
        load(None, tmp_path, Ids())


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret-key"
    file.touch(mode=0o600)
    with pytest.raises(SecretKeyError):
        load(None, tmp_path, Ids())
