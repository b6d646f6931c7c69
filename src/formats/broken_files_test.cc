// Files that are damaged or hostile: what is wrong with each, and what the user reads about it.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>

#include "formats/test_files.h"

namespace prwkv {
namespace {

using namespace testing;
using ::testing::StartsWith;

Bytes one_record(const RwkvCppTensor& t) { return build_rwkvcpp({}, {t}); }
/// A pickle that is `opcodes` between PROTO and STOP.
Bytes pth_ops(std::string_view opcodes) { return pth(PickleWriter().op(opcodes).finish()); }
Bytes pth_global(std::string_view module, std::string_view name) {
  return pth(PickleWriter().global(module, name).text("id").op("\x85R").finish());
}

/// valid_pth() with `value` at `field` of record number `n` of a kind.
template <class Int>
Bytes zip_patch(std::uint32_t signature, std::size_t field, Int value, int n = 0,
                ZipKind kind = ZipKind::kPlain) {
  Bytes file = build_pth(valid_pickle(), two_storages(), kind);
  overwrite(file, position_of(file, signature, n) + field, value);
  return file;
}

struct Broken {
  const char* name;
  std::function<Bytes()> build;
  const char* message;  ///< first line, without the "bad: " that every message begins with
};

std::ostream& operator<<(std::ostream& out, const Broken& b) { return out << b.name; }

class BrokenFile : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenFile, IsRefusedWithItsMessage) {
  const Bytes file = GetParam().build();
  const std::string error = error_of([&] { open_bytes(file); });
  EXPECT_EQ(first_line(error), std::string("bad: ") + GetParam().message) << error;
}

/// The characters of a literal, NUL bytes included.
template <std::size_t N>
Bytes literal(const char (&text)[N]) {
  return to_bytes({text, N - 1});
}

const Broken kUnknown[] = {
    {"empty", [] { return Bytes{}; }, "is empty"},
    {"one_byte", [] { return literal("P"); }, "is no weight file of a known format"},
    {"zeros", [] { return Bytes(4096); }, "is no weight file of a known format"},
    {"legacy_torch",
     [] { return literal("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."); },
     "is a PyTorch file in the format from before version 1.6"},
    {"bare_pickle",
     [] {
       return literal(
           "\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x01"
           "a\x94.");
     },
     "is a bare Python pickle, not a model"},
    {"lfs_pointer",
     [] {
       return literal("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n");
     },
     "is a Git LFS pointer, not the model that it points to"},
    {"html", [] { return literal("<!DOCTYPE html><html><head>"); }, "is a web page, not a model"},
    {"html_lower_case", [] { return literal("<!doctype html>\n<html>"); },
     "is a web page, not a model"},
    {"html_without_doctype", [] { return literal("<html lang=\"en\">"); },
     "is a web page, not a model"},
    {"xml", [] { return literal("<?xml version=\"1.0\"?><Error>"); },
     "is an XML text, not a model"},
    {"index_json", [] { return literal("{\"metadata\": {\"total_size\": 1}}"); },
     "is a JSON text, not a weight file"},
    {"gzip", [] { return literal("\x1f\x8b\x08\0\0\0\0\0\0\x03"); }, "is a gzip archive"},
    {"empty_zip", [] { return build_zip({}); }, "is an empty zip archive"},
};

std::string header_with(const char* entry) { return fmt::format(R"({{"a":{}}})", entry); }

Bytes entry(const char* text, std::size_t data_bytes = 24) {
  return safetensors(header_with(text), data_bytes);
}

const Broken kSafetensors[] = {
    {"st_length_only", [] { return ByteWriter{}.u64(10).text("{").bytes; },
     "the header is cut off"},
    {"st_length_beyond_file", [] { return ByteWriter{}.u64(1000).text(kTwoTensors).bytes; },
     "the header is cut off"},
    {"st_length_huge", [] { return ByteWriter{}.u64(UINT64_MAX).text("{}").bytes; },
     "the header is impossibly long"},
    {"st_length_over_limit", [] { return ByteWriter{}.u64(kMaxHeaderBytes + 1).text("{}").bytes; },
     "the header is impossibly long"},
    {"st_length_zero", [] { return ByteWriter{}.u64(0).text("{}").bytes; },
     "the header is not valid JSON"},
    {"st_no_tensors", [] { return safetensors("{}", 0); }, "holds no tensors"},
    {"st_only_metadata", [] { return safetensors(R"({"__metadata__":{"a":"b"}})", 0); },
     "holds no tensors"},
    {"st_syntax", [] { return safetensors(R"({"a":})", 0); }, "the header is not valid JSON"},
    {"st_not_utf8", [] { return safetensors("{\"\xff\":{}}", 0); }, "the header is not valid JSON"},
    {"st_two_values", [] { return safetensors("{} {}", 0); }, "the header is not valid JSON"},
    {"st_nul_padding",
     [] { return build_safetensors(std::string(kTwoTensors) + '\0', counting_bytes(28)); },
     "the header is not valid JSON"},
    {"st_infinite_number", [] { return entry(R"({"shape":[1e999]})"); },
     "the header is not valid JSON"},
    {"st_deep", [] { return entry(std::string(100000, '[').c_str()); },
     "the header has a list in the wrong place"},
    {"st_deep_objects",
     [] {
       std::string deep;
       for (int i = 0; i < 1000; ++i) deep += R"({"a":)";
       return safetensors(deep, 0);
     },
     "header of tensor 'a': unknown field 'a'"},
    {"st_entry_is_number", [] { return entry("5"); }, "the header has a number in the wrong place"},
    {"st_entry_is_null", [] { return entry("null"); }, "the header has null in the wrong place"},
    {"st_entry_is_list", [] { return entry("[]"); }, "the header has a list in the wrong place"},
    {"st_entry_empty", [] { return entry("{}"); }, "header of tensor 'a': dtype is missing"},
    {"st_no_shape", [] { return entry(R"({"dtype":"F32","data_offsets":[0,24]})"); },
     "header of tensor 'a': shape is missing"},
    {"st_no_offsets", [] { return entry(R"({"dtype":"F32","shape":[6]})"); },
     "header of tensor 'a': data_offsets is missing"},
    {"st_unknown_field",
     [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[0,24],"strides":[1]})"); },
     "header of tensor 'a': unknown field 'strides'"},
    {"st_dtype_twice",
     [] { return entry(R"({"dtype":"F32","dtype":"F16","shape":[6],"data_offsets":[0,24]})"); },
     "header of tensor 'a': repeated field 'dtype'"},
    {"st_float8", [] { return entry(R"({"dtype":"F8_E4M3","shape":[24],"data_offsets":[0,24]})"); },
     "tensor 'a' has the unsupported type 'F8_E4M3'"},
    {"st_lower_case_dtype",
     [] { return entry(R"({"dtype":"f32","shape":[6],"data_offsets":[0,24]})"); },
     "tensor 'a' has the unsupported type 'f32'"},
    {"st_dtype_number", [] { return entry(R"({"dtype":1,"shape":[6],"data_offsets":[0,24]})"); },
     "the header has a number in the wrong place"},
    {"st_shape_text", [] { return entry(R"({"dtype":"F32","shape":"6","data_offsets":[0,24]})"); },
     "the header has a text in the wrong place"},
    {"st_negative_size",
     [] { return entry(R"({"dtype":"F32","shape":[-6],"data_offsets":[0,24]})"); },
     "the header has a negative number in the wrong place"},
    {"st_fractional_size",
     [] { return entry(R"({"dtype":"F32","shape":[6.0],"data_offsets":[0,24]})"); },
     "the header has a fraction in the wrong place"},
    {"st_boolean_size",
     [] { return entry(R"({"dtype":"F32","shape":[true],"data_offsets":[0,24]})"); },
     "the header has a truth value in the wrong place"},
    {"st_size_over_int64",
     [] { return entry(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,24]})"); },
     "the header has a huge number in the wrong place"},
    {"st_nested_size",
     [] { return entry(R"({"dtype":"F32","shape":[[6]],"data_offsets":[0,24]})"); },
     "the header has a list in the wrong place"},
    {"st_rank_nine",
     [] { return entry(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,6],"data_offsets":[0,24]})"); },
     "the header has a ninth dimension in the wrong place"},
    {"st_one_offset", [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[0]})"); },
     "header of tensor 'a': data_offsets needs two numbers"},
    {"st_three_offsets",
     [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[0,24,25]})"); },
     "the header has a third offset in the wrong place"},
    {"st_offsets_reversed",
     [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[24,0]})"); },
     "tensor 'a' does not lie where the one before it ends"},
    {"st_offset_over_u64",
     [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[0,18446744073709551616]})"); },
     "the header has a fraction in the wrong place"},
    {"st_hole_at_start",
     [] { return entry(R"({"dtype":"F32","shape":[5],"data_offsets":[4,24]})"); },
     "tensor 'a' does not lie where the one before it ends"},
    {"st_hole_between",
     [] {
       return safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                          3);
     },
     "tensor 'b' does not lie where the one before it ends"},
    {"st_overlap",
     [] {
       return safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                          3);
     },
     "tensor 'b' does not lie where the one before it ends"},
    {"st_same_place",
     [] {
       return safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                          2);
     },
     "tensor 'b' does not lie where the one before it ends"},
    {"st_data_missing", [] { return safetensors(kTwoTensors, 27); }, "is incomplete"},
    {"st_data_all_missing", [] { return safetensors(kTwoTensors, 0); }, "is incomplete"},
    {"st_data_left_over", [] { return safetensors(kTwoTensors, 29); },
     "goes on after the last tensor"},
    {"st_mis_sized", [] { return entry(R"({"dtype":"F32","shape":[7],"data_offsets":[0,24]})"); },
     "tensor 'a' has the wrong number of bytes"},
    {"st_product_overflows",
     [] {
       return entry(R"({"dtype":"F32","shape":[4294967296,4294967296,6],"data_offsets":[0,24]})");
     },
     "tensor 'a' is larger than any file can be"},
    {"st_product_overflows_to_right_size",
     [] { return entry(R"({"dtype":"F32","shape":[4611686018427387910],"data_offsets":[0,24]})"); },
     "tensor 'a' is larger than any file can be"},
    {"st_zero_hides_overflow",
     [] {
       return entry(
           R"({"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]})",
           0);
     },
     "tensor 'a' is larger than any file can be"},
    {"st_same_name",
     [] {
       return safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                          2);
     },
     "tensor 'a' appears twice"},
    {"st_no_name",
     [] { return safetensors(R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1); },
     "a tensor has no name"},
    {"st_escape_in_name",
     [] {
       return safetensors(R"({"\u001b[2J":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
     },
     R"(tensor name '\x1b[2J' is not usable)"},
    {"st_long_name",
     [] {
       return safetensors(
           fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})",
                       std::string(1025, 'n')),
           1);
     },
     "tensor name "
     "'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' "
     "is not usable"},
    {"st_metadata_twice", [] { return safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0); },
     "the header has __metadata__ twice"},
    {"st_metadata_key_twice",
     [] { return safetensors(R"({"__metadata__":{"k":"1","k":"2"}})", 0); },
     "the header's __metadata__ has 'k' twice"},
    {"st_metadata_huge",
     [] {
       std::string metadata;
       for (int i = 0; i <= 1 << 14; ++i)
         metadata += fmt::format(R"({}"{}":"")", i == 0 ? "" : ",", i);
       return safetensors(R"({"__metadata__":{)" + metadata + "}}", 0);
     },
     "more than 16384 entries in __metadata__"},
    {"st_metadata_number", [] { return safetensors(R"({"__metadata__":{"k":1}})", 0); },
     "the header has a number in the wrong place"},
    {"st_metadata_list", [] { return safetensors(R"({"__metadata__":[]})", 0); },
     "the header has a list in the wrong place"},
    {"st_too_many_tensors",
     [] {
       std::string header = "{";
       for (std::size_t i = 0; i <= kMaxTensors; ++i) {
         header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                               i == 0 ? "" : ",", i);
       }
       return safetensors(header + "}", 0);
     },
     "more than 131072 tensors"},
};

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
     "the header's n_vocab is 0, not positive"},
    {"cpp_embed_negative", [] { return build_rwkvcpp({.n_embed = INT32_MIN}, {}); },
     "the header's n_embed is -2147483648, not positive"},
    {"cpp_layer_zero", [] { return build_rwkvcpp({.n_layer = 0}, {}); },
     "the header's n_layer is 0, not positive"},
    {"cpp_old_quantized", [] { return build_rwkvcpp({.version = 100, .type = 2}, {}); },
     "the header is quantized as Q4_0 in the way of before file version 101"},
    {"cpp_old_quantized_tensor",
     [] {
       return build_rwkvcpp({.version = 100}, {{"w", {32}, 8, counting_bytes(24)}});
     },
     "tensor 'w' is quantized as Q5_1 in the way of before file version 101"},
    {"cpp_removed_type", [] { return build_rwkvcpp({.type = 4}, {}); },
     "the header has the unsupported type Q4_1_O"},
    {"cpp_activation_type",
     [] {
       return one_record({"w", {32}, 10, counting_bytes(36)});
     },
     "tensor 'w' has the unsupported type Q8_1"},
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
     "the header has the unknown data type 17"},
    {"cpp_blocks_cut",
     [] {
       return one_record({"w", {32}, 9, counting_bytes(33)});
     },
     "the last tensor record is cut off"},
    {"cpp_tensor_type_negative",
     [] {
       return one_record({"w", {1}, -1, counting_bytes(4)});
     },
     "tensor 'w' has the unknown data type -1"},
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
     "a tensor has no name"},
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

