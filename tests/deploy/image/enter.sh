#!/bin/sh
# Runs a program in a tree of files as a container runtime would, as user 10001: the tree is read-only but for two
# folders in memory, there are no capabilities, and none can be had. Called in mount and process namespaces of its own.
# Usage: enter.sh TREE PROGRAM ARGUMENT...
set -eu
tree=$1
shift
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$tree/tmp"
mount -t tmpfs -o mode=0700,uid=10001,gid=10001,nosuid,nodev,noexec tmpfs "$tree/run/rotator"
mount -o remount,bind,ro,nosuid,nodev "$tree"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+setuid,+setgid,+sys_chroot \
  chroot --userspec=10001:10001 "$tree" "$@"
