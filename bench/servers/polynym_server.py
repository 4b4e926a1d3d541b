"""polynym on a loaded world: `python -m bench.servers.polynym_server DATA_DIR DATABASE_URL`."""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop

from polynym.app import build, serve
from polynym.core.config import load


async def main(data_dir: Path, database: str) -> None:
    """Serve until terminated."""
    config = load(
        {"data_dir": data_dir, "database": database, "port": "auto", "graph_version": "v19.0"}, {}, Path.cwd()
    )
    world = await build(config)
    try:
        await serve(world, host="127.0.0.1", port=0, ready=lambda url: print(f"READY {url}/", flush=True))
    finally:
        await world.close()


uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
