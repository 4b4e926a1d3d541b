"""The command line. Commands are imported when they are used, so that `polynym --help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from polynym import __version__
from polynym.cli.problems import FAILURE, INTERRUPTED, OK, CliError

#: Command -> (module and attribute, what it does), in the order in which they are shown.
COMMANDS: Final = {
    "start": ("polynym.cli.start:start", "Run the sandbox."),
    "serve": ("polynym.cli.start:serve", "Run in production."),
    "env": ("polynym.cli.env:env", "Print what a client needs: ids, secrets, tokens."),
    "world": ("polynym.cli.world:world", "Load, export or reset the world of the running sandbox."),
    "clock": ("polynym.cli.clock:clock", "Show or turn the sandbox's clock."),
    "token": ("polynym.cli.token:token", "Show a token, or let it die of something."),
    "proof": ("polynym.cli.token:proof", "Make the appsecret_proof of a token."),
    "signed-request": ("polynym.cli.token:signed_request", "Make a signed_request about a person."),
    "graph": ("polynym.cli.graph:graph", "Call the Graph API with token and proof filled in."),
    "db": ("polynym.cli.db:db", "Upgrade or check the database's schema."),
    "config": ("polynym.cli.settings:config_group", "Show the settings and where they come from."),
    "doctor": ("polynym.cli.doctor:doctor", "Check this machine, the database and the running server."),
}


class _Lazy(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="polynym", message="%(prog)s %(version)s")
def cli() -> None:
    """The business side of the Messenger Platform as a server that you run yourself."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Every failure is one clear line on stderr."""
    try:
        code: Any = cli.main(args=arguments, prog_name="polynym", standalone_mode=False)
        return code if isinstance(code, int) else OK
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except CliError as error:
        click.echo(f"polynym: {error}", err=True)
        return error.code
    except BrokenPipeError:
        # Whoever read our output has enough of it; python's own flush at exit must not complain either.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
        return FAILURE


def main() -> NoReturn:
    """The `polynym` program."""
    sys.exit(run())
