#!/bin/bash
# tools/format.sh [--check]: our C files as .clang-format has it (generated ones excepted).
cd "$(dirname "$0")/.." || exit 1
mapfile -t files < <(git ls-files '*.c' '*.h' '*.cpp' | grep -vxE 'include/cotan/ops.h|src/op/table.c')
if [ "$1" = "--check" ]; then
    clang-format --dry-run -Werror "${files[@]}" 2>&1 | grep -m 20 error
    [ "${PIPESTATUS[0]}" = 0 ]
else
    clang-format -i "${files[@]}"
fi
