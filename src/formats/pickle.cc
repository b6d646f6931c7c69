#include "formats/pickle.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <utility>
#include <variant>

#include "base/error.h"
#include "formats/byte_builder.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

// Values refer to each other by index, so a pickle cannot make cycles, deep recursion or expensive
// destructors: nothing here walks values to any depth.
using Ref = std::uint32_t;

struct Opaque {};  // None, truth values, fractions, lists: nothing depends on what is in them
enum class Function { kOrderedDict, kRebuildTensor, kRebuildParameter };
struct StorageClass {
  DType dtype;
};
struct Tuple {
  std::vector<Ref> items;
};
struct List {};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
struct Storage {
  DType dtype;
  std::string_view key;
  std::int64_t numel;
};
struct TensorIndex {
  std::size_t index;
};
using Value = std::variant<Opaque, std::int64_t, std::string_view, Function, StorageClass, Tuple,
                           List, Dict, Storage, TensorIndex>;
/// What each of them is called in messages.
constexpr const char* kKinds[] = {"None, a truth value or a fraction",
                                  "an integer",
                                  "a text",
                                  "a function",
                                  "a storage class",
                                  "a tuple",
                                  "a list",
                                  "a dict",
                                  "a storage",
                                  "a tensor"};
static_assert(std::size(kKinds) == std::variant_size_v<Value>);

struct Global {
  std::string_view module, name;
  Value value;
};
std::span<const Global> globals() {
  static const Global kGlobals[] = {
      {"collections", "OrderedDict", Function::kOrderedDict},
      {"torch._utils", "_rebuild_tensor_v2", Function::kRebuildTensor},
      {"torch._utils", "_rebuild_parameter", Function::kRebuildParameter},
      {"torch", "DoubleStorage", StorageClass{DType::kF64}},
      {"torch", "FloatStorage", StorageClass{DType::kF32}},
      {"torch", "HalfStorage", StorageClass{DType::kF16}},
      {"torch", "BFloat16Storage", StorageClass{DType::kBF16}},
      {"torch", "LongStorage", StorageClass{DType::kI64}},
      {"torch", "IntStorage", StorageClass{DType::kI32}},
      {"torch", "ShortStorage", StorageClass{DType::kI16}},
      {"torch", "CharStorage", StorageClass{DType::kI8}},
      {"torch", "ByteStorage", StorageClass{DType::kU8}},
      {"torch", "BoolStorage", StorageClass{DType::kBool}},
  };
  return kGlobals;
}

const Global* find_global(std::string_view module, std::string_view name) {
  const auto all = globals();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Global& g) {
    return g.module == module && g.name == name;
  });
  return found == all.end() ? nullptr : &*found;
}

const Global& storage_class(DType dtype) {
  for (const Global& g : globals()) {
    const auto* const storage = std::get_if<StorageClass>(&g.value);
    if (storage != nullptr && storage->dtype == dtype) return g;
  }
  fail(Code::kInternal, "PyTorch has no storage class for {}", name_of(dtype));
}

// The opcodes' names in Python's pickletools.
enum Opcode : std::uint8_t {
  kProto = 0x80,
  kStop = '.',
  kGlobal = 'c',
  kMark = '(',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kEmptyTuple = ')',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kTuple = 't',
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPersId = 'Q',
  kReduce = 'R',
  kNewObj = 0x81,
  kBuild = 'b',
};

constexpr std::size_t kMaxPickleBytes = std::size_t{64} << 20;
// A state dict needs about 20 values a tensor and keeps some thousand of them on the stack.
constexpr std::size_t kMaxValues = std::size_t{1} << 22, kMaxStack = std::size_t{1} << 19;
constexpr std::size_t kMaxMarks = 64;
constexpr Ref kUnset = std::numeric_limits<Ref>::max();

class Interpreter {
 public:
  Interpreter(std::span<const std::byte> pickle, const std::string& path)
      : path_(path), in_(pickle, path, "the pickle") {}

  /// Runs to the end and returns the value that the pickle stands for.
  Ref run();
  /// The tensors of a state dict, or of the one in it.
  std::vector<PickledTensor> tensors_of(Ref top);

 private:
  void step(std::uint8_t opcode);

