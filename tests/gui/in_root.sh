#!/usr/bin/env bash
# in_root.sh ROOT COMMAND...   runs a command in a Debian root that sees this machine's /tmp and /dev and the folders of
# SEEN, each under its own name or, as FOLDER=NAME, under another; separated by ':'. The mounts live in a name space of their own and vanish with it, so that removing the root
# can never reach out of it.
set -euo pipefail
root="$1"
shift
exec unshare --mount --propagation private -- bash -euc '
    root="$1" folder="$2"
    shift 2
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    IFS=: read -ra seen <<<"/tmp:${SEEN:-}"
    for place in "${seen[@]}"; do
        [ -d "${place%%=*}" ] || continue
        mkdir -p "$root${place#*=}"
        mount --rbind "${place%%=*}" "$root${place#*=}"
    done
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec chroot "$root" /bin/sh -c "cd \"\$0\" 2>/dev/null || cd /tmp; exec \"\$@\"" "$folder" "$@"
' _ "$root" "$PWD" "$@"
