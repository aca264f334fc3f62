#!/usr/bin/env bash
# Installs what the log viewer needs, when absent, as root on Debian or Ubuntu; else says what is missing.
#   desktoptools.sh build   to build it: a C compiler, headers of X11 and OpenGL
#   desktoptools.sh test    to run it without a screen as well: Xvfb, software OpenGL, xdotool
set -euo pipefail

packages=(gcc libc6-dev pkg-config libgl1-mesa-dev libx11-dev libxcursor-dev libxrandr-dev libxinerama-dev libxi-dev libxxf86vm-dev)
[ "${1:-build}" = test ] && packages+=(xvfb xauth xdotool libgl1-mesa-dri libgl1 libglx-mesa0)

command -v dpkg-query >/dev/null || exit 0 # another system: the compiler says what is missing
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} = 0 ] && exit 0

if [ "$(id -u)" != 0 ]; then
	echo "The log viewer needs these packages; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "installing what the log viewer needs: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
