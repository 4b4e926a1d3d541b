"""The embedded PostgreSQL: durable, started once, and back after anything short of losing its files."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from polynym.core import embedded
from polynym.core.db import connect
from polynym.core.embedded import Embedded, EmbeddedError, start


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose cluster is stopped and removed at the end, wherever it lives."""
    yield tmp_path
    home = (tmp_path / "postgresql").resolve()
    if (home / "data").is_dir():
        Embedded("", home, embedded._account(), owned=True).stop()
    shutil.rmtree(home, ignore_errors=True)


async def count(url: str) -> int:
    """Note another visit, durably."""
    db = await connect(url)
    await db.run("CREATE TABLE IF NOT EXISTS visit (n BIGINT)")
    await db.run("INSERT INTO visit (n) VALUES (1)")
    row = await db.one("SELECT count(*) AS visits FROM visit")
    safe = (await db.durability()).safe
    await db.close()
    assert safe
    assert row is not None
    visits: int = row["visits"]
    return visits


def test_it_starts_is_found_again_and_survives_what_happens_to_it(data_dir: Path) -> None:
    cluster = start(data_dir)
    assert cluster.owned
    assert asyncio.run(count(cluster.url)) == 1

    # Starting what runs finds it; a dead owner's cluster is adopted.
    assert start(data_dir) == cluster
    (cluster.home / "owner").write_text("999999999\n")
    assert start(data_dir).owned

    # Another process's cluster is used and not stopped.
    (cluster.home / "owner").write_text("1\n")
    guest = start(data_dir)
    assert not guest.owned
    guest.stop()
    assert asyncio.run(count(cluster.url)) == 2

    pid_file = cluster.home / "data" / "postmaster.pid"
    pid_lines = pid_file.read_text().split("\n")
    os.kill(int(pid_lines[0]), signal.SIGKILL)
    cluster = start(data_dir)
    assert asyncio.run(count(cluster.url)) == 3

    # The pid of a server that is gone belongs to another program now.
    cluster.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *pid_lines[1:]]))
    cluster = start(data_dir)
    assert asyncio.run(count(cluster.url)) == 4

    cluster.stop()
    assert not pid_file.exists()
    private = [cluster.home.stat().st_mode & 0o077, (cluster.home / "run").stat().st_mode & 0o077]
    assert private == [0, 0]


def test_a_socket_directory_with_a_long_name_is_replaced_by_a_short_one(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100)
    home.mkdir()
    account = embedded.Account(None, None)
    found = embedded._socket_dir(home, account)
    assert len(str(found / embedded.SOCKET_NAME)) <= embedded.SOCKET_PATH_MAX
    assert embedded._socket_dir(home, account) == found
    found.chmod(0o777)
    with pytest.raises(EmbeddedError, match="open to others"):
        embedded._socket_dir(home, account)
    found.rmdir()
