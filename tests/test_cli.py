"""The command line: real processes where exit codes, files and signals matter, otherwise the same code in this process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polynym.cli import COMMANDS, run
from polynym.cli.env import render
from polynym.cli.files import SERVER_FILE
from polynym.core.listen import bind
from polynym.sandbox.draft import parse
from polynym.sandbox.env import KEYS
from polynym.wire.signatures import appsecret_proof, parse_signed_request

PROGRAM = [sys.executable, "-m", "polynym.cli"]
READY_S = 60


def environment() -> dict[str, str]:
    """This process's environment without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POLYNYM_")}


def polynym(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], env=environment() | variables, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@dataclass
class Running:
    """A server in its own process."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Another command about this server."""
        return polynym(*arguments, "--data-dir", self.data_dir)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stop it; its exit code and all it printed to stdout."""
        self.process.send_signal(how)
        out, _ = self.process.communicate(timeout=READY_S)
        return self.process.returncode, out


@contextmanager
def running(data_dir: Path, *arguments: object, command: str = "start", **variables: str) -> Iterator[Running]:
    """A server that answers, on a port of its own."""
    fifo = data_dir.with_name(f"{data_dir.name}.url")
    process = subprocess.Popen(
        [*PROGRAM, command, "--data-dir", str(data_dir), "--port", "auto", "--url-file", str(fifo), *map(str, arguments)],
        env=environment() | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not re.fullmatch(r"http://[^ ]+\n", lines[-1] if lines else ""):
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()[1]
        assert fifo.read_text() == lines[-1]
        yield Running(process, data_dir, lines[-1].strip())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One sandbox with the demo world."""
    with running(tmp_path_factory.mktemp("cli") / "data") as made:
        yield made


# ---------------------------------------------------------------------------------------------------- without a server


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert "Usage: polynym" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom polynym.cli import run\nrun(['--help'])\n"
        "heavy = {'uvicorn', 'starlette', 'rich', 'yaml', 'asyncpg', 'msgspec', 'cryptography', 'structlog', 'asyncio'}\n"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["env", "--format", "xml"], ["clock", "advance"], ["start", "--colour"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["env"],
        ["world", "export"],
        ["world", "reset"],
        ["clock", "show"],
        ["clock", "advance", "1h"],
        ["graph", "GET", "/me"],
    ],
)
def test_without_a_server_commands_say_so_with_exit_code_3(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--data-dir", str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"polynym: no server is running with {tmp_path} (start one: polynym start)\n"


def test_what_a_dead_server_left_behind_is_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / SERVER_FILE).write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": ended.pid}))
    assert run(["clock", "show", "--data-dir", str(tmp_path)]) == 3
    assert "no server is running" in capsys.readouterr().err


def test_a_url_that_nobody_answers_is_exit_code_3() -> None:
    with bind("127.0.0.1", 0) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = polynym("env", POLYNYM_URL=url, POLYNYM_ADMIN_TOKEN="k" * 20)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"polynym: {url} does not answer: ")
    assert polynym("env", POLYNYM_URL="ftp://x").returncode == 2


def test_a_bad_setting_is_one_line_that_says_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "polynym.toml"
    file.write_text('port = 8484\nreviev = "instant"\n')
    assert run(["config", "show", "--config", str(file)]) == 2
    assert capsys.readouterr().err == f"polynym: {file}:2: there is no setting 'reviev'\n"


def test_config_show_says_where_values_come_from(tmp_path: Path) -> None:
    file = tmp_path / "polynym.toml"
    file.write_text("port = 9999\n")
    done = polynym("config", "show", "--json", "--config", file, POLYNYM_SECRET_KEY="s" * 20)
    shown = json.loads(done.stdout)
    assert shown["port"] == {"value": "9999", "origin": f"{file}:1"}
    assert shown["host"] == {"value": "127.0.0.1", "origin": "default"}
    assert "ssss" not in done.stdout
    assert "port" in polynym("config", "show").stdout


