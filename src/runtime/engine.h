/// The runtime: an Engine holds a model and its machine, a Session one sequence.
///
///     auto engine = Engine::open("model.pth");
///     Session chat = engine->session();
///     chat.feed(engine->tokenizer().encode("Once upon a time"));
///     chat.generate({.max_tokens = 64}, [](const Piece& p) { std::cout << p.text; return true; });
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/loader.h"
#include "runtime/sampler/sampler.h"
#include "runtime/state.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {

class Session;

struct EngineOptions {
  BackendOptions backend;
  LoadOptions load;
  /// Rows computed in one pass at most, or as many as there are sequences if these are more. What is longer is cut into
  /// pieces of about the same size: memory does not grow with the prompt. 0: 48 to 264, as the size of the weights
  /// allows.
  int chunk_rows = 0;
  /// "world", "neox", "bytes" or a vocabulary file; empty: the one that belongs to the model.
  std::string tokenizer;
  /// A file of time_state tensors (models/tuned_state.h): what new sessions begin with; empty: the model's empty state.
  std::string init_state{};
};

/// Sizes for reports.
struct ModelInfo {
  std::string path, format, generation;
  Dims dims;
  std::int64_t parameters = 0;
  std::size_t weight_bytes = 0;  ///< as stored
  Fingerprint fingerprint;
  double load_seconds = 0;
};

enum class Logits { kNone, kLast, kAll };

/// One sequence's part of a packed call.
struct Work {
  Session* session = nullptr;
  std::span<const std::int32_t> tokens;
  Logits want = Logits::kLast;
  std::vector<float> logits{};       ///< out: empty, V or tokens.size() x V values
  std::vector<double> logits_f64{};  ///< out: the same before rounding, from an f64 engine only
};

/// Thread-safe: passes of several threads run one after the other, each on all of the engine's
/// cores.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  /// `path`: a weight file or folder; empty: the default model (runtime/default_model.h). Throws
  /// Error{kFile | kFormat | kUnsupported | kOutOfMemory}.
  static std::shared_ptr<Engine> open(const std::string& path, const EngineOptions& options = {});
  /// A model that is already in memory, e.g. random weights; `backend` must be the one it was made
  /// on.
  Engine(std::unique_ptr<Backend> backend, LoadedModel model, const EngineOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// How new sessions draw tokens: as a generation_config.json beside the weights says, else as
  /// SamplingOptions has it.
  [[nodiscard]] SamplingOptions default_sampling() const;
  /// A new sequence with the empty state. Sessions keep their engine alive.
  [[nodiscard]] Session session();
  /// Runs several sequences in one packed pass (pieces of chunk_rows in all). Sessions must be
  /// distinct. `keep_going`, if given, is asked after each piece; returning false stops with
  /// Error{kCancelled}, every session standing at the end of what was computed.
  void run(std::span<Work> work, const std::function<bool()>& keep_going = {});

  [[nodiscard]] const ModelInfo& info() const { return info_; }
  [[nodiscard]] StateHeader state_header() const;
  /// Throws Error{kUnsupported} if the model's vocabulary is unknown and none was named.
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] bool has_tokenizer() const { return tokenizer_ != nullptr; }
  [[nodiscard]] Backend& backend() { return *backend_; }
  [[nodiscard]] const Model& model() const { return *model_.model; }
  /// Watches every operation's result from now on, for debugging and tests; nullptr: stop.
  void observe(Observer observer);
  /// Where layers come from (ops/ctx.h); nullptr: all resident. Not owned.
  void use_layers(LayerSource* source) { layers_ = source; }
  [[nodiscard]] const Arena& arena() const { return *arena_; }

 private:
  friend class Session;
  struct Pool;  // state tensors of all slots
  int take_slot();
  void free_slot(int slot) noexcept;
  void clear_slot(int slot);
  void copy_slot(int to, int from);
  State read_slot(int slot);
  void write_slot(int slot, const State& state);
  void run_piece(std::span<Work> work, std::span<const std::size_t> begin,
                 std::span<const std::size_t> count);
  void release_embedding(std::int64_t rows_read) const;

  EngineOptions options_;
  std::unique_ptr<Backend> backend_;
  LoadedModel model_;
  ModelInfo info_;
  std::vector<std::vector<float>> tuned_state_;  // of each layer; empty: there is none
  std::size_t tuned_entry_ = 0;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::mutex mutex_;  // of everything below
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<Pool, void (*)(Pool*)> pool_;
  std::optional<Observer> observer_;
  LayerSource* layers_ = nullptr;
};

struct GenerateOptions {
  int max_tokens = 256;
  /// Stop at the end-of-text token (id 0).
  bool stop_at_end_of_text = true;
};

/// One generated token, as the callback sees it.
struct Piece {
  std::int32_t id = 0;
  std::string_view
      text;  ///< complete characters only; may be empty while a character is unfinished
};
/// Return false to stop.
using PieceCallback = std::function<bool(const Piece&)>;

enum class StopReason { kLength, kEndOfText, kCallback };
std::string_view name_of(StopReason reason);  ///< "length", "end_of_text", "callback"

struct Generated {
  std::string text;
  std::vector<std::int32_t> ids;
  StopReason stop = StopReason::kLength;
};

/// One sequence: recurrent state, last logits, unfinished character, sampler. Not thread-safe
/// itself; different sessions of one engine may be used from different threads. Move-only; `fork`
/// makes a second one.
class Session {
 public:
  Session(Session&& other) noexcept;
  Session& operator=(Session&& other) noexcept;
  ~Session();

  /// Reads tokens (in parallel, in pieces). `keep_going` is asked after each piece with the number
  /// of tokens read so far; returning false throws Error{kCancelled}, the session standing behind
  /// those tokens. Ids must be below V.
  void feed(std::span<const std::int32_t> tokens,
            const std::function<bool(std::size_t)>& keep_going = {});
  /// Logits after the last token, (V) f32. Empty before the first token.
  [[nodiscard]] std::span<const float> logits() const { return logits_; }
  /// Samples, shows and feeds tokens one at a time. A session without tokens starts from
  /// end-of-text (id 0).
  Generated generate(const GenerateOptions& options, const PieceCallback& callback = {});

  [[nodiscard]] Sampler& sampler() { return sampler_; }
  void set_sampler(Sampler sampler) { sampler_ = std::move(sampler); }
  [[nodiscard]] std::uint64_t tokens_seen() const { return tokens_seen_; }
  [[nodiscard]] const Engine& engine() const { return *engine_; }
  /// Forgets the beginning of a character that other text was fed behind.
  void drop_pending_text() { decoder_ = {}; }

  /// The recurrent state as a value; `set_state` forgets logits and pending text.
  [[nodiscard]] State state() const;
  void set_state(const State& state, Weights weights = Weights::kSame);
  /// Back to the empty state.
  void reset();
  /// An independent session at the same point: state, logits, pending text, sampler.
  [[nodiscard]] Session fork() const;

  /// Saves everything needed to go on bit-identically.
  void save(const std::string& path) const;
  /// Throws Error{kMismatch} for another model's file (unless Weights::kAny); the session is
  /// unchanged on error.
  void load(const std::string& path, Weights weights = Weights::kSame);

 private:
  friend class Engine;
  Session(std::shared_ptr<Engine> engine, int slot) : engine_(std::move(engine)), slot_(slot) {}
  std::shared_ptr<Engine> engine_;
  int slot_ = -1;
  std::uint64_t tokens_seen_ = 0;
  std::vector<float> logits_;
  StreamDecoder decoder_;
  Sampler sampler_{SamplingOptions{}};
};

}  // namespace prwkv
