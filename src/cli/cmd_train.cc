#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <tuple>

#include "base/folder_lock.h"
#include "base/memory.h"
#include "base/temporary_folder.h"
#include "chat/chat_template.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "formats/binidx.h"
#include "models/model_tokenizer.h"
#include "train/new_model.h"
#include "train/plan.h"
#include "train/training_run.h"

namespace prwkv::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAuto = "auto";
constexpr std::int64_t kLoraRank = 16;

struct TrainOptions {
  std::string model, fresh, vocab, dtype;
  std::string method = "full", layers, lora, init_state;
  std::vector<std::string> parts;
  std::optional<std::int64_t> lora_rank, decay;
  std::optional<double> lora_alpha, lr_final;
  std::string config;

  DataOptions data;
  std::string sampling = kAuto, order = "shuffled";
  std::uint64_t seed = 0;

  TrainerOptions trainer;
  std::string schedule = "cosine", block_checkpoints = kAuto;
  std::optional<std::int64_t> steps, tokens;
  std::optional<double> epochs, eps;

  RunOptions run;
  int threads = 0;
  std::string precision = "f32";
  bool plan = false, json = false;
  ProgressOptions progress;
};

/// A word of the command line, and what it stands for.
template <class T>
using Words = std::vector<std::pair<std::string, T>>;
template <class T>
Words<T> named(std::initializer_list<T> values) {
  Words<T> words;
  for (const T value : values) words.emplace_back(name_of(value), value);
  return words;
}
const Words<Method>& methods() {
  static const Words<Method> words = named({Method::kFull, Method::kLora, Method::kState});
  return words;
}
const Words<Schedule>& schedules() {
  static const Words<Schedule> words =
      named({Schedule::kCosine, Schedule::kWsd, Schedule::kConstant});
  return words;
}
const Words<Sampling>& samplings() {
  static const Words<Sampling> words = {{kAuto, Sampling::kAuto},
                                        {"windows", Sampling::kWindows},
                                        {"documents", Sampling::kDocuments}};
  return words;
}
const Words<SampleOrder>& orders() {
  static const Words<SampleOrder> words = {{"shuffled", SampleOrder::kShuffled},
                                           {"sequential", SampleOrder::kSequential},
                                           {"blinkdl", SampleOrder::kBlinkdl}};
  return words;
}
template <class T>
T meant(const Words<T>& words, const std::string& word) {
  for (const auto& [name, value] : words) {
    if (name == word) return value;
  }
  fail(Code::kInvalidArgument, "there is no '{}'", word);
}
template <class T>
CLI::Validator one_of(const Words<T>& words) {
  std::vector<std::string> names;
  for (const auto& [name, value] : words) names.push_back(name);
  return CLI::IsMember(names);
}

/// "0-3,7" -> {0, 1, 2, 3, 7}
std::set<int> parse_layers(const std::string& text) {
  std::set<int> layers;
  const auto bad = [&] {
    throw Error(Code::kInvalidArgument, "--layers: cannot read " + one_line(text),
                {.expected = "numbers and ranges from 0 on, as in 0-3,7"});
  };
  const auto number = [&](std::string_view part) {
    int value = -1;
    const auto [p, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || p != part.data() + part.size() || value < 0 || value > 4095) bad();
    return value;
  };
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const std::size_t dash = item.find('-');
    const int first = number(item.substr(0, dash)),
              last = dash == std::string_view::npos ? first : number(item.substr(dash + 1));
    if (last < first) bad();
    for (int l = first; l <= last; ++l) layers.insert(l);
  }
  return layers;
}

Selection selection_of(const TrainOptions& o) {
  return {
      .method = meant(methods(), o.method),
      .layers = parse_layers(o.layers),
      .parts = {o.parts.begin(), o.parts.end()},
      .lora_rank = o.lora_rank.value_or(kLoraRank),
      .lora_alpha = o.lora_alpha.value_or(2 * static_cast<double>(o.lora_rank.value_or(kLoraRank))),
      .seed = o.seed};
}

