#!/usr/bin/env bash
# Takes the cases of the Autobahn|Testsuite; run from anywhere.
#
#   run.sh quick [FLAGS]    385 cases over TCP: of the compression cases, 12 and 13, only
#                           the smaller messages; 301 over TLS: none of these
#   run.sh full [FLAGS]     all 517 over TCP and over TLS
#
# FLAGS are the program's, see main.go.
#
# Exit: 0 every case was passed strictly; 1 otherwise; 2 wrong use; 3 SKIPPED, there is
# no Python 2.7.
set -uo pipefail

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

suite=${1:-}
[ $# -eq 0 ] || shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case $suite in
full) not_tcp= not_tls= ;;
quick)
  not_tcp=
  for case in 7 8 9 10 12 13 14 15 16 17 18; do # sizes above 4 KiB, and fragments but one
    not_tcp+=" 12.*.$case 13.*.$case"
  done
  not_tls='12.* 13.*'
  ;;
*) usage ;;
esac

python=$("$here/install.sh") || exit
bin=$(mktemp -d) || exit 1
running=
# Nothing outlives this script: the program ends the server, and this ends the program.
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$bin"' EXIT
trap 'exit 1' INT TERM HUP
(cd "$here" && go build -o "$bin/autobahn" .) || exit 1

# take FLAGS...: one run of the program.
take() {
  "$bin/autobahn" -python "$python" -dir "$here" "$@" &
  running=$!
  wait "$running"
  local code=$?
  running=
  return "$code"
}

result=0
take -exclude "$not_tcp" "$@" || result=1
take -exclude "$not_tls" -tls "$@" || result=1
exit "$result"
