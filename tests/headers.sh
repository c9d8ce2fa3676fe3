#!/bin/bash
# The public headers in the languages they are for: each alone, without a warning. usage: headers.sh SOURCE CC...
source=$1
shift
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
ran=0
try() { # compiler, language, standard, header
    printf '#include <%s>\nint main(void) { return 0; }\n' "$4" >"$dir/t.${2/c++/cpp}"
    "$1" -x "$2" -std="$3" -I"$source/include" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only "$dir/t.${2/c++/cpp}" || {
        echo "$1 -std=$3: $4"
        exit 1
    }
    ran=$((ran + 1))
}
for cc in "$@"; do
    command -v "$cc" >/dev/null || continue
    for header in cotan.h $(cd "$source/include" && ls cotan/*.h); do
        try "$cc" c c11 "$header"
        for standard in c++11 c++17 c++20; do try "$cc" c++ $standard "$header"; done
    done
done
echo "$ran headers compiled"
[ $ran -gt 0 ]
