#!/bin/sh
# From a fresh clone to text: installs what is missing, builds, and lets the default model speak.
set -eu
cd "$(dirname "$0")/.."

tools/install_packages.sh build
# Whole layers in one compilation: half the time of a build from nothing.
cmake --preset release -DCMAKE_UNITY_BUILD=ON -DPRWKV_TESTS=OFF -DPRWKV_BENCH=OFF >/dev/null
cmake --build --preset release --target prwkv

echo
build/release/prwkv generate --echo -p "Once upon a time" -n 200
echo
echo
echo "> Tell me a story about a dog who lost his ball."
build/release/prwkv chat -q -p "Tell me a story about a dog who lost his ball."
