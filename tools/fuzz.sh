#!/usr/bin/env bash
# Runs every fuzz target of the repository for FUZZTIME each (10s when unset).
set -euo pipefail
export CGO_ENABLED=0
time_each=${FUZZTIME:-10s}
go list -tags ci ./... | while read -r package; do
	go test -tags ci -list '^Fuzz' "$package" | { grep '^Fuzz' || true; } | while read -r target; do
		echo "fuzz $package $target ($time_each)"
		go test -tags ci -run '^$' -fuzz "^$target\$" -fuzztime "$time_each" -fuzzminimizetime 10x "$package" </dev/null
	done
done