const Broken kZip[] = {
    {"zip_cut",
     [] {
       auto b = valid_pth();
       b.resize(b.size() - 1);
       return b;
     },
     "zip archive: no end record found"},
    {"zip_half",
     [] {
       auto b = valid_pth();
       b.resize(b.size() / 2);
       return b;
     },
     "zip archive: no end record found"},
    {"zip_bytes_after_end",
     [] {
       auto b = valid_pth();
       b.resize(b.size() + 1);
       return b;
     },
     "zip archive: no end record found"},
    {"zip_no_pickle",
     [] {
       return build_zip({{"model/weights.npy", counting_bytes(8)}});
     },
     "is a zip archive, but no PyTorch checkpoint"},
    {"zip_pickle_at_root",
     [] {
       return build_zip({{"data.pkl", valid_pickle()}});
     },
     "is a zip archive, but no PyTorch checkpoint"},
    {"zip_of_a_pth",
     [] {
       return build_zip({{"model.pth", valid_pth()}});
     },
     "is a zip archive, but no PyTorch checkpoint"},
    {"zip_big_endian",
     [] {
       return build_zip({{"m/data.pkl", valid_pickle()}, {"m/byteorder", to_bytes("big")}});
     },
     "was not written on a little-endian machine"},
    {"zip_byteorder_garbage",
     [] {
       return build_zip({{"m/data.pkl", valid_pickle()}, {"m/byteorder", to_bytes("\x1b[0m")}});
     },
     "was not written on a little-endian machine"},
    {"zip_deflated", [] { return zip_patch(kEntry, 10, std::uint16_t{8}); },
     "zip archive: member 'm/data.pkl' is compressed"},
    {"zip_bomb",
     [] {
       // A gigabyte that a decompressor would make of a few bytes.
       Bytes b = zip_patch(kEntry, 10, std::uint16_t{8}, 2);
       overwrite(b, position_of(b, kEntry, 2) + 24, std::uint32_t{1u << 30});
       return b;
     },
     "zip archive: member 'm/data/0' is compressed"},
    {"zip_deflated_local_only", [] { return zip_patch(kLocal, 8, std::uint16_t{8}); },
     "zip archive: member 'm/data.pkl' is not where the directory says"},
    {"zip_encrypted", [] { return zip_patch(kEntry, 8, std::uint16_t{1}); },
     "zip archive: member 'm/data.pkl' is encrypted"},
    {"zip_encrypted_strongly", [] { return zip_patch(kEntry, 8, std::uint16_t{0x40}, 1); },
     "zip archive: member 'm/byteorder' is encrypted"},
    {"zip_two_sizes", [] { return zip_patch(kEntry, 20, std::uint32_t{1}); },
     "zip archive: member 'm/data.pkl' states two different sizes"},
    {"zip_member_beyond_file",
     [] {
       Bytes b = zip_patch(kEntry, 20, std::uint32_t{0x7fffffff});
       overwrite(b, position_of(b, kEntry) + 24, std::uint32_t{0x7fffffff});
       return b;
     },
     "zip archive: member 'm/data.pkl' lies outside the archive"},
    {"zip_member_reaches_directory",
     [] {
       Bytes b = valid_pth();
       const std::size_t last = position_of(b, kEntry, 4), directory = position_of(b, kEntry);
       const auto size = static_cast<std::uint32_t>(directory - position_of(b, kLocal, 4));
       overwrite(b, last + 20, size);
       overwrite(b, last + 24, size);
       return b;
     },
     "zip archive: member 'm/version' lies outside the archive"},
    {"zip_offset_beyond_file", [] { return zip_patch(kEntry, 42, std::uint32_t{0xfffffff0}); },
     "zip archive: member 'm/data.pkl' lies outside the archive"},
    {"zip_offset_elsewhere", [] { return zip_patch(kEntry, 42, std::uint32_t{1}); },
     "zip archive: member 'm/data.pkl' is not where the directory says"},
    {"zip_local_name_differs",
     [] {
       Bytes b = valid_pth();
       b[position_of(b, kLocal) + 30] = std::byte{'M'};
       return b;
     },
     "zip archive: member 'm/data.pkl' is not where the directory says"},
    {"zip_local_extra_beyond_archive",
     [] { return zip_patch(kLocal, 28, std::uint16_t{0xffff}, 4); },
     "a member's local header is cut off"},
    {"zip_overlap",
     [] {
       // The second storage's bytes now contain the local header of the last member.
       Bytes b = valid_pth();
       const std::size_t at = position_of(b, kEntry, 3);
       const auto size = static_cast<std::uint32_t>(position_of(b, kLocal, 4) + 8 -
                                                    position_of(b, kLocal, 3) - 30);
       overwrite(b, at + 20, size - 60);
       overwrite(b, at + 24, size - 60);
       return b;
     },
     "zip archive: members 'm/data/1' and 'm/version' overlap"},
    {"zip_same_member_twice",
     [] {
       // Two directory entries share one local header, as in zip bombs that overlap.
       Bytes b = valid_pth();
       const std::size_t from = position_of(b, kEntry, 2), to = position_of(b, kEntry, 3);
       std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(from), to - from,
                   b.begin() + static_cast<std::ptrdiff_t>(to));
       return b;
     },
     "zip archive: members 'm/data/0' and 'm/data/0' overlap"},
    {"zip_same_name",
     [] {
       return build_zip({{"m/data.pkl", valid_pickle()}, {"m/x", {}}, {"m/y", {}}, {"m/x", {}}});
     },
     "zip archive: member 'm/x' appears twice"},
    {"zip_entry_on_disk_2", [] { return zip_patch(kEntry, 34, std::uint16_t{1}); },
     "zip archive: it is spread over several disks"},
    {"zip_entry_signature", [] { return zip_patch(kEntry, 0, std::uint32_t{0}, 1); },
     "zip archive: a directory entry has no signature"},
    {"zip_entry_name_too_long", [] { return zip_patch(kEntry, 28, std::uint16_t{0xffff}, 4); },
     "the zip directory is cut off"},
    {"zip_entry_extra_too_long", [] { return zip_patch(kEntry, 30, std::uint16_t{0xffff}, 4); },
     "the zip directory is cut off"},
    {"zip_on_disk_2", [] { return zip_patch(kEnd, 4, std::uint16_t{1}); },
     "zip archive: it is spread over several disks"},
    {"zip_counts_differ", [] { return zip_patch(kEnd, 8, std::uint16_t{4}); },
     "zip archive: it is spread over several disks"},
    {"zip_count_too_small",
     [] {
       Bytes b = zip_patch(kEnd, 8, std::uint16_t{4});
       overwrite(b, position_of(b, kEnd) + 10, std::uint16_t{4});
       return b;
     },
     "zip archive: the directory has bytes after its last entry"},
    {"zip_count_too_large",
     [] {
       Bytes b = zip_patch(kEnd, 8, std::uint16_t{6});
       overwrite(b, position_of(b, kEnd) + 10, std::uint16_t{6});
       return b;
     },
     "the zip directory is cut off"},
    {"zip_count_huge",
     [] {
       Bytes b = zip_patch(kEnd, 8, std::uint16_t{0xfffe});
       overwrite(b, position_of(b, kEnd) + 10, std::uint16_t{0xfffe});
       return b;
     },
     "zip archive: the directory is too short for its entries"},
    {"zip_directory_size", [] { return zip_patch(kEnd, 12, std::uint32_t{0xfffffffe}); },
     "zip archive: the directory lies outside the archive"},
    {"zip_directory_offset", [] { return zip_patch(kEnd, 16, std::uint32_t{0xfffffffe}); },
     "zip archive: the directory lies outside the archive"},
    {"zip64_missing", [] { return zip_patch(kEnd, 16, std::uint32_t{0xffffffff}); },
     "zip archive: the ZIP64 end record is missing"},
    {"zip64_field_missing",
     [] {
       Bytes b = valid_pth();
       overwrite(b, position_of(b, kEntry) + 20, std::uint32_t{0xffffffff});
       overwrite(b, position_of(b, kEntry) + 24, std::uint32_t{0xffffffff});
       return b;
     },
     "zip archive: member 'm/data.pkl' lacks its ZIP64 field"},
    {"zip64_locator_astray", [] { return zip_patch(kLocator, 8, UINT64_MAX, 0, ZipKind::kZip64); },
     "zip archive: the ZIP64 end record is not where it should be"},
    {"zip64_locator_at_start",
     [] { return zip_patch(kLocator, 8, std::uint64_t{0}, 0, ZipKind::kZip64); },
     "zip archive: the ZIP64 end record is not where it should be"},
    {"zip64_two_disks",
     [] { return zip_patch(kLocator, 16, std::uint32_t{2}, 0, ZipKind::kZip64); },
     "zip archive: it is spread over several disks"},
    {"zip64_record_size",
     [] { return zip_patch(kEnd64, 4, std::uint64_t{45}, 0, ZipKind::kZip64); },
     "zip archive: the ZIP64 end record has a wrong size"},
    {"zip64_count_huge",
     [] {
       Bytes b = zip_patch(kEnd64, 24, std::uint64_t{1} << 60, 0, ZipKind::kZip64);
       overwrite(b, position_of(b, kEnd64) + 32, std::uint64_t{1} << 60);
       return b;
     },
     "zip archive: too many members"},
    {"zip64_directory_wraps",
     [] { return zip_patch(kEnd64, 48, UINT64_MAX - 100, 0, ZipKind::kZip64); },
     "zip archive: the directory lies outside the archive"},
    {"zip64_directory_size", [] { return zip_patch(kEnd64, 40, UINT64_MAX, 0, ZipKind::kZip64); },
     "zip archive: the directory lies outside the archive"},
    {"zip64_contradicts", [] { return zip_patch(kEnd, 12, std::uint32_t{7}, 0, ZipKind::kZip64); },
     "zip archive: its two end records contradict each other"},
    {"zip64_member_wraps",
     [] {
       Bytes b = build_pth(valid_pickle(), two_storages(), ZipKind::kZip64);
       const std::size_t field = position_of(b, kEntry) + 46 + 10 + 4;  // after the name m/data.pkl
       overwrite(b, field, UINT64_MAX);
       overwrite(b, field + 8, UINT64_MAX);
       return b;
     },
     "zip archive: member 'm/data.pkl' lies outside the archive"},
    {"zip64_field_too_short",
     [] {
       Bytes b = build_pth(valid_pickle(), two_storages(), ZipKind::kZip64);
       overwrite(b, position_of(b, kEntry) + 46 + 10 + 2, std::uint16_t{16});
       return b;
     },
     "the ZIP64 field of the zip directory is cut off"},
    {"zip64_field_twice",
     [] {
       // Two fields of 8 bytes, where one of 24 bytes was.
       Bytes b = valid_zip64_pth();
       const std::size_t at = position_of(b, kEntry), field = at + 46 + 10;
       overwrite(b, at + 24, std::uint32_t{1});  // one size is given at once, the other elsewhere
       overwrite(b, at + 42, std::uint32_t{0});
       overwrite(b, field + 2, std::uint16_t{8});
       overwrite(b, field + 12, std::uint16_t{1});
       overwrite(b, field + 14, std::uint16_t{8});
       return b;
     },
     "zip archive: member 'm/data.pkl' has two ZIP64 fields"},
    {"zip64_field_too_long",
     [] {
       Bytes b = build_pth(valid_pickle(), two_storages(), ZipKind::kZip64);
       overwrite(b, position_of(b, kEntry) + 46 + 10 + 2, std::uint16_t{25});
       return b;
     },
     "an extra field of the zip directory is cut off"},
};

