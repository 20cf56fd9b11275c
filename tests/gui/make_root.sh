#!/usr/bin/env bash
# Makes a Debian root of its own with a real Blender, Xvfb and Mesa's software OpenGL in it, for tests in a window.
#
#   make_root.sh [trixie|sid]     trixie: Blender 4.3, a minute or two and 1.3 GB; sid: the newest, moves daily
#
# Needs root and Debian's packages; nothing else of this machine is touched but `debootstrap`, which is installed when
# it is missing. Does nothing when the root is there already. Prints the root's folder.
#
#   SPARK_GUI_ROOTS   where roots are kept (~/.cache/spark-gui)
#   DEBIAN_MIRROR     where Debian's packages come from (what this machine's apt uses, else Debian's own)
set -euo pipefail
suite="${1:-trixie}"
root="${SPARK_GUI_ROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/spark-gui}/$suite"
log="${TMPDIR:-/tmp}/make_root-$suite.log"
# Blender's own builds carry the Python modules named last; Debian's package depends on none of them. The backend's
# MediaPipe loads libgles2.
packages="blender xvfb libgl1 libglx-mesa0 libgl1-mesa-dri libegl1 libegl-mesa0 libgles2 xdotool scrot fonts-dejavu-core
    python3-venv python3-pip python3-numpy python3-requests python3-zstandard python3-cattr"
wanted="$(echo "$packages" | tr -s ' \n' '\n' | sort | sha256sum | cut -c1-16)"

step() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
fail() { tail -30 "$log" >&2; exit 1; }

[ "$(id -u)" = 0 ] || { echo "make_root.sh: needs root" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
if [ "$(cat "$root/.complete" 2>/dev/null)" = "$wanted" ]; then
    echo "$root"
    exit
fi

mirror_of_apt() {
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* |
        head -1
}
mirror="${DEBIAN_MIRROR:-$(mirror_of_apt 2>/dev/null || true)}"
mirror="${mirror:-http://deb.debian.org/debian}"
if ! command -v debootstrap >/dev/null; then
    step "Installing debootstrap"
    { apt-get update && apt-get install -y --no-install-recommends debootstrap; } >"$log" 2>&1 || fail
fi
if [ ! -e "$root/.bootstrapped" ]; then
    step "Debian $suite in $root"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$log" 2>&1 || fail
    touch "$root/.bootstrapped"
fi

# No services, no documentation; this machine's names, certificates and proxies.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
printf '%s\n' 'path-exclude /usr/share/doc/*' 'path-exclude /usr/share/man/*' 'path-exclude /usr/share/locale/*' \
    force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/lean"
printf '%s\n' 'APT::Install-Recommends "false";' 'Acquire::Languages "none";' 'Acquire::Retries "3";' \
    'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/01lean"
apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy' >"$root/etc/apt/apt.conf.d/02proxy" || true
ln -sfn /proc/self/mounts "$root/etc/mtab" # else Blender finds no file systems
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"; }
done

step "Blender, Xvfb and Mesa"
here="$(dirname "${BASH_SOURCE[0]}")"
"$here/in_root.sh" "$root" apt-get update >"$log" 2>&1 || fail
# shellcheck disable=SC2086 # one word a package
"$here/in_root.sh" "$root" apt-get install -y $packages >>"$log" 2>&1 || fail
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
echo "$wanted" >"$root/.complete"
step "$("$here/in_root.sh" "$root" blender --version 2>/dev/null | head -1)"
echo "$root"
