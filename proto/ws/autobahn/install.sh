#!/usr/bin/env bash
# Installs Autobahn|Testsuite for ./run.sh and prints the path of its Python.
#
#   install.sh
#
# It needs a Python 2.7, which it looks for in $AUTOBAHN_PYTHON, on PATH and under
# pyenv; a python3 with venv, to make the virtualenv; a C compiler; and PyPI. It
# installs into $AUTOBAHN_HOME, by default ~/.cache/boomnet/autobahn (20 s, 110 MB),
# touches nothing else, and does nothing when that is up to date.
#
# Exit: 0 installed; 3 there is no Python 2.7 or no python3; 1 anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${AUTOBAHN_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/boomnet/autobahn}
virtualenv='virtualenv==20.21.1' # the last that makes environments for Python 2.7

is_python27() {
  [ -n "$1" ] && [ "$("$1" -c 'import sys; print(sys.version_info[:2] == (2, 7))' 2>/dev/null)" = True ]
}

find_python27() {
  local p
  for p in "${AUTOBAHN_PYTHON:-}" "$(command -v python2.7)" "$(command -v python2)" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
    if is_python27 "$p"; then
      echo "$p"
      return
    fi
  done
  return 1
}

# The pins that are installed, so that a changed list installs again.
stamp=$home/installed
if [ -x "$home/env/bin/python" ] && cmp -s "$here/requirements.txt" "$stamp"; then
  echo "$home/env/bin/python"
  exit 0
fi
if ! python27=$(find_python27); then
  echo "SKIPPED: Autobahn needs a Python 2.7, none is in AUTOBAHN_PYTHON, on PATH or under pyenv (pyenv install 2.7.18)" >&2
  exit 3
fi
if ! python3 -c 'import venv' 2>/dev/null; then
  echo "SKIPPED: Autobahn needs a python3 with venv to make its virtualenv" >&2
  exit 3
fi

echo "installing Autobahn|Testsuite into $home with $python27" >&2
mkdir -p "$home"
pip_options=(--quiet --disable-pip-version-check)
[ -x "$home/maker/bin/pip" ] || python3 -m venv "$home/maker" >&2
"$home/maker/bin/pip" install "${pip_options[@]}" "$virtualenv" >&2
"$home/maker/bin/virtualenv" --quiet --no-periodic-update --clear --python "$python27" "$home/env" >&2
"$home/env/bin/pip" install "${pip_options[@]}" --no-python-version-warning --no-deps --requirement "$here/requirements.txt" >&2
cp "$here/requirements.txt" "$stamp"
echo "$home/env/bin/python"