  Ref make(Value value);
  void push(Ref ref);
  void push_new(Value value) { push(make(std::move(value))); }
  Ref pop();
  std::vector<Ref> pop_to_mark();
  void push_tuple(std::size_t count);
  void put(std::size_t slot);
  void push_from_memo(std::size_t slot);
  void set_items(const std::vector<Ref>& keys_and_values);
  void expect_list();
  void push_global();
  void push_integer(std::span<const std::byte> two_s_complement);
  void push_storage();
  void reduce(std::uint8_t opcode);
  void build();
  PickledTensor rebuild_tensor(const std::vector<Ref>& arguments);
  std::vector<std::int64_t> sizes_in(Ref tuple, const char* what);
  const Dict* only_dict_named(const Dict& dict, std::string_view name);
  void refuse_nested(const Dict& top);
  bool find_tensors_in(const Dict& dict, std::string& keys, int depth, std::size_t& steps);

  template <class T>
  T* as(Ref ref) {
    return std::get_if<T>(&values_[ref]);
  }
  /// The value as a T, or an error that says what a T is called.
  template <class T>
  T& want(Ref ref, const char* what) {
    if (T* value = as<T>(ref)) return *value;
    broken(fmt::format("something else in place of {}", what),
           kKinds[Value(std::in_place_type<T>).index()], kind_of(ref));
  }
  [[nodiscard]] const char* kind_of(Ref ref) const { return kKinds[values_[ref].index()]; }
  [[nodiscard]] std::string place() const {
    return fmt::format("before byte {} of data.pkl", in_.position());
  }
  [[noreturn]] void broken(std::string_view what, std::string expected,
                           std::string_view found) const {
    throw Error(Code::kFormat, fmt::format("{}: pickle: {}", path_, what),
                {.expected = std::move(expected),
                 .found = fmt::format("{}, {}", found, place()),
                 .hint = "a checkpoint written by torch.save has nothing like this"});
  }
  [[noreturn]] void too_many_of(std::string_view what, std::size_t most) const {
    broken(fmt::format("too many {}", what), fmt::format("at most {}", most), "one more");
  }
  void expect_arguments(const char* of_what, const char* names, std::size_t count,
                        std::size_t found) const {
    if (found == count) return;
    broken(fmt::format("{} with the wrong number of arguments", of_what), names,
           std::to_string(found));
  }

  const std::string& path_;
  ByteCursor in_;
  std::deque<Value> values_;
  std::vector<PickledTensor> tensors_;
  std::vector<Ref> stack_, memo_;
  std::vector<std::size_t> marks_;  // stack heights
};

Ref Interpreter::make(Value value) {
  if (values_.size() == kMaxValues) too_many_of("values", kMaxValues);
  values_.push_back(std::move(value));
  return static_cast<Ref>(values_.size() - 1);
}

void Interpreter::push(Ref ref) {
  if (stack_.size() == kMaxStack) too_many_of("values in use", kMaxStack);
  stack_.push_back(ref);
}

Ref Interpreter::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
    broken("a value is missing", "one for the opcode to take", "none");
  const Ref ref = stack_.back();
  stack_.pop_back();
  return ref;
}

