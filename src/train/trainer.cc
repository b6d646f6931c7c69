#include "train/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "formats/writer.h"
#include "train/host_copy.h"

namespace prwkv {
namespace {

// What a checkpoint says of itself.
constexpr const char *kVersionKey = "prwkv_training", *kStepKey = "step", *kTokensKey = "tokens",
                     *kRecipeKey = "recipe";
constexpr std::string_view kVersion = "1";

ParamGrads watched(const TrainedModel& model) {
  ParamGrads gradients(model.backend());
  for (const Trained& t : model.parameters()) gradients.watch(t.value);
  return gradients;
}

TrainerOptions checked(TrainerOptions o) {
  const auto positive = [](const char* what, std::int64_t value) {
    if (value < 1) fail(Code::kInvalidArgument, "{} must be at least 1, not {}", what, value);
  };
  positive("the batch", o.batch);
  positive("the context", o.context);
  positive("a chunk", o.chunk);
  if (o.micro_batch < 0 || o.truncate < 0)
    fail(Code::kInvalidArgument, "a micro-batch of {}, truncated after {} chunks", o.micro_batch,
         o.truncate);
  const AdamWOptions& a = o.adamw;
  const auto is_share = [](double x) { return x >= 0 && x < 1; };
  if (!is_share(a.beta1) || !is_share(a.beta2) || !(a.eps >= 0) || !(a.weight_decay >= 0) ||
      !(a.clip >= 0) || !(o.l2wrap >= 0)) {
    fail(Code::kInvalidArgument,
         "AdamW with betas {} and {}, eps {}, weight decay {}, clipping at {}, L2Wrap {}", a.beta1,
         a.beta2, a.eps, a.weight_decay, a.clip, o.l2wrap);
  }
  (void)learning_rate(o.schedule, 0);
  return o;
}

std::int64_t number_of(const Reader& file, const char* key) {
  const auto it = file.metadata().find(key);
  std::int64_t value = -1;
  if (it != file.metadata().end()) {
    const char* end = it->second.data() + it->second.size();
    if (std::from_chars(it->second.data(), end, value).ptr != end) value = -1;
  }
  if (value < 0) fail(Code::kFormat, "{}: no checkpoint of a training run", file.path());
  return value;
}

}  // namespace

PassOptions TrainerOptions::pass() const {
  const std::int64_t rows = std::min(context, chunk);
  return {.chunk = rows,
          .truncate = truncate,
          .sequences = micro_batch > 0 ? std::min(micro_batch, batch)
                                       : std::clamp<std::int64_t>(kRowsAtOnce / rows, 1, batch),
          .context = context,
          .block_checkpoints = block_checkpoints,
          .l2wrap = l2wrap};
}

Trainer::Trainer(TrainedModel& model, const Dataset& data, Arena& scratch,
                 const TrainerOptions& options, GradientExchange* exchange)
    : model_(model),
      data_(data),
      options_(checked(options)),
      start_hash_(model.start_hash()),
      exchange_(exchange != nullptr ? *exchange : alone_),
      gradients_(watched(model)),
      passes_(model.model(), model.backend(), scratch, gradients_, options_.pass(),
              model.initial_state()),
      optimizer_(model.backend(), model.parameters(), options_.adamw) {
  if (options_.batch % exchange_.size() != 0)
    fail(Code::kInvalidArgument, "a batch of {} cannot be divided among {} replicas",
         options_.batch, exchange_.size());
}

std::vector<Tensor> Trainer::gradients() const {
  std::vector<Tensor> all;
  for (const Trained& t : model_.parameters()) all.push_back(gradients_.of(t.value));
  return all;
}

StepResult Trainer::step(const std::function<bool()>& keep_going) {
  // The samples of a step are those with the next numbers, dealt out to the replicas.
  std::vector<Sample> samples;
  double counted = 0, inputs = 0;
  for (std::int64_t i = exchange_.rank(); i < options_.batch; i += exchange_.size()) {
    samples.push_back(data_.sample(static_cast<std::uint64_t>(steps_ * options_.batch + i)));
    const Sample& s = samples.back();
    counted += static_cast<double>(
        std::count_if(s.targets.begin(), s.targets.end(), [](auto t) { return t >= 0; }));
    inputs += static_cast<double>(s.inputs.size());
  }
  counted = exchange_.sum(counted);
  gradients_.zero();
  Losses losses;
  const auto at_once = static_cast<std::size_t>(options_.pass().sequences);
  for (std::size_t first = 0; first < samples.size(); first += at_once) {
    const std::size_t n = std::min(at_once, samples.size() - first);
    losses += passes_.backward(std::span(samples).subspan(first, n), counted > 0 ? 1 / counted : 0,
                               keep_going);
  }
  exchange_.sum(model_.backend(), gradients());

  StepResult r{.step = steps_ + 1,
               .tokens = tokens_ + static_cast<std::int64_t>(exchange_.sum(inputs)),
               .loss = counted > 0 ? exchange_.sum(losses.sum) / counted : 0,
               .norm = optimizer_.norm(gradients_),
               .lr = learning_rate(options_.schedule, steps_)};
  if (!std::isfinite(r.loss) || !std::isfinite(r.norm)) {
    throw Error(
        Code::kUnsupported,
        fmt::format("step {}: the {} is no finite number", r.step,
                    std::isfinite(r.loss) ? "gradient" : "loss"),
        {.expected = "finite losses and gradients",
         .found =
             fmt::format("loss {}, norm of the gradient {}", std::abs(r.loss), std::abs(r.norm)),
         .hint = "weights and moments are still those of the step before; begin again with a "
                 "lower learning rate or a longer warm-up"});
  }
  optimizer_.step(gradients_, r.norm, r.lr, r.step);
  steps_ = r.step;
  tokens_ = r.tokens;
  return r;
}

Losses Trainer::evaluate(std::int64_t samples, const std::function<bool()>& keep_going) {
  const std::int64_t all = data_.validation_samples(),
                     n = samples > 0 ? std::min(samples, all) : all;
  Losses total;
  std::vector<Sample> pass;
  for (std::int64_t i = 0; i < n; ++i) {
    pass.push_back(data_.validation_sample(i));
    if (static_cast<std::int64_t>(pass.size()) < options_.pass().sequences && i + 1 < n) continue;
    total += passes_.forward(pass, keep_going);
    pass.clear();
  }
  return total;
}

// Everything that decides the bits of a result, and nothing else.
OrderedJson Trainer::recipe() const {
  const auto& o = options_;
  const auto& s = o.schedule;
  const auto& a = o.adamw;
  return {{"model", fmt::format("{:016x}", start_hash_)},
          {"begun_from", fmt::format("{:016x}", model_.given_hash())},
          {"method", name_of(model_.selection().method)},
          {"lora_alpha",
           model_.selection().method == Method::kLora ? model_.selection().lora_alpha : 0.0},
          {"batch", o.batch},
          {"micro_batch", o.pass().sequences},
          {"context", o.context},
          {"chunk", o.pass().chunk},
          {"truncate", o.truncate},
          {"l2wrap", o.l2wrap},
          {"products", name_of(o.products)},
          {"schedule", name_of(s.kind)},
          {"lr", s.lr},
          {"lr_final", s.lr_final},
          {"steps", s.steps},
          {"warmup", s.warmup},
          {"decay", s.decay},
          {"beta1", a.beta1},
          {"beta2", a.beta2},
          {"eps", a.eps},
          {"weight_decay", a.weight_decay},
          {"clip", a.clip},
          // Behind the options that it depends on too.
          {"data", fmt::format("{:016x}", data_.fingerprint())}};
}

// A run with a stable learning rate may be made longer or shorter, as long as the steps that are done would have been the
// same.
void Trainer::check_recipe(const std::string& path, const Json& saved, std::int64_t done) const {
  const OrderedJson ours = recipe();
  const auto prolongs = [&](const std::string& key) {
    if (options_.schedule.kind == Schedule::kConstant) return key == "steps" || key == "decay";
    if (options_.schedule.kind != Schedule::kWsd) return false;
    const std::int64_t was_stable = saved.value("steps", std::int64_t{0}) -
                                    saved.value("decay", std::int64_t{0}),
                       is_stable = options_.schedule.steps - options_.schedule.decay;
    return (key == "steps" || key == "decay" || key == "lr_final") && done <= was_stable &&
           done <= is_stable;
  };
  for (const auto& [key, value] : ours.items()) {
    const Json expected = saved.value(key, Json());
    if (expected == Json(value) || prolongs(key)) continue;
    throw Error(
        Code::kMismatch, fmt::format("{}: the run was begun with another '{}'", path, key),
        {.expected = expected.dump(),
         .found = value.dump(),
         .hint = "go on with the same options, or begin a new run from the model it wrote"});
  }
}

void Trainer::save(const std::string& path) const {
  if (const Trained* p = optimizer_.first_not_finite(); p != nullptr) {
    throw Error(
        Code::kUnsupported,
        fmt::format("step {}: '{}' has values that are no finite numbers", steps_, p->name),
        {.hint = "nothing was saved; begin again with a lower learning rate or a longer warm-up"});
  }
  std::vector<TensorSpec> specs;
  std::vector<Tensor> tensors;
  const auto parameters = model_.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Trained& p = parameters[i];
    for (const auto& [what, t] :
         {std::pair{"", p.value}, {".m", optimizer_.m(i)}, {".v", optimizer_.v(i)}}) {
      specs.push_back({p.name + what, t.dtype, t.shape.sizes()});
      tensors.push_back(t);
    }
  }
  SafetensorsWriter out(path, specs,
                        {{kVersionKey, std::string(kVersion)},
                         {kStepKey, fmt::format("{}", steps_)},
                         {kTokensKey, fmt::format("{}", tokens_)},
                         {kRecipeKey, recipe().dump()}});
  for (const Tensor& t : tensors) out.write(HostCopy(model_.backend(), t).bytes());
  out.finish();
}

