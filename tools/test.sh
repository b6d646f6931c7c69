#!/bin/sh
# Formatting, layers, static analysis, sanitizers, fuzzing, and all tests in a release build. Installs what is missing.
# `tools/test.sh quick` stops after the release tests.
set -eu
cd "$(dirname "$0")/.."

tools/install_packages.sh test
jobs=$(nproc)
# Whole layers in one compilation: half the time of a build from nothing.
unity=-DCMAKE_UNITY_BUILD=ON
step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

step "formatting"
tools/format.sh --check
step "layers"
python3 tools/check_layers.py --self-test
python3 tools/check_layers.py
step "golden vectors equal their script"
# Debian's python3 has the numpy that install_packages.sh installs; another one on PATH may not.
/usr/bin/python3 tests/golden/make_golden.py --check

step "release build and tests"
cmake --preset release $unity -DPRWKV_TESTS=ON -DPRWKV_BENCH=ON >/dev/null
cmake --build --preset release
if [ "${1:-all}" = quick ]; then
  ctest --preset release -j "$jobs"
  exit
fi

# clang-tidy reads the files that this build compiles anyway; alone it is the preset `tidy`.
step "static analysis; address and undefined-behaviour sanitizers"
cmake --preset asan $unity -DPRWKV_TIDY=ON -DPRWKV_BENCH=OFF >/dev/null
cmake --build --preset asan
# That build leaves AVX-512 out (src/backend/CMakeLists.txt).
if [ "$(uname -m)" = x86_64 ]; then
  printf '%s\n' src/backend/cpu/isa_avx512*.cc | xargs -P "$jobs" -n 1 clang-tidy-14 --quiet -p build/release
fi
ctest --preset asan -j "$jobs" -LE slow

step "thread sanitizer"
cmake --preset tsan $unity -DPRWKV_BENCH=OFF >/dev/null
cmake --build --preset tsan --target thread_tests
ctest --preset tsan -j "$jobs" -L threads

step "fuzzing, briefly, from the kept corpus"
cmake --preset fuzz $unity >/dev/null
cmake --build --preset fuzz --target fuzzers
ctest --preset fuzz -j "$jobs" -R '^fuzz\.'

step "64-bit Arm: cross compiled, the kernels under qemu-user"
tools/install_packages.sh aarch64
tools/test_aarch64.sh

step "all tests, release"
ctest --preset release -j "$jobs"