std::vector<Ref> Interpreter::pop_to_mark() {
  if (marks_.empty())
    broken("a MARK is missing", "one below the values that the opcode takes", "none");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Ref> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void Interpreter::push_tuple(std::size_t count) {
  Tuple tuple;
  tuple.items.resize(count);
  for (auto item = tuple.items.rbegin(); item != tuple.items.rend(); ++item) *item = pop();
  push_new(std::move(tuple));
}

void Interpreter::put(std::size_t slot) {
  const Ref top = pop();
  push(top);
  // PyTorch numbers the slots one after the other, so a slot far out is an attempt on our memory.
  if (slot >= kMaxValues)
    broken("a memo slot is out of range", fmt::format("0 to {}", kMaxValues - 1),
           std::to_string(slot));
  if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
  memo_[slot] = top;
}

void Interpreter::push_from_memo(std::size_t slot) {
  if (slot >= memo_.size() || memo_[slot] == kUnset)
    broken("a memo slot is read before it is set", "one that a PUT has filled",
           fmt::format("slot {}", slot));
  push(memo_[slot]);
}

void Interpreter::set_items(const std::vector<Ref>& keys_and_values) {
  const Ref target = pop();
  push(target);
  Dict& dict = want<Dict>(target, "a dict to put items into");
  if (keys_and_values.size() % 2 != 0)
    broken("a dict item has no value", "as many values as keys",
           fmt::format("{} of both", keys_and_values.size()));
  for (std::size_t i = 0; i < keys_and_values.size(); i += 2)
    dict.items.emplace_back(keys_and_values[i], keys_and_values[i + 1]);
}

// What goes into a list is forgotten; all that matters is that there is one.
void Interpreter::expect_list() {
  const Ref target = pop();
  want<List>(target, "a list to append to");
  push(target);
}

void Interpreter::push_global() {
  const auto line = [this] {
    constexpr std::size_t kMaxLine = 200;
    std::string text;
    for (char c = in_.read<char>(); c != '\n'; c = in_.read<char>()) {
      if (text.size() == kMaxLine)
        broken("the name of a global is too long", fmt::format("at most {} bytes", kMaxLine),
               "one more");
      text += c;
    }
    return text;
  };
  const std::string module = line(), name = line();
  const Global* const global = find_global(module, name);
  if (global == nullptr) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: the pickle asks for {}, which is not allowed", path_,
                            in_quotes(module + "." + name)),
                {.expected = "tensors in plain dicts: collections.OrderedDict, "
                             "torch._utils._rebuild_tensor_v2 and the storage classes of torch",
                 .found = "its name " + place(),
                 .hint = "nothing in it was run. If you trust the file, load it with PyTorch and "
                         "torch.save the state dict alone"});
  }
  push_new(global->value);
}

void Interpreter::push_integer(std::span<const std::byte> two_s_complement) {
  if (two_s_complement.size() > 8)
    broken("an integer beyond 64 bits", "at most 8 bytes",
           fmt::format("{} bytes", two_s_complement.size()));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < two_s_complement.size(); ++i)
    value |= std::to_integer<std::uint64_t>(two_s_complement[i]) << (8 * i);
  const std::size_t bits = 8 * two_s_complement.size();
  const bool negative = bits > 0 && (value >> (bits - 1)) != 0;
  if (negative && bits < 64) value |= ~std::uint64_t{0} << bits;
  push_new(static_cast<std::int64_t>(value));
}

// BINPERSID turns ('storage', CLASS, KEY, LOCATION, NUMEL) into a storage.
void Interpreter::push_storage() {
  const std::vector<Ref>& id = want<Tuple>(pop(), "a storage's identification").items;
  if (id.size() != 5 || want<std::string_view>(id[0], "the word 'storage'") != "storage")
    broken("an unknown kind of persistent object", "('storage', CLASS, KEY, LOCATION, NUMEL)",
           "another tuple");
  const std::int64_t numel = want<std::int64_t>(id[4], "a storage's size");
  if (numel < 0) broken("a storage of negative size", "0 or more elements", std::to_string(numel));
  push_new(Storage{want<StorageClass>(id[1], "a storage class").dtype,
                   want<std::string_view>(id[2], "a storage's key"), numel});
}

// REDUCE calls a function, NEWOBJ a class.
void Interpreter::reduce(std::uint8_t opcode) {
  const std::vector<Ref>& arguments = want<Tuple>(pop(), "a tuple of arguments").items;
  const Function function = want<Function>(pop(), "a function");
  if (opcode == kNewObj && function != Function::kOrderedDict)
    broken("a function used as a class", "collections.OrderedDict", "another global");
  switch (function) {
    case Function::kOrderedDict:
      expect_arguments("an OrderedDict", "an empty tuple", 0, arguments.size());
      push_new(Dict{});
      return;
    case Function::kRebuildTensor:
      if (tensors_.size() == kMaxTensors) too_many_of("tensors", kMaxTensors);
      tensors_.push_back(rebuild_tensor(arguments));
      push_new(TensorIndex{tensors_.size() - 1});
      return;
    case Function::kRebuildParameter:
      expect_arguments("a parameter", "(tensor, requires_grad, hooks)", 3, arguments.size());
      want<TensorIndex>(arguments[0], "a parameter's tensor");
      push(arguments[0]);
      return;
  }
}

