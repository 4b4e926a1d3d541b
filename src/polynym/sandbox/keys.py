"""The key of the control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from polynym.core.config import Config
from polynym.core.seal import secret_from_file

KEY_FILE: Final = "admin-token"


def admin_key(config: Config, *, sandbox: bool) -> str | None:
    """The control plane's key: the setting, else in the sandbox the file in the data directory, made when it is missing.

    None in production without a setting: there is no control plane then. Raises SecretKeyError.
    """
    if config.admin_token is not None or not sandbox:
        return config.admin_token
    return secret_from_file(Path(config.data_dir) / KEY_FILE)
