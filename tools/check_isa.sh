#!/usr/bin/env bash
# Checks that one binary can serve every processor of its architecture: instructions beyond the baseline
# stand in the objects of src/backend/cpu/isa_*.cc and nowhere else, and these objects define no function
# that the linker could take for another file.
#
#   * x86-64: VEX- and EVEX-encoded instructions and %ymm, %zmm, %k registers only in isa_avx2 and
#     isa_avx512*, %zmm and %k only in isa_avx512*
#   * aarch64: dot products of bytes only in isa_neon_dotprod and isa_neon_i8mm, products of byte matrices
#     and of mixed signs only in the latter
#   * a weak function (template or inline, merged by the linker with others of its name) in an isa
#     object belongs to that instruction set's own namespace
#
# Usage: check_isa.sh BUILD_DIRECTORY | --self-test
# Prints every offender; the exit status is 1 if there is any, 2 if there was nothing to look at.
set -euo pipefail

i8mm='usdot|sudot|[su]mmla|usmmla' bf16='bf(dot|mmla|mlal.|cvt[a-z0-9]*)'
declare -A beyond=(
  [x86_64]='%([yz]mm[0-9]|k[0-7])|\tv[a-z]'
  [aarch64]="\t([su]dot|$i8mm|$bf16)[ \t]"
)

# Prints the functions of an object that use what the expression describes, with one example each.
uses() {
  "${tools}objdump" -d --no-show-raw-insn "$1" | awk -v wanted="$2" '
    /^[0-9a-f]+ <.*>:$/ { name = $2; next }
    $0 ~ wanted && !(name in seen) { seen[name] = 1; sub(/^ *[0-9a-f]+:[ \t]*/, ""); print name " " $0 }'
}

check_object() {
  local object=$1 file bad isa
  file=$(basename "$object")
  case $file in
    isa_avx512*.cc.o) isa=${file%.cc.o} bad='' ;;
    isa_avx2.cc.o) isa=isa_avx2 bad='%(zmm[0-9]|k[0-7])' ;;
    isa_neon_i8mm.cc.o) isa=isa_neon_i8mm bad="\t$bf16[ \t]" ;;
    isa_neon_dotprod.cc.o) isa=isa_neon_dotprod bad="\t($i8mm|$bf16)[ \t]" ;;
    isa_*.cc.o) isa=${file%.cc.o} bad=${beyond[$machine]} ;;
    *) isa='' bad=${beyond[$machine]} ;;
  esac
  if [[ -n $bad ]]; then
    uses "$object" "$bad" | sed "s|^|$object: instruction beyond its set: |" | c++filt
  fi
  if [[ -n $isa ]]; then
    # W and u: weak functions and unique globals. V is data, e.g. references to the personality routine.
    "${tools}nm" --defined-only "$object" | awk -v own="^_ZT?[TZ]?Z?NK?5prwkv${#isa}$isa" \
      '$2 ~ /^[Wu]$/ && $3 !~ own { print $3 }' | sed "s|^|$object: may be linked into other files: |" | c++filt
  fi
}

# Objects of another architecture have tools of their own.
use_machine() {
  machine=$1 tools=''
  if [[ $(uname -m) != "$machine" ]]; then tools=$machine-linux-gnu-; fi
}

check() {
  local object objects offenders
  objects=$(find "$1/src" -name '*.o' 2>/dev/null | sort || true)
  case $objects in
    */isa_avx2.cc.o*) use_machine x86_64 ;;
    */isa_neon_dotprod.cc.o*) use_machine aarch64 ;;
    *)
      echo "check_isa.sh: no objects of a build for x86-64 or aarch64 in $1/src" >&2
      return 2
      ;;
  esac
  offenders=$(while read -r object; do check_object "$object"; done <<<"$objects")
  if [[ -n $offenders ]]; then
    echo "$offenders"
    return 1
  fi
  echo "$(wc -l <<<"$objects") objects: ok"
}

# The check must find what it looks for, in objects of the compiler's architecture.
self_test() {
  local status=0 found
  folder=$(mktemp -d)  # seen by the trap, which runs after this function
  trap 'rm -rf "$folder"' EXIT
  mkdir "$folder/src"
  compile() { "${CXX:-g++}" -x c++ -O2 -std=c++20 "${@:2}" -c - -o "$folder/src/$1"; }
  expect() {
    found=$(check "$folder") && { echo "not found: $1"; status=1; }
    grep -q "$1" <<<"$found" || { echo "expected '$1', but: $found"; status=1; }
  }
  compile plain.cc.o <<<'float twice(float x) { return 2 * x; }'
  "self_test_$("${CXX:-g++}" -dumpmachine | cut -d- -f1)"
  [[ $status == 0 ]] && echo "self-test: ok"
  return $status
}

self_test_x86_64() {
  compile isa_avx2.cc.o -mavx2 <<<'namespace prwkv::isa_avx2 { template <class T> [[gnu::noipa]] T f(T x) { return x * x; } }
    float g(float x) { return prwkv::isa_avx2::f(x); }'
  check "$folder" >/dev/null || { echo "a clean tree is refused"; status=1; }
  compile stray.cc.o -mavx2 <<<'float thrice(float x) { return 3 * x; }'
  expect 'stray.cc.o: instruction beyond its set: <thrice(float)>'
  rm "$folder/src/stray.cc.o"
  compile isa_avx2.cc.o -mavx512f <<<'#include <immintrin.h>
    __m512 wide(__m512 x) { return _mm512_add_ps(x, x); }'
  expect 'isa_avx2.cc.o: instruction beyond its set: <wide'
  compile isa_avx2.cc.o -mavx2 <<<'struct Shared { [[gnu::noipa]] float f(float x) { return x * x; } };
    float g(float x) { return Shared().f(x); }'
  expect 'isa_avx2.cc.o: may be linked into other files: Shared::f(float)'
}

self_test_aarch64() {
  local dot='#include <arm_neon.h>
    int32x4_t dot(int32x4_t s, int8x16_t x) { return vdotq_s32(s, x, x); }'
  compile isa_neon_dotprod.cc.o -march=armv8.2-a+dotprod <<<"$dot"
  check "$folder" >/dev/null || { echo "a clean tree is refused"; status=1; }
  compile isa_neon.cc.o -march=armv8.2-a+dotprod <<<"$dot"
  expect 'isa_neon.cc.o: instruction beyond its set: <dot'
  rm "$folder/src/isa_neon.cc.o"
  compile isa_neon_dotprod.cc.o -march=armv8.2-a+i8mm <<<'#include <arm_neon.h>
    int32x4_t matrix(int32x4_t s, int8x16_t x) { return vmmlaq_s32(s, x, x); }'
  expect 'isa_neon_dotprod.cc.o: instruction beyond its set: <matrix'
  compile isa_neon_dotprod.cc.o <<<'struct Shared { [[gnu::noipa]] float f(float x) { return x * x; } };
    float g(float x) { return Shared().f(x); }'
  expect 'isa_neon_dotprod.cc.o: may be linked into other files: Shared::f(float)'
}

case ${1:-} in
  --self-test) self_test ;;
  '' | -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
  *) check "$1" ;;
esac