void Trainer::load(const std::string& path) {
  const std::unique_ptr<Reader> file = open_weights(path);
  const auto version = file->metadata().find(kVersionKey);
  if (version == file->metadata().end())
    fail(Code::kFormat, "{}: no checkpoint of a training run", path);
  if (version->second != kVersion) {
    throw Error(Code::kUnsupported, fmt::format("{}: a checkpoint of another version", path),
                {.expected = std::string(kVersion), .found = version->second});
  }
  const std::int64_t steps = number_of(*file, kStepKey), tokens = number_of(*file, kTokensKey);
  const auto recipe_text = file->metadata().find(kRecipeKey);
  if (recipe_text == file->metadata().end())
    fail(Code::kFormat, "{}: no checkpoint of a training run", path);
  check_recipe(path, parse_json(recipe_text->second, path), steps);

  std::vector<std::pair<const StoredTensor*, Tensor>> found;
  const auto parameters = model_.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Trained& p = parameters[i];
    for (const auto& [what, t] :
         {std::pair{"", p.value}, {".m", optimizer_.m(i)}, {".v", optimizer_.v(i)}}) {
      const StoredTensor* s = file->find(p.name + what);
      if (s == nullptr || s->dtype != t.dtype || s->bytes.size() != t.bytes()) {
        throw Error(
            Code::kMismatch,
            fmt::format("{}: '{}{}' is not what this run trains", path, p.name, what),
            {.expected = fmt::format("{} {}", name_of(t.dtype), t.shape.str()),
             .found = s == nullptr ? "no tensor of that name"
                                   : fmt::format("{} {}", name_of(s->dtype), s->shape_str())});
      }
      found.emplace_back(s, t);
    }
  }
  if (found.size() != file->tensors().size()) {
    throw Error(Code::kMismatch, fmt::format("{}: the run trained other parameters", path),
                {.expected = fmt::format("{} tensors", found.size()),
                 .found = fmt::format("{}", file->tensors().size()),
                 .hint = "name the same method, layers and parts"});
  }
  for (const auto& [s, t] : found) {
    // In pieces, so that little of the file is in memory at a time.
    const Tensor flat = t.reshaped({t.numel()});
    const auto size = static_cast<std::int64_t>(t.bytes()) / t.numel();
    constexpr std::int64_t kAtOnce = 1 << 20;
    for (std::int64_t i = 0; i < t.numel(); i += kAtOnce) {
      const std::int64_t n = std::min(kAtOnce, t.numel() - i);
      const auto piece =
          s->bytes.subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(n * size));
      model_.backend().upload(flat.rows(i, n), piece.data());
      file->done_with(piece);
    }
  }
  steps_ = steps;
  tokens_ = tokens;
}

}  // namespace prwkv
