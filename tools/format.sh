#!/bin/sh
# Formats all C++ sources in place, or with --check reports what is not formatted and exits 1.
set -eu
cd "$(dirname "$0")/.."
command -v clang-format-14 >/dev/null || { echo "clang-format-14 is missing: tools/install_packages.sh test" >&2; exit 2; }
mode="-i"
[ "${1:-}" = --check ] && mode="--dry-run --Werror"
# shellcheck disable=SC2086
find src tests bench -name '*.h' -o -name '*.cc' | sort | xargs clang-format-14 $mode
