#include "runtime/engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "base/quote.h"
#include "models/model_tokenizer.h"
#include "models/tuned_state.h"
#include "runtime/default_model.h"

namespace prwkv {
namespace {

struct Counter final : ParamVisitor {
  void visit(const Param& p, Tensor& t) override {
    parameters += p.shape.numel();
    bytes += t.bytes();
  }
  std::int64_t parameters = 0;
  std::size_t bytes = 0;
};

}  // namespace

/// State tensors of all slots: (slots, …) for each layer and entry. Grows by doubling; slots keep
/// their numbers.
struct Engine::Pool {
  struct Entry {
    StateEntry spec;
    Buffer buffer;
    Tensor tensor;  // (slots, …)
  };
  std::vector<std::vector<Entry>> layers;
  std::vector<int> free;
  int slots = 0;

  Pool(Backend& backend, const Model& model) {
    for (int l = 0; l < model.dims().L; ++l) {
      layers.emplace_back();
      for (StateEntry& spec : model.state_spec(l))
        layers.back().push_back({std::move(spec), {}, {}});
    }
    grow(backend, 4);
  }

  void grow(Backend& backend, int to) {
    for (auto& layer : layers) {
      for (Entry& e : layer) {
        Tensor t;
        t.dtype = backend.activation_dtype();
        t.shape = e.spec.shape.stacked(to);
        Buffer buffer = backend.allocate(t.bytes());
        t.data = buffer.data();
        for (int s = 0; s < slots; ++s) {
          backend.transfer(t.rows(s, 1), e.tensor.rows(s, 1));
        }
        backend.sync();  // the old memory is released next
        e.buffer = std::move(buffer);
        e.tensor = t;
      }
    }
    free.reserve(static_cast<std::size_t>(to));
    for (int s = to - 1; s >= slots; --s) free.push_back(s);
    slots = to;
  }

