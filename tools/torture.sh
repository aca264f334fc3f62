#!/usr/bin/env bash
# torture.sh FIRST N [BATCH]: N runs of the fault harness in virtual time, from seed FIRST on. It goes on after a seed that
# fails, and also when one takes the whole process with it, and lists the failing seeds at the end.
# One that never ends in virtual time is stopped: a run takes a second or two of a processor.
# The harness is built once: what is changed in the tree meanwhile does not matter.
set -euo pipefail

first=$1 n=$2 batch=${3:-50}
last=$((first + n - 1))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go test -tags ci -c -o "$work/virtual.test" ./service/e2e/virtual

# play SEED COUNT writes to $work/out; it fails when one of them does.
play() {
	(cd service/e2e/virtual && "$work/virtual.test" -test.run '^TestTorture$' -test.v -test.timeout "$((120 + 10 * $2))s" \
		-torture.n "$2" -torture.seed "$1") >"$work/out" 2>&1
}
passed() { grep -c -- '--- PASS: TestTorture/seed/' "$work/out" || true; }
failed() { grep -o -- '--- FAIL: TestTorture/seed/[0-9]*' "$work/out" | sed 's/.*\///' | sort -nu || true; }
# tell prints what the failing seeds of a batch said.
tell() { awk '/^=== /{next} /^ *--- PASS: .*\//{next} {print}' "$work/out"; }

bad=() ran=0
for ((seed = first; seed <= last; seed += batch)); do
	count=$((seed + batch - 1 > last ? last - seed + 1 : batch))
	if ! play "$seed" "$count"; then
		mapfile -t these < <(failed)
		tell
		if (($(passed) + ${#these[@]} != count)); then
			echo "the harness died in seeds $seed to $((seed + count - 1)): one by one"
			these=()
			for ((one = seed; one < seed + count; one++)); do
				if ! play "$one" 1; then
					these+=("$one")
					tell
				fi
			done
		fi
		bad+=("${these[@]}")
	fi
	ran=$((ran + count))
	echo "seeds $seed to $((seed + count - 1)): $ran runs so far, ${#bad[@]} failed; $(grep -o '[0-9]* runs, .*' "$work/out" | tail -1)"
done
for seed in "${bad[@]}"; do
	echo "again: make torture N=1 PROCS=0 SEED=$seed"
done
echo "$ran runs in virtual time, ${#bad[@]} failed"
[ ${#bad[@]} = 0 ]
