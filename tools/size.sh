#!/bin/bash
# tools/size.sh [--check] [PATH...]: lines per file and per function of our C, the longest ten of each, means, the
# total. --check lists only functions over 60 and files over 500 lines, and fails when there are any. Generated files
# are left out.
cd "$(dirname "$0")/.." || exit 1
check=0
[ "$1" = "--check" ] && { check=1; shift; }
mapfile -t files < <(git ls-files -- "${@:-src}" | grep -E '\.(c|h)$' | grep -vxE 'src/op/table\.c')
awk -v check=$check '
# A function begins in the first column and ends with a brace there; its first line is that of its name or type.
FNR == 1 { file = FILENAME; order[++files] = file; open = 0; head = 0 }
{ lines[file] = FNR; total++ }
/^[A-Za-z_]/ && !/;[ \t]*(\/\*.*)?$/ && !/^(typedef|enum|union)/ { head = FNR; name = $0 }
/^[A-Za-z_].*\) \{$/ || /^ .*\) \{$/ { if (head && !open && ($0 ~ /^[A-Za-z_]/ || head >= FNR - 6) && name ~ /\(/) { open = head; title = name } }
/^[A-Za-z_].*\) \{.*\}$/ { functions++; all += 1; head = 0; open = 0 }
/^\}/ { if (open) { n = FNR - open + 1; functions++; all += n; sub(/\(.*/, "", title); sub(/.*[ *]/, "", title); length_of[file " " title] = n } open = 0; head = 0 }
END {
    for (k in length_of) if (length_of[k] > 60) over = over sprintf("%6d  %s\n", length_of[k], k)
    for (f in lines) if (lines[f] > 500) big = big sprintf("%6d  %s\n", lines[f], f)
    if (over != "") printf "functions over 60 lines\n%s", over
    if (big != "") printf "files over 500 lines\n%s", big
    if (check) exit over != "" || big != ""
    print "files, the longest ten"
    sort = "sort -rn | head -10"
    for (f in lines) printf "%6d  %s\n", lines[f], f | sort
    close(sort)
    print "functions, the longest ten"
    for (k in length_of) printf "%6d  %s\n", length_of[k], k | sort
    close(sort)
    print "lines of each folder"
    for (f in lines) { d = f; sub(/\/[^\/]*$/, "", d); folder[d] += lines[f] }
    plain = "sort -k2"
    for (d in folder) printf "%6d  %s\n", folder[d], d | plain
    close(plain)
    printf "%6d  lines in %d files, %d functions of %.1f lines on average\n", total, files, functions, all / functions
}' "${files[@]}"
