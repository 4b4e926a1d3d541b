"""Settings, read once at start: flag, then POLYNYM_* environment, then polynym.toml, then default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from polynym.wire.versions import parse_version

FILE_NAME = "polynym.toml"
MASK = "********"
SECRET_CHARS_MIN = 16
PORT_MAX = 65535

Value = str | int | Path | tuple[str, ...] | None


class ConfigError(Exception):
    """A setting that cannot be used; the message names the flag, variable, or file and line."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of this process. `provenance` says of each where its value came from."""

    data_dir: Path
    database: str = field(repr=False)
    host: str
    port: int | None
    public_url: str | None
    world: Path | None
    review: Literal["instant", "delayed", "manual", "reject"]
    seed: int | None
    graph_version: str
    version_policy: Literal["exact", "fall_forward"]
    login_fragment: bool
    locale: str
    rate_limits: Literal["observe", "enforce"]
    accepted_hosts: tuple[str, ...]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "text", "json"]
    admin_token: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    provenance: Mapping[str, str] = field(default_factory=dict, repr=False)

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """(name, value, where from) of every setting, in the table's order, secrets masked."""
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            yield setting.name, setting.show(value), self.provenance.get(setting.name, "default")


def _switch(text: str) -> bool:
    if text.lower() not in ("on", "off", "true", "false", "1", "0"):
        raise ValueError("must be on or off")
    return text.lower() in ("on", "true", "1")


def _text(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must be printable text, and not empty")
    return text


def _path(text: str) -> Path:
    return Path(_text(text)).expanduser()


def _port(text: str) -> int | None:
    if text == "auto":
        return None
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or not 1 <= int(text) <= PORT_MAX:
        raise ValueError(f'must be 1 to {PORT_MAX}, or "auto"')
    return int(text)


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise ValueError("must be a whole number")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(_text(text))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be http(s)://host[:port]")
    return text.rstrip("/")


def _database(text: str) -> str:
    if text != "embedded" and not text.startswith(("sqlite://", "postgresql://", "postgres://")):
        raise ValueError('must be "embedded", sqlite:///path or postgresql://…')
    return text


def _version(text: str) -> str:
    version = text if text in ("oldest", "newest") else "v" + text.removeprefix("v")
    if version not in ("oldest", "newest") and parse_version(version) is None:
        raise ValueError('must be "oldest", "newest" or a version such as v19.0')
    return version


def _locale(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}_[A-Z]{2}", text):
        raise ValueError("must be a locale such as en_US")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[a-z0-9.:\[\]_*-]{1,253}", host) for host in hosts):
        raise ValueError("must be host names, separated by commas")
    return hosts


def _secret_key(text: str) -> str:
    if any(len(part.strip()) < SECRET_CHARS_MIN for part in text.split(",")):
        raise ValueError(f"must have at least {SECRET_CHARS_MIN} characters; commas separate several keys")
    return text


def _admin_token(text: str) -> str:
    if len(text) < SECRET_CHARS_MIN or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"must have at least {SECRET_CHARS_MIN} printable ASCII characters, without spaces")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table that the reference page, `polynym config show` and the reader below are made from.

    `kind` is the type in words. `default` is written as a user would write it; empty means unset. `names` are further
    environment variables for the same setting. `file_variable` names a file to read the value from.
    """

    name: str
    kind: str
    default: str
    doc: str
    parse: Callable[[str], Value]
    secret: bool = False
    names: tuple[str, ...] = ()
    file_variable: str = ""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"POLYNYM_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return f"--{self.name.replace('_', '-')}"

    def show(self, value: Value) -> str:
        """The value for a reader, without what is secret."""
        if value is None:
            return "auto" if self.name == "port" else ""
        if self.secret:
            return MASK
        if isinstance(value, tuple):
            return ", ".join(value)
        return _without_password(value) if self.name == "database" else str(value)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "data_dir",
        "directory",
        "",
        "Where everything is kept. Default: $XDG_DATA_HOME/polynym, or ~/.local/share/polynym.",
        _path,
    ),
    Setting(
        "database",
        "URL",
        "",
        "sqlite:///path, postgresql://…, or `embedded` for a PostgreSQL of its own. Default: a file in data_dir.",
        _database,
        names=("POLYNYM_DATABASE_URL",),
    ),
    Setting("host", "address", "127.0.0.1", "The address to listen on.", _text),
    Setting("port", "number or auto", "8484", "The port to listen on; `auto` takes a free one.", _port),
    Setting("public_url", "URL", "", "The origin that links point to. Default: as the caller addressed us.", _url),
    Setting("world", "file", "", "A world file to load into an empty database.", _path),
    Setting(
        "review",
        "choice",
        "instant",
        "How app review and business verification answer: instant, delayed, manual or reject.",
        _one_of("instant", "delayed", "manual", "reject"),
    ),
    Setting("seed", "whole number", "", "Makes ids and tokens repeat from run to run. For tests only.", _integer),
    Setting(
        "graph_version",
        "version",
        "oldest",
        "What serves calls without a version: oldest (the oldest usable one, as on the platform), newest, or one such as v19.0.",
        _version,
    ),
    Setting(
        "version_policy",
        "choice",
        "exact",
        "exact: every version keeps its meaning. fall_forward: an expired one is served as the oldest living one.",
        _one_of("exact", "fall_forward"),
    ),
    Setting(
        "login_fragment",
        "on or off",
        "on",
        "Whether the login dialog appends `#_=_` to a redirect with a code, as the platform does.",
        _switch,
    ),
    Setting("locale", "locale", "en_US", "The language of texts when the caller names none.", _locale),
    Setting(
        "rate_limits",
        "choice",
        "observe",
        "observe: count and report in headers. enforce: refuse calls above the limit.",
        _one_of("observe", "enforce"),
    ),
    Setting(
        "accepted_hosts",
        "list",
        "",
        "Further Host names that this server answers to, separated by commas.",
        _hosts,
    ),
    Setting(
        "log_level",
        "choice",
        "info",
        "What is logged: debug, info, warning or error.",
        _one_of("debug", "info", "warning", "error"),
    ),
    Setting(
        "log_format",
        "choice",
        "auto",
        "text or json; auto is text on a terminal and json otherwise.",
        _one_of("auto", "text", "json"),
    ),
    Setting(
        "admin_token",
        "secret",
        "",
        "The key of the control plane. Default: made at the first start, in data_dir/admin-token.",
        _admin_token,
        secret=True,
        file_variable="POLYNYM_ADMIN_TOKEN_FILE",
    ),
    Setting(
        "secret_key",
        "secret",
        "",
        "What tokens are hashed and secrets encrypted with; several, separated by commas, for a change of key: the "
        "first is current. Default: made at the first start, in data_dir/secret-key.",
        _secret_key,
        secret=True,
        file_variable="POLYNYM_SECRET_KEY_FILE",
    ),
)


def reference_page() -> str:
    """The settings as a Markdown page, in the table's order."""
    parts = [
        "# Settings\n",
        "A value is taken from the first of: command-line flag, environment variable, `polynym.toml` in the working "
        "directory (or the file of `--config`), default. `polynym config show` prints every value and where it came "
        "from.\n",
    ]
    for setting in SETTINGS:
        variables = (setting.variable, *setting.names, *filter(None, [setting.file_variable]))
        names = ", ".join(f"`{variable}`" for variable in variables)
        default = f", default `{setting.default}`" if setting.default else ""
        parts.append(f"## {setting.name}\n\n{setting.doc}\n")
        parts.append(f"`{setting.flag}` · {names} · `{setting.name}` in the file · {setting.kind}{default}\n")
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class _Found:
    text: str
    where: str


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    cwd: Path,
    config_file: Path | None = None,
) -> Config:
    """The settings of this process.

    `flags` maps setting names to what the command line said, None for unsaid. `config_file` must exist when given;
    otherwise `polynym.toml` in `cwd` is read when there is one. Raises ConfigError.
    """
    path = config_file or cwd / FILE_NAME
    written = _read_file(path) if config_file or path.is_file() else {}
    values: dict[str, Value] = {}
    provenance: dict[str, str] = {}
    for setting in SETTINGS:
        found = _from_flag(setting, flags) or _from_environment(setting, environ) or written.get(setting.name)
        found = found or _Found(setting.default, "default")
        provenance[setting.name] = found.where
        values[setting.name] = _parsed(setting, found)
    values["data_dir"] = data_dir = _data_dir(values["data_dir"], environ, cwd)
    values["database"] = values["database"] or f"sqlite:///{quote(str(data_dir / 'polynym.db'))}"
    return Config(provenance=provenance, **values)  # type: ignore[arg-type]


