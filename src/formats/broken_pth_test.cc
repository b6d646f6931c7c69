// PyTorch checkpoints that are damaged or hostile: the zip archive, the pickle, its tensors.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "formats/broken_file.h"

namespace prwkv::testing {
namespace {

/// A pickle that is `opcodes` between PROTO and STOP.
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
     "is of an unsupported pickle protocol"},
    {"pkl_no_stop", [] { return pth(to_bytes("\x80\x02}")); }, "the pickle is cut off"},
    {"pkl_nothing", [] { return pth_ops(""); }, "pickle: a value is missing"},
    {"pkl_trailing", [] { return pth_ops("}.."); }, "pickle: it goes on after its end"},
    {"pkl_left_over", [] { return pth_ops("}}"); }, "pickle: values are left over at its end"},
    {"pkl_open_mark", [] { return pth_ops("}("); }, "pickle: a value is missing"},
    {"pkl_mark_below", [] { return pth_ops("(}"); }, "pickle: values are left over at its end"},
    {"pkl_unknown_opcode", [] { return pth_ops("\xff"); }, "pickle: an opcode that is not allowed"},
    {"pkl_inst", [] { return pth_ops("(ios\nsystem\n"); }, "pickle: an opcode that is not allowed"},
    {"pkl_obj", [] { return pth_ops("(o"); }, "pickle: an opcode that is not allowed"},
    {"pkl_stack_global", [] { return pth_ops("\x93"); }, "pickle: an opcode that is not allowed"},
    {"pkl_extension", [] { return pth_ops("\x82\x01"); }, "pickle: an opcode that is not allowed"},
    {"pkl_text_persistent_id", [] { return pth_ops("P0\n"); },
     "pickle: an opcode that is not allowed"},
    {"pkl_dup", [] { return pth_ops("}2"); }, "pickle: an opcode that is not allowed"},
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
     "pickle: too many MARKs in one another"},
    {"pkl_many_values", [] { return pth_ops("(" + std::string(600000, 'N') + "t"); },
     "pickle: too many values in use"},
    {"pkl_memo_unset", [] { return pth_ops("h\x03"); },
     "pickle: a memo slot is read before it is set"},
    {"pkl_memo_gap", [] { return pth_ops("}q\x05h\x03"); },
     "pickle: a memo slot is read before it is set"},
    {"pkl_memo_huge", [] { return pth_ops("}r\xff\xff\xff\xff"); },
     "pickle: a memo slot is out of range"},
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
     "pickle: an OrderedDict with the wrong number of arguments"},
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
    {"pkl_nested",
     [] {
       return pth(
           PickleWriter().op("}").text("module").op("}").text("a").tensor({}).op("ss").finish());
     },
     "its tensors are in a dict inside the dict"},
    {"pkl_nested_in_model",
     [] {
       PickleWriter p;
       p.op("}(").text("epoch").integer(1).text("model").op("}(").text("none").op("N");
       p.text("net").op("}").text("a").tensor({}).op("suu");
       return pth(p.finish());
     },
     "its tensors are in a dict inside the dict"},
    {"pkl_nested_without_tensors",
     [] { return pth(PickleWriter().op("}").text("module").op("}s").finish()); },
     "holds no tensors"},
    // 4096^3 ways lead to the innermost dict, and none to a tensor.
    {"pkl_nested_in_many_ways",
     [] {
       PickleWriter p;
       p.op("}(").text("k").op("}(").text("k").op("}(").text("k").op("}");
       for (const char slot : {'\0', '\1', '\2'}) {
         p.op("q").op({&slot, 1});
         for (int i = 0; i < 4096; ++i) p.text("k").op("h").op({&slot, 1});
         p.op("u");
       }
       return pth(p.finish());
     },
     "holds no tensors"},
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
     "pickle: a tensor with too many sizes"},
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

INSTANTIATE_TEST_SUITE_P(Zip, BrokenFile, cases(kZip), case_name);
INSTANTIATE_TEST_SUITE_P(Pickle, BrokenFile, cases(kPickles), case_name);
INSTANTIATE_TEST_SUITE_P(PickledTensor, BrokenFile, cases(kPickledTensors), case_name);

}  // namespace
}  // namespace prwkv::testing
