#!/bin/bash
# A PostgreSQL server of the tests' own: in a new folder, reached by a socket in it, gone when it is over. The system's
# server is never touched.
#
#   tools/postgres.sh serve            prints the server's address, and ends it when standard input ends
#   tools/postgres.sh run COMMAND...   runs a command with the address in METERMANAGER_TEST_POSTGRES
#
# METERMANAGER_TEST_POSTGRES_FSYNC=on makes commits wait for the disk, for benchmarks. Exit 3: PostgreSQL cannot be had here.
set -euo pipefail

cannot() {
	echo "no PostgreSQL for tests: $*" >&2
	exit 3
}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb 2>/dev/null || echo /none/initdb)")

start() {
	[ -x "$bin/initdb" ] || cannot "initdb is not installed (Debian package postgresql)"
	as=()
	if [ "$(id -u)" = 0 ]; then # it refuses to run as root
		id postgres >/dev/null 2>&1 || cannot "run as root, and there is no user postgres"
		command -v setpriv >/dev/null || cannot "run as root, and there is no setpriv"
		as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
	fi
	folder=$(mktemp -d /tmp/metermanager-postgres.XXXXXX)
	trap stop EXIT
	trap '' INT # Ctrl-C reaches the command; the server ends after it
	[ ${#as[@]} = 0 ] || chown postgres:postgres "$folder"
	cd "$folder"
	"${as[@]}" "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$folder/initdb.log" 2>&1 ||
		cannot "initdb failed: $(tail -n 3 "$folder/initdb.log")"
	"${as[@]}" "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=400 \
		-c fsync="${METERMANAGER_TEST_POSTGRES_FSYNC:-off}" -c shared_buffers=128MB -c max_wal_size=1GB \
		</dev/null >"$folder/server.log" 2>&1 &
	for _ in $(seq 300); do
		if "$bin/pg_isready" -q -h "$folder" -U postgres; then
			address="postgres://postgres@/postgres?host=$folder"
			cd - >/dev/null
			return
		fi
		kill -0 $! 2>/dev/null || cannot "the server did not start: $(tail -n 3 "$folder/server.log")"
		sleep 0.1
	done
	cannot "the server did not answer in 30 s"
}

stop() {
	local pid
	pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null || true)
	if [ -n "$pid" ]; then
		kill -QUIT "$pid" 2>/dev/null || true
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.05
		done
	fi
	cd /
	rm -rf "$folder"
}

case "${1:-}" in
serve)
	start
	echo "$address"
	cat >/dev/null
	;;
run)
	shift
	coproc SERVER { exec "$0" serve; }
	server=$SERVER_PID to=${SERVER[1]}
	trap '' INT
	if read -r address <&"${SERVER[0]}"; then # otherwise it has said why
		export METERMANAGER_TEST_POSTGRES=$address
	fi
	code=0
	(trap - INT; exec "$@") || code=$?
	exec {to}>&- || true
	wait "$server" 2>/dev/null || true
	exit "$code"
	;;
*)
	sed -n '2,8s/^# \?//p' "$0"
	exit 2
	;;
esac
