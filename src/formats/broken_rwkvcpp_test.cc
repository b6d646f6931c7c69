// Files of rwkv.cpp that are damaged or hostile.
#include <gtest/gtest.h>

#include "formats/broken_file.h"

namespace prwkv::testing {
namespace {

Bytes one_record(const RwkvCppTensor& t) { return build_rwkvcpp({}, {t}); }

const Broken kRwkvCpp[] = {
    {"cpp_magic_only", [] { return literal("fmgg"); }, "the header is cut off"},
    {"cpp_header_cut",
     [] {
       auto b = valid_rwkvcpp();
       b.resize(23);
       return b;
     },
     "the header is cut off"},
    {"cpp_no_tensors", [] { return build_rwkvcpp({}, {}); }, "holds no tensors"},
    {"cpp_version_99", [] { return build_rwkvcpp({.version = 99}, {}); },
     "is of an unknown file version"},
    {"cpp_llama_ggmf", [] { return build_rwkvcpp({.version = 1}, {}); },
     "is of an unknown file version"},
    {"cpp_version_negative", [] { return build_rwkvcpp({.version = -1}, {}); },
     "is of an unknown file version"},
    {"cpp_vocab_zero", [] { return build_rwkvcpp({.n_vocab = 0}, {}); },
     "the header's n_vocab is not positive"},
    {"cpp_embed_negative", [] { return build_rwkvcpp({.n_embed = INT32_MIN}, {}); },
     "the header's n_embed is not positive"},
    {"cpp_layer_zero", [] { return build_rwkvcpp({.n_layer = 0}, {}); },
     "the header's n_layer is not positive"},
    {"cpp_old_quantized", [] { return build_rwkvcpp({.version = 100, .type = 2}, {}); },
     "the header is quantized as Q4_0 in the way of before file version 101"},
    {"cpp_old_quantized_tensor",
     [] {
       return build_rwkvcpp({.version = 100}, {{"w", {32}, 8, counting_bytes(24)}});
     },
     "tensor 'w' is quantized as Q5_1 in the way of before file version 101"},
    {"cpp_removed_type", [] { return build_rwkvcpp({.type = 4}, {}); },
     "the header has an unsupported data type"},
    {"cpp_activation_type",
     [] {
       return one_record({"w", {32}, 10, counting_bytes(36)});
     },
     "tensor 'w' has an unsupported data type"},
    {"cpp_row_of_31",
     [] {
       return one_record({"w", {31, 32}, 9, counting_bytes(1054)});
     },
     "tensor 'w' has rows that are no whole number of blocks"},
    {"cpp_row_of_half_a_superblock",
     [] {
       return one_record({"w", {128, 2}, 13, counting_bytes(144)});
     },
     "tensor 'w' has rows that are no whole number of blocks"},
    {"cpp_header_type_unknown", [] { return build_rwkvcpp({.type = 17}, {}); },
     "the header has an unknown data type"},
    {"cpp_blocks_cut",
     [] {
       return one_record({"w", {32}, 9, counting_bytes(33)});
     },
     "the last tensor record is cut off"},
    {"cpp_tensor_type_negative",
     [] {
       return one_record({"w", {1}, -1, counting_bytes(4)});
     },
     "tensor 'w' has an unknown data type"},
    {"cpp_rank_zero",
     [] {
       return one_record({"w", {}, 0, counting_bytes(4)});
     },
     "tensor record 0 has an impossible number of dimensions"},
    {"cpp_rank_four",
     [] {
       return one_record({"w", {1, 1, 1, 1}, 0, counting_bytes(4)});
     },
     "tensor record 0 has an impossible number of dimensions"},
    {"cpp_rank_negative",
     [] {
       auto b = valid_rwkvcpp();
       overwrite(b, 24, std::int32_t{-1});
       return b;
     },
     "tensor record 0 has an impossible number of dimensions"},
    {"cpp_negative_size",
     [] {
       return one_record({"w", {-2, -3}, 0, counting_bytes(24)});
     },
     "tensor 'w' has a negative size"},
    {"cpp_product_overflows",
     [] {
       return one_record({"w", {INT32_MAX, INT32_MAX, INT32_MAX}, 0, {}});
     },
     "tensor 'w' is larger than any file can be"},
    {"cpp_size_beyond_file",
     [] {
       return one_record({"w", {INT32_MAX}, 0, counting_bytes(8)});
     },
     "the last tensor record is cut off"},
    {"cpp_name_negative",
     [] {
       auto b = valid_rwkvcpp();
       overwrite(b, 28, std::int32_t{-1});
       return b;
     },
     "tensor record 0 has an impossible name length"},
    {"cpp_name_huge",
     [] {
       auto b = valid_rwkvcpp();
       overwrite(b, 28, INT32_MAX);
       return b;
     },
     "tensor record 0 has an impossible name length"},
    {"cpp_name_beyond_file",
     [] {
       auto b = valid_rwkvcpp();
       overwrite(b, 28, std::int32_t{1024});
       return b;
     },
     "the last tensor record is cut off"},
    {"cpp_name_empty",
     [] {
       return one_record({"", {1}, 0, counting_bytes(4)});
     },
     "tensor name '' is not usable"},
    {"cpp_name_not_text",
     [] {
       return one_record({"w\n", {1}, 0, counting_bytes(4)});
     },
     R"(tensor name 'w\x0a' is not usable)"},
    {"cpp_same_name",
     [] {
       return build_rwkvcpp({},
                            {{"w", {1}, 1, counting_bytes(2)}, {"w", {1}, 1, counting_bytes(2)}});
     },
     "tensor 'w' appears twice"},
    {"cpp_data_cut",
     [] {
       return one_record({"w", {2}, 0, counting_bytes(7)});
     },
     "the last tensor record is cut off"},
    {"cpp_bytes_left_over",
     [] {
       auto b = valid_rwkvcpp();
       b.resize(b.size() + 3);
       return b;
     },
     "the last tensor record is cut off"},
};

INSTANTIATE_TEST_SUITE_P(RwkvCpp, BrokenFile, cases(kRwkvCpp), case_name);

}  // namespace
}  // namespace prwkv::testing
