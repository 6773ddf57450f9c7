#!/bin/sh
# install_environment.sh BUILT PATH: installs the environment file, readable by root alone for the password that it may come
# to hold, and leaves one alone that is there: it has somebody's settings.
set -eu
[ -e "${DESTDIR-}$2" ] || install -D -m 0640 "$1" "${DESTDIR-}$2"
