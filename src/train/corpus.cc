#include "train/corpus.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/quote.h"
#include "train/records.h"

namespace prwkv {
namespace {

constexpr int kCacheVersion = 1;  // counts up when the same text becomes other tokens or masks
constexpr std::int64_t kHashedBlock = std::int64_t{4} << 20, kBlocksAtOnce = 64;
constexpr std::int64_t kBlocksOfLargeFiles = 1024;
// Pieces that are encoded at a time. Their tokens need several times the memory of their text.
constexpr std::size_t kBatchBytes = std::size_t{8} << 20, kBatchPieces = 65536, kBatchFiles = 256;
constexpr std::size_t kMaskBuffer = std::size_t{1} << 20;
constexpr int kSmallVocabulary = 65536;

/// Threads, and somebody who wants to know.
struct DataTeam {
  ThreadPool& pool;
  const OnDataProgress& progress;

  void tell(std::string_view action, std::int64_t done, std::int64_t total) const {
    if (progress && !progress({action, done, total}))
      fail(Code::kCancelled, "opening the data was cancelled");
  }
  /// f(i) for each i below `count`. Of several errors, that of the lowest i is thrown, as without
  /// threads.
  template <class F>
  void each(std::int64_t count, std::int64_t grain, const F& f) const {
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
    pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        try {
          f(i);
        } catch (...) {
          errors[static_cast<std::size_t>(i)] = std::current_exception();
        }
      }
    });
    for (const std::exception_ptr& e : errors) {
      if (e) std::rethrow_exception(e);
    }
  }
};

std::uint64_t hash_of(std::span<const std::uint64_t> values) {
  return hash64(std::as_bytes(values));
}

/// Whether a file of more than 4 GiB is read as a whole.
enum class Coverage { kWhole, kSpread };

/// XXH3 of the size and of the blocks' XXH3. `check(begin, bytes)` sees each block too.
template <class Check>
std::uint64_t hash_file(const MappedFile& file, Coverage coverage, const DataTeam& team,
                        const Check& check) {
  const auto size = static_cast<std::int64_t>(file.bytes().size());
  const std::int64_t blocks = (size + kHashedBlock - 1) / kHashedBlock;
  const std::int64_t step =
      coverage == Coverage::kWhole
          ? 1
          : std::max<std::int64_t>((blocks + kBlocksOfLargeFiles - 1) / kBlocksOfLargeFiles, 1);
  const std::int64_t taken = (blocks + step - 1) / step;
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(taken) + 1);
  hashes.back() = static_cast<std::uint64_t>(size);
  for (std::int64_t first = 0; first < taken; first += kBlocksAtOnce) {
    team.tell("checking", first * step * kHashedBlock, size);
    team.each(std::min(kBlocksAtOnce, taken - first), 1, [&](std::int64_t i) {
      const std::int64_t begin = (first + i) * step * kHashedBlock;
      const auto block =
          file.bytes().subspan(static_cast<std::size_t>(begin),
                               static_cast<std::size_t>(std::min(kHashedBlock, size - begin)));
      check(begin, block);
      hashes[static_cast<std::size_t>(first + i)] = hash64(block);
      file.done_with(block);
    });
  }
  return hash_of(hashes);
}

std::uint64_t hash_file(const MappedFile& file, Coverage coverage, const DataTeam& team) {
  return hash_file(file, coverage, team, [](std::int64_t, std::span<const std::byte>) {});
}

/// Checks the ids and hashes all there is.
void check_store(TokenStore& store, std::int64_t vocabulary, const DataTeam& team) {
  const Binidx& data = store.data;
  const auto check = [&](std::int64_t begin, std::span<const std::byte> block) {
    const std::int64_t width = width_of(data.type());  // divides a block
    data.check({begin / width, static_cast<std::int64_t>(block.size()) / width}, vocabulary);
  };
  const std::uint64_t hashes[] = {hash_file(data.token_file(), Coverage::kSpread, team, check),
                                  hash_file(data.index_file(), Coverage::kSpread, team),
                                  store.mask ? hash_file(*store.mask, Coverage::kSpread, team) : 0};
  store.hash = hash_of(hashes);
}

std::size_t mask_bytes(std::int64_t tokens) { return static_cast<std::size_t>((tokens + 7) / 8); }

