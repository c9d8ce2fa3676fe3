#!/bin/bash
# Every public header alone, and all of them in one file, as C11, C++11, C++17 and C++20, by gcc and, where it is there,
# clang, without a warning; and C++20's designated initialisers.   usage: headers.sh SOURCE
source=$(realpath "$1") failed=0 checks=0
to=$(mktemp -d /tmp/cotan_headers_XXXXXX)
trap 'rm -rf "$to"' EXIT
flags=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only -I "$source/include")

compile() { # compiler, standard, file
    checks=$((checks + 1))
    local more=()
    [ "$3" = "$to/options.cpp" ] && more=(-Wno-missing-field-initializers) # g++ warns of what is meant there
    "$1" "-std=$2" "${flags[@]}" "${more[@]}" "$3" >"$to/log" 2>&1 && return
    failed=$((failed + 1))
    echo "FAILED: $1 -std=$2 $(basename "$3")"
    head -3 "$to/log"
}

cd "$source/include" || exit 1
all=0
for h in cotan.h cotan/*.h; do
    name=$(echo "$h" | tr / _)
    printf '#include "%s"\n' "$h" | tee "$to/$name.c" >"$to/$name.cpp"
    printf '#include "%s"\n' "$h" >>"$to/all.c"
    all=$((all + 1))
done
cp "$to/all.c" "$to/all.cpp"
cat >"$to/options.cpp" <<END
#include "cotan/nn.h"
ct_t net(ct_t x) {
    x = ct_relu(ct_conv2d(x, "conv1", 32, 3, {.pad = 1}));
    x = ct_maxpool2d(x, 2, {.stride = 2});
    return ct_linear(ct_flatten(x), "fc", 10, {.no_bias = 1});
}
ct_shape shape() { return CT_SHAPE(CT_N, 3, 32, 32); }
ct_fit_options fit() { return {.epochs = 3, .train = {.lr = 1e-3}, .schedule = {.kind = CT_COSINE}}; }
END
[ $all -ge 7 ] || { echo "FAILED: only $all headers found"; exit 1; }
for f in "$to"/*.c; do
    for cc in gcc clang; do
        command -v $cc >/dev/null && compile $cc c11 "$f"
    done
done
for f in "$to"/*.cpp; do
    for cc in g++ clang++; do
        command -v $cc >/dev/null || continue
        for standard in c++11 c++17 c++20; do
            [ "$f" = "$to/options.cpp" ] && [ $standard != c++20 ] && continue
            compile $cc $standard "$f"
        done
    done
done
echo "$checks checks, $failed failed"
[ $failed = 0 ]
