#!/bin/sh
# Installs the Debian packages that are missing: `install_packages.sh build` for a build, `… test` for everything the
# tests and checks need as well, `… coverage` for tools/fuzz.sh too, `… aarch64` for cross compiling to 64-bit Arm and
# running the result. Does nothing, and needs no root, when all are there.
set -eu

build="g++ cmake ninja-build pkg-config git ca-certificates python3 python3-pip
       libfmt-dev nlohmann-json3-dev libcli11-dev libzstd-dev libutf8proc-dev libxxhash-dev
       zlib1g-dev libeigen3-dev libedit-dev"
test="libgtest-dev libgmock-dev libbenchmark-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 binutils
      python3-numpy python3-pytest"
coverage="llvm-14"
# A compiler, an emulator, and the libraries that are no mere headers once more, for the other architecture.
aarch64="g++-aarch64-linux-gnu binutils-aarch64-linux-gnu qemu-user-static libfmt-dev:arm64 libzstd-dev:arm64
         libutf8proc-dev:arm64 libxxhash-dev:arm64 zlib1g-dev:arm64 libgtest-dev:arm64 libgmock-dev:arm64 libedit-dev:arm64"

case "${1:-build}" in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  coverage) wanted="$build $test $coverage" ;;
  aarch64) wanted="$build $aarch64" ;;
  *) echo "usage: $0 build|test|coverage|aarch64" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
foreign=""
case $missing in *:arm64*) foreign=arm64 ;; esac
if [ "$(id -u)" -ne 0 ]; then
  echo "not root: run  ${foreign:+dpkg --add-architecture $foreign && apt-get update && }apt-get install$missing  first" >&2
  exit 1
fi
[ -z "$foreign" ] || dpkg --add-architecture "$foreign"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words is meant
apt-get install -y -qq --no-install-recommends $missing >/dev/null
