#!/bin/sh
# Lets one user drop the page cache for cache.method=helper:   sudo scripts/install_helper.sh USER
#
# Installs the helper for root to own, and one line in /etc/sudoers.d, and first sees that nobody but root can
# change what sudo will run: neither the helper nor any folder above it.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
helper=/usr/local/sbin/l2sweep-drop-caches
sudoers=/etc/sudoers.d/l2sweep

fail() {
  echo "install_helper.sh: $1" >&2
  exit 1
}

# A path must belong to root, and neither its group nor others may write to it.
require_roots() {
  owner=$(stat -L -c %u "$1") || fail "$1 cannot be looked at"
  mode=$(stat -L -c %a "$1")
  [ "$owner" = 0 ] || fail "$1 belongs to user $owner, not to root: who owns it could change what sudo runs"
  case $mode in
    *[2367]? | *[2367]) fail "$1 has mode $mode: others than root could change what sudo runs" ;;
  esac
}

require_roots_above() {
  # The path as it is written, and where its links lead: who owns a folder above can exchange what is below.
  for place in "$(dirname "$1")" "$(readlink -f "$(dirname "$1")")"; do
    while :; do
      require_roots "$place"
      [ "$place" = / ] && break
      place=$(dirname "$place")
    done
  done
}

[ "$#" -eq 1 ] || fail "give the user who may drop the page cache"
[ "$(id -u)" = 0 ] || fail "must be run by root"
id "$1" >/dev/null 2>&1 || fail "there is no user $1"
case $1 in *[!a-zA-Z0-9._-]*) fail "$1 is not a name that can stand in sudoers" ;; esac
command -v visudo >/dev/null || fail "sudo is not installed"

mkdir -p "$(dirname "$helper")"
require_roots_above "$helper"
require_roots_above "$sudoers"
if [ -L "$helper" ] || [ -L "$sudoers" ]; then
  fail "$helper or $sudoers is a link: remove it first"
fi

install -o root -g root -m 0755 "$here/l2sweep-drop-caches" "$helper"
line=$(mktemp)
trap 'rm -f "$line"' EXIT
sed "s/@USER@/$1/" "$here/l2sweep.sudoers" >"$line"
visudo -c -q -f "$line" || fail "sudo does not understand the line"
install -o root -g root -m 0440 "$line" "$sudoers"
require_roots "$helper"
require_roots "$sudoers"
echo "$1 may run: sudo -n $helper"