/// The shape of a new model; its vocabulary is as large as the one that was named, unless the shape says so.
ModelShape new_shape(const TrainOptions& o, const Tokenizer* tokenizer) {
  ModelShape shape = model_shape(o.fresh);
  if (tokenizer == nullptr) return shape;
  if (o.fresh.find(",V") == std::string::npos) shape.dims.V = tokenizer->vocab_size();
  if (!may_belong(*tokenizer, shape.dims.V)) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("--new {}: {} is no vocabulary for it", one_line(o.fresh), o.vocab),
        {.expected = fmt::format("rows for {} tokens, and few more", tokenizer->vocab_size()),
         .found = fmt::format("V{}", shape.dims.V),
         .hint = "without V the model gets as many as the vocabulary has"});
  }
  return shape;
}

/// A vocabulary of one's own goes with the weights: 'prwkv generate FOLDER/model.safetensors' finds it there. It is the one
/// that was named, or MODEL's.
void keep_vocabulary(const TrainOptions& o, const Tokenizer& tokenizer, const std::string& start) {
  if (tokenizer.name() == "world" || tokenizer.name() == "neox") return;
  std::optional<VocabularyFile> vocabulary;
  if (fs::is_regular_file(o.vocab)) {
    std::string content = read_text(o.vocab);
    const std::size_t first = content.find_first_not_of(" \t\r\n");
    const bool is_json = first != std::string::npos && content[first] == '{';
    vocabulary = {.name = std::string(tokenizer.name()),
                  .file_name = is_json ? "tokenizer.json" : "rwkv_vocab.txt",
                  .content = std::move(content)};
  } else if (o.vocab.empty()) {
    const Checkpoint file(start);
    vocabulary = vocabulary_file_of(file, detect(file).dims.V);
  }
  if (vocabulary) vocabulary->write_to(o.run.folder);
}

/// What the run reads is not what it writes.
void expect_inputs_kept(const TrainOptions& o) {
  const char* written = o.method == "full" ? "model" : o.method == "lora" ? "lora" : "state";
  for (const std::string& input : {o.model, o.lora, o.init_state}) {
    for (const std::string& name :
         {fmt::format("{}.safetensors", written), fmt::format("{}.pth", written)}) {
      const fs::path output = fs::path(o.run.folder) / name;
      std::error_code ignored;
      const auto is = [&](const fs::path& path) { return fs::equivalent(path, output, ignored); };
      if (input.empty() || !(is(input) || is(fs::path(input) / name))) continue;
      throw Error(Code::kInvalidArgument,
                  fmt::format("{}: the run would write over what it begins with", output.string()),
                  {.hint = "name another folder for --out"});
    }
  }
}

/// The file that training begins with; a new model is made if it is not there yet.
std::string start_of(const TrainOptions& o, const Tokenizer* tokenizer) {
  if (o.fresh.empty()) return o.model;
  std::string path = (fs::path(o.run.folder) / "init.safetensors").string();
  const ModelShape shape = new_shape(o, tokenizer);
  if (o.plan) {
    write_blank_model(shape, path);
    return path;
  }
  if (o.run.resume && fs::exists(path) && has_run(o.run.folder)) {
    const Detected found = detect(Checkpoint(path));
    const Dims &is = found.dims, &wanted = shape.dims;
    if (found.generation != shape.generation ||
        std::tie(is.L, is.C, is.A, is.F, is.V, is.N, is.ranks) !=
            std::tie(wanted.L, wanted.C, wanted.A, wanted.F, wanted.V, wanted.N, wanted.ranks))
      throw Error(Code::kMismatch, fmt::format("{}: the run was begun with another shape", path),
                  {.found = o.fresh});
    return path;
  }
  expect_room(path, shape.bytes(DType::kF32));
  InitOptions init{.seed = o.seed};
  if (shape.generation->name.starts_with('4')) init.emb_scale = o.trainer.schedule.lr;
  ThreadPool pool(o.threads);
  Progress progress("new model", "parameters", o.progress);
  write_new_model(shape, init, path, pool, [&](std::int64_t done, std::int64_t total) {
    progress.update(static_cast<double>(done), static_cast<double>(total));
    return !interrupted();
  });
  return path;
}

