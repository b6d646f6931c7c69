// Safetensors files that are damaged or hostile.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "formats/broken_file.h"

namespace prwkv::testing {
namespace {

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
     "header of tensor 'a': unknown field"},
    {"st_entry_is_number", [] { return entry("5"); }, "the header has a number in the wrong place"},
    {"st_entry_is_null", [] { return entry("null"); }, "the header has null in the wrong place"},
    {"st_entry_is_list", [] { return entry("[]"); }, "the header has a list in the wrong place"},
    {"st_entry_empty", [] { return entry("{}"); }, "header of tensor 'a': missing field"},
    {"st_no_shape", [] { return entry(R"({"dtype":"F32","data_offsets":[0,24]})"); },
     "header of tensor 'a': missing field"},
    {"st_no_offsets", [] { return entry(R"({"dtype":"F32","shape":[6]})"); },
     "header of tensor 'a': missing field"},
    {"st_unknown_field",
     [] { return entry(R"({"dtype":"F32","shape":[6],"data_offsets":[0,24],"strides":[1]})"); },
     "header of tensor 'a': unknown field"},
    {"st_dtype_twice",
     [] { return entry(R"({"dtype":"F32","dtype":"F16","shape":[6],"data_offsets":[0,24]})"); },
     "header of tensor 'a': repeated field"},
    {"st_float8", [] { return entry(R"({"dtype":"F8_E4M3","shape":[24],"data_offsets":[0,24]})"); },
     "tensor 'a' has an unsupported type"},
    {"st_lower_case_dtype",
     [] { return entry(R"({"dtype":"f32","shape":[6],"data_offsets":[0,24]})"); },
     "tensor 'a' has an unsupported type"},
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
     "tensor name '' is not usable"},
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
     "has too many entries in __metadata__"},
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
     "has too many tensors"},
};

INSTANTIATE_TEST_SUITE_P(Safetensors, BrokenFile, cases(kSafetensors), case_name);

}  // namespace
}  // namespace prwkv::testing