bool is_counted(const TokenStore& store, std::int64_t token) {
  if (!store.mask) return true;
  const auto byte = store.mask->bytes()[static_cast<std::size_t>(token / 8)];
  return (byte >> (token % 8) & std::byte{1}) != std::byte{0};
}

std::int64_t count_counted(const TokenStore& store) {
  if (!store.mask) return store.data.tokens();
  std::int64_t count = 0;
  for (const std::byte b : store.mask->bytes()) count += std::popcount(static_cast<unsigned>(b));
  return count;
}

// ---- making a store

/// Where bytes go: a file, or memory.
class StoreSink {
 public:
  explicit StoreSink(const std::string& path) {
    if (!path.empty()) file_.emplace(path);
  }
  /// So much will not be exceeded. In memory, addresses for it: what grows otherwise is there twice at times.
  void expect(std::size_t bytes) {
    if (file_) return;
    try {
      memory_.reserve(bytes);
    } catch (const std::bad_alloc&) {  // then it grows
    }
  }
  void write(std::span<const std::byte> bytes) {
    if (file_) {
      file_->write(bytes);
    } else {
      memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    }
  }
  void commit() {
    if (file_) file_->commit();
  }
  /// What was written, when it is in memory.
  [[nodiscard]] MappedFile take(const std::string& name) {
    return MappedFile::from_bytes(name, std::exchange(memory_, {}));
  }

 private:
  std::optional<AtomicFile> file_;
  std::vector<std::byte> memory_;
};

TokenStore open_store(const std::string& base, bool masked) {
  TokenStore store{.data = Binidx::open(base), .mask = {}, .hash = 0};
  if (!masked) return store;
  store.mask = MappedFile(base + ".mask");
  if (const std::size_t bytes = store.mask->bytes().size();
      bytes != mask_bytes(store.data.tokens())) {
    throw Error(Code::kFormat, store.mask->path() + ": is not of the size that the tokens need",
                {.expected = fmt::format("{} bytes", mask_bytes(store.data.tokens())),
                 .found = fmt::format("{} bytes", bytes),
                 .hint = {}});
  }
  return store;
}

class StoreBuilder {
 public:
  /// Files BASE.bin and so on; in memory if `base` is empty. `name` is for messages.
  StoreBuilder(std::string name, TokenType type, const std::string& base, std::int64_t most_tokens)
      : name_(std::move(name)),
        base_(base),
        tokens_(path(".bin")),
        index_(path(".idx")),
        mask_(path(".mask")),
        encoder_(name_, type, [this](std::span<const std::byte> b) { tokens_.write(b); }) {
    tokens_.expect(static_cast<std::size_t>(most_tokens * width_of(type)));
  }

  void add(const TokenPiece& piece) {
    if (piece.ids.empty()) return;  // a document without text
    encoder_.add(piece.ids);
    for (const std::uint8_t counted : piece.counted) add_to_mask(counted);
    if (piece.ends_document) encoder_.end_document();
  }

  TokenStore finish() {
    encoder_.finish([this](std::span<const std::byte> b) { index_.write(b); });
    mask_.write(bits_);
    tokens_.commit();
    index_.commit();
    if (masked_) mask_.commit();
    if (!base_.empty()) return open_store(base_, masked_);
    TokenStore store{
        .data = Binidx(tokens_.take(name_), index_.take(name_)), .mask = {}, .hash = 0};
    if (masked_) store.mask = mask_.take(name_);
    return store;
  }

 private:
  [[nodiscard]] std::string path(const char* suffix) const {
    return base_.empty() ? std::string() : base_ + suffix;
  }
  void add_to_mask(std::uint8_t counted) {
    if (bit_ == 0) {
      if (bits_.size() >= kMaskBuffer) mask_.write(std::exchange(bits_, {}));
      bits_.push_back(std::byte{0});
    }
    bits_.back() |= static_cast<std::byte>(counted << bit_);
    bit_ = (bit_ + 1) % 8;
    masked_ |= counted == 0;
  }

  std::string name_, base_;
  StoreSink tokens_, index_, mask_;
  BinidxEncoder encoder_;
  std::vector<std::byte> bits_;  // of the mask, not written yet
  int bit_ = 0;                  // of the mask's next token
  bool masked_ = false;
};

