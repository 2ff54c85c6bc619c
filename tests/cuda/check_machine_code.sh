#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_machine_code.sh TOOLKIT_BIN LIB.so SOURCE...: fails where an architecture or a kernel of the
# sources is missing, or where a kernel spills registers to local memory.
set -eu
PATH=$1:$PATH so=$2
shift 2
wanted=$(grep -ho '__global__ void [a-z0-9_]*' "$@" | wc -l)
for arch in sm_80 sm_90; do
  cuobjdump -lelf "$so" | grep -q "$arch" || { echo "$so has no machine code for $arch"; exit 1; }
  cuobjdump -arch "$arch" -sass "$so" | awk -v arch="$arch" -v wanted="$wanted" '
    /Function :/ { kernel = $3; n[kernel] = 0 }
    /LDL|STL/ { spills[kernel]++ }
    END {
      for (k in n) {
        total++
        printf "%s %s spills=%d\n", arch, k, spills[k]
        if (spills[k]) bad = 1
      }
      if (total != wanted) {
        print arch ": expected " wanted " kernels, found " total
        bad = 1
      }
      exit bad
    }'
done