@pytest.mark.parametrize("duration", ["soon", "-1h", "1 hour", ""])
def test_a_wrong_duration_is_wrong_usage(duration: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["clock", "advance", "--", duration]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# ----------------------------------------------------------------------------------------------------- starts that fail


def failed(*arguments: object, **variables: str) -> str:
    """The one line that a start which must fail says."""
    done = polynym("start", *arguments, **variables)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("polynym: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("polynym: ").strip()


def test_a_busy_port_is_said_with_who_holds_it(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as holder:
        holder.listen()
        port = holder.getsockname()[1]
        message = failed("--data-dir", tmp_path, "--port", port)
    assert message.startswith(f"port {port} on 127.0.0.1 is in use by ")
    assert f"(pid {os.getpid()})" in message
    assert message.endswith("choose another with --port N or --port auto")


def test_a_data_directory_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    message = failed("--data-dir", file / "below", "--port", "auto")
    assert str(file) in message


def test_an_address_of_another_machine_is_said(tmp_path: Path) -> None:
    done = polynym(
        "start", "--data-dir", tmp_path, "--host", "192.0.2.1", "--port", "auto", POLYNYM_SECRET_KEY="k" * 20
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_database_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as unused:
        url = f"postgresql://nobody:secret-word@127.0.0.1:{unused.getsockname()[1]}/x"
        message = failed("--data-dir", tmp_path, "--port", "auto", "--database", url)
    assert message.startswith("the database cannot be reached: ")
    assert "secret-word" not in message


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "polynym.db").write_bytes(b"certainly not a database" * 100)
    failed("--data-dir", tmp_path, "--port", "auto")


def test_a_schema_of_a_newer_polynym_is_said(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "polynym.db"
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_migration VALUES ('core', 9999, 'future', 'x', 0)")
    connection.close()
    message = failed("--data-dir", tmp_path, "--port", "auto", "--database", sqlite_url)
    assert "was upgraded by a newer polynym (it has core/9999_future)" in message
    assert polynym("db", "check", "--database", sqlite_url).returncode == 1
    assert polynym("db", "upgrade", "--database", sqlite_url).returncode == 1


def test_a_world_file_that_is_wrong_is_said_and_nothing_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text("polynym: 1\npeople: [{key: a}]\npages: [{key: b, name: B, busines: c}]\n")
    done = polynym("start", "--data-dir", tmp_path / "data", "--port", "auto", "--world", file)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f'polynym: {file}:2: people[0]: "name" is missing',
        f'{file}:3: pages[0].busines: unknown key; did you mean "business"?',
    ]
    missing = failed("--data-dir", tmp_path / "data", "--port", "auto", "--world", tmp_path / "none.yaml")
    assert missing == f"cannot read {tmp_path / 'none.yaml'}: No such file or directory"


@pytest.mark.parametrize("command", ["start", "serve"])
def test_listening_beyond_this_machine_needs_a_secret_key(command: str, tmp_path: Path) -> None:
    done = polynym(command, "--data-dir", tmp_path, "--host", "0.0.0.0", "--port", "auto")
    assert done.returncode == 2
    assert done.stderr == (
        "polynym: listening on 0.0.0.0 needs POLYNYM_SECRET_KEY (or POLYNYM_SECRET_KEY_FILE) to be set\n"
    )


def test_a_database_that_another_key_sealed_is_said(tmp_path: Path) -> None:
    with running(tmp_path / "data", POLYNYM_SECRET_KEY="first key of this test") as first:
        first.stop()
    message = failed("--data-dir", tmp_path / "data", "--port", "auto", POLYNYM_SECRET_KEY="second key of this test")
    assert message.startswith("the database was sealed with another secret key")


# ------------------------------------------------------------------------------------------------------ a running server


def test_a_started_sandbox_prints_commands_that_work(tmp_path: Path) -> None:
    with running(tmp_path / "data") as made:
        url = made.url
        code, out = made.stop()
    assert (code, out) == (0, "")
    with running(tmp_path / "data") as again:
        assert (again.data_dir / SERVER_FILE).stat().st_mode & 0o777 == 0o600
        assert again.stop(signal.SIGINT)[0] == 130
        assert not (again.data_dir / SERVER_FILE).exists()
    assert url.startswith("http://127.0.0.1:")


def test_the_first_screen_holds_the_requests_of_the_guide(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "start", "--data-dir", str(tmp_path), "--port", "auto"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline().strip()]
    while not lines[-1].startswith("http"):
        lines.append(process.stdout.readline().strip())
    commands = [shlex.split(line) for line in lines if line.startswith(("curl", "eval"))]
    assert len(commands) == 3
    for curl in commands[:2]:
        path = curl[-1].removeprefix(lines[-1])
        done = polynym("graph", "GET", path, "--data-dir", tmp_path)
        answer = json.loads(done.stdout)
        assert answer["name"] == "John Smith"
        assert [entry["id"] for entry in answer["ids_for_apps"]["data"]] == ["10152368852405295", "645195294"]
        assert [entry["id"] for entry in answer["ids_for_pages"]["data"]] == ["12345123"]
    assert commands[2] == ["eval", f"$({sys.executable} -m polynym.cli env --data-dir {tmp_path})"]
    process.terminate()
    process.communicate(timeout=READY_S)


def test_a_second_server_in_the_same_directory_is_refused(server: Running) -> None:
    message = failed("--data-dir", server.data_dir, "--port", "auto")
    assert message == (
        f"{server.data_dir} is in use by pid {server.process.pid} at {server.url}; stop it or choose another --data-dir"
    )


def test_env_is_found_by_data_directory_and_by_url(server: Running) -> None:
    by_directory = json.loads(server.call("env", "--json").stdout)
    assert list(by_directory) == list(KEYS)
    assert by_directory["BASE_URL"] == server.url
    key = (server.data_dir / "admin-token").read_text().strip()
    by_url = polynym("env", "--format", "json", POLYNYM_URL=server.url, POLYNYM_ADMIN_TOKEN=key)
    assert json.loads(by_url.stdout) == by_directory


def test_a_wrong_key_is_a_failure_in_one_line(server: Running) -> None:
    done = polynym("env", POLYNYM_URL=server.url, POLYNYM_ADMIN_TOKEN="wrong" * 5)
    assert done.returncode == 1
    assert done.stderr.startswith("polynym: the key of the control plane is missing or wrong")
    assert done.stderr.count("\n") == 1


def test_a_shell_takes_what_env_prints(server: Running) -> None:
    printed = server.call("env").stdout
    script = printed + '\nprintf \'%s %s\' "$APP_TOKEN" "$PAGE_ID"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={})
    values = json.loads(server.call("env", "--json").stdout)
    assert done.stdout == f"{values['APP_TOKEN']} {values['PAGE_ID']}"


def test_every_format_of_env_keeps_values_whole() -> None:
    values = {"A": "plain-1.2:/x", "B": "1|a b'c", "C": ""}
    assert render(values, "github") == "A=plain-1.2:/x\nB=1|a b'c\nC="
    assert render(values, "dotenv").splitlines()[0] == "A=plain-1.2:/x"
    assert json.loads(render(values, "json")) == values
    assert shlex.split(render(values, "shell").splitlines()[1]) == ["export", "B=1|a b'c"]


def test_env_of_something_unknown_is_a_failure(server: Running) -> None:
    done = server.call("env", "--app", "nothing")
    assert (done.returncode, done.stderr) == (1, 'polynym: there is no app with the key, name or id "nothing"\n')


def test_a_world_goes_out_and_comes_back(server: Running, tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    assert server.call("world", "export", file).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert parse(file.read_bytes(), "world.yaml", 0).people[0].name == "John Smith"
    before = json.loads(server.call("world", "export", "--json").stdout)
    assert server.call("world", "reset").stdout == "now there is nothing\n"
    assert server.call("world", "load", file).stdout.startswith(
        "loaded 3 businesses, 4 apps, 3 pages, 8 people, 1 install"
    )
    assert json.loads(server.call("world", "export", "--json").stdout) == before
    conflict = server.call("world", "load", file)
    assert conflict.returncode == 1
    assert conflict.stderr.startswith(f'polynym: {file}:3: businesses[0].key: "johns" exists already\n')
    loaded = json.loads(server.call("world", "reset", "--demo", "--json").stdout)["loaded"]
    assert loaded["people"] == 8


def test_the_clock_is_turned_and_shown(server: Running) -> None:
    before = json.loads(server.call("clock", "freeze", "--json").stdout)
    after = json.loads(server.call("clock", "advance", "25h", "--json").stdout)
    assert after["now_ms"] - before["now_ms"] == 25 * 3_600_000
    assert server.call("clock", "show").stdout.strip().endswith("(frozen)")
    assert server.call("clock", "scale", "60").returncode == 0
    assert server.call("clock", "resume").stdout.strip().endswith("(running 60 times as fast)")
    assert server.call("clock", "scale", "1").returncode == 0
    assert server.call("clock", "scale", "0").returncode == 1


def test_a_token_is_shown_and_dies_of_what_it_is_told(server: Running) -> None:
    env = json.loads(server.call("env", "--app", "movie", "--json").stdout)
    token = env["USER_TOKEN"]
    shown = server.call("token", "show", token).stdout
    assert "JohnsMovieApp (259773517400382)" in shown
    assert "state    valid" in shown
    told = server.call("token", "invalidate", token, "--reason", "password_changed").stdout
    assert "(190/460)" in told
    assert json.loads(server.call("token", "show", token, "--json").stdout)["error"]["error_subcode"] == 460
    assert server.call("token", "show", "nonsense").returncode == 1
    assert server.call("token", "invalidate", env["APP_TOKEN"], "--reason", "boredom").returncode == 1


def test_proofs_and_signed_requests_are_printed_alone(server: Running) -> None:
    env = json.loads(server.call("env", "--json").stdout)
    assert (
        server.call("proof", env["PAGE_TOKEN"]).stdout == appsecret_proof(env["PAGE_TOKEN"], env["APP_SECRET"]) + "\n"
    )
    printed = server.call("signed-request", "--app", "game", "--person", "john").stdout
    assert parse_signed_request(printed.strip(), env["APP_SECRET"])["user_id"] == "10152368852405295"


@pytest.mark.parametrize(
    ("as_", "path", "id_"),
    [("page:thing", "/me", "380374449010653"), ("app:JohnsMovieApp", "/259773517400382", "259773517400382"),
     ("user:john", "/me", "10152368852405295"), ("app:movie", "645195294?fields=name", "645195294")],
)  # fmt: skip
def test_graph_fills_in_token_and_proof(server: Running, as_: str, path: str, id_: str) -> None:
    done = server.call("graph", "get", path, "--as", as_)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["id"] == id_


def test_graph_sends_parameters_and_ends_with_1_on_an_error(server: Running) -> None:
    named = server.call("graph", "GET", "/me", "--as", "page:thing", "-F", "fields=name")
    assert json.loads(named.stdout) == {"name": "John's Next Great Thing", "id": "380374449010653"}
    refused = server.call("graph", "GET", "/12345", "--as", "app:game", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, 100)
    assert server.call("graph", "GET", "/me", "--as", "cat:tom").returncode == 2
    assert server.call("graph", "GET", "/me", "-F", "novalue").returncode == 2


def test_doctor_finds_a_running_server_well(server: Running) -> None:
    done = server.call("doctor", "--json")
    assert done.returncode == 0, done.stdout
    states = {finding["name"]: finding["state"] for finding in json.loads(done.stdout)}
    assert states == dict.fromkeys(["python", "sqlite", "data dir", "disk", "database", "server", "clock"], "ok")


def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("x" * 20)
    (tmp_path / "secret-key").chmod(0o644)
    (tmp_path / "polynym.db").write_bytes(b"certainly not a database" * 100)
    with bind("127.0.0.1", 0) as holder:
        holder.listen()
        port = str(holder.getsockname()[1])
        done = polynym("doctor", "--data-dir", tmp_path, POLYNYM_PORT=port)
    assert done.returncode == 1
    wrong = [line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("wrong")]
    assert wrong[0].startswith(f"data dir   {tmp_path / 'secret-key'} may be read by others; run: chmod 600")
    assert wrong[1].startswith("database")
    assert wrong[2].startswith(f"port       127.0.0.1:{port} is in use by ")


def test_the_schema_is_checked_and_upgraded(empty_url: str, tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path), "--database", empty_url)
    missing = polynym("db", "check", *options)
    assert missing.returncode == 1
    applied = polynym("db", "upgrade", "--json", *options)
    assert "core/0001_core" in json.loads(applied.stdout)["applied"]
    for command in ("check", "upgrade"):
        done = polynym("db", command, *options)
        assert (done.returncode, done.stdout) == (0, "up to date\n")


# -------------------------------------------------------------------------------------------------------- other starts


def test_a_start_loads_the_given_world_once_and_with_the_same_seed_the_same_ids(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(
        json.dumps({"polynym": 1, "apps": [{"key": "a", "name": "A"}], "people": [{"key": "p", "name": "P"}]})
    )
    worlds: list[Any] = []
    for name in ("one", "two"):
        with running(tmp_path / name, "--world", file, "--seed", "7") as made:
            worlds.append(json.loads(made.call("world", "export", "--json").stdout))
    for world in worlds:
        for entry in (*world["apps"], *world["people"]):
            entry.pop("created")
    assert worlds[0] == worlds[1]
    assert worlds[0]["apps"][0]["name"] == "A"
    with running(tmp_path / "one", "--world", file) as again:
        assert [app["key"] for app in json.loads(again.call("world", "export", "--json").stdout)["apps"]] == ["a"]


def test_the_sandbox_runs_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    with running(tmp_path / "data", "--database", postgresql_url) as made:
        assert json.loads(made.call("graph", "GET", "/me", "--as", "page:thing").stdout)["id"] == "380374449010653"
        assert made.stop()[0] == 0


def test_production_has_neither_demo_world_nor_clock(tmp_path: Path) -> None:
    with running(tmp_path / "data", command="serve", POLYNYM_ADMIN_TOKEN="k" * 20) as made:
        variables = {"POLYNYM_URL": made.url, "POLYNYM_ADMIN_TOKEN": "k" * 20}
        assert json.loads(polynym("world", "export", "--json", **variables).stdout) == {"polynym": 1}
        clock = polynym("clock", "show", **variables)
        assert (clock.returncode, clock.stderr) == (1, "polynym: clock exists only in the sandbox (polynym start)\n")
