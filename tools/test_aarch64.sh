#!/bin/sh
# Cross compiles the tests of the kernels for 64-bit Arm and runs them under qemu-user: the whole table of operations,
# the block types, the element-wise functions, gradients and the golden models, on every instruction set. Needs
# `tools/install_packages.sh aarch64`.
set -eu
cd "$(dirname "$0")/.."

tests="op_table_test block_weights_test by_input_test packed_gradient_test acts_test backends_test golden_test training_test"
cmake --preset aarch64 -DCMAKE_UNITY_BUILD=ON >/dev/null
# shellcheck disable=SC2086  # a list of words is meant
cmake --build --preset aarch64 --target $tests

# What is chosen by itself on processors with and without the extensions.
for processor in cortex-a53:neon neoverse-n1:neon_dotprod max:neon_i8mm; do
  PRWKV_EXPECTED_ISA=${processor#*:} qemu-aarch64-static -cpu "${processor%:*}" build/aarch64/tests/backends_test \
    --gtest_brief=1
done

ctest --preset aarch64 -j "$(nproc)" -R '^(Ops|Cpu|Isas|Generations|GoldenModels|isa)'
