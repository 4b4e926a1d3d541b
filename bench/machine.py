"""The machine: its cores, what a process costs, where the peers and the loaded worlds are kept."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
#: The smallest amount of CPU time that the kernel tells.
TICK_S = 1 / _TICKS
_AVAILABLE = sorted(os.sched_getaffinity(0))

#: The server under test has one core to itself; load generator, database server and this script share the other.
SERVER_CORE = _AVAILABLE[0]
LOAD_CORE = _AVAILABLE[-1]
CORES = len(_AVAILABLE)


def cache_dir() -> Path:
    """Where peers and loaded worlds stay between runs: outside the tree, safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "polynym-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Whatever is started inside runs on this core, from its first instruction and with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, user and system, ended threads included."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def busy_s(core: int) -> float:
    """Seconds that a core was not idle, whoever used it."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            numbers = [int(number) for number in line.split()[1:9]]
            return (sum(numbers) - numbers[3] - numbers[4]) / _TICKS
    return 0.0


def stolen_s() -> float:
    """Seconds that the hypervisor has given to somebody else while one of our two cores had work, both together."""
    cores = {f"cpu{SERVER_CORE}", f"cpu{LOAD_CORE}"}
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    return sum(int(line[8]) for line in lines if line[0] in cores) / _TICKS


def children(pid: int) -> list[int]:
    """The living child processes of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and private memory of a process in 10^6 bytes."""
    sizes: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    return sizes["Rss"] / 1e6, (sizes["Private_Clean"] + sizes["Private_Dirty"]) / 1e6


def description() -> str:
    """The machine in one line, without names and paths."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{CORES} cores of {model}, {memory:.0f} GB, Linux {platform.release().partition('-')[0]}, CPython {python}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