PickledTensor Interpreter::rebuild_tensor(const std::vector<Ref>& arguments) {
  // A seventh would change what the elements mean.
  expect_arguments("a tensor", "(storage, offset, sizes, strides, requires_grad, hooks)", 6,
                   arguments.size());
  const auto& storage = want<Storage>(arguments[0], "a tensor's storage");
  PickledTensor t;
  t.dtype = storage.dtype;
  t.storage = storage.key;
  t.storage_numel = storage.numel;
  t.offset = want<std::int64_t>(arguments[1], "a tensor's offset");
  t.shape = sizes_in(arguments[2], "sizes");
  t.strides = sizes_in(arguments[3], "strides");
  if (t.offset < 0)
    broken("a tensor with a negative offset", "0 or more", std::to_string(t.offset));
  if (t.strides.size() != t.shape.size())
    broken("a tensor with more sizes than strides, or fewer",
           fmt::format("{} strides", t.shape.size()), std::to_string(t.strides.size()));
  return t;
}

std::vector<std::int64_t> Interpreter::sizes_in(Ref tuple, const char* what) {
  const std::vector<Ref>& items = want<Tuple>(tuple, "a tensor's sizes or strides").items;
  if (items.size() > kMaxStoredRank)
    broken(fmt::format("a tensor with too many {}", what),
           fmt::format("at most {}", kMaxStoredRank), std::to_string(items.size()));
  std::vector<std::int64_t> sizes;
  for (const Ref item : items) {
    sizes.push_back(want<std::int64_t>(item, "a tensor's size or stride"));
    if (sizes.back() < 0)
      broken(fmt::format("a tensor with negative {}", what), "0 or more",
             std::to_string(sizes.back()));
  }
  return sizes;
}

// PyTorch attaches version numbers to a state dict (`_metadata`): nothing that matters here.
void Interpreter::build() {
  pop();
  const Ref target = pop();
  want<Dict>(target, "a dict to set attributes of");
  push(target);
}

void Interpreter::step(std::uint8_t opcode) {
  switch (opcode) {
    case kMark:
      if (marks_.size() == kMaxMarks) too_many_of("MARKs in one another", kMaxMarks);
      return marks_.push_back(stack_.size());
    case kNone:
    case kNewTrue:
    case kNewFalse: return push_new(Opaque{});
    case kBinInt: return push_new(std::int64_t{in_.read<std::int32_t>()});
    case kBinInt1: return push_new(std::int64_t{in_.read<std::uint8_t>()});
    case kBinInt2: return push_new(std::int64_t{in_.read<std::uint16_t>()});
    case kLong1: return push_integer(in_.take(in_.read<std::uint8_t>()));
    case kBinFloat: in_.take(8); return push_new(Opaque{});
    case kBinUnicode: return push_new(in_.take_text(in_.read<std::uint32_t>()));
    case kEmptyTuple: return push_tuple(0);
    case kTuple1: return push_tuple(1);
    case kTuple2: return push_tuple(2);
    case kTuple3: return push_tuple(3);
    case kTuple: return push_new(Tuple{pop_to_mark()});
    case kEmptyList: return push_new(List{});
    case kAppend: pop(); return expect_list();
    case kAppends: pop_to_mark(); return expect_list();
    case kEmptyDict: return push_new(Dict{});
    case kSetItem: {
      const Ref value = pop(), key = pop();
      return set_items({key, value});
    }
    case kSetItems: return set_items(pop_to_mark());
    case kBinPut: return put(in_.read<std::uint8_t>());
    case kLongBinPut: return put(in_.read<std::uint32_t>());
    case kBinGet: return push_from_memo(in_.read<std::uint8_t>());
    case kLongBinGet: return push_from_memo(in_.read<std::uint32_t>());
    case kGlobal: return push_global();
    case kBinPersId: return push_storage();
    case kReduce:
    case kNewObj: return reduce(opcode);
    case kBuild: return build();
    default:
      broken("an opcode that is not allowed", "one that torch.save uses for a state dict",
             fmt::format("{:#04x}", opcode));
  }
}

