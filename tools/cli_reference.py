"""The command line's reference page, from the commands themselves."""

from __future__ import annotations

import click


def cli_page() -> str:
    """Every command with its help, as Markdown."""
    from polynym.cli import main

    lines = ["<!-- Generated from the commands by `make docs`; do not edit. -->\n\n# Command line\n"]
    _describe(main, "polynym", lines)
    return "".join(lines)


def _describe(command: click.Command, path: str, lines: list[str]) -> None:
    context = click.Context(command, info_name=path, terminal_width=110, max_content_width=110)
    lines.append(f"\n## `{path}`\n\n```text\n{command.get_help(context)}\n```\n")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                _describe(child, f"{path} {name}", lines)