/// A text file before it is tokenized.
struct SourceFile {
  std::string path;
  std::int64_t bytes = 0;
  std::uint64_t hash = 0;
};

/// Encodes files into a store, a batch of pieces at a time.
class StoreTokenizer {
 public:
  StoreTokenizer(const ChatTemplate& chat, const Tokenizer& tokenizer, const DataTeam& team,
                 StoreBuilder& out)
      : chat_(chat), tokenizer_(tokenizer), team_(team), out_(out) {}

  void run(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) total_ += file.bytes;
    for (const SourceFile& file : files) {
      sources_.push_back({std::make_unique<TextSource>(file.path), 0});
      const TextSource& source = *sources_.back().text;
      while (auto piece = sources_.back().text->next()) {
        batch_bytes_ += piece->text.size();
        batch_.push_back({*piece, &source.file().path()});
        if (batch_bytes_ >= kBatchBytes || batch_.size() >= kBatchPieces) encode_batch();
      }
      if (sources_.size() >= kBatchFiles) encode_batch();
    }
    encode_batch();
  }

 private:
  struct Source {
    std::unique_ptr<TextSource> text;
    std::size_t encoded;  ///< bytes
  };
  struct Work {
    TextPiece piece;
    const std::string* path;
  };

  void encode_batch() {
    const auto count = static_cast<std::int64_t>(batch_.size());
    team_.tell("tokenizing", done_, total_);
    std::vector<TokenPiece> pieces(batch_.size());
    // Records are small, pieces of texts are not; neither should wait for the other's neighbours.
    team_.each(count, std::max<std::int64_t>(count / kBlocksAtOnce, 1), [&](std::int64_t i) {
      const Work& work = batch_[static_cast<std::size_t>(i)];
      pieces[static_cast<std::size_t>(i)] = encode(work.piece, *work.path, chat_, tokenizer_);
    });
    for (const TokenPiece& piece : pieces) out_.add(piece);
    for (Source& source : sources_) {
      const MappedFile& file = source.text->file();
      const std::size_t position = source.text->position(), size = position - source.encoded;
      file.done_with(file.bytes().subspan(source.encoded, size));
      done_ += static_cast<std::int64_t>(size);
      source.encoded = position;
    }
    batch_.clear();
    batch_bytes_ = 0;
    sources_.erase(sources_.begin(), sources_.end() - (sources_.empty() ? 0 : 1));
    team_.tell("tokenizing", done_, total_);
  }

  const ChatTemplate& chat_;
  const Tokenizer& tokenizer_;
  const DataTeam& team_;
  StoreBuilder& out_;
  std::vector<Source> sources_;  // of the batch; the last one is being read
  std::vector<Work> batch_;
  std::size_t batch_bytes_ = 0;
  std::int64_t done_ = 0, total_ = 0;
};

// ---- the cache

std::string hex_of(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

/// XXH3 of what each id stands for.
std::uint64_t hash_vocabulary(const Tokenizer& tokenizer) {
  std::string all;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    all += fmt::format("{}:", bytes.size());
    all += bytes;
  }
  return hash64(std::as_bytes(std::span(all)));
}

/// All that decides which tokens a text becomes.
struct CacheRequest {
  const std::vector<SourceFile>& sources;
  const Tokenizer& tokenizer;
  const ChatTemplate& chat;

  enum class Contents { kIncluded, kLeftOut };
  [[nodiscard]] Json json(Contents contents) const {
    Json files = Json::array();
    for (const SourceFile& source : sources) {
      std::error_code ignored;
      const auto path = std::filesystem::absolute(source.path, ignored).lexically_normal();
      Json file{{"path", path.string()}};
      if (contents == Contents::kIncluded) {
        file["bytes"] = source.bytes;
        file["xxh3"] = hex_of(source.hash);
      }
      files.push_back(std::move(file));
    }
    return {{"sources", files},
            {"tokenizer",
             {{"name", tokenizer.name()},
              {"ids", tokenizer.vocab_size()},
              {"xxh3", hex_of(hash_vocabulary(tokenizer))}}},
            {"chat_template", chat.name}};
  }
};