def _parsed(setting: Setting, found: _Found) -> Value:
    if found.where == "default" and not found.text:
        return () if setting.parse is _hosts else None
    try:
        return setting.parse(found.text)
    except ValueError as error:
        said = "" if setting.secret or setting.name == "database" else f", not {found.text!r}"
        raise ConfigError(f"{found.where}: {setting.name} {error}{said}") from None


def _from_flag(setting: Setting, flags: Mapping[str, object]) -> _Found | None:
    value = flags.get(setting.name)
    if value is None or value == ():
        return None
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return _Found(text, f"flag {setting.flag}")


def _from_environment(setting: Setting, environ: Mapping[str, str]) -> _Found | None:
    for variable in (setting.variable, *setting.names):
        # An empty variable is how shells and compose files unset one.
        if environ.get(variable):
            return _Found(environ[variable], f"environment {variable}")
    if setting.file_variable and environ.get(setting.file_variable):
        where = f"environment {setting.file_variable}"
        try:
            return _Found(Path(environ[setting.file_variable]).read_text().strip(), where)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: {error}") from None
    return None


def _read_file(path: Path) -> dict[str, _Found]:
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    known = {setting.name for setting in SETTINGS}
    found: dict[str, _Found] = {}
    for name, value in content.items():
        where = f"{path}:{_line(text, name)}"
        if name not in known:
            raise ConfigError(f"{where}: there is no setting {name!r}")
        found[name] = _Found(_as_text(name, value, where), where)
    return found


def _as_text(name: str, value: object, where: str) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(f"{where}: {name} must be text, a whole number or a list of texts")


def _line(text: str, name: str) -> int:
    """The line of a key, which the TOML reader does not say; 1 when it is written in some unusual way."""
    found = re.search(rf'^[ \t]*\[*[ \t]*"?{re.escape(name)}\b', text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _data_dir(value: Value, environ: Mapping[str, str], cwd: Path) -> Path:
    if isinstance(value, Path):
        return (cwd / value).absolute()
    home = environ.get("XDG_DATA_HOME")
    base = Path(home) if home else Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return (base / "polynym").absolute()


def _without_password(value: Value) -> str:
    parts = urlsplit(str(value))
    if parts.password is None:
        return str(value)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{MASK}@{host}"))
