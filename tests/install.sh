#!/bin/bash
# Installs into an empty folder, moves it, and builds programs as a user would, with pkg-config and with find_package,
# shared and static; and looks at what the libraries export and need.   usage: install.sh BUILD SOURCE CMAKE
set -e
build=$1 source=$2 cmake=$3
to=$(mktemp -d /tmp/cotan_install_XXXXXX)
trap 'rm -rf "$to"' EXIT
fail() { echo "FAILED: $1"; exit 1; }

"$cmake" --install "$build" --prefix "$to/first" >"$to/log"
mv "$to/first" "$to/root" # the folder may be moved as a whole
lib=$(dirname "$(find "$to/root" -name libcotan.so)")
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

# pkg-config: the core alone, the jobs, and static.
cat >"$to/job.c" <<END
#include <stdio.h>
#include "cotan/task.h"
int main(void) {
    ct_err e = {0};
    ct_train_result r;
    ct_image_train o = {.data = "$to/none", .output = "$to/m.safetensors"};
    ct_status s = ct_train_image(&o, &r, &e);
    puts(e.text);
    return s == CT_EIO ? 0 : 1; /* there is no such folder */
}
END
cc "$source/examples/xor.c" $(pkg-config --cflags --libs cotan) -lm -o "$to/xor" && "$to/xor" | tail -1
cc "$to/job.c" $(pkg-config --cflags --libs cotan-data) -o "$to/job" && "$to/job"
mkdir "$to/static" && cp "$lib"/*.a "$to/static"
cc "$to/job.c" $(pkg-config --cflags cotan-data) -L"$to/static" $(pkg-config --static --libs-only-l cotan-data) -o "$to/job_static" && "$to/job_static"
ldd "$to/job_static" | grep -q libcotan && fail "the static program asks for a shared library of ours"

# find_package, C and C++.
cat >"$to/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(user C CXX)
find_package(cotan 0.1 REQUIRED COMPONENTS static)
foreach(kind shared static)
  add_executable(user_\${kind} "$source/examples/xor.c")
  target_link_libraries(user_\${kind} cotan::core_\${kind} m)
  add_executable(job_\${kind} "$to/job.c")
  target_link_libraries(job_\${kind} cotan::data_\${kind})
endforeach()
add_executable(cpp "$source/examples/embed.cpp")
set_target_properties(cpp PROPERTIES CXX_STANDARD 20)
target_link_libraries(cpp cotan::core_shared)
END
"$cmake" -S "$to" -B "$to/build" -DCMAKE_PREFIX_PATH="$to/root" >>"$to/log" && "$cmake" --build "$to/build" >>"$to/log" || { tail -20 "$to/log"; exit 1; }
for p in user_shared user_static job_shared job_static cpp; do "$to/build/$p" >/dev/null || fail "find_package: $p"; done

# Pages, completion, headers, names.
for verb in $("$to/root/bin/cotan" --help | sed -n "/^First/q; s/^  \([a-z]*\) .*/\1/p"); do test -s "$to/root/share/man/man1/cotan-$verb.1" || fail "the man page of $verb"; done
test -s "$to/root/share/man/man1/cotan.1" && test -s "$to/root/share/bash-completion/completions/cotan" || fail "pages"
for h in "$source"/include/cotan.h "$source"/include/cotan/*.h; do cmp -s "$h" "$to/root/include/${h#"$source"/include/}" || fail "header $h"; done
"$to/root/bin/cotan" --version

# Only ct_* is exported; in the static libraries only names of ours are visible at all.
for so in libcotan libcotan-data; do
    objdump -p "$lib/$so.so" | grep -q "SONAME *$so.so.0" || fail "SONAME of $so"
    other=$(nm -D --defined-only "$lib/$so.so" | awk '$3 !~ /^(ct_[a-z0-9]|COTAN_)/ {print $3}' | grep -v '^$' || true)
    [ -z "$other" ] || fail "$so exports beside ct_*: $other"
    private=$(nm -D --defined-only "$lib/$so.so" | awk '{print $3}' | grep '^ct__' || true)
    [ -z "$private" ] || fail "$so exports private names: $private"
    [ "$(nm -D --defined-only "$lib/$so.so" | grep -c ' T ct_')" -gt 5 ] || fail "$so exports nothing"
    other=$(nm -g --defined-only "$lib/$so.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^ct_/ {print $3}' | sort -u)
    [ -z "$other" ] || fail "$so.a has names without ct_: $other"
done
# The core needs none of the data room's libraries.
needs=$(objdump -p "$lib/libcotan.so" | awk '/NEEDED/ {print $2}' | sed 's/\.so.*//' | sort | tr '\n' ' ')
echo "libcotan needs $needs"
for name in $needs; do
    case $name in libdnnl | libjansson | libxxhash | libc | libm | libgomp | libpthread | ld-linux* | libgcc_s) ;; *) fail "libcotan needs $name" ;; esac
done