Ref Interpreter::run() {
  if (in_.left() > kMaxPickleBytes) {
    throw Error(Code::kFormat, path_ + ": the pickle is too long",
                {.expected = fmt::format("at most {} bytes", kMaxPickleBytes),
                 .found = std::to_string(in_.left())});
  }
  if (const auto first = in_.read<std::uint8_t>(); first != kProto)
    broken("it does not begin with a protocol number", "opcode 0x80",
           fmt::format("{:#04x}", first));
  if (const auto protocol = in_.read<std::uint8_t>(); protocol != 2) {
    throw Error(Code::kUnsupported, path_ + ": is of an unsupported pickle protocol",
                {.expected = "2, which torch.save uses unless told otherwise",
                 .found = std::to_string(protocol),
                 .hint = "torch.save it again without pickle_protocol"});
  }
  for (std::uint8_t op = in_.read<std::uint8_t>(); op != kStop; op = in_.read<std::uint8_t>())
    step(op);
  const Ref result = pop();
  if (!stack_.empty() || !marks_.empty())
    broken("values are left over at its end", "one value, and no MARK",
           fmt::format("{} more and {} MARKs", stack_.size(), marks_.size()));
  if (!in_.at_end())
    broken("it goes on after its end", "STOP as the last byte",
           fmt::format("STOP with {} bytes behind it", in_.left()));
  return result;
}

std::vector<PickledTensor> Interpreter::tensors_of(Ref top) {
  const Dict* dict = as<Dict>(top);
  if (dict == nullptr) {
    throw Error(Code::kUnsupported, path_ + ": holds no state dict",
                {.expected = "a dict of names and tensors",
                 .found = kind_of(top),
                 .hint = "torch.save(model.state_dict(), PATH) makes one"});
  }
  for (const char* wrapper : {"state_dict", "model"}) {
    if (const Dict* inner = only_dict_named(*dict, wrapper)) {
      dict = inner;
      break;
    }
  }
  std::vector<PickledTensor> found;
  for (const auto& [key, value] : dict->items) {
    const std::string_view* const name = as<std::string_view>(key);
    if (name != nullptr && *name == "_strategy") {
      throw Error(Code::kUnsupported,
                  path_ + ": was converted for one strategy by the Python package 'rwkv'",
                  {.expected = "the model as it was released",
                   .found = "an entry '_strategy'; its matrices are transposed and rescaled",
                   .hint = "use the original .pth file that it was made from"});
    }
    const TensorIndex* const tensor = as<TensorIndex>(value);
    if (tensor == nullptr) continue;
    if (name == nullptr) broken("a tensor whose name is no text", "a text", kind_of(key));
    // Before copying: one long text can be the name of any number of entries.
    if (name->size() > kMaxNameBytes)
      broken("a tensor with too long a name", fmt::format("at most {} bytes", kMaxNameBytes),
             fmt::format("{} bytes", name->size()));
    if (found.size() == kMaxTensors) too_many_of("tensors", kMaxTensors);
    found.push_back(tensors_[tensor->index]);
    found.back().name = *name;
  }
  if (found.empty()) refuse_nested(*as<Dict>(top));
  return found;
}

// Tensors that lie deeper than a state dict has them: whoever saved the file can say which they are.
void Interpreter::refuse_nested(const Dict& top) {
  std::string keys;
  std::size_t steps = 0;
  if (!find_tensors_in(top, keys, 0, steps)) return;
  throw Error(Code::kUnsupported, path_ + ": its tensors are in a dict inside the dict",
              {.expected = "a dict of names and tensors, or one under 'state_dict' or 'model'",
               .found = "tensors under " + keys,
               .hint = "load it with PyTorch and torch.save the inner dict alone"});
}

/// Where in dicts of dicts the first tensor is: "['module']". Dicts may share others, so that looking
/// everywhere could take for ever: what a person would save is found within the limits.
bool Interpreter::find_tensors_in(const Dict& dict, std::string& keys, int depth,
                                  std::size_t& steps) {
  constexpr int kDeepest = 4;
  constexpr std::size_t kMostSteps = 10000;
  const std::size_t length = keys.size();
  for (const auto& [key, value] : dict.items) {
    if (++steps > kMostSteps) return false;
    const std::string_view* const name = as<std::string_view>(key);
    if (name == nullptr) continue;
    if (depth > 0 && as<TensorIndex>(value) != nullptr) return true;
    const Dict* const inner = as<Dict>(value);
    if (inner == nullptr || depth == kDeepest) continue;
    keys += fmt::format("[{}]", in_quotes(*name));
    if (find_tensors_in(*inner, keys, depth + 1, steps)) return true;
    keys.resize(length);
  }
  return false;
}

