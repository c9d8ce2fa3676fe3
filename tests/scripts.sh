#!/bin/bash
# The scripts at the root: words that are wrong, and what is said where nothing may be installed. usage: scripts.sh SOURCE
source=$(realpath "$1") failed=0 checks=0
to=$(mktemp -d /tmp/cotan_scripts_XXXXXX)
trap 'rm -rf "$to"' EXIT

check() { # what, condition's status
    checks=$((checks + 1))
    [ "$2" = 0 ] && return
    failed=$((failed + 1))
    echo "FAILED: $1"
    cat "$to/out" "$to/err"
}
run() { "$@" >"$to/out" 2>"$to/err"; } # the status is the command's

for script in demo check; do
    run "$source/$script" --agian; status=$?
    [ $status = 2 ] && [ ! -s "$to/out" ] && [ "$(wc -l <"$to/err")" = 1 ] && grep -q "^$script: --agian; wanted" "$to/err"
    check "./$script --agian is refused in one line" $?
done

# A machine of somebody who is not root and has no sudo: only what the script itself needs is in the PATH.
mkdir "$to/bin"
for tool in bash cat grep env; do ln -s "$(command -v $tool)" "$to/bin/$tool"; done
printf '#!/bin/bash\necho 1000\n' >"$to/bin/id"
printf '#!/bin/bash\nexit 1\n' >"$to/bin/dpkg-query"
printf '#!/bin/bash\necho tried to install >&2\nexit 1\n' >"$to/bin/apt-get"
chmod +x "$to/bin/id" "$to/bin/dpkg-query" "$to/bin/apt-get"
run env PATH="$to/bin" "$to/bin/bash" "$source/tools/install.sh" cmake libdnnl-dev; status=$?
[ $status = 4 ] && [ ! -s "$to/out" ] && [ "$(cat "$to/err")" = "please install: apt-get install cmake libdnnl-dev" ]
check "without root and sudo one line says what to install" $?

# Everything there: silence.
printf '#!/bin/bash\necho "install ok installed"\n' >"$to/bin/dpkg-query"
run env PATH="$to/bin" "$to/bin/bash" "$source/tools/install.sh" cmake libdnnl-dev; status=$?
[ $status = 0 ] && [ ! -s "$to/out" ] && [ ! -s "$to/err" ]
check "with everything there nothing is said" $?

# A root whose apt-get fails: one line, after a second try with fresh lists.
printf '#!/bin/bash\necho 0\n' >"$to/bin/id"
printf '#!/bin/bash\nexit 1\n' >"$to/bin/dpkg-query"
printf '#!/bin/bash\nexit 100\n' >"$to/bin/apt-get"
run env PATH="$to/bin" "$to/bin/bash" "$source/tools/install.sh" cmake; status=$?
[ $status = 4 ] && grep -q "please run: apt-get install cmake" "$to/err"
check "where apt-get fails it says what to run" $?
echo "$checks checks, $failed failed"
[ $failed = 0 ]
