#!/bin/sh
# Installs the Debian packages that are missing: `install_packages.sh build` for a build, `… test` for everything the
# tests and checks need as well. Does nothing, and needs no root, when all are there.
set -eu

build="g++ cmake ninja-build pkg-config git ca-certificates python3 python3-pip
       libfmt-dev nlohmann-json3-dev libcli11-dev libzstd-dev libutf8proc-dev libxxhash-dev
       zlib1g-dev"
test="libgtest-dev libgmock-dev libbenchmark-dev clang-14 libclang-rt-14-dev llvm-14 clang-format-14 clang-tidy-14
      binutils python3-numpy python3-pytest"

case "${1:-build}" in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  *) echo "usage: $0 build|test" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
if [ "$(id -u)" -ne 0 ]; then
  echo "not root: run  apt-get install$missing  first" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words is meant
apt-get install -y -qq --no-install-recommends $missing >/dev/null
