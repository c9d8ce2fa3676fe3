#!/bin/bash
# Installs into an empty folder and builds an example as a user would: with pkg-config and with find_package.
# usage: install.sh BUILD SOURCE CMAKE
set -e
build=$1 source=$2 cmake=$3
to=$(mktemp -d /tmp/cotan_install_XXXXXX)
trap 'rm -rf "$to"' EXIT
"$cmake" --install "$build" --prefix "$to/root" >"$to/log"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$to/root" -name cotan.pc)")
cc "$source/examples/xor.c" $(pkg-config --cflags --libs cotan) -lm -o "$to/xor"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir cotan) "$to/xor" | tail -1
cat >"$to/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(cotan REQUIRED)
add_executable(user "$source/examples/xor.c")
target_link_libraries(user cotan::core_shared m)
END
"$cmake" -S "$to" -B "$to/build" -DCMAKE_PREFIX_PATH="$to/root" >>"$to/log" && "$cmake" --build "$to/build" >>"$to/log" || { tail -20 "$to/log"; exit 1; }
"$to/build/user" | tail -1
test -f "$to/root/share/man/man1/cotan.1"
"$to/root/bin/cotan" --version
undefined=$(nm -D --defined-only "$(find "$to/root" -name 'libcotan.so.0')" | awk '$3 !~ /^(ct_|COTAN_)/ {print $3}' | grep -v '^$' || true)
[ -z "$undefined" ] || { echo "exported beside ct_*: $undefined"; exit 1; }