  std::vector<LayerState> view() const {
    std::vector<LayerState> state;
    for (const auto& layer : layers) {
      state.emplace_back();
      for (const Entry& e : layer) state.back().tensors.push_back(e.tensor);
    }
    return state;
  }
};

namespace {

/// So many that scratch memory stays small beside the weights: a model of 200 MB must not need 40 MB more for
/// a prompt. Products are nearly as fast from some 48 rows on (docs/performance/products.md); tiles have 12 rows at
/// most, and 24 is a multiple of all there are.
int usual_chunk_rows(const ModelInfo& info) {
  constexpr std::int64_t kRowFloats = 32;  // of scratch, for each channel
  constexpr std::int64_t kShare = 24, kStep = 24, kLeast = 48, kMost = 264;
  const std::int64_t row = kRowFloats * info.dims.C * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t rows = static_cast<std::int64_t>(info.weight_bytes) / (kShare * row);
  return static_cast<int>(std::clamp(rows / kStep * kStep, kLeast, kMost));
}

}  // namespace

std::shared_ptr<Engine> Engine::open(const std::string& path, const EngineOptions& options) {
  const Stopwatch clock;
  std::unique_ptr<Backend> backend = make_backend(options.backend);
  LoadedModel model =
      load_model(path.empty() ? default_model_path() : path, *backend, options.load);
  auto engine = std::make_shared<Engine>(std::move(backend), std::move(model), options);
  engine->info_.load_seconds = clock.seconds();
  return engine;
}

Engine::Engine(std::unique_ptr<Backend> backend, LoadedModel model, const EngineOptions& options)
    : options_(options),
      backend_(std::move(backend)),
      model_(std::move(model)),
      arena_(std::make_unique<Arena>(*backend_)),
      pool_(new Pool(*backend_, *model_.model), [](Pool* p) { delete p; }) {
  if (options.chunk_rows < 0)
    fail(Code::kInvalidArgument, "chunk_rows must be at least 0, not {}", options.chunk_rows);
  const Dims& d = model_.model->dims();
  if (!options.init_state.empty()) {
    tuned_state_ = read_tuned_state(options.init_state, *model_.model);
    tuned_entry_ = tuned_entry(*model_.model);
  }
  if (!options.tokenizer.empty())
    tokenizer_ = tokenizer_by_name(options.tokenizer);
  else
    tokenizer_ =
        model_.file != nullptr ? tokenizer_of(*model_.file, d.V) : Tokenizer::default_for(d.V);
  if (tokenizer_ != nullptr && tokenizer_->vocab_size() > d.V) {
    throw Error(Code::kMismatch,
                fmt::format("the vocabulary '{}' does not fit the model", tokenizer_->name()),
                {.expected = fmt::format("at most {} tokens", d.V),
                 .found = fmt::format("{}", tokenizer_->vocab_size())});
  }
  Counter counter;
  model_.model->visit(counter);
  info_.generation = model_.model->generation();
  info_.dims = d;
  info_.parameters = counter.parameters;
  info_.weight_bytes = counter.bytes;
  if (options_.chunk_rows == 0) options_.chunk_rows = usual_chunk_rows(info_);
  info_.fingerprint = model_.fingerprint;
  if (model_.file != nullptr) {
    info_.path = model_.file->path();
    info_.format = model_.file->reader().format();
  }
}

StateHeader Engine::state_header() const {
  return {info_.generation, info_.dims.L, info_.dims.C, info_.fingerprint};
}

const Tokenizer& Engine::tokenizer() const {
  if (tokenizer_ != nullptr) return *tokenizer_;
  throw Error(
      Code::kUnsupported,
      fmt::format("the tokenizer of a model with {} vocabulary entries is not known", info_.dims.V),
      {.expected = "65536 (World), 50277 or 50304 (GPT-NeoX) or 256 (bytes)",
       .hint = "name a vocabulary file with --vocab, or use token ids"});
}

void Engine::observe(Observer observer) {
  const std::scoped_lock lock(mutex_);
  if (observer)
    observer_ = std::move(observer);
  else
    observer_.reset();
}

SamplingOptions Engine::default_sampling() const {
  SamplingOptions options;
  if (model_.file == nullptr) return options;
  const SamplingDefaults& said = model_.file->config().sampling;
  options.temperature = said.temperature.value_or(options.temperature);
  options.top_p = said.top_p.value_or(options.top_p);
  options.top_k = said.top_k.value_or(options.top_k);
  return options;
}

Session Engine::session() {
  Session s(shared_from_this(), take_slot());
  clear_slot(s.slot_);
  s.set_sampler(Sampler(default_sampling()));
  return s;
}

int Engine::take_slot() {
  const std::scoped_lock lock(mutex_);
  if (pool_->free.empty()) pool_->grow(*backend_, 2 * pool_->slots);
  const int slot = pool_->free.back();
  pool_->free.pop_back();
  return slot;
}

void Engine::free_slot(int slot) noexcept {
  const std::scoped_lock lock(mutex_);
  pool_->free.push_back(slot);  // never allocates: there is room for every slot
}

void Engine::clear_slot(int slot) {
  const std::scoped_lock lock(mutex_);
  for (const auto& layer : pool_->layers) {
    for (const Pool::Entry& e : layer) backend_->fill(e.tensor.rows(slot, 1), e.spec.initial);
  }
  for (std::size_t l = 0; l < tuned_state_.size(); ++l) {
    if (!tuned_state_[l].empty())
      backend_->put(pool_->layers[l][tuned_entry_].tensor.rows(slot, 1), tuned_state_[l]);
  }
}

void Engine::copy_slot(int to, int from) {
  const std::scoped_lock lock(mutex_);
  for (const auto& layer : pool_->layers) {
    for (const Pool::Entry& e : layer)
      backend_->transfer(e.tensor.rows(to, 1), e.tensor.rows(from, 1));
  }
}

State Engine::read_slot(int slot) {
  const std::scoped_lock lock(mutex_);
  State state;
  state.header = state_header();
  state.dtype = backend_->activation_dtype();
  for (std::size_t l = 0; l < pool_->layers.size(); ++l) {
    for (const Pool::Entry& e : pool_->layers[l]) {
      const Tensor t = e.tensor.rows(slot, 1);
      StateTensor out{fmt::format("blocks.{}.{}", l, e.spec.name), e.spec.shape.sizes(),
                      std::vector<std::byte>(t.bytes())};
      backend_->download(out.bytes.data(), t);
      state.tensors.push_back(std::move(out));
    }
  }
  return state;
}

void Engine::write_slot(int slot, const State& state) {
  const std::scoped_lock lock(mutex_);
  // Everything is checked before anything is changed.
  std::vector<std::pair<Tensor, const StateTensor*>> pairs;
  std::size_t i = 0;
  for (std::size_t l = 0; l < pool_->layers.size(); ++l) {
    for (const Pool::Entry& e : pool_->layers[l]) {
      const std::string name = fmt::format("blocks.{}.{}", l, e.spec.name);
      if (i >= state.tensors.size() || state.tensors[i].name != name ||
          state.tensors[i].shape != e.spec.shape.sizes() ||
          state.tensors[i].bytes.size() != row_bytes(state.dtype, e.spec.shape.numel())) {
        throw Error(
            Code::kMismatch, fmt::format("the state has no tensor '{}' of the model's size", name),
            {.expected = e.spec.shape.str(),
             .found = i < state.tensors.size() ? state.tensors[i].name : "the end of the state"});
      }
      pairs.emplace_back(e.tensor.rows(slot, 1), &state.tensors[i++]);
    }
  }
  if (i != state.tensors.size())
    fail(Code::kMismatch, "the state has {} tensors, the model {}", state.tensors.size(), i);
  for (const auto& [to, from] : pairs) {
    if (to.dtype == state.dtype) {
      backend_->upload(to, from->bytes.data());
      continue;
    }
    // Between an f32 engine and an f64 one.
    std::vector<double> wide(static_cast<std::size_t>(to.numel()));
    for (std::size_t e = 0; e < wide.size(); ++e) wide[e] = state.value(*from, e);
    if (to.dtype == DType::kF64)
      backend_->upload(to, wide.data());
    else
      backend_->upload(to, std::vector<float>(wide.begin(), wide.end()).data());
  }
}

void Engine::run(std::span<Work> work, const std::function<bool()>& keep_going) {
  std::unordered_set<const Session*> distinct;
  for (const Work& w : work) {
    if (w.session == nullptr || w.session->engine_.get() != this)
      fail(Code::kInvalidArgument, "a session of another engine");
    if (!distinct.insert(w.session).second)
      fail(Code::kInvalidArgument, "one session twice in a call");
    for (const std::int32_t id : w.tokens) {
      if (id < 0 || id >= info_.dims.V) {
        throw Error(Code::kInvalidArgument, fmt::format("token id {} is not in the vocabulary", id),
                    {.expected = fmt::format("0 to {}", info_.dims.V - 1)});
      }
    }
  }
  for (Work& w : work) w.logits.clear(), w.logits_f64.clear();
  std::vector<std::size_t> begin(work.size(), 0), count(work.size());
  std::size_t tokens = 0;
  for (const Work& w : work) tokens += w.tokens.size();
  // Pieces of about the same size: a last one of few rows would read all weights for them.
  const std::size_t limit = std::max(static_cast<std::size_t>(options_.chunk_rows), work.size());
  const std::size_t pieces = std::max<std::size_t>(1, (tokens + limit - 1) / limit);
  const std::size_t most = (tokens + pieces - 1) / pieces;
  for (;;) {
    // A piece takes rows from the sequences in turn until it is full.
    std::size_t room = most;
    for (std::size_t i = 0; i < work.size(); ++i) {
      count[i] = std::min(room, work[i].tokens.size() - begin[i]);
      room -= count[i];
    }
    if (room == most) return;
    run_piece(work, begin, count);
    bool more = false;
    for (std::size_t i = 0; i < work.size(); ++i) {
      begin[i] += count[i];
      more = more || begin[i] < work[i].tokens.size();
    }
    if (more && keep_going && !keep_going())
      fail(Code::kCancelled, "stopped in the middle, as the callback wished");
  }
}

// The embedding is read where it lies in the file, a row for each token. The kernel maps 64 KB around each, and
// after a long prompt would count nearly all of it as memory of this process. The pages stay in its cache.
void Engine::release_embedding(std::int64_t rows_read) const {
  constexpr std::int64_t kWorthACall = 16;
  if (rows_read < kWorthACall || model_.file == nullptr) return;
  if (const Source* embedding = model_.file->find("emb.weight"); embedding != nullptr)
    model_.file->reader().done_with(embedding->bytes);
}

void Engine::run_piece(std::span<Work> work, std::span<const std::size_t> begin,
                       std::span<const std::size_t> count) {
  const std::scoped_lock lock(mutex_);
  Ctx c{.backend = *backend_,
        .arena = *arena_,
        .layers = layers_,
        .observer = observer_ ? &*observer_ : nullptr};
  const ArenaScope scope(*arena_);

  std::vector<std::int32_t> ids, begins = {0}, slots, logit_rows;
  for (std::size_t i = 0; i < work.size(); ++i) {
    if (count[i] == 0) continue;
    const auto part = work[i].tokens.subspan(begin[i], count[i]);
    const auto first = static_cast<std::int32_t>(ids.size());
    ids.insert(ids.end(), part.begin(), part.end());
    begins.push_back(static_cast<std::int32_t>(ids.size()));
    slots.push_back(work[i].session->slot_);
    const bool last_piece = begin[i] + count[i] == work[i].tokens.size();
    for (auto row = first; work[i].want == Logits::kAll && row < begins.back(); ++row)
      logit_rows.push_back(row);
    if (work[i].want == Logits::kLast && last_piece) logit_rows.push_back(begins.back() - 1);
  }
  Batch batch;
  batch.ids = arena_->ints(ids);
  batch.seqs = {.begin = arena_->ints(begins),
                .slot = arena_->ints(slots),
                .n = static_cast<std::int64_t>(slots.size()),
                .rows = static_cast<std::int64_t>(ids.size()),
                .slots = pool_->slots};
  if (!logit_rows.empty()) batch.wanted.logit_rows = arena_->ints(logit_rows);

  std::vector<LayerState> state = pool_->view();
  const Tensor logits = model_.model->forward(c, batch, state);
  const auto V = static_cast<std::size_t>(info_.dims.V);
  std::vector<float> host(logit_rows.size() * V);
  std::vector<double> wide;
  if (!logits) {
    backend_->sync();
  } else if (logits.dtype == DType::kF64) {
    wide.resize(host.size());
    backend_->download(wide.data(), logits);
    std::transform(wide.begin(), wide.end(), host.begin(),
                   [](double x) { return static_cast<float>(x); });
  } else {
    backend_->download(host.data(), logits);
  }
  release_embedding(batch.seqs.rows);
  for (std::size_t i = 0, row = 0; i < work.size(); ++i) {
    if (count[i] == 0) continue;
    work[i].session->tokens_seen_ += count[i];
    const bool last_piece = begin[i] + count[i] == work[i].tokens.size();
    const std::size_t rows = work[i].want == Logits::kAll                  ? count[i]
                             : work[i].want == Logits::kLast && last_piece ? 1
                                                                           : 0;
    const auto take = [&](const auto& from, auto& to) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(row * V),
                from.begin() + static_cast<std::ptrdiff_t>((row + rows) * V));
    };
    take(host, work[i].logits);
    if (!wide.empty()) take(wide, work[i].logits_f64);
    row += rows;
    // The session's own logits are those of its last token, or none if they were not computed.
    if (rows > 0 && last_piece)
      work[i].session->logits_.assign(work[i].logits.end() - static_cast<std::ptrdiff_t>(V),
                                      work[i].logits.end());
    else
      work[i].session->logits_.clear();
  }
}

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::kLength: return "length";
    case StopReason::kEndOfText: return "end_of_text";
    case StopReason::kCallback: return "callback";
  }
  return "length";
}

