#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_machine_code.sh TOOLKIT_BIN LIB.so TABLE SOURCE...: the gate of the machine code. For each
# architecture it fails where
# - a kernel of the sources is missing, or stands in no row of TABLE (or the other way round);
# - a kernel spills registers, or uses local memory or a stack;
# - a kernel has more registers or more shared memory than its row allows;
# - a kernel whose row says so has no tensor instruction.
# TABLE has lines "kernel registers shared tensor", with "-" where no tensor instruction is needed.
set -eu
PATH=$1:$PATH so=$2 table=$3
shift 3
wanted=$(grep -ho '__global__ void [a-z0-9_]*' "$@" | awk '{ print $3 }' | sort)
listed=$(grep -v '^#' "$table" | awk '{ print $1 }' | sort)
[ "$wanted" = "$listed" ] || {
  echo "$table: its kernels are not those of the sources"
  printf '%s\n%s\n' "$wanted" "$listed" | sort | uniq -u
  exit 1
}
for arch in sm_80 sm_90; do
  cuobjdump -lelf "$so" | grep -q "$arch" || { echo "$so has no machine code for $arch"; exit 1; }
  { cuobjdump -arch "$arch" --dump-resource-usage "$so"; cuobjdump -arch "$arch" -sass "$so"; } |
    awk -v arch="$arch" '
    function plain(name) { # "_Z10r1_k_add..." is r1_k_add
      if (match(name, /^_Z[0-9]+/)) name = substr(name, RLENGTH + 1, substr(name, 3, RLENGTH - 2))
      sub(/:$/, "", name)
      return name
    }
    function bad(what) { print arch " " kernel ": " what; failed = 1 }
    FNR == NR { if ($1 !~ /^#/) { most[$1] = $2; room[$1] = $3; tensor[$1] = $4 } next }
    /^ Function / { kernel = plain($2); next }
    /REG:/ {
      for (i = 1; i <= NF; i++) { split($i, part, ":"); has[part[1]] = part[2] }
      if (has["REG"] > most[kernel]) bad(has["REG"] " registers, at most " most[kernel])
      if (has["SHARED"] > room[kernel]) bad(has["SHARED"] " bytes shared, at most " room[kernel])
      if (has["STACK"] + has["LOCAL"]) bad(has["STACK"] " bytes of stack, " has["LOCAL"] " local")
      seen[kernel] = 1
    }
    /Function :/ { kernel = plain($3) }
    /[ \t](LDL|STL)[. ]/ { if (!spills[kernel]++) bad("spills registers") }
    { if (tensor[kernel] != "-" && kernel && index($0, tensor[kernel] ".")) found[kernel] = 1 }
    END {
      for (kernel in most) {
        if (!seen[kernel]) bad("no machine code")
        if (tensor[kernel] != "-" && !found[kernel]) bad("no " tensor[kernel])
        n++
      }
      if (!failed) print arch ": " n " kernels within the table"
      exit failed
    }' "$table" -
done
