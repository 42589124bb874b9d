#!/bin/sh
# Runs a program with files as the unit shows them: credentials where systemd puts them, everything else read-only but
# for the state (ProtectSystem=strict). Called in a mount namespace of its own.
# Usage: service.sh CREDENTIALS STATE PROGRAM ARGUMENT...
set -eu
credentials=$1
state=$2
shift 2
mount --bind "$state" "$state"
mount -t tmpfs tmpfs /run
mkdir -p /run/credentials/rotator.service
mount --bind -o ro "$credentials" /run/credentials/rotator.service
mount -o remount,bind,ro /
exec "$@"
