#!/bin/sh
# Make the development environment: .venv with the locked dependencies and Swath itself, editable.
#
#   tools/environment.sh LOCK STAMP
#
# Needs Python 3.11 or newer and a package index; nothing else. Where Python lacks venv or pip (a bare Debian), root
# installs them with apt; others are told what to ask for.
set -eu
lock=$1 stamp=$2
venv=.venv

python=
for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "environment: Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)" >&2
    exit 1
fi

need_apt() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "environment: installing $*" >&2
        apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        echo "environment: please install: $*" >&2
        exit 1
    fi
}

command -v git >/dev/null 2>&1 || need_apt git ca-certificates
if ! [ -x "$venv/bin/python" ]; then
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" "$venv"
    else
        "$python" -c 'import ensurepip, venv' 2>/dev/null || need_apt python3-venv
        "$python" -m venv "$venv"
    fi
fi
if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep '^uv==' "$lock")"
    uv=$venv/bin/uv
fi
"$uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode -r "$lock"
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
"$venv/bin/python" -m compileall -q generator
mkdir -p "$(dirname "$stamp")"
touch "$stamp"
