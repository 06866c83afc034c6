#!/bin/sh
# Installs the named Debian packages, unless they are installed already.
# usage: install.sh PACKAGE...
set -eu
missing=
for package; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "Debian packages are missing. Install them as root: apt-get install$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Keep the services of the new packages from starting: they would take ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
# shellcheck disable=SC2086 # a list of names, to be split
apt-get -qq install --no-install-recommends $missing >/dev/null