const Broken kPickles[] = {
    {"pkl_empty", [] { return pth({}); }, "the pickle is cut off"},
    {"pkl_no_protocol", [] { return pth(to_bytes("}.")); },
     "pickle: it does not begin with a protocol number"},
    {"pkl_protocol_4", [] { return pth(PickleWriter("\x80\x04").op("}").finish()); },
     "pickle protocol 4"},
    {"pkl_no_stop", [] { return pth(to_bytes("\x80\x02}")); }, "the pickle is cut off"},
    {"pkl_nothing", [] { return pth_ops(""); }, "pickle: a value is missing"},
    {"pkl_trailing", [] { return pth_ops("}.."); }, "pickle: it goes on after its end"},
    {"pkl_left_over", [] { return pth_ops("}}"); }, "pickle: values are left over at its end"},
    {"pkl_open_mark", [] { return pth_ops("}("); }, "pickle: a value is missing"},
    {"pkl_mark_below", [] { return pth_ops("(}"); }, "pickle: values are left over at its end"},
    {"pkl_unknown_opcode", [] { return pth_ops("\xff"); }, "pickle: opcode 0xff is not allowed"},
    {"pkl_inst", [] { return pth_ops("(ios\nsystem\n"); }, "pickle: opcode 0x69 is not allowed"},
    {"pkl_obj", [] { return pth_ops("(o"); }, "pickle: opcode 0x6f is not allowed"},
    {"pkl_stack_global", [] { return pth_ops("\x93"); }, "pickle: opcode 0x93 is not allowed"},
    {"pkl_extension", [] { return pth_ops("\x82\x01"); }, "pickle: opcode 0x82 is not allowed"},
    {"pkl_text_persistent_id", [] { return pth_ops("P0\n"); },
     "pickle: opcode 0x50 is not allowed"},
    {"pkl_dup", [] { return pth_ops("}2"); }, "pickle: opcode 0x32 is not allowed"},
    {"pkl_posix_system", [] { return pth_global("posix", "system"); },
     "the pickle asks for 'posix.system', which is not allowed"},
    {"pkl_eval", [] { return pth_global("builtins", "eval"); },
     "the pickle asks for 'builtins.eval', which is not allowed"},
    {"pkl_python2_eval", [] { return pth_global("__builtin__", "eval"); },
     "the pickle asks for '__builtin__.eval', which is not allowed"},
    {"pkl_subprocess", [] { return pth_global("subprocess", "Popen"); },
     "the pickle asks for 'subprocess.Popen', which is not allowed"},
    {"pkl_torch_load", [] { return pth_global("torch", "load"); },
     "the pickle asks for 'torch.load', which is not allowed"},
    {"pkl_name_in_module", [] { return pth_global("torch.FloatStorage", ""); },
     "the pickle asks for 'torch.FloatStorage.', which is not allowed"},
    {"pkl_escape_in_global", [] { return pth_global("\x1b[2J", "x"); },
     R"(the pickle asks for '\x1b[2J.x', which is not allowed)"},
    {"pkl_complex_storage", [] { return pth_with({.type = "ComplexFloatStorage"}); },
     "the pickle asks for 'torch.ComplexFloatStorage', which is not allowed"},
    {"pkl_global_too_long", [] { return pth_global(std::string(300, 'm'), "x"); },
     "pickle: the name of a global is too long"},
    {"pkl_global_without_end", [] { return pth_ops("ctorch"); }, "the pickle is cut off"},
    {"pkl_text_beyond_end", [] { return pth_ops("X\xff\xff\xff\xff"); }, "the pickle is cut off"},
    {"pkl_long_integer",
     [] {
       return pth_ops(
           "\x8a\x09"
           "123456789");
     },
     "pickle: an integer beyond 64 bits"},
    {"pkl_long_beyond_end", [] { return pth_ops("\x8a\xff"); }, "the pickle is cut off"},
    {"pkl_stack_underflow", [] { return pth_ops("\x87"); }, "pickle: a value is missing"},
    {"pkl_pop_through_mark", [] { return pth_ops("N(\x85"); }, "pickle: a value is missing"},
    {"pkl_no_mark", [] { return pth_ops("t"); }, "pickle: a MARK is missing"},
    {"pkl_deep_marks", [] { return pth_ops(std::string(65, '(')); },
     "pickle: nested deeper than 64"},
    {"pkl_many_values", [] { return pth_ops("(" + std::string(600000, 'N') + "t"); },
     "pickle: more than 524288 values in use"},
    {"pkl_memo_unset", [] { return pth_ops("h\x03"); },
     "pickle: memo slot 3 is read before it is set"},
    {"pkl_memo_gap", [] { return pth_ops("}q\x05h\x03"); },
     "pickle: memo slot 3 is read before it is set"},
    {"pkl_memo_huge", [] { return pth_ops("}r\xff\xff\xff\xff"); },
     "pickle: memo slot 4294967295 is out of range"},
    {"pkl_memo_of_nothing", [] { return pth_ops("q\x01"); }, "pickle: a value is missing"},
    {"pkl_item_without_value", [] { return pth_ops("}(Nu"); }, "pickle: a dict item has no value"},
    {"pkl_items_of_tuple", [] { return pth_ops(")NNs"); },
     "pickle: something else in place of a dict to put items into"},
    {"pkl_append_to_dict", [] { return pth_ops("}Na"); },
     "pickle: something else in place of a list to append to"},
    {"pkl_build_of_tensor", [] { return pth(PickleWriter().tensor({}).op("}b").finish()); },
     "pickle: something else in place of a dict to set attributes of"},
    {"pkl_call_of_text", [] { return pth(PickleWriter().text("os.system").op(")R").finish()); },
     "pickle: something else in place of a function"},
    {"pkl_call_of_storage_class",
     [] { return pth(PickleWriter().global("torch", "FloatStorage").op(")R").finish()); },
     "pickle: something else in place of a function"},
    {"pkl_call_without_tuple",
     [] { return pth(PickleWriter().global("collections", "OrderedDict").op("]R").finish()); },
     "pickle: something else in place of a tuple of arguments"},
    {"pkl_ordered_dict_of_items",
     [] { return pth(PickleWriter().global("collections", "OrderedDict").op("]\x85R").finish()); },
     "pickle: an OrderedDict with arguments"},
    {"pkl_function_as_class",
     [] {
       return pth(PickleWriter().global("torch._utils", "_rebuild_tensor_v2").op(")\x81").finish());
     },
     "pickle: a function used as a class"},
    {"pkl_persistent_integer", [] { return pth_ops("K\x01Q"); },
     "pickle: something else in place of a storage's identification"},
    {"pkl_persistent_module",
     [] { return pth(PickleWriter().op("(").text("module").op("NNNNtQ").finish()); },
     "pickle: an unknown kind of persistent object"},
    {"pkl_persistent_short",
     [] { return pth(PickleWriter().text("storage").op("\x85Q").finish()); },
     "pickle: an unknown kind of persistent object"},
    {"pkl_storage_negative", [] { return pth_with({.storage_numel = -6}); },
     "pickle: a storage of negative size"},
    {"pkl_tensor_without_arguments",
     [] {
       return pth(PickleWriter().global("torch._utils", "_rebuild_tensor_v2").op(")R").finish());
     },
     "pickle: a tensor with the wrong number of arguments"},
    {"pkl_tensor_of_nothing",
     [] {
       return pth(
           PickleWriter().global("torch._utils", "_rebuild_tensor_v2").op("(NNNNNNtR").finish());
     },
     "pickle: something else in place of a tensor's storage"},
    {"pkl_parameter_of_dict",
     [] {
       return pth(
           PickleWriter().global("torch._utils", "_rebuild_parameter").op("}\x89}\x87R").finish());
     },
     "pickle: something else in place of a parameter's tensor"},
    {"pkl_parameter_short",
     [] {
       return pth(PickleWriter().global("torch._utils", "_rebuild_parameter").op(")R").finish());
     },
     "pickle: a parameter with the wrong number of arguments"},
    {"pkl_top_is_list", [] { return pth_ops("]"); }, "holds no state dict"},
    {"pkl_top_is_tensor", [] { return pth(PickleWriter().tensor({}).finish()); },
     "holds no state dict"},
    {"pkl_no_tensors", [] { return pth_ops("}"); }, "holds no tensors"},
    {"pkl_two_state_dicts",
     [] {
       return pth(
           PickleWriter().op("}(").text("state_dict").op("}").text("state_dict").op("}u").finish());
     },
     "pickle: the entry 'state_dict' appears twice"},
    {"pkl_name_is_number",
     [] { return pth(PickleWriter().op("}").integer(1).tensor({}).op("s").finish()); },
     "pickle: a tensor whose name is no text"},
    {"pkl_name_not_text",
     [] { return pth(PickleWriter().op("}").text("\xff\xfe").tensor({}).op("s").finish()); },
     R"(tensor name '\xff\xfe' is not usable)"},
    {"pkl_name_too_long",
     [] {
       return pth(PickleWriter().op("}").text(std::string(1025, 'n')).tensor({}).op("s").finish());
     },
     "pickle: a tensor with too long a name"},
    {"pkl_same_name",
     [] {
       return pth(PickleWriter::state_dict(
           [](PickleWriter& p) { p.text("a").tensor({}).text("a").tensor({}); }));
     },
     "tensor 'a' appears twice"},
    {"pkl_pip_converted",
     [] {
       return pth(PickleWriter::state_dict([](PickleWriter& p) {
         p.text("_strategy").text("cuda fp16i8").text("_version").integer(1).text("a").tensor({});
       }));
     },
     "was converted for one strategy by the Python package 'rwkv'"},
};