const Dict* Interpreter::only_dict_named(const Dict& dict, std::string_view name) {
  const Dict* found = nullptr;
  for (const auto& [key, value] : dict.items) {
    const std::string_view* const text = as<std::string_view>(key);
    if (text == nullptr || *text != name) continue;
    if (found != nullptr)
      broken(fmt::format("the entry '{}' appears twice", name), "each name once", "another one");
    found = as<Dict>(value);
  }
  return found;
}

/// Writes opcodes. What repeats is written once and taken from the memo afterwards, as Python does
/// it: a state dict repeats the same few names for every tensor.
class Pickler {
 public:
  std::string state_dict(const std::vector<TensorSpec>& tensors) {
    out_.put<std::uint8_t>(kProto).put<std::uint8_t>(2);
    ordered_dict();
    op(kMark);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      text(tensors[i].name);
      tensor(tensors[i], std::to_string(i));
    }
    op(kSetItems);
    op(kStop);
    return out_.bytes();
  }

 private:
  void op(std::uint8_t opcode) { out_.put<std::uint8_t>(opcode); }
  void text(std::string_view text) {
    op(kBinUnicode);
    out_.put<std::uint32_t>(static_cast<std::uint32_t>(text.size())).text(text);
  }
  /// `write` puts on the stack what `key` stands for; from the second time on the memo does.
  template <class F>
  void once(const std::string& key, const F& write) {
    const auto [slot, is_new] = memo_.try_emplace(key, static_cast<std::uint8_t>(memo_.size()));
    if (is_new) write();
    op(is_new ? kBinPut : kBinGet);
    out_.put<std::uint8_t>(slot->second);
  }
  void word(std::string_view word) {
    once(std::string(word), [&] { text(word); });
  }
  void global(std::string_view module, std::string_view name) {
    const std::string lines = fmt::format("{}\n{}\n", module, name);
    once(lines, [&] {
      op(kGlobal);
      out_.text(lines);
    });
  }
  void integer(std::int64_t value) {
    if (value < 0x100) {
      op(kBinInt1);
      out_.put<std::uint8_t>(static_cast<std::uint8_t>(value));
    } else if (value < 0x10000) {
      op(kBinInt2);
      out_.put<std::uint16_t>(static_cast<std::uint16_t>(value));
    } else if (value <= std::numeric_limits<std::int32_t>::max()) {
      op(kBinInt);
      out_.put<std::int32_t>(static_cast<std::int32_t>(value));
    } else {
      op(kLong1);
      out_.put<std::uint8_t>(sizeof value).put<std::int64_t>(value);
    }
  }
  void integers(const std::vector<std::int64_t>& values) {
    op(kMark);
    for (const std::int64_t v : values) integer(v);
    op(kTuple);
  }
  void ordered_dict() {
    global("collections", "OrderedDict");
    op(kEmptyTuple);
    op(kReduce);
  }
  void tensor(const TensorSpec& t, const std::string& key) {
    std::vector<std::int64_t> strides(t.shape.size());
    for (std::int64_t stride = 1, i = static_cast<std::int64_t>(t.shape.size()); i-- > 0;) {
      strides[static_cast<std::size_t>(i)] = stride;
      stride *= std::max<std::int64_t>(t.shape[static_cast<std::size_t>(i)], 1);
    }
    global("torch._utils", "_rebuild_tensor_v2");
    op(kMark);
    op(kMark);
    word("storage");
    const Global& storage = storage_class(t.dtype);
    global(storage.module, storage.name);
    text(key);
    word("cpu");
    integer(t.numel());
    op(kTuple);
    op(kBinPersId);
    integer(0);  // offset in the storage
    integers(t.shape);
    integers(strides);
    op(kNewFalse);  // needs no gradient
    ordered_dict();
    op(kTuple);
    op(kReduce);
  }

  ByteBuilder out_;
  std::map<std::string, std::uint8_t> memo_;
};

}  // namespace

std::vector<PickledTensor> read_state_dict(std::span<const std::byte> pickle,
                                           const std::string& path) {
  Interpreter interpreter(pickle, path);
  const Ref top = interpreter.run();
  return interpreter.tensors_of(top);
}

std::string write_state_dict(const std::vector<TensorSpec>& tensors) {
  return Pickler().state_dict(tensors);
}

}  // namespace prwkv
