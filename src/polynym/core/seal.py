"""The installation's secret: keyed hashes of tokens, sealed secrets, and the key of cursors."""

from __future__ import annotations

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polynym.core.config import SECRET_CHARS_MIN
from polynym.core.db import BadText
from polynym.core.ids import Ids

FILE_NAME = "secret-key"
_FORMAT = "1"
_NONCE_BYTES = 12


class SealError(Exception):
    """Something sealed cannot be opened: another key, another context, or changed."""


class SecretKeyError(Exception):
    """The secret key itself is unusable; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Key:
    """What one secret yields. None of it tells anything about the rest (HKDF-SHA256)."""

    id: str
    hashing: bytes = field(repr=False)
    cursors: bytes = field(repr=False)
    nonces: bytes = field(repr=False)
    sealing: AESGCM = field(repr=False)

    @classmethod
    def derived(cls, secret: str) -> _Key:
        root = hmac.digest(b"polynym/v1", secret.encode("utf-8", "surrogatepass"), "sha256")

        def expand(label: str) -> bytes:
            return hmac.digest(root, label.encode() + b"\x01", "sha256")

        return cls(
            id=expand("key id")[:4].hex(),
            hashing=expand("token hash"),
            cursors=expand("cursors"),
            nonces=expand("nonces"),
            sealing=AESGCM(expand("sealing")),
        )


class Keyring:
    """One or more secrets, the first current. What the others hashed or sealed is still found and opened."""

    def __init__(self, secrets: str, ids: Ids) -> None:
        """`secrets` is one secret of at least 16 characters, or several separated by commas. Raises SecretKeyError."""
        parts = [part.strip() for part in secrets.split(",") if part.strip()]
        if not parts or any(len(part) < SECRET_CHARS_MIN for part in parts):
            raise SecretKeyError(f"a secret key has at least {SECRET_CHARS_MIN} characters; commas separate several")
        self._keys = tuple(_Key.derived(part) for part in parts)
        self._by_id = {key.id: key for key in reversed(self._keys)}
        self._ids = ids

    @property
    def cursor_key(self) -> bytes:
        """What paging cursors are protected with."""
        return self._keys[0].cursors

    def hash_token(self, token: str) -> str:
        """What stands for a token in the database: keyed, so that a copy of the database lets nobody in."""
        return _hash(self._keys[0], token)

    def hashes(self, token: str) -> tuple[str, ...]:
        """The token's hash under every key, the current one first: what to look a token up by."""
        return tuple(_hash(key, token) for key in self._keys)

    def seal(self, text: str, context: str) -> str:
        """Encrypt; only `open` with the same context, such as `app.secret:1234`, gives the text back.

        Raises BadText for text that no encoding has.
        """
        key, bound = self._keys[0], context.encode()
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise BadText from None
        # Bound to text and context, so that a seeded world, which repeats its randomness, repeats no nonce.
        length = len(bound).to_bytes(4, "big")
        nonce = hmac.digest(key.nonces, self._ids.bytes(16) + length + bound + data, "sha256")[:_NONCE_BYTES]
        sealed = urlsafe_b64encode(nonce + key.sealing.encrypt(nonce, data, bound)).decode("ascii")
        return f"{_FORMAT}.{key.id}.{sealed.rstrip('=')}"

    def open(self, sealed: str, context: str) -> str:
        """What was sealed. Raises SealError."""
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        key = self._by_id.get(key_id)
        if version != _FORMAT or key is None:
            raise SealError("sealed with a key that this installation does not have")
        try:
            data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
            return key.sealing.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, Base64Error, ValueError) as error:
            raise SealError("sealed text was changed, or belongs elsewhere") from error


def load(secret_key: str | None, data_dir: Path, ids: Ids) -> Keyring:
    """The keyring of `secret_key`, or of the file `secret-key` in the data directory, made at the first start."""
    return Keyring(secret_key or secret_from_file(data_dir / FILE_NAME), ids)


def secret_from_file(path: Path) -> str:
    """The file's content; a new random secret in a file with mode 0600 when there is none. Raises SecretKeyError."""
    try:
        if not path.exists():
            _make_file(path)
        if path.stat().st_mode & 0o077:
            raise SecretKeyError(f"{path} may be read by others; run: chmod 600 {path}")
        return path.read_text().strip()
    except OSError as error:
        raise SecretKeyError(f"cannot use the secret key file {path}: {error}") from error


def _make_file(path: Path) -> None:
    """Written aside and linked into place: of two processes that start at once one wins, and none reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Never from the world's own Ids: a seed must not decide the installation's secret.
    chance = Ids()
    aside = path.with_name(f".{path.name}.{chance.secret()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(chance.url_safe(43) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        aside.unlink(missing_ok=True)


def _hash(key: _Key, token: str) -> str:
    digest = hmac.digest(key.hashing, token.encode("utf-8", "surrogatepass"), "sha256")
    return urlsafe_b64encode(digest).decode("ascii").rstrip("=")
