#!/bin/sh
# Proves that one binary is safe on every x86-64 processor: no instruction beyond the baseline outside the files that
# are compiled for a wider instruction set, and nothing in those files that the linker could hand to others.
#
#   tools/check_isa.sh BUILD_DIRECTORY        a release build
set -eu
build=${1:?usage: check_isa.sh BUILD_DIRECTORY}
objects=$(find "$build/src" -name '*.o' ! -name '*_test.cc.o' ! -name '*_bench.cc.o' | sort)
[ -n "$objects" ] || { echo "no objects under $build/src" >&2; exit 2; }
bad=0
checked=0
for object in $objects; do
  checked=$((checked + 1))
  case $object in
    *isa_avx2.cc.o | *isa_avx512.cc.o)
      # A weak symbol is merged with the same function of another file; here that file would get wide instructions.
      isa=$(basename "$object" .cc.o)
      shared=$(nm -C --defined-only "$object" | awk '$2 == "W"' | grep -v "prwkv::$isa::" || true)
      if [ -n "$shared" ]; then
        printf '%s: symbols that other files may share:\n%s\n' "$object" "$shared"
        bad=1
      fi
      ;;
    *)
      wide=$(objdump -d --no-show-raw-insn "$object" | grep -E '%[yz]mm[0-9]|%k[1-7][^a-z]|\sv[a-z0-9]+(ss|sd|ps|pd)\s' | head -3 || true)
      if [ -n "$wide" ]; then
        printf '%s: instructions beyond the baseline:\n%s\n' "$object" "$wide"
        bad=1
      fi
      ;;
  esac
done
[ $bad -eq 0 ] && echo "$checked object files: ok"
exit $bad
