"""Failures: what goes wrong when a database is opened or a server is started, each in one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polynym.cli.ports import holder_of
from polynym.cli.problems import FAILURE, CliError
from polynym.core.config import Config
from polynym.core.db import SchemaTooNew, Unavailable
from polynym.core.embedded import EmbeddedError
from polynym.core.listen import PortBusy
from polynym.core.migrate import MigrationError
from polynym.core.seal import SealError, SecretKeyError


@contextmanager
def explained(config: Config) -> Iterator[None]:
    """Turn the failures of opening and serving into CliError."""
    try:
        yield
    except PortBusy as busy:
        holder = holder_of(busy.port)
        by = f" by {holder}" if holder else ""
        raise CliError(
            f"port {busy.port} on {busy.host} is in use{by}; choose another with --port N or --port auto"
        ) from None
    except SchemaTooNew as error:
        raise CliError(str(error)) from None
    except Unavailable as error:
        raise CliError(f"the database cannot be reached: {_one_line(error)}") from None
    except SealError:
        message = "the database was sealed with another secret key; set POLYNYM_SECRET_KEY to the one it was made with"
        raise CliError(message) from None
    except (MigrationError, EmbeddedError, SecretKeyError) as error:
        raise CliError(_one_line(error)) from None
    except PermissionError as error:
        raise CliError(f"cannot write to {error.filename or config.data_dir}: {error.strerror}", FAILURE) from None
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        raise CliError(
            f"cannot use{place or ' the address or the data directory'}: {error.strerror or error}"
        ) from None


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines) or type(error).__name__