const Broken kPickledTensors[] = {
    {"pt_storage_missing", [] { return pth_with({.key = "2"}); },
     "tensor 'a': the archive has no storage '2'"},
    {"pt_storage_outside", [] { return pth_with({.key = "../data.pkl"}); },
     "tensor 'a': the archive has no storage '../data.pkl'"},
    {"pt_storage_too_small", [] { return pth_with({.storage_numel = 7}); },
     "tensor 'a': storage '0' has the wrong size"},
    {"pt_storage_too_large", [] { return pth_with({.storage_numel = 5}); },
     "tensor 'a': storage '0' has the wrong size"},
    {"pt_storage_other_type", [] { return pth_with({.type = "HalfStorage"}); },
     "tensor 'a': storage '0' has the wrong size"},
    {"pt_storage_size_wraps",
     [] { return pth_with({.storage_numel = (std::int64_t{1} << 62) + 6}); },
     "tensor 'a': storage '0' has the wrong size"},
    {"pt_offset_negative", [] { return pth_with({.offset = -1}); },
     "pickle: a tensor with a negative offset"},
    {"pt_offset_too_large", [] { return pth_with({.offset = 1}); },
     "tensor 'a' reaches beyond its storage"},
    {"pt_offset_of_empty", [] { return pth_with({.offset = 7, .sizes = {0}, .strides = {1}}); },
     "tensor 'a' reaches beyond its storage"},
    {"pt_offset_wraps", [] { return pth_with({.offset = INT64_MAX}); },
     "tensor 'a' reaches beyond its storage"},
    {"pt_scalar_outside", [] { return pth_with({.offset = 6, .sizes = {}, .strides = {}}); },
     "tensor 'a' reaches beyond its storage"},
    {"pt_size_negative",
     [] {
       return pth_with({.sizes = {-2, -3}});
     },
     "pickle: a tensor with negative sizes"},
    {"pt_size_too_large",
     [] {
       return pth_with({.sizes = {3, 3}});
     },
     "tensor 'a' reaches beyond its storage"},
    {"pt_sizes_overflow",
     [] {
       return pth_with(
           {.sizes = {std::int64_t{1} << 32, std::int64_t{1} << 32}, .strides = {0, 0}});
     },
     "tensor 'a' is larger than any file can be"},
    {"pt_stride_negative",
     [] {
       return pth_with({.offset = 5, .strides = {-3, -1}});
     },
     "pickle: a tensor with negative strides"},
    {"pt_stride_too_large",
     [] {
       return pth_with({.strides = {4, 1}});
     },
     "tensor 'a' reaches beyond its storage"},
    {"pt_stride_wraps",
     [] {
       return pth_with({.sizes = {3, 2}, .strides = {INT64_MAX, 1}});
     },
     "tensor 'a' reaches beyond its storage"},
    {"pt_strides_sum_wraps",
     [] {
       return pth_with({.sizes = {2, 2}, .strides = {INT64_MAX, INT64_MAX}});
     },
     "tensor 'a' reaches beyond its storage"},
    {"pt_stride_missing", [] { return pth_with({.strides = {1}}); },
     "pickle: a tensor with more sizes than strides, or fewer"},
    {"pt_rank_nine",
     [] {
       return pth_with(
           {.sizes = std::vector<std::int64_t>(9, 1), .strides = std::vector<std::int64_t>(9, 1)});
     },
     "pickle: a tensor with 9 sizes, more than 8"},
    {"pt_sizes_of_text",
     [] {
       PickleWriter p;
       p.global("torch._utils", "_rebuild_tensor_v2").op("(").storage("FloatStorage", "0", 6);
       return pth(p.integer(0).text("6").op("\x85").integers({1}).op("\x89NtR").finish());
     },
     "pickle: something else in place of a tensor's size or stride"},
    {"pt_stride_zero_bomb",
     [] {
       return pth_with({.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}});
     },
     "tensor 'a' repeats its storage too often"},
    {"pt_many_small_bombs",
     [] {
       return pth(PickleWriter::state_dict([](PickleWriter& p) {
         for (int i = 0; i < 1000; ++i) {
           p.text(fmt::format("t{}", i)).tensor({.sizes = {2000}, .strides = {0}});
         }
       }));
     },
     "tensor 't33' repeats its storage too often"},
};

