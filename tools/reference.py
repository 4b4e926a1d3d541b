"""Write docs/reference from the declarations: `python -m tools.reference`; with `--check`, only say whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def generated() -> dict[str, str]:
    """Every generated page: file name -> text."""
    from polynym.app import FEATURES
    from polynym.core.config import reference_page as settings_page
    from polynym.graph.reference import pages
    from polynym.graph.registry import Registry
    from tools.cli_reference import cli_page

    return pages(Registry(FEATURES)) | {"settings.md": settings_page(), "cli.md": cli_page()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` return 1 and name those that are out of date."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, text in generated().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text)
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
