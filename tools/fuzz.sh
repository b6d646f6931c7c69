#!/bin/sh
# Fuzzes the readers of untrusted input and prints what docs/security.md reports.
#   tools/fuzz.sh [SECONDS [TARGET...]]     default: 60 seconds each for the readers of weight files
#   tools/fuzz.sh 0 [TARGET...]             only the coverage of what earlier runs have found
# For each target: executions, edges and inputs from libFuzzer (clang, ASan + UBSan); then, from a second build that
# replays those inputs, the lines of src/formats that they reach. What is found stays in build/fuzz; a crash ends the
# script and leaves its input there.
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh coverage

seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- fuzz_safetensors fuzz_gguf fuzz_pth fuzz_rwkvcpp fuzz_sharded

folder_of() { # folder_of PRESET TARGET: where CMake builds it
  program=$(find "build/$1/src" -type f -name "$2" -perm -u+x | head -n 1)
  [ -n "$program" ] || { echo "$2: there is no such fuzz target" >&2; exit 2; }
  dirname "$program"
}
last() { # last WORD: the number behind the last "WORD" in libFuzzer's log
  grep -o "$1[: ]*[0-9]*" "$log" | tail -n 1 | grep -o '[0-9]*$'
}

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "$@" >/dev/null
cmake --preset coverage >/dev/null
cmake --build --preset coverage --target "$@" >/dev/null

for target; do
  folder=$(folder_of fuzz "$target")
  found=$folder/${target}_corpus kept=tests/fuzz/corpus/$target dictionary=tests/fuzz/dict/$target.dict
  mkdir -p "$found"
  if [ "$seconds" -gt 0 ]; then
    log=$folder/$target.log
    # shellcheck disable=SC2046  # one word or none
    "$folder/$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
      $([ ! -e "$dictionary" ] || echo "-dict=$dictionary") -artifact_prefix="$folder/" "$found" "$kept" \
      >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
    printf '%-18s %4d s  %10d executions  %5d edges  %5d inputs\n' "$target" "$seconds" \
      "$(last stat::number_of_executed_units)" "$(last cov)" "$(last corp)"
  fi
  folder=$(folder_of coverage "$target")
  LLVM_PROFILE_FILE=$folder/$target.profraw "$folder/$target" "$kept" "$found" >/dev/null
done

printf '\n%-20s %6s %8s   %8s %8s   (of src/formats, reached by these inputs)\n' file lines reached branches reached
objects=''
profiles=''
for target; do
  folder=$(folder_of coverage "$target")
  objects="$objects -object $folder/$target" profiles="$profiles $folder/$target.profraw"
done
# shellcheck disable=SC2086  # lists of words
llvm-profdata-14 merge -o build/coverage/fuzz.profdata $profiles
# shellcheck disable=SC2086
llvm-cov-14 report $objects -instr-profile=build/coverage/fuzz.profdata \
  -ignore-filename-regex='(tests/|/usr/|src/base/|src/tensor/|test_files\.h|writer)' |
  awk '/\.(cc|h) / || /^TOTAL/ { n = split($1, p, "/"); printf "%-20s %6s %8s   %8s %8s\n", p[n], $8, $10, $11, $13 }'
