"""The command line's reference page, from the commands themselves."""

from __future__ import annotations

import click

WIDTH = 110


def cli_page() -> str:
    """Every command with its help, as Markdown."""
    from polynym.cli import cli

    lines = ["<!-- Generated from the commands by `make docs`; do not edit. -->\n\n# Command line\n"]
    _describe(cli, "polynym", None, lines)
    return "".join(lines)


def _describe(command: click.Command, name: str, parent: click.Context | None, lines: list[str]) -> None:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent, info_name=name, **settings)
    lines.append(f"\n## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n")
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None and not child.hidden:
                _describe(child, child_name, context, lines)