/// What the command line does not say, from a file: names are those of the options, MODEL is `model`.
void read_config(CLI::App& cmd, const std::string& path) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& e) {
    throw Error(Code::kFile, fmt::format("{}: cannot be read", path), {.found = e.what()});
  }
  for (const CLI::ConfigItem& item : items) {
    std::string name = item.name;
    if (name == "++" || name == "--" || !item.parents.empty()) {
      throw Error(
          Code::kInvalidArgument, fmt::format("{}: tables are not used", path),
          {.expected = "options side by side, as in lr = 1e-3",
           .found = item.parents.empty() ? "" : fmt::format("[{}]", fmt::join(item.parents, "."))});
    }
    std::replace(name.begin(), name.end(), '_', '-');
    CLI::Option* option =
        cmd.get_option_no_throw(name == "model" ? std::string("MODEL") : "--" + name);
    if (option == nullptr || name == "config") {
      throw Error(Code::kInvalidArgument,
                  fmt::format("{}: 'prwkv train' has no option {}", path, one_line(item.name)),
                  {.hint = "names are those of the command line, without --"});
    }
    if (option->count() > 0) continue;
    try {
      for (const std::string& value : item.inputs) option->add_result(value);
      option->run_callback();
    } catch (const CLI::Error& e) {
      throw Error(Code::kInvalidArgument, fmt::format("{}: {}", path, e.what()));
    }
  }
}

void expect_consistent(const TrainOptions& o) {
  const auto bad = [](const std::string& what, const Detail& detail) {
    throw Error(Code::kInvalidArgument, "prwkv train: " + what, detail);
  };
  if (o.model.empty() == o.fresh.empty()) {
    bad(o.model.empty() ? "no model was named" : "a model and a new one",
        {.expected = "prwkv train MODEL, or prwkv train --new SHAPE, as in --new rwkv7:L8,C320",
         .hint = o.model.empty() && o.data.files.size() > 1
                     ? "--data takes all names behind it: MODEL goes first"
                     : ""});
  }
  if (o.plan) return;
  if (o.data.files.empty()) bad("no data were named", {.expected = "--data FILE ..."});
  if (o.run.folder.empty()) bad("no folder was named", {.expected = "--out FOLDER"});
  const int lengths = (o.steps ? 1 : 0) + (o.tokens ? 1 : 0) + (o.epochs ? 1 : 0);
  if (lengths != 1)
    bad(lengths == 0 ? "how long is not said" : "how long is said twice",
        {.expected = "one of --steps, --tokens and --epochs"});
  if (!o.lora.empty() && o.method != "lora")
    bad("--lora is for --method lora", {.hint = "fold adapters into weights with 'prwkv merge'"});
  if (!o.init_state.empty() && o.method != "state") bad("--init-state is for --method state", {});
  if ((o.lora_rank || o.lora_alpha) && o.method != "lora")
    bad("--lora-rank and --lora-alpha are for --method lora", {});
  if (!o.lora.empty() && (o.lora_rank || !o.layers.empty()))
    bad("adapters of a file have their rank and their place",
        {.expected = "--lora without --lora-rank and --layers"});
  if (!o.parts.empty() && o.method == "state") bad("--parts is for --method full and lora", {});
  if (!o.dtype.empty() && o.method != "full")
    bad("--dtype is for --method full", {.hint = "adapters and states are f32"});
  if (o.decay && o.schedule != "wsd") bad("--decay is for --schedule wsd", {});
  if (o.run.eval_every > 0 && o.data.validation == 0 && o.data.validation_files.empty())
    bad("--eval-every without validation data",
        {.expected = "--validation SHARE or --validation-data FILE"});
  if (!o.fresh.empty() && o.method != "full")
    bad("a new model is trained as a whole", {.expected = "--method full"});
}

/// Numbers that follow from the data and the model.
void complete(TrainOptions& o, const Dataset& data, const Model& model) {
  const std::int64_t batch = o.trainer.batch;
  ScheduleOptions& s = o.trainer.schedule;
  if (o.steps) {
    s.steps = *o.steps;
  } else if (o.tokens) {
    s.steps = std::llround(static_cast<double>(*o.tokens) /
                           (static_cast<double>(batch) * data.tokens_per_sample()));
  } else {
    constexpr double kMostEpochs = 1e6;
    if (*o.epochs > kMostEpochs)
      fail(Code::kInvalidArgument, "--epochs: at most {}, not {}", kMostEpochs, *o.epochs);
    s.steps = static_cast<std::int64_t>(std::llround(
        *o.epochs * static_cast<double>(data.samples_per_epoch()) / static_cast<double>(batch)));
  }
  s.steps = std::max<std::int64_t>(1, s.steps);
  s.decay = std::min(o.decay.value_or(0), s.steps);
  s.lr_final = o.lr_final.value_or(s.lr / 10);
  // RWKV-4 was trained with another eps than all that came later.
  o.trainer.adamw.eps = o.eps.value_or(model.generation().starts_with('4') ? 1e-8 : 1e-18);
}