template <std::size_t N>
auto cases(const Broken (&table)[N]) {
  return ::testing::ValuesIn(table);
}
std::string case_name(const ::testing::TestParamInfo<Broken>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Unknown, BrokenFile, cases(kUnknown), case_name);
INSTANTIATE_TEST_SUITE_P(Safetensors, BrokenFile, cases(kSafetensors), case_name);
INSTANTIATE_TEST_SUITE_P(RwkvCpp, BrokenFile, cases(kRwkvCpp), case_name);
INSTANTIATE_TEST_SUITE_P(Zip, BrokenFile, cases(kZip), case_name);
INSTANTIATE_TEST_SUITE_P(Pickle, BrokenFile, cases(kPickles), case_name);
INSTANTIATE_TEST_SUITE_P(PickledTensor, BrokenFile, cases(kPickledTensors), case_name);

struct Whole {
  const char* name;
  Bytes (*build)();
};
std::ostream& operator<<(std::ostream& out, const Whole& w) { return out << w.name; }

class Damage : public ::testing::TestWithParam<Whole> {};

TEST_P(Damage, EveryTruncationIsRefused) {
  const Bytes whole = GetParam().build();
  ASSERT_NO_THROW(open_bytes(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    // A file of records cannot be told from a shorter one when it ends between two of them.
    const bool at_record_end =
        GetParam().build == &valid_rwkvcpp && size == whole.size() - 4 - 7 - 16;
    EXPECT_EQ(error_of([&] { open_bytes(part); }).empty(), at_record_end) << size << " bytes";
  }
}

TEST_P(Damage, EveryFlippedBitIsRefusedOrHarmless) {
  const Bytes whole = GetParam().build();
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] ^= std::byte{1} << bit % 8;
    error_of([&] { EXPECT_EQ(broken_promise(*open_bytes(damaged)), ""); });
  }
}

