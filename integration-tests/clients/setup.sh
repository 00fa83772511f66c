#!/bin/sh
# Makes the OpenFeature clients that the system tests drive: a Python venv and npm packages, pinned, beside this file.
# Idempotent: a stamp holds the hash of what was asked for, so that a second run costs nothing. What the machine lacks
# is installed with apt-get when run as root on Debian, and named otherwise. Nothing outside this folder is written.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv="$here/.venv"
node_folder="$here/node"
# The oldest release of Node on which the drivers are known to run.
oldest_node=18

say() { printf '%s\n' "clients: $*" >&2; }
fail() { say "$*"; exit 1; }

# The stamp of a part: a hash of what it was made from, read from standard input.
fingerprint() { sha256sum | cut -d' ' -f1; }

# The packages that this machine lacks, one a line, as Debian names them.
missing() {
    command -v python3 >/dev/null 2>&1 || echo python3
    # ensurepip is what Debian splits off: without it a venv has no pip.
    python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || echo python3-venv
    command -v node >/dev/null 2>&1 || echo nodejs
    command -v npm >/dev/null 2>&1 || echo npm
}

install_missing() {
    lacking=$(missing | tr '\n' ' ')
    [ -n "$lacking" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        fail "these are needed and not installed: $lacking
    on Debian and Ubuntu: sudo apt-get install $lacking
    elsewhere: Python 3.10 or later with venv, and Node $oldest_node or later with npm"
    fi
    say "installing $lacking"
    # shellcheck disable=SC2086 # a list of words on purpose
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $lacking >/dev/null; then
        # The package lists of a fresh machine are empty or old.
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $lacking >/dev/null
    fi
    lacking=$(missing | tr '\n' ' ')
    [ -z "$lacking" ] || fail "still not installed: $lacking"
}

make_python() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "Python 3.10 or later is needed, this is $(python3 --version)"
    # With the interpreter, because a venv does not survive another Python.
    wanted=$({ cat "$here/python/requirements.txt" && python3 --version; } | fingerprint)
    [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "making the Python client"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --requirement "$here/python/requirements.txt"
    "$venv/bin/python" -m pip check --quiet --disable-pip-version-check
    echo "$wanted" >"$venv/.stamp"
}

make_node() {
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [ "$major" -ge "$oldest_node" ] || fail "Node $oldest_node or later is needed, this is $(node --version)"
    wanted=$(cat "$node_folder/package.json" "$node_folder/package-lock.json" | fingerprint)
    [ "$(cat "$node_folder/node_modules/.stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "making the Node client"
    (cd "$node_folder" && npm ci --loglevel=error >/dev/null)
    echo "$wanted" >"$node_folder/node_modules/.stamp"
}

install_missing
make_python
make_node