/// Of the texts that will be tokens in memory: no text has more tokens than bytes.
std::size_t most_token_bytes(const TrainOptions& o) {
  if (!o.data.cache.empty()) return 0;
  std::size_t total = 0;
  for (const auto* files : {&o.data.files, &o.data.validation_files}) {
    for (const std::string& file : *files) {
      std::error_code unreadable;
      const std::uintmax_t size = fs::file_size(file, unreadable);
      if (!Binidx::pair_name(file) && !unreadable)
        total += static_cast<std::size_t>(size) * (o.data.vocabulary <= 65'536 ? 2 : 4);
    }
  }
  return total;
}

void print_plan(const TrainOptions& o, const MemoryPlan& p) {
  const PassOptions pass = o.trainer.pass();
  if (o.json) {
    print_json({{"parameters", p.elements},
                {"trained", p.trained},
                {"rows_of_a_pass", p.rows},
                {"block_checkpoints", pass.block_checkpoints},
                {"bytes",
                 {{"weights", p.weights},
                  {"gradients", p.gradients},
                  {"moments", p.moments},
                  {"states", p.states},
                  {"activations", p.activations},
                  {"kernels", p.kernels},
                  {"process", p.process},
                  {"total", p.total()}}},
                {"token_bytes_at_most", most_token_bytes(o)},
                {"available_bytes", available_memory_bytes()}});
    return;
  }
  const auto line = [](const char* what, std::size_t size, const std::string& why) {
    print(fmt::format("{:<12} {:>10}   {}\n", what, bytes(static_cast<double>(size)), why));
  };
  const double per_row =
      static_cast<double>(p.activations) / static_cast<double>(std::max<std::int64_t>(1, p.rows));
  line("weights", p.weights, fmt::format("{} parameters", count(static_cast<double>(p.elements))));
  line("gradients", p.gradients,
       fmt::format("4 x {} that are trained", count(static_cast<double>(p.trained))));
  line("moments", p.moments, "8 x the same (AdamW)");
  line("states", p.states,
       fmt::format("{} sequences: running, gradient, one in front of each chunk", pass.sequences));
  line("activations", p.activations,
       fmt::format("{} rows ({} x {}), {} each{}", p.rows, pass.sequences, pass.chunk,
                   bytes(per_row), pass.block_checkpoints ? "; blocks run twice" : ""));
  line("kernels", p.kernels, "packed operands of products, states inside recurrences");
  line("process", p.process, "program and libraries");
  line("total", p.total(),
       fmt::format("of {} that are available",
                   bytes(static_cast<double>(available_memory_bytes()))));
  if (const std::size_t most = most_token_bytes(o); most > 0)
    line("and tokens", most, "at most, of the texts, usually a quarter of it; none with --cache");
}

/// The plan, with block checkpoints where they are left to us and memory would be short otherwise.
MemoryPlan plan_of(TrainOptions& o, const std::string& start, const LoadOptions& load,
                   const BackendOptions& backend) {
  constexpr double kComfortable = 0.8;  // of what is available
  const auto plan = [&](bool checkpoints) {
    o.trainer.block_checkpoints = checkpoints;
    return plan_memory(start, selection_of(o), load, o.trainer, backend);
  };
  if (o.block_checkpoints != kAuto) return plan(o.block_checkpoints == "on");
  MemoryPlan p = plan(false);
  if (static_cast<double>(p.total()) > kComfortable * static_cast<double>(available_memory_bytes()))
    p = plan(true);
  return p;
}

void expect_memory(const MemoryPlan& p) {
  const std::size_t available = available_memory_bytes() + p.process;
  if (p.total() <= available) return;
  throw Error(Code::kOutOfMemory, "this run does not fit into memory",
              {.expected = bytes(static_cast<double>(p.total())),
               .found = bytes(static_cast<double>(available)) + " available",
               .hint = "a smaller --micro-batch or --chunk, --grad-checkpoint on, --method lora"});
}

void run_train(TrainOptions o) {
  expect_consistent(o);
  catch_interrupts();
  o.data.context = o.trainer.context;
  o.data.seed = o.seed;
  o.data.sampling = meant(samplings(), o.sampling);
  o.data.order = meant(orders(), o.order);
  o.trainer.schedule.kind = meant(schedules(), o.schedule);
  if (!o.dtype.empty()) o.run.dtype = dtype_from_name(o.dtype);
  std::error_code ignored;
  std::optional<TemporaryFolder> temporary;
  if (o.plan) {
    temporary.emplace();
    o.run.folder = temporary->path();
  }
  fs::create_directories(o.run.folder, ignored);  // what is wrong with it is said when it is used
  const FolderLock lock(o.run.folder);
  expect_inputs_kept(o);
  if (!o.run.resume) expect_no_run(o.run.folder);
  expect_nothing_lost(o.run.folder, selection_of(o).method);

  std::shared_ptr<const Tokenizer> tokenizer;
  if (!o.vocab.empty()) tokenizer = tokenizer_by_name(o.vocab);
  const std::string start = start_of(o, tokenizer.get());
  const bool in_bf16 = o.precision == "bf16";
  BackendOptions backend_options{.threads = o.threads,
                                 .packing = Packing::kEachCall,
                                 .products = in_bf16 ? DType::kBF16 : DType::kF32};
  o.trainer.products = backend_options.products;
  if (in_bf16) make_backend(backend_options);  // which may refuse, before anything is read
  LoadOptions load{
      .dtype = {}, .lora = o.lora, .lora_alpha = o.lora.empty() ? std::nullopt : o.lora_alpha};

  {
    const Checkpoint file(start);
    const Detected found = detect(file);
    if (tokenizer == nullptr && found.generation != nullptr)
      tokenizer = tokenizer_of(file, found.dims.V);
    o.data.vocabulary = found.dims.V;
  }
  // Tokens need no vocabulary, only text does.
  const auto is_tokens = [](const std::string& file) {
    return Binidx::pair_name(file).has_value();
  };
  if (tokenizer == nullptr && std::all_of(o.data.files.begin(), o.data.files.end(), is_tokens) &&
      std::all_of(o.data.validation_files.begin(), o.data.validation_files.end(), is_tokens))
    tokenizer = byte_tokenizer();
  if (tokenizer == nullptr) {
    throw Error(Code::kUnsupported, fmt::format("{}: the vocabulary is not known", start),
                {.hint = "name it with --vocab: world, neox, bytes or a file"});
  }
  if (o.plan) return print_plan(o, plan_of(o, start, load, backend_options));

  const auto data = [&] {
    Progress progress("data", "bytes", o.progress);
    ThreadPool pool(o.threads);
    return Dataset::open(o.data, *tokenizer, pool, [&](const DataProgress& p) {
      progress.update(static_cast<double>(p.done), static_cast<double>(p.total), p.action);
      return !interrupted();
    });
  }();
  const std::size_t data_peak =
      peak_resident_bytes();  // texts on their way to tokens may take more than the rest
  const MemoryPlan plan = plan_of(o, start, load, backend_options);
  expect_memory(plan);

  const std::unique_ptr<Backend> backend = make_backend(backend_options);
  Selection selection = selection_of(o);
  TrainedModel model(start, *backend, selection, load, o.init_state);
  complete(o, data, model.model());
  Arena scratch(*backend);
  scratch.reserve(plan.activations);
  Trainer trainer(model, data, scratch, o.trainer);
  o.run.flops_per_token = model.flops_per_token();
  o.run.peak_flops = in_bf16 ? backend->measure_bf16_flops() : backend->measure_flops();
  o.run.title = fmt::format("RWKV-{}, {} of {} parameters trained", model.model().generation(),
                            count(static_cast<double>(model.trained_elements())),
                            count(static_cast<double>(model.elements())));
  TrainingRun run(trainer, model, o.run);
  if (o.method == "full") keep_vocabulary(o, *tokenizer, start);
  if (!o.progress.quiet) {
    const DataSummary& d = data.summary();
    note(fmt::format("{}; {} tokens in {} documents, {} samples an epoch; {} steps of {} x {}; {}",
                     o.run.title, count(static_cast<double>(d.tokens)),
                     count(static_cast<double>(d.documents)),
                     count(static_cast<double>(data.samples_per_epoch())), o.trainer.schedule.steps,
                     o.trainer.batch, o.trainer.context, backend->description()));
    if (d.skipped > 0)
      note(fmt::format(
          "{} documents are left out: nothing in their first {} tokens counts in the loss",
          count(static_cast<double>(d.skipped)), o.trainer.context));
    if (d.truncated > 0)
      note(fmt::format(
          "{} documents are longer than --context and end there{}",
          count(static_cast<double>(d.truncated)),
          o.data.sampling == Sampling::kAuto ? "; --sampling windows takes all of them" : ""));
    if (trainer.steps_done() > 0)
      note(fmt::format("going on behind step {}", trainer.steps_done()));
  }

  const Stopwatch clock;
  const std::int64_t before = trainer.tokens_done(), steps_before = trainer.steps_done();
  double loss = 0;
  bool finished = false;
  {
    Progress progress("train", "steps", o.progress);
    const std::int64_t all = o.trainer.schedule.steps;
    finished = run.run(
        {.on_step =
             [&](const StepReport& r) {
               loss = r.step_tokens > 0 ? r.loss : loss;
               const double share =
                   o.run.flops_per_token * r.tokens_per_second() / o.run.peak_flops;
               progress.update(
                   static_cast<double>(r.step), static_cast<double>(all),
                   fmt::format("loss {:.4f}, {} tokens/s, {:.0f} % of peak FLOP/s, lr {:.2g}",
                               r.loss, count(r.tokens_per_second()), 100 * share, r.lr));
             },
         .on_evaluation =
             [&](std::int64_t step, const Losses& l) {
               if (o.progress.quiet) return;
               progress.finish();
               note(fmt::format("step {}: validation loss {:.4f} over {} tokens", step, l.mean(),
                                count(static_cast<double>(l.counted))));
             },
         .keep_going = [] { return !interrupted(); }});
  }
  const double rate =
      static_cast<double>(trainer.tokens_done() - before) / std::max(clock.seconds(), 1e-9);
  const bool has_trained = trainer.steps_done() > steps_before;
  const auto if_trained = [&](double value) { return has_trained ? Json(value) : Json(); };
  if (o.json) {
    print_json({{"steps", trainer.steps_done()},
                {"tokens", trainer.tokens_done()},
                {"loss", if_trained(loss)},
                {"tokens_per_second", if_trained(rate)},
                {"share_of_peak", if_trained(o.run.flops_per_token * rate / o.run.peak_flops)},
                {"skipped_documents", data.summary().skipped},
                {"truncated_documents", data.summary().truncated},
                {"peak_flops", o.run.peak_flops},
                {"flops_per_token", o.run.flops_per_token},
                {"planned_bytes", plan.total()},
                {"data_peak_bytes", data_peak},
                {"peak_resident_bytes", peak_resident_bytes()},
                {"finished", finished},
                {"outputs", run.outputs()}});
  } else if (!o.progress.quiet && finished && !has_trained) {
    note(fmt::format("all {} steps were done before; {}", trainer.steps_done(),
                     fmt::join(run.outputs(), ", ")));
  } else if (!o.progress.quiet && has_trained) {
    note(fmt::format("{} steps, {} tokens, {} ({} tokens/s); loss {:.4f}; {}", trainer.steps_done(),
                     count(static_cast<double>(trainer.tokens_done())), duration(clock.seconds()),
                     count(rate), loss, fmt::join(run.outputs(), ", ")));
  }
  if (!finished) {
    if (!o.progress.quiet && trainer.steps_done() == 0)
      note("stopped before the first step was done; nothing was saved");
    else if (!o.progress.quiet)
      note(fmt::format("stopped behind step {} and saved; --resume goes on", trainer.steps_done()));
    throw Exit{kInterruptedExit};
  }
}

void add_data_options(CLI::App& cmd, TrainOptions& o) {
  const std::string group = "Data";
  cmd.add_option("--data", o.data.files,
                 "Text, JSON Lines (text, messages, instruction/output, prompt/completion, "
                 "question/answer) or a binidx pair")
      ->type_name("FILE ...")
      ->group(group);
  cmd.add_option("--validation", o.data.validation, "Share of the samples that is held out")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str()
      ->type_name("SHARE")
      ->group(group);
  cmd.add_option("--validation-data", o.data.validation_files,
                 "Held-out data in files of their own")
      ->type_name("FILE ...")
      ->group(group);
  cmd.add_option("--context", o.trainer.context, "Tokens of a sample")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  cmd.add_option("--sampling", o.sampling,
                 "windows: slices of one stream of tokens; documents: one document each; auto: "
                 "documents for conversations")
      ->check(one_of(samplings()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  cmd.add_option("--order", o.order,
                 "shuffled: each sample once an epoch; sequential; blinkdl: the magic prime's")
      ->check(one_of(orders()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  cmd.add_option("--chat-template", o.data.chat_template,
                 fmt::format("How conversations become text: {}",
                             fmt::join(chat_templates_for_training(), ", ")))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  cmd.add_option("--cache", o.data.cache,
                 "Folder for tokens, so that text is tokenized once (default: kept in memory)")
      ->type_name("FOLDER")
      ->group(group);
  cmd.add_option("--vocab", o.vocab, std::string(kVocabHelp) + "; default: the model's")
      ->type_name("VOCAB")
      ->group(group);
}

void add_what_options(CLI::App& cmd, TrainOptions& o) {
  const std::string group = "What is trained";
  cmd.add_option("--new", o.fresh,
                 "A new model of this shape instead of MODEL, with RWKV's initialisation: "
                 "rwkv7:L8,C320 or a name of 'prwkv make-random'")
      ->type_name("SHAPE")
      ->group(group);
  cmd.add_option("--method", o.method,
                 "full: the parameters; lora: adapters beside them; state: the initial state")
      ->check(one_of(methods()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  cmd.add_option("--layers", o.layers, "Blocks that take part, as in 0-3,7 (default: all)")
      ->type_name("LIST")
      ->group(group);
  std::vector<std::string> parts(part_names().begin(), part_names().end());
  cmd.add_option("--parts", o.parts,
                 "Parts that take part: emb, head, ln, att, ffn, time (default: all; with lora att "
                 "and ffn)")
      ->check(CLI::IsMember(parts))
      ->delimiter(',')
      ->type_name("LIST")
      ->group(group);
  cmd.add_option("--lora-rank", o.lora_rank, "Rank of new adapters (default: 16)")
      ->check(CLI::Range(1, 65536))
      ->type_name("R")
      ->group(group);
  cmd.add_option("--lora-alpha", o.lora_alpha, "Their alpha (default: twice the rank)")
      ->check(CLI::Number)
      ->type_name("A")
      ->group(group);
  cmd.add_option("--lora", o.lora, "Adapters to go on with")->type_name("FILE")->group(group);
  cmd.add_option("--init-state", o.init_state, "Tuned state to go on with")
      ->type_name("FILE")
      ->group(group);
}

void add_step_options(CLI::App& cmd, TrainOptions& o) {
  const std::string group = "Steps";
  const auto natural = CLI::Range(std::int64_t{1}, std::int64_t{1} << 40);
  const auto whole = CLI::Range(std::int64_t{0}, std::int64_t{1} << 40);
  const auto real = CLI::Range(0.0, 1e30);
  const auto add = [&](const char* name, auto& value, const char* help, const CLI::Validator& check,
                       const char* type) {
    cmd.add_option(name, value, help)
        ->check(check)
        ->capture_default_str()
        ->type_name(type)
        ->group(group);
  };
  const auto add_open = [&](const char* name, auto& value, const char* help,
                            const CLI::Validator& check, const char* type) {
    cmd.add_option(name, value, help)->check(check)->type_name(type)->group(group);
  };
  TrainerOptions& t = o.trainer;
  add_open("--steps", o.steps, "Steps of the optimizer", natural, "N");
  add_open("--tokens", o.tokens, "The same in tokens", natural, "N");
  add_open("--epochs", o.epochs, "The same in passes over the data", positive_number(), "X");
  add("--batch", t.batch, "Samples of a step", CLI::Range(std::int64_t{1}, std::int64_t{1} << 20),
      "N");
  add("--micro-batch", t.micro_batch, "Of these in one pass; 0: about a thousand tokens", whole,
      "N");
  add("--chunk", t.chunk,
      "Tokens of a sample that are computed at once; longer ones carry the state, and gradients "
      "go back through it",
      natural, "N");
  add("--truncate", t.truncate, "Chunks that gradients go back through; 0: all", whole, "N");
  cmd.add_option("--grad-checkpoint", o.block_checkpoints,
                 "Keep only what flows between blocks, and run each twice: less memory, a third "
                 "more work; auto: where memory is short")
      ->check(CLI::IsMember({kAuto, "on", "off"}))
      ->capture_default_str()
      ->type_name("WHEN")
      ->group(group);
  add("--lr", t.schedule.lr, "Learning rate", positive_number(), "X");
  add_open("--lr-final", o.lr_final, "At the end of the schedule (default: a tenth of --lr)", real,
           "X");
  cmd.add_option("--schedule", o.schedule,
                 "cosine: down from the start; wsd: stable, then down; constant")
      ->check(one_of(schedules()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  add("--warmup", t.schedule.warmup, "Steps until the learning rate is reached", whole, "N");
  add_open("--decay", o.decay,
           "wsd: steps at the end in which it goes down (default: none, so that the run can be "
           "made longer)",
           whole, "N");
  add("--weight-decay", t.adamw.weight_decay, "AdamW's, of matrices", real, "X");
  add("--beta1", t.adamw.beta1, "AdamW's", CLI::Range(0.0, 1.0), "X");
  add("--beta2", t.adamw.beta2, "AdamW's", CLI::Range(0.0, 1.0), "X");
  add_open("--eps", o.eps, "AdamW's (default: 1e-18; RWKV-4 1e-8)", positive_number(), "X");
  add("--clip", t.adamw.clip, "Norm that gradients are clipped to; 0: they are not", real, "X");
  add("--l2wrap", t.l2wrap, "Pulls the largest logits towards zero; BlinkDL's trainers have 1e-4",
      real, "X");
  cmd.add_option("--seed", o.seed, "Of a new model, of adapters and of the order of samples")
      ->check(seed_number())
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
}

void add_run_options(CLI::App& cmd, TrainOptions& o) {
  const std::string group = "Run";
  const auto whole = CLI::Range(std::int64_t{0}, std::int64_t{1} << 40);
  cmd.add_option("-o,--out", o.run.folder, "Folder of the run: checkpoint, weights, logs, chart")
      ->type_name("FOLDER")
      ->group(group);
  cmd.add_flag("--resume", o.run.resume, "Go on from the folder's checkpoint, if there is one")
      ->group(group);
  cmd.add_option("--save-every", o.run.save_every, "Steps between checkpoints; 0: one at the end")
      ->check(whole)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  cmd.add_option("--eval-every", o.run.eval_every, "Steps between validations; 0: one at the end")
      ->check(whole)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  cmd.add_option("--eval-samples", o.run.eval_samples, "Samples of a validation; 0: all")
      ->check(whole)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  cmd.add_option("--dtype", o.dtype,
                 "Type of matrices in model.safetensors (default: as in MODEL; blocks become f32)")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->type_name("TYPE")
      ->group(group);
  cmd.add_option(
         "--precision", o.precision,
         "Of matrix products: f32, or bf16 where the processor multiplies it; weights, sums, "
         "recurrences and moments are f32 in any case")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str()
      ->type_name("TYPE")
      ->group(group);
  cmd.add_option("--threads", o.threads, "0: one for each usable core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  cmd.add_flag("--plan", o.plan, "Print how much memory the run will take, and stop")->group(group);
  cmd.add_option("--config", o.config,
                 "Options from a TOML file, lr = 1e-3; those of the command line go before")
      ->type_name("FILE")
      ->group(group);
  cmd.add_flag("--json", o.json, "Print a summary as JSON")->group(group);
  cmd.add_flag("--progress", o.progress.force, "Show progress even without a terminal")
      ->group(group);
  cmd.add_flag("-q,--quiet", o.progress.quiet, "No progress and no summary")->group(group);
}

}  // namespace

void add_train(CLI::App& app) {
  auto o = std::make_shared<TrainOptions>();
  CLI::App* cmd =
      app.add_subcommand("train", "Train a model, adapters for it, or its initial state");
  cmd->footer(
      "The folder gets checkpoint.safetensors (from which --resume goes on bit for bit), "
      "model.safetensors,\n"
      "lora.safetensors and .pth, or state.safetensors and .pth, log.jsonl, TensorBoard's events "
      "and loss.svg.\n"
      "Ctrl-C saves.");
  cmd->add_option(
         "MODEL", o->model,
         "Weight file of any RWKV generation (.pth, .safetensors, .gguf, .bin), or a folder")
      ->type_name("FILE");
  add_what_options(*cmd, *o);
  add_data_options(*cmd, *o);
  add_step_options(*cmd, *o);
  add_run_options(*cmd, *o);
  cmd->callback([o, cmd] {
    if (!o->config.empty()) read_config(*cmd, o->config);
    run_train(*o);
  });
}

}  // namespace prwkv::cli