TEST_P(Damage, EveryByteSetToExtremesIsRefusedOrHarmless) {
  const Bytes whole = GetParam().build();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0x00, 0x7f, 0x80, 0xff}) {
      Bytes damaged = whole;
      for (std::size_t i = at; i < std::min(at + 4, whole.size()); ++i) {
        damaged[i] = static_cast<std::byte>(value);
        error_of([&] { EXPECT_EQ(broken_promise(*open_bytes(damaged)), ""); });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Damage,
                         ::testing::Values(Whole{"safetensors", &valid_safetensors},
                                           Whole{"rwkvcpp", &valid_rwkvcpp},
                                           Whole{"pth", &valid_pth},
                                           Whole{"pth_zip64", &valid_zip64_pth}),
                         [](const auto& i) { return std::string(i.param.name); });

TEST(Limits, ManyNamesOfOneTensorAreRefused) {
  PickleWriter p;
  p.ordered_dict().op("(").text("n").op("q\x02").tensor({}).op("q\x03u");
  for (std::size_t i = 0; i < kMaxTensors; ++i) p.op("h\x02h\x03s");
  EXPECT_THAT(error_of([&] { open_bytes(pth(p.finish())); }),
              StartsWith("bad: pickle: more than 131072 tensors"));
}

TEST(Limits, ATupleOfItselfManyTimesOverIsHarmless) {
  // Each tuple has the one before it twice: 2³⁰ leaves for whoever would walk them.
  PickleWriter p;
  p.op("}").text("a").tensor({}).op("s").text("deep").op(")");
  for (int i = 0; i < 30; ++i) p.op("q\x01h\x01\x86");
  p.op("s");
  EXPECT_EQ(open_bytes(pth(p.finish()))->tensors().size(), 1u);
}

TEST(Limits, ALongPickleIsRefused) {
  Bytes pickle((std::size_t{64} << 20) + 1, std::byte{'N'});
  EXPECT_THAT(error_of([&] { open_bytes(pth(pickle)); }),
              StartsWith("bad: the pickle is too long"));
}

TEST(Limits, AFullPickleOfNestedTuplesIsRefused) {
  EXPECT_THAT(
      error_of([&] { open_bytes(pth_ops(")" + std::string(std::size_t{5} << 20, '\x85'))); }),
      StartsWith("bad: pickle: more than 4194304 values"));
}

}  // namespace
}  // namespace prwkv