Session::Session(Session&& other) noexcept
    : engine_(std::move(other.engine_)),
      slot_(std::exchange(other.slot_, -1)),
      tokens_seen_(other.tokens_seen_),
      logits_(std::move(other.logits_)),
      decoder_(std::move(other.decoder_)),
      sampler_(std::move(other.sampler_)) {}

Session& Session::operator=(Session&& other) noexcept {
  std::swap(engine_, other.engine_);
  std::swap(slot_, other.slot_);
  std::swap(tokens_seen_, other.tokens_seen_);
  std::swap(logits_, other.logits_);
  std::swap(decoder_, other.decoder_);
  std::swap(sampler_, other.sampler_);
  return *this;
}

Session::~Session() {
  if (engine_ != nullptr && slot_ >= 0) engine_->free_slot(slot_);
}

void Session::feed(std::span<const std::int32_t> tokens,
                   const std::function<bool(std::size_t)>& keep_going) {
  Work work{.session = this, .tokens = tokens};
  const std::uint64_t before = tokens_seen_;
  engine_->run(std::span(&work, 1), keep_going ? [&] { return keep_going(tokens_seen_ - before); }
                                               : std::function<bool()>{});
}

Generated Session::generate(const GenerateOptions& options, const PieceCallback& callback) {
  const Tokenizer& tokenizer = engine_->tokenizer();
  if (tokens_seen_ == 0) feed(std::array{tokenizer.end_of_text()});
  if (logits_.empty()) {
    throw Error(Code::kInvalidArgument, "a state alone does not say what comes next",
                {.expected = "at least one token fed after the state was set",
                 .found = "a state without the logits of its last token",
                 .hint = "give a prompt to go on with"});
  }
  Generated out;
  while (static_cast<int>(out.ids.size()) < options.max_tokens) {
    const std::int32_t id = sampler_.sample(logits_);
    if (options.stop_at_end_of_text && id == tokenizer.end_of_text()) {
      out.stop = StopReason::kEndOfText;
      break;
    }
    // Fed before it is shown: a callback that stops or throws finds the session behind the token it
    // saw.
    feed(std::span(&id, 1));
    out.ids.push_back(id);
    const std::string text = decoder_.push(tokenizer.token_bytes(id));
    out.text += text;
    if (callback && !callback({id, text})) {
      out.stop = StopReason::kCallback;
      break;
    }
  }
  return out;
}

