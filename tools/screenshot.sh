#!/bin/bash
# tools/screenshot.sh REPORT.html OUT.png [light|dark] [WIDTH] [HEIGHT]: a page as headless Chromium shows it. The one in docs/ is
# that of `cotan train image /usr/share/datasets/fashion-mnist -o small.safetensors --epochs 12 --limit 6000 --seed 1 --labels FILE`
# (the ten names, a line each), after `cotan evaluate small.safetensors /usr/share/datasets/fashion-mnist`.
page=$(realpath "$1") out=$2 scheme=${3:-light} width=${4:-1180} height=${5:-1620}
[ -f "$page" ] && [ -n "$out" ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
for browser in chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null && break
done
command -v "$browser" >/dev/null || { echo "no chromium; wanted one; install it: apt-get install chromium" >&2; exit 4; }
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
[ "$scheme" = dark ] && more=(--blink-settings=preferredColorScheme=0)
"$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" --window-size="$width,$height" "${more[@]}" \
    --virtual-time-budget=3000 --screenshot="$out" "file://$page" 2>/dev/null
[ -s "$out" ] || { echo "$out: not written" >&2; exit 1; }