/// JSON as a file can have it: paths need not be UTF-8.
std::string dumped(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string cache_base(const std::string& folder, const CacheRequest& request) {
  const std::string key = dumped(request.json(CacheRequest::Contents::kLeftOut));
  const std::string stem = std::filesystem::path(request.sources.front().path).stem().string();
  return fmt::format("{}/{}-{}", folder, stem.substr(0, 80),
                     hex_of(hash64(std::as_bytes(std::span(key)))));
}

/// What is said about the tokens themselves.
Json result_json(const TokenStore& store) {
  return {{"tokens", store.data.tokens()},
          {"documents", store.data.documents()},
          {"type", name_of(store.data.type())},
          {"masked", store.mask.has_value()},
          {"xxh3", hex_of(store.hash)}};
}

/// The entry, if it was made from the same and is whole.
std::optional<TokenStore> find_in_cache(const std::string& base, const Json& request,
                                        std::int64_t ids, const DataTeam& team) {
  std::error_code ignored;
  if (!std::filesystem::exists(base + ".json", ignored)) return std::nullopt;
  try {
    const MappedFile file(base + ".json");
    const Json entry = parse_json(file.text(), file.path());
    if (entry.at("prwkv_tokens") != kCacheVersion || entry.at("made_from") != request)
      return std::nullopt;
    TokenStore store = open_store(base, entry.at("result").at("masked").get<bool>());
    check_store(store, ids, team);
    if (entry.at("result") != result_json(store)) return std::nullopt;
    return store;
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const Error& e) {
    if (e.code() == Code::kCancelled) throw;
    return std::nullopt;  // damaged or half gone: made anew
  }
}

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return;
  throw Error(Code::kFile, folder + ": the folder for tokens cannot be made",
              {.expected = {},
               .found = error.message(),
               .hint = "name another folder for the cache, or none"});
}

TokenType type_for(const Tokenizer& tokenizer) {
  return tokenizer.vocab_size() <= kSmallVocabulary ? TokenType::kU16 : TokenType::kI32;
}

/// Texts as a store: found in the cache, or made.
struct TextStore {
  TokenStore store;
  std::int64_t tokenized_bytes = 0;
};
TextStore open_texts(const std::vector<std::string>& paths, const CorpusOptions& options,
                     const Tokenizer& tokenizer, const DataTeam& team) {
  const bool caches = !options.cache.empty();
  const std::vector<std::string> known = chat_templates_for_training();
  if (std::ranges::find(known, options.chat_template) == known.end()) {
    throw Error(Code::kInvalidArgument, "there is no such chat template for training",
                {.expected = fmt::format("{}", fmt::join(known, ", ")),
                 .found = in_quotes(options.chat_template),
                 .hint = {}});
  }
  const ChatTemplate& chat = chat_template(options.chat_template);
  std::vector<SourceFile> sources;
  std::int64_t bytes = 0;
  // So every file has been opened once before the long work begins.
  for (const std::string& path : paths) {
    const TextSource source(path);
    const MappedFile& file = source.file();
    sources.push_back({.path = path,
                       .bytes = static_cast<std::int64_t>(file.bytes().size()),
                       .hash = caches ? hash_file(file, Coverage::kWhole, team) : 0});
    bytes += sources.back().bytes;
  }

  std::string base;
  Json made_from;
  if (caches) {
    const CacheRequest request{sources, tokenizer, chat};
    made_from = parse_json(dumped(request.json(CacheRequest::Contents::kIncluded)), options.cache);
    base = cache_base(options.cache, request);
    if (auto found = find_in_cache(base, made_from, tokenizer.vocab_size(), team))
      return {std::move(*found)};
    make_folder(options.cache);
  }

  StoreBuilder builder(caches ? base : paths.front(), type_for(tokenizer), base,
                       bytes + static_cast<std::int64_t>(paths.size()));
  StoreTokenizer(chat, tokenizer, team, builder).run(sources);
  TokenStore store = builder.finish();
  check_store(store, tokenizer.vocab_size(), team);
  if (caches) {
    const Json entry{{"prwkv_tokens", kCacheVersion},
                     {"made_from", std::move(made_from)},
                     {"result", result_json(store)}};
    AtomicFile file(base + ".json");
    file.write(dumped(entry) + "\n");
    file.commit();
  }
  return {std::move(store), bytes};
}