State Session::state() const {
  State s = engine_->read_slot(slot_);
  s.tokens_seen = tokens_seen_;
  return s;
}

void Session::set_state(const State& state, Weights weights) {
  expect_fits(state, engine_->state_header(), weights);
  engine_->write_slot(slot_, state);
  tokens_seen_ = state.tokens_seen;
  logits_.clear();
  decoder_ = {};
}

void Session::reset() {
  engine_->clear_slot(slot_);
  tokens_seen_ = 0;
  logits_.clear();
  decoder_ = {};
}

Session Session::fork() const {
  Session copy = engine_->session();
  engine_->copy_slot(copy.slot_, slot_);
  copy.tokens_seen_ = tokens_seen_;
  copy.logits_ = logits_;
  copy.decoder_ = decoder_;
  copy.sampler_ = sampler_;
  return copy;
}

void Session::save(const std::string& path) const {
  StateFile file{.state = state(), .extra = {}, .extra_tensors = {}};
  std::string pending;
  for (const unsigned char byte : decoder_.pending()) pending += fmt::format("{:02x}", byte);
  file.extra["session"] = Json{
      {"pending_bytes", pending},
      {"vocabulary", engine_->has_tokenizer() ? engine_->tokenizer().name() : ""},
      {"sampler",
       sampler_.memory()}}.dump();
  const auto values = std::as_bytes(std::span(logits_));
  StateTensor logits{"session.logits",
                     {static_cast<std::int64_t>(logits_.size())},
                     {values.begin(), values.end()}};
  file.extra_tensors.push_back(std::move(logits));
  save_state_file(path, file);
}

