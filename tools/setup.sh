#!/bin/sh
# Sets up .venv for `make start` (server) or `make test`, `make check`, `make bench` (dev). Safe to run again: it does
# nothing when the lock file has not changed. On Debian as root it installs what python3 -m venv needs.
set -eu

kind=${1:-server}
lock=requirements/$kind.txt
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "polynym needs Python 3.11 or newer as $python (set PYTHON=/path/to/python3.11)" >&2
  exit 1
fi

make_venv() {
  "$python" -m venv .venv >/dev/null 2>&1 && [ -x .venv/bin/pip ]
}

if [ ! -x .venv/bin/pip ]; then
  rm -rf .venv
  if ! make_venv; then
    rm -rf .venv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
      echo "installing python3-venv ..." >&2
      apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
      make_venv || { echo "python3 -m venv does not work on this machine" >&2; exit 1; }
    else
      echo "python3 -m venv does not work here; install it first (Debian: apt-get install python3-venv)" >&2
      exit 1
    fi
  fi
fi

stamp_of() {
  echo ".venv/.$1-$(cksum "requirements/$1.txt" pyproject.toml | cksum | cut -d' ' -f1)"
}

# What the tests need holds all that the server needs.
stamp=$(stamp_of "$kind")
if [ ! -f "$stamp" ] && [ ! -f "$(stamp_of dev)" ]; then
  echo "installing $lock into .venv ..." >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
  rm -f .venv/."$kind"-*
  : > "$stamp"
fi
