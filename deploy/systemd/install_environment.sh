#!/bin/sh
# install_environment.sh BUILT PATH: installs the environment file, readable only by root because a password may be
# added. Does not replace an existing one, with the administrator's settings.
set -eu
[ -e "${DESTDIR-}$2" ] || install -D -m 0640 "$1" "${DESTDIR-}$2"
