"""wire is shared by the server and the kit, so it needs nothing but the standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import polynym.wire

FOLDER = Path(polynym.wire.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")

PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
for name in sys.argv[2:]:
    importlib.import_module("polynym.wire." + name)
known = set(sys.stdlib_module_names) | {"polynym", "__main__"}
print(sorted({name.partition(".")[0] for name in sys.modules} - known))
ours = {name.split(".")[1] for name in sys.modules if name.startswith("polynym.")}
print(sorted(ours - {"wire"}))
"""


def test_importing_all_of_wire_loads_only_the_standard_library() -> None:
    # -S and -I: no site-packages, no environment; a third-party import would fail outright.
    command = [sys.executable, "-I", "-S", "-c", PROBE, str(FOLDER.parent.parent), *MODULES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
    assert done.stderr == ""


@pytest.mark.parametrize("module", MODULES)
def test_no_module_reads_the_clock_chance_or_the_environment(module: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not imported & {
        "time",
        "random",
        "secrets",
        "uuid",
        "os",
        "socket",
        "asyncio",
        "threading",
        "locale",
    }
