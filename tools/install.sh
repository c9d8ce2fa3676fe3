#!/bin/bash
# Installs the Debian packages named as arguments where they are missing (with sudo where not root). Without
# the right to do so it says in one line what to install.
missing=()
for p in "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q "ok installed" || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
run=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && run=(sudo)
fi
if [ "$(id -u)" != 0 ] && [ ${#run[@]} -eq 0 ]; then
    echo "please install: apt-get install ${missing[*]}" >&2
    exit 4
fi
echo "installing: ${missing[*]}" >&2
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null 2>&1 ||
    { "${run[@]}" apt-get update -q >/dev/null 2>&1 && "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null; } ||
    { echo "could not install; please run: apt-get install ${missing[*]}" >&2; exit 4; }
