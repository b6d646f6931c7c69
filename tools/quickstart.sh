#!/bin/sh
# From a fresh clone to text: installs what is missing, builds, makes a random model, generates and measures.
set -eu
cd "$(dirname "$0")/.."

tools/install_packages.sh build
# Whole layers in one compilation: half the time of a build from nothing.
cmake --preset release -DCMAKE_UNITY_BUILD=ON -DPRWKV_TESTS=OFF -DPRWKV_BENCH=OFF >/dev/null
cmake --build --preset release --target prwkv

model=build/random-rwkv7-0.1b.safetensors
[ -e "$model" ] || build/release/prwkv make-random rwkv7:0.1b "$model" --dtype f16

echo
echo "A model with random weights: what follows is noise. Put the path of a real checkpoint in its place."
build/release/prwkv generate "$model" -p "Once upon a time" -n 48 --seed 1
echo
build/release/prwkv bench "$model"