/// Which store has item number `i`, where `firsts` are the numbers of the stores' first items.
std::size_t store_of(const std::vector<std::int64_t>& firsts, std::int64_t i) {
  return static_cast<std::size_t>(std::upper_bound(firsts.begin(), firsts.end(), i) -
                                  firsts.begin() - 1);
}

}  // namespace

Corpus Corpus::open(const CorpusOptions& options, const Tokenizer& tokenizer, ThreadPool& pool,
                    const OnDataProgress& progress) {
  if (options.files.empty()) fail(Code::kInvalidArgument, "no file with data was named");
  const DataTeam team{pool, progress};
  Corpus corpus;
  corpus.vocabulary_ = options.vocabulary > 0 ? options.vocabulary : tokenizer.vocab_size();
  std::vector<std::string> texts;
  const auto add_texts = [&] {
    if (texts.empty()) return;
    TextStore made = open_texts(texts, options, tokenizer, team);
    // The cache does not know of the model; one of fewer ids than its tokenizer is rare.
    if (corpus.vocabulary_ < tokenizer.vocab_size())
      check_store(made.store, corpus.vocabulary_, team);
    corpus.tokenized_bytes_ += made.tokenized_bytes;
    corpus.add(std::move(made.store));
    texts.clear();
  };
  for (const std::string& path : options.files) {
    const std::optional<std::string> pair = Binidx::pair_name(path);
    if (!pair) {
      texts.push_back(path);
      continue;
    }
    add_texts();
    TokenStore store{.data = Binidx::open(*pair), .mask = {}, .hash = 0};
    check_store(store, corpus.vocabulary_, team);
    corpus.add(std::move(store));
  }
  add_texts();
  if (corpus.tokens() == 0) {
    throw Error(Code::kFormat, options.files.front() + ": there is no text in the data",
                {.expected = "at least one document",
                 .found = fmt::format("{} file{} without any", options.files.size(),
                                      options.files.size() == 1 ? "" : "s"),
                 .hint = {}});
  }
  return corpus;
}

void Corpus::add(TokenStore store) {
  first_tokens_.push_back(tokens() + store.data.tokens());
  first_documents_.push_back(documents() + store.data.documents());
  counted_ += count_counted(store);
  stores_.push_back(std::move(store));
}

TokenRange Corpus::document(std::int64_t number) const {
  if (number < 0 || number >= documents())
    fail(Code::kInvalidArgument, "there is no document {}, only {}", number, documents());
  const std::size_t s = store_of(first_documents_, number);
  TokenRange range = stores_[s].data.document(number - first_documents_[s]);
  range.first += first_tokens_[s];
  return range;
}

void Corpus::read(std::int64_t first, std::span<std::int32_t> ids,
                  std::span<std::uint8_t> counted) const {
  if (first < 0 || std::cmp_greater(ids.size(), tokens() - first))
    fail(Code::kInvalidArgument, "there are no {} tokens from {} on", ids.size(), first);
  while (!ids.empty()) {
    const std::size_t s = store_of(first_tokens_, first);
    const TokenStore& store = stores_[s];
    const std::int64_t at = first - first_tokens_[s];
    const std::size_t n = std::min(ids.size(), static_cast<std::size_t>(store.data.tokens() - at));
    store.data.read(at, ids.first(n), vocabulary_);
    for (std::size_t i = 0; i < n; ++i)
      counted[i] = is_counted(store, at + static_cast<std::int64_t>(i)) ? 1 : 0;
    ids = ids.subspan(n);
    counted = counted.subspan(n);
    first += static_cast<std::int64_t>(n);
  }
}

bool Corpus::any_counted(TokenRange range) const {
  for (std::int64_t i = range.first; i < range.first + range.count; ++i) {
    const std::size_t s = store_of(first_tokens_, i);
    if (is_counted(stores_[s], i - first_tokens_[s])) return true;
  }
  return false;
}

std::uint64_t Corpus::hash() const {
  std::vector<std::uint64_t> hashes;
  for (const TokenStore& store : stores_) hashes.push_back(store.hash);
  return hash_of(hashes);
}

}  // namespace prwkv