void Session::load(const std::string& path, Weights weights) {
  const StateFile file = load_state_file(path);
  expect_fits(file.state, engine_->state_header(), weights);
  // Everything is read and checked before the session changes.
  std::vector<float> logits;
  StreamDecoder decoder;
  Sampler sampler = sampler_;
  if (const auto session = file.extra.find("session"); session != file.extra.end()) {
    const Json json = parse_json(session->second, path + ": session");
    const std::string hex =
        json.is_object() && json.contains("pending_bytes") && json["pending_bytes"].is_string()
            ? json["pending_bytes"].get<std::string>()
            : "";
    constexpr std::size_t kLongestPending = 3;  // bytes of an unfinished UTF-8 character
    if (hex.size() % 2 != 0 || hex.size() > 2 * kLongestPending ||
        hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
      throw Error(Code::kFormat, path + ": the unfinished character is damaged",
                  {.expected = "up to 3 bytes in hexadecimal", .found = hex});
    }
    const std::string here(engine_->has_tokenizer() ? engine_->tokenizer().name() : "");
    const Json* said =
        json.is_object() && json.contains("vocabulary") ? &json["vocabulary"] : nullptr;
    const std::string there =
        said != nullptr && said->is_string() ? said->get<std::string>() : here;
    if (there != here) {
      throw Error(Code::kMismatch, path + ": the session was made with another vocabulary",
                  {.expected = here, .found = in_quotes(there)});
    }
    std::string pending;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      pending += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    decoder.set_pending(pending);
    if (json.is_object() && json.contains("sampler")) sampler.restore(json["sampler"]);
  }
  for (const StateTensor& t : file.extra_tensors) {
    if (t.name != "session.logits") continue;
    logits.resize(t.bytes.size() / sizeof(float));
    if (!logits.empty()) std::memcpy(logits.data(), t.bytes.data(), logits.size() * sizeof(float));
    if (!logits.empty() && static_cast<std::int64_t>(logits.size()) != engine_->info().dims.V) {
      throw Error(Code::kMismatch, path + ": the saved logits are of another vocabulary",
                  {.expected = fmt::format("{} values", engine_->info().dims.V),
                   .found = fmt::format("{}", logits.size())});
    }
  }
  engine_->write_slot(slot_, file.state);
  tokens_seen_ = file.state.tokens_seen;
  logits_ = std::move(logits);
  decoder_ = std::move(decoder);
  sampler_ = std::move(sampler);
}

}  // namespace prwkv
