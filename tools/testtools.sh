#!/bin/bash
# Installs what tests compare our code with: Debian packages, when run as root on Debian, and the npm
# packages modbus-serial (version $1) and hyparquet with its decompressors (versions $2), into .tools. What cannot be installed is
# said; the tests that need it are skipped and counted. Never fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 0

need=()
want() { # want PACKAGE COMMAND...: the package is needed when the command fails
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || need+=("$package")
}
want mbpoll command -v mbpoll
want curl command -v curl
want gcc command -v gcc
want libc6-dev test -e /usr/include/stdio.h
want libmodbus-dev test -e /usr/include/modbus/modbus.h
want python3-pymodbus test -e /usr/lib/python3/dist-packages/pymodbus
want python3-serial test -e /usr/lib/python3/dist-packages/serial
want python3-serial-asyncio test -e /usr/lib/python3/dist-packages/serial_asyncio
want python3-pyftpdlib test -e /usr/lib/python3/dist-packages/pyftpdlib
want socat command -v socat
want libxml2-utils command -v xmllint
want rsyslog test -x /usr/sbin/rsyslogd
want nodejs command -v node
want npm command -v npm
want postgresql sh -c 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb'

if [ ${#need[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq >/dev/null 2>&1
		if [[ " ${need[*]} " == *" postgresql "* ]]; then # the package, without a server of the system's that it would start
			apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null 2>&1 &&
				sed -i 's/^#\?create_main_cluster = .*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
		fi
		# Together is quicker; where one of them cannot be had, the others still can.
		apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null 2>&1 || for package in "${need[@]}"; do
			apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || echo "cannot install $package (the tests that need it are skipped)"
		done
	else
		echo "not installed: ${need[*]} (the tests that need them are skipped; run as root on Debian, or install them)"
	fi
fi

# npm FOLDER VERSION PACKAGE...: into .tools/FOLDER. No package runs a script of its own: that for serial ports comes built.
npm_packages() {
	local folder=.tools/$1 version=$2
	shift 2
	[ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] && command -v npm >/dev/null || return 0
	mkdir -p "$folder"
	if npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >/dev/null 2>&1; then
		echo "$version" >"$folder/version"
	else
		echo "cannot install the npm packages $* (the tests that need them are skipped)"
	fi
}
npm_packages node "$1 with serial ports" "modbus-serial@$1"
npm_packages parquet "$2" "hyparquet@${2%/*}" "hyparquet-compressors@${2#*/}"
exit 0
