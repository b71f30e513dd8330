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

refuse() {
  echo "install_helper.sh: $1" >&2
  exit 2
}

# The user as sudoers must name it: not a number, which getent takes for a user id, not an option of another
# program, and not a word in capital letters, which sudoers takes for an alias such as ALL.
require_user_name() {
  case $1 in
    [a-zA-Z_]*) ;;
    *) refuse "USER must be the name of a user, starting with a letter or '_'" ;;
  esac
  case $1 in
    *[!a-zA-Z0-9._-]*) refuse "USER must contain only letters, digits, '.', '_' and '-'" ;;
  esac
  case $1 in
    *[!A-Z0-9_]*) ;;
    *) refuse "USER=$1 must not be a word in capital letters: sudoers takes it for an alias" ;;
  esac
  entry=$(getent passwd "$1") || refuse "USER=$1 must be an existing user"
  [ "${entry%%:*}" = "$1" ] || refuse "USER=$1 must be the name of an existing user"
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

[ "$#" -eq 1 ] || refuse "must have one argument: the user who may drop the page cache"
require_user_name "$1"
[ "$(id -u)" = 0 ] || fail "must be run as root"
if [ -L "$here/l2sweep-drop-caches" ] || [ ! -f "$here/l2sweep-drop-caches" ]; then
  refuse "$here/l2sweep-drop-caches must be a regular file"
fi
for target in "$helper" "$sudoers"; do
  if [ -L "$target" ] || { [ -e "$target" ] && [ ! -f "$target" ]; }; then
    refuse "$target must be a regular file, or missing: remove it first"
  fi
done
command -v visudo >/dev/null || fail "sudo is not installed"

mkdir -p "$(dirname "$helper")"
require_root_owned_folders "$helper"
require_root_owned_folders "$sudoers"
install -o root -g root -m 0755 "$here/l2sweep-drop-caches" "$helper"
line=$(mktemp)
trap 'rm -f "$line"' EXIT
sed "s/@USER@/$1/" "$here/l2sweep.sudoers" >"$line"
visudo -c -q -f "$line" || fail "visudo rejects the line for sudoers"
install -o root -g root -m 0440 "$line" "$sudoers"
require_root_owned "$helper"
require_root_owned "$sudoers"
echo "$1 may run: sudo -n $helper"
