#!/bin/sh
# Allow one user to drop the page cache with cache.method=helper:   sudo scripts/install_helper.sh USER
#
# Installs the helper, owned by root, and one line in /etc/sudoers.d. First checks that only root can change what
# sudo will run: the helper and all folders above it.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
helper=/usr/local/sbin/l2sweep-drop-caches
sudoers=/etc/sudoers.d/l2sweep

fail() {
  echo "install_helper.sh: $1" >&2
  exit 1
}

# A path must belong to root, and its group and others must not be able to write to it.
require_root_owned() {
  owner=$(stat -L -c %u "$1") || fail "$1: cannot read its owner"
  mode=$(stat -L -c %a "$1")
  [ "$owner" = 0 ] || fail "$1 belongs to user $owner, not to root: that user could change what sudo runs"
  case $mode in
    *[2367]? | *[2367]) fail "$1 has mode $mode: users other than root could change what sudo runs" ;;
  esac
}

require_root_owned_folders() {
  # Both the path as given and its target: the owner of a folder can replace everything in it.
  for folder in "$(dirname "$1")" "$(readlink -f "$(dirname "$1")")"; do
    while :; do
      require_root_owned "$folder"
      [ "$folder" = / ] && break
      folder=$(dirname "$folder")
    done
  done
}

[ "$#" -eq 1 ] || fail "give one argument: the user who may drop the page cache"
[ "$(id -u)" = 0 ] || fail "must be run as root"
id "$1" >/dev/null 2>&1 || fail "user $1 does not exist"
case $1 in *[!a-zA-Z0-9._-]*) fail "user name $1 is not allowed in sudoers" ;; esac
command -v visudo >/dev/null || fail "sudo is not installed"

mkdir -p "$(dirname "$helper")"
require_root_owned_folders "$helper"
require_root_owned_folders "$sudoers"
if [ -L "$helper" ] || [ -L "$sudoers" ]; then
  fail "$helper or $sudoers is a symbolic link: remove it first"
fi

install -o root -g root -m 0755 "$here/l2sweep-drop-caches" "$helper"
line=$(mktemp)
trap 'rm -f "$line"' EXIT
sed "s/@USER@/$1/" "$here/l2sweep.sudoers" >"$line"
visudo -c -q -f "$line" || fail "visudo rejects the line for sudoers"
install -o root -g root -m 0440 "$line" "$sudoers"
require_root_owned "$helper"
require_root_owned "$sudoers"
echo "$1 may run: sudo -n $helper"
