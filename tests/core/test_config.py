"""Settings: flag over environment over file over default, each with its origin, each mistake with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from polynym.core.config import MASK, SETTINGS, Config, ConfigError, load, reference_page


def read(
    tmp_path: Path, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, toml: str = ""
) -> Config:
    if toml:
        (tmp_path / "polynym.toml").write_text(toml)
    return load(flags or {}, {"HOME": "/home/someone", **(environ or {})}, tmp_path)


def test_without_anything_every_default_holds(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.data_dir == Path("/home/someone/.local/share/polynym")
    assert config.database == "sqlite:////home/someone/.local/share/polynym/polynym.db"
    assert (config.host, config.port, config.seed, config.accepted_hosts) == ("127.0.0.1", 8484, None, ())
    assert (config.review, config.version_policy, config.rate_limits) == ("instant", "exact", "observe")
    assert set(config.provenance.values()) == {"default"}


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    toml = 'host = "file"\nlocale = "fr_FR"\nport = 1\n'
    environ = {"POLYNYM_HOST": "environment", "POLYNYM_LOCALE": "es_ES"}
    config = read(tmp_path, {"host": "flag", "locale": None}, environ, toml)
    assert (config.host, config.locale, config.port) == ("flag", "es_ES", 1)
    assert config.provenance["host"] == "flag --host"
    assert config.provenance["locale"] == "environment POLYNYM_LOCALE"
    assert config.provenance["port"] == f"{tmp_path / 'polynym.toml'}:3"


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"POLYNYM_HOST": ""}).host == "127.0.0.1"


def test_the_data_dir_follows_the_desktop_convention(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"XDG_DATA_HOME": "/data"}).data_dir == Path("/data/polynym")
    assert read(tmp_path, {"data_dir": "here"}).data_dir == tmp_path / "here"
    assert read(tmp_path, {"data_dir": "/a b"}).database == "sqlite:////a%20b/polynym.db"


def test_the_database_has_two_variables(tmp_path: Path) -> None:
    config = read(tmp_path, environ={"POLYNYM_DATABASE_URL": "embedded"})
    assert (config.database, config.provenance["database"]) == ("embedded", "environment POLYNYM_DATABASE_URL")


def test_secrets_can_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a secret of some length\n")
    config = read(tmp_path, environ={"POLYNYM_SECRET_KEY_FILE": str(tmp_path / "key")})
    assert config.secret_key == "a secret of some length"
    with pytest.raises(ConfigError, match="POLYNYM_SECRET_KEY_FILE"):
        read(tmp_path, environ={"POLYNYM_SECRET_KEY_FILE": str(tmp_path / "none")})


def test_values_have_their_types(tmp_path: Path) -> None:
    toml = """
        port = "auto"
        seed = 42
        accepted_hosts = ["Graph.Example", "localhost:8484"]
        world = "shop.yaml"
        public_url = "https://polynym.example/"
    """
    config = read(tmp_path, toml=toml)
    assert (config.port, config.seed) == (None, 42)
    assert config.accepted_hosts == ("graph.example", "localhost:8484")
    assert config.world == Path("shop.yaml")
    assert config.public_url == "https://polynym.example"
    assert read(tmp_path, {"accepted_hosts": ("a", "b")}).accepted_hosts == ("a", "b")


def test_a_listing_masks_what_is_secret(tmp_path: Path) -> None:
    key, token, password = "k" * 20, "t" * 20, "hunter2hunter2"
    environ = {
        "POLYNYM_SECRET_KEY": key,
        "POLYNYM_ADMIN_TOKEN": token,
        "POLYNYM_DATABASE": f"postgresql://polynym:{password}@db.example:5432/polynym?sslmode=require",
    }
    config = read(tmp_path, environ=environ)
    shown = {name: (value, where) for name, value, where in config.shown()}
    assert shown["secret_key"] == (MASK, "environment POLYNYM_SECRET_KEY")
    assert shown["database"][0] == f"postgresql://polynym:{MASK}@db.example:5432/polynym?sslmode=require"
    everything = repr(shown) + repr(config)
    assert not [secret for secret in (key, token, password) if secret in everything]
    assert list(shown) == [setting.name for setting in SETTINGS]


def test_the_table_and_the_dataclass_have_the_same_settings() -> None:
    assert [field.name for field in fields(Config)] == [*(setting.name for setting in SETTINGS), "provenance"]
    assert all(setting.doc.endswith(".") and setting.kind for setting in SETTINGS)


def test_every_setting_is_on_the_reference_page() -> None:
    page = reference_page()
    for setting in SETTINGS:
        assert f"## {setting.name}\n\n{setting.doc}\n" in page
        assert all(f"`{name}`" in page for name in (setting.flag, setting.variable, *setting.names))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"),
        ("port", "65536"),
        ("port", "٣"),
        ("port", "http"),
        ("review", "sometimes"),
        ("seed", "1.5"),
        ("database", "mysql://x"),
        ("public_url", "polynym.example"),
        ("public_url", "https://x/?q"),
        ("graph_version", "19"),
        ("locale", "english"),
        ("accepted_hosts", "a b"),
        ("admin_token", "short"),
        ("admin_token", "with a space in it"),
        ("secret_key", "long enough to do, short"),
        ("host", "a\nb"),
    ],
)
def test_a_bad_value_names_its_setting_and_place(tmp_path: Path, name: str, value: str) -> None:
    variable = f"POLYNYM_{name.upper()}"
    with pytest.raises(ConfigError, match=f"environment {variable}: {name} ") as error:
        read(tmp_path, environ={variable: value})
    if name in ("admin_token", "secret_key"):
        assert value not in str(error.value)


@pytest.mark.parametrize(
    ("toml", "line", "said"),
    [
        ('host = "x"\nprot = 1', 2, "no setting 'prot'"),
        ("# port = 1\n\nport = 99999", 3, "port must be"),
        ("port = true", 1, "port must be text"),
        ("[server]\nport = 1", 1, "no setting 'server'"),
        ("seed = 1.5", 1, "seed must be text"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, toml: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        read(tmp_path, toml=toml)
    assert str(error.value).startswith(f"{tmp_path / 'polynym.toml'}:{line}: ")


def test_a_broken_or_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"polynym\.toml.*line 1"):
        read(tmp_path, toml="= 1")
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load({}, {}, tmp_path, tmp_path / "none.toml")
