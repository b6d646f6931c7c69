# Helpers that every layer's CMakeLists.txt uses.

add_library(prwkv_flags INTERFACE)
target_compile_options(prwkv_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
# Where an instruction set has fused multiply-adds, g++ would make them of any a * b + c. References, codecs and sampling
# must round alike everywhere; kernels spell every fma out, or the same row would round differently in differently shaped
# tiles.
target_compile_options(prwkv_flags INTERFACE -ffp-contract=off)
if(PRWKV_WERROR)
  target_compile_options(prwkv_flags INTERFACE -Werror)
endif()
if(PRWKV_DCHECKS)
  target_compile_definitions(prwkv_flags INTERFACE PRWKV_DCHECKS=1)
endif()
if(PRWKV_SANITIZE)
  # Everything that is linked in must agree, so these go to the whole tree.
  add_compile_options(-fsanitize=${PRWKV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PRWKV_SANITIZE})
endif()
if(PRWKV_FUZZ)
  # In unity builds clang asks for functions of {fmt} under names that g++, which made Debian's library, does not give them.
  add_compile_definitions(FMT_HEADER_ONLY)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(PRWKV_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
if(PRWKV_TIDY)
  find_program(PRWKV_CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${PRWKV_CLANG_TIDY} --quiet)
endif()

# prwkv_layer(NAME SOURCES... [LINK targets...]): a static library of one layer; LINK is its permissions.
function(prwkv_layer name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_library(prwkv_${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(prwkv_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(prwkv_${name} PUBLIC ${arg_LINK} PRIVATE prwkv_flags)
endfunction()

# prwkv_test(NAME SOURCES... [LINK targets...] [LABELS labels...]): a GoogleTest program whose cases ctest lists one by
# one. Tests find the repository at PRWKV_SOURCE_DIR and the optional reference material at $PRWKV_SHARED. Labels:
# `threads` for what ThreadSanitizer should see, `slow` for what sanitizers should skip.
if(PRWKV_TESTS)
  add_custom_target(thread_tests)  # those with the label `threads`, all that the preset tsan needs
endif()
function(prwkv_test name)
  if(NOT PRWKV_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "LINK;LABELS" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gtest GTest::gmock GTest::gtest_main prwkv_flags)
  if("threads" IN_LIST arg_LABELS)
    add_dependencies(thread_tests ${name})
  endif()
  # GoogleTest's macros expand to what clang-tidy forbids.
  set_target_properties(${name} PROPERTIES CXX_CLANG_TIDY "")
  target_compile_definitions(${name} PRIVATE PRWKV_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             $<$<BOOL:${CMAKE_CROSSCOMPILING_EMULATOR}>:PRWKV_EMULATED>)
  # Case by case a failure is easier to find and cases run side by side; but under a sanitizer the start of a process costs
  # more than most cases do.
  if(PRWKV_SANITIZE)
    # Optimizing the checks that sanitizers add takes longer than running them; the library is optimized all the same.
    target_compile_options(${name} PRIVATE -O0)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 3000 LABELS "${arg_LABELS}")
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600 LABELS "${arg_LABELS}")
  endif()
endfunction()

# The fuzz targets, in the presets fuzz and coverage.
add_custom_target(fuzzers)

# prwkv_fuzz(NAME SOURCE [LINK targets...]): a libFuzzer program in the fuzz preset; without sanitizers the same function
# replays the kept corpus tests/fuzz/corpus/NAME as an ordinary test. A dictionary tests/fuzz/dict/NAME.dict is used
# if there is one. What fuzzing finds is kept in the build folder, in NAME_corpus. The seed is fixed, so that a change
# fails for what it brings and not by chance; tools/fuzz.sh looks for new failures, with a seed of its own each time.
function(prwkv_fuzz name source)
  if(NOT PRWKV_TESTS OR (PRWKV_SANITIZE AND NOT PRWKV_FUZZ))
    return()  # the preset fuzz reads the same corpus under the same sanitizers
  endif()
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(PRWKV_FUZZ)
    add_executable(${name} ${source})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(dictionary ${PROJECT_SOURCE_DIR}/tests/fuzz/dict/${name}.dict)
    if(EXISTS ${dictionary})
      set(use_dictionary -dict=${dictionary})
    endif()
    add_test(NAME fuzz.${name} COMMAND ${name} -seed=1 -runs=20000 -max_total_time=20 -rss_limit_mb=2048 -timeout=60
             ${use_dictionary} -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/ ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus ${corpus})
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus)
  else()
    add_executable(${name} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz.${name} COMMAND ${name} ${corpus})
  endif()
  add_dependencies(fuzzers ${name})
  target_link_libraries(${name} PRIVATE ${arg_LINK} prwkv_flags)
endfunction()
