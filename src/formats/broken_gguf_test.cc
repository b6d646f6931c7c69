// GGUF files that are damaged or hostile.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "formats/broken_file.h"

namespace prwkv::testing {
namespace {

constexpr std::uint64_t kHuge = UINT64_MAX;

Bytes with_value(const GgufPair& value) {
  return build_gguf({.values = {value}, .tensors = {{}}, .data = counting_bytes(32)});
}
Bytes with_tensor(const GgufTensor& tensor, std::size_t data_bytes = 32) {
  return build_gguf({.tensors = {tensor}, .data = counting_bytes(data_bytes)});
}
/// Two tensors of 32 bytes, the second one at `offset`.
Bytes with_second_at(std::uint64_t offset, std::size_t data_bytes = 64) {
  return build_gguf({.tensors = {{.name = "a"}, {.name = "b", .offset = offset}},
                     .data = counting_bytes(data_bytes)});
}
/// `depth` arrays, each the only item of the one around it, and a number in the innermost.
GgufPair nested_arrays(int depth) {
  ByteWriter items;
  for (int i = 1; i < depth; ++i) items.u32(9).u64(1);
  items.u32(0).u64(1).text("x");
  return {"k", 9, items.bytes};
}

const Broken kHeaders[] = {
    {"gguf_magic_only", [] { return literal("GGUF\3"); }, "the header is cut off"},
    {"gguf_counts_cut", [] { return literal("GGUF\3\0\0\0\0\0\0\0\0\0\0\0"); },
     "the header is cut off"},
    {"gguf_version_0", [] { return build_gguf({.version = 0}); }, "is of an unknown GGUF version"},
    {"gguf_version_1", [] { return build_gguf({.version = 1}); }, "is of an unknown GGUF version"},
    {"gguf_version_4", [] { return build_gguf({.version = 4}); }, "is of an unknown GGUF version"},
    {"gguf_big_endian", [] { return build_gguf({.version = 0x03000000}); },
     "is a big-endian GGUF file"},
    {"gguf_big_endian_v2", [] { return build_gguf({.version = 0x02000000}); },
     "is a big-endian GGUF file"},
    {"gguf_no_tensors", [] { return build_gguf({}); }, "holds no tensors"},
    {"gguf_vocabulary_only",
     [] { return build_gguf({.values = {gguf_text("general.architecture", "rwkv7")}}); },
     "holds no tensors"},
    {"gguf_tensor_count_huge", [] { return build_gguf({.tensor_count = kHuge}); },
     "has too many tensors"},
    {"gguf_tensor_count_over_limit", [] { return build_gguf({.tensor_count = kMaxTensors + 1}); },
     "has too many tensors"},
    {"gguf_tensor_count_too_large",
     [] { return build_gguf({.tensors = {{}}, .alignment = 1, .tensor_count = 2}); },
     "the header is cut off"},
    {"gguf_value_count_huge", [] { return build_gguf({.value_count = kHuge}); },
     "has too many metadata entries"},
    {"gguf_value_count_too_large", [] { return build_gguf({.alignment = 1, .value_count = 1}); },
     "the header is cut off"},
    {"gguf_part_of_a_split",
     [] {
       return with_value({"split.count", 2, ByteWriter{}.u16(3).bytes});
     },
     "is one part of a split GGUF"},
    {"gguf_split_of_text", [] { return with_value(gguf_text("split.count", "many")); },
     "is one part of a split GGUF"},
};

const Broken kValues[] = {
    {"gguf_key_empty", [] { return with_value(gguf_u32("", 1)); }, "metadata key '' is not usable"},
    {"gguf_key_escape", [] { return with_value(gguf_u32("\x1b[2J", 1)); },
     R"(metadata key '\x1b[2J' is not usable)"},
    {"gguf_key_too_long", [] { return with_value(gguf_u32(std::string(1025, 'k'), 1)); },
     "metadata key "
     "'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...' "
     "is not usable"},
    {"gguf_key_length_huge",
     [] {
       Bytes file = with_value(gguf_u32("k", 1));
       overwrite(file, 24, kHuge);
       return file;
     },
     "the header is cut off"},
    {"gguf_same_key",
     [] {
       return build_gguf({.values = {gguf_u32("k", 1), gguf_u32("k", 1)}, .tensors = {{}}});
     },
     "metadata key 'k' appears twice"},
    {"gguf_type_13",
     [] {
       return with_value({"k", 13, counting_bytes(8)});
     },
     "the value of 'k' is of an unknown type"},
    {"gguf_type_huge",
     [] {
       return with_value({"k", UINT32_MAX, counting_bytes(8)});
     },
     "the value of 'k' is of an unknown type"},
    {"gguf_bool_2",
     [] {
       return with_value({"k", 7, to_bytes("\2")});
     },
     "the value of 'k' is neither true nor false"},
    {"gguf_bool_in_array", [] { return with_value(gguf_array("k", 7, 3, to_bytes("\1\1\xff"))); },
     "the value of 'k' is neither true nor false"},
    {"gguf_text_length_huge",
     [] {
       return with_value({"k", 8, ByteWriter{}.u64(kHuge).bytes});
     },
     "the header is cut off"},
    {"gguf_text_length_2_63",
     [] {
       return with_value({"k", 8, ByteWriter{}.u64(std::uint64_t{1} << 63).bytes});
     },
     "the header is cut off"},
    {"gguf_text_beyond_file",
     [] {
       return with_value({"k", 8, ByteWriter{}.u64(200).bytes});
     },
     "the header is cut off"},
    {"gguf_array_of_a_billion", [] { return with_value(gguf_array("k", 4, 1000000000, {})); },
     "the header is cut off"},
    {"gguf_array_size_wraps",
     [] { return with_value(gguf_array("k", 10, (std::uint64_t{1} << 61) + 1, Bytes(8))); },
     "the header is cut off"},
    {"gguf_texts_2_64", [] { return with_value(gguf_array("k", 8, kHuge, gguf_string("a"))); },
     "the header is cut off"},
    {"gguf_text_in_array_cut",
     [] { return with_value(gguf_array("k", 8, 1, ByteWriter{}.u64(1 << 20).bytes)); },
     "the header is cut off"},
    {"gguf_array_of_unknown", [] { return with_value(gguf_array("k", 13, 1, Bytes(8))); },
     "the value of 'k' is of an unknown type"},
    {"gguf_empty_array_of_unknown", [] { return with_value(gguf_array("k", 99, 0, {})); },
     "the value of 'k' is of an unknown type"},
    {"gguf_five_arrays_deep", [] { return with_value(nested_arrays(5)); },
     "the value of 'k' is nested too deeply"},
    {"gguf_a_million_arrays_deep", [] { return with_value(nested_arrays(1000000)); },
     "the value of 'k' is nested too deeply"},
    {"gguf_inner_array_huge",
     [] { return with_value(gguf_array("k", 9, 2, ByteWriter{}.u32(0).u64(kHuge).bytes)); },
     "the header is cut off"},
    {"gguf_alignment_zero", [] { return with_value(gguf_u32("general.alignment", 0)); },
     "general.alignment makes no sense"},
    {"gguf_alignment_24", [] { return with_value(gguf_u32("general.alignment", 24)); },
     "general.alignment makes no sense"},
    {"gguf_alignment_text", [] { return with_value(gguf_text("general.alignment", "32")); },
     "general.alignment makes no sense"},
    {"gguf_alignment_u64",
     [] {
       return with_value({"general.alignment", 10, ByteWriter{}.u64(std::uint64_t{1} << 63).bytes});
     },
     "general.alignment makes no sense"},
    {"gguf_alignment_beyond_file",
     [] { return with_value(gguf_u32("general.alignment", std::uint32_t{1} << 31)); },
     "is incomplete"},
};

const Broken kTensors[] = {
    {"gguf_name_empty", [] { return with_tensor({.name = ""}); }, "tensor name '' is not usable"},
    {"gguf_name_escape", [] { return with_tensor({.name = "w\n"}); },
     R"(tensor name 'w\x0a' is not usable)"},
    {"gguf_name_too_long", [] { return with_tensor({.name = std::string(1025, 'n')}); },
     "tensor 0 has an impossible name length"},
    {"gguf_same_name",
     [] {
       return build_gguf(
           {.tensors = {{.name = "a"}, {.name = "a", .offset = 32}}, .data = counting_bytes(64)});
     },
     "tensor 'a' appears twice"},
    {"gguf_rank_5",
     [] {
       return with_tensor({.dims = {8, 1, 1, 1, 1}});
     },
     "tensor 'w' has too many dimensions"},
    {"gguf_rank_huge", [] { return with_tensor({.rank = UINT32_MAX}); },
     "tensor 'w' has too many dimensions"},
    {"gguf_size_negative", [] { return with_tensor({.dims = {kHuge}}); },
     "tensor 'w' has a negative size"},
    {"gguf_size_2_63", [] { return with_tensor({.dims = {std::uint64_t{1} << 63}}); },
     "tensor 'w' has a negative size"},
    {"gguf_product_overflows",
     [] {
       return with_tensor({.dims = {std::uint64_t{1} << 32, std::uint64_t{1} << 32}});
     },
     "tensor 'w' is larger than any file can be"},
    {"gguf_product_overflows_to_right_size",
     [] { return with_tensor({.dims = {(std::uint64_t{1} << 62) + 8}}); },
     "tensor 'w' is larger than any file can be"},
    {"gguf_zero_hides_overflow",
     [] {
       return with_tensor({.dims = {0, std::uint64_t{1} << 40, std::uint64_t{1} << 40}});
     },
     "tensor 'w' is larger than any file can be"},
    {"gguf_size_beyond_file", [] { return with_tensor({.dims = {std::uint64_t{1} << 40}}); },
     "is incomplete"},
    {"gguf_type_removed", [] { return with_tensor({.dims = {32}, .type = 4}); },
     "tensor 'w' has an unsupported type"},
    {"gguf_type_of_activations", [] { return with_tensor({.dims = {32}, .type = 9}); },
     "tensor 'w' has an unsupported type"},
    {"gguf_type_iq2_xxs", [] { return with_tensor({.dims = {256}, .type = 16}); },
     "tensor 'w' has an unsupported type"},
    {"gguf_type_mxfp4", [] { return with_tensor({.dims = {32}, .type = 39}); },
     "tensor 'w' has an unsupported type"},
    {"gguf_type_unknown", [] { return with_tensor({.type = 1000}); },
     "tensor 'w' has an unknown type"},
    {"gguf_blocks_of_33_columns",
     [] {
       return with_tensor({.dims = {33, 32}, .type = 8}, 1122);
     },
     "tensor 'w' has rows that are no whole number of blocks"},
    {"gguf_superblocks_of_128_columns",
     [] {
       return with_tensor({.dims = {128, 2}, .type = 14}, 210);
     },
     "tensor 'w' has rows that are no whole number of blocks"},
    {"gguf_scalar_of_blocks", [] { return with_tensor({.dims = {}, .type = 2}, 18); },
     "tensor 'w' has rows that are no whole number of blocks"},
    {"gguf_offset_unaligned", [] { return with_tensor({.offset = 4}, 64); },
     "tensor 'w' does not lie where the one before it ends"},
    {"gguf_offset_huge", [] { return with_tensor({.offset = kHuge}); },
     "tensor 'w' lies beyond any file"},
    {"gguf_offset_2_63", [] { return with_tensor({.offset = std::uint64_t{1} << 63}); },
     "tensor 'w' does not lie where the one before it ends"},
    {"gguf_hole_at_start", [] { return with_tensor({.offset = 32}, 64); },
     "tensor 'w' does not lie where the one before it ends"},
    {"gguf_hole_between", [] { return with_second_at(64, 96); },
     "tensor 'b' does not lie where the one before it ends"},
    {"gguf_same_place", [] { return with_second_at(0); },
     "tensor 'b' does not lie where the one before it ends"},
    {"gguf_overlap", [] { return with_second_at(16); },
     "tensor 'b' does not lie where the one before it ends"},
    {"gguf_data_missing", [] { return with_tensor({}, 31); }, "is incomplete"},
    {"gguf_data_all_missing", [] { return with_tensor({}, 0); }, "is incomplete"},
    {"gguf_blocks_missing", [] { return with_tensor({.dims = {32}, .type = 8}, 33); },
     "is incomplete"},
    {"gguf_data_left_over", [] { return with_tensor({}, 33); }, "goes on after the last tensor"},
    {"gguf_more_than_padding", [] { return with_tensor({.dims = {9}}, 65); },
     "goes on after the last tensor"},
    {"gguf_tensor_record_cut",
     [] {
       Bytes file = build_gguf({.tensors = {{}}, .alignment = 1});
       file.pop_back();
       return file;
     },
     "the header is cut off"},
};

INSTANTIATE_TEST_SUITE_P(GgufHeader, BrokenFile, cases(kHeaders), case_name);
INSTANTIATE_TEST_SUITE_P(GgufValue, BrokenFile, cases(kValues), case_name);
INSTANTIATE_TEST_SUITE_P(GgufTensor, BrokenFile, cases(kTensors), case_name);

}  // namespace
}  // namespace prwkv::testing
