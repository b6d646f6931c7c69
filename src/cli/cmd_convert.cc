#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "formats/sharded.h"
#include "models/export.h"
#include "models/hf_files.h"

namespace prwkv::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string in, out, dtype, names;
  bool json = false;
  ProgressOptions progress;
};

/// Where the new model goes: one file, or a Hugging Face folder with several.
struct Target {
  std::string weights;
  std::string folder;  ///< empty: one file
  ExportOptions options;
};

/// Names that the target has no choice of would be passed over in silence.
[[noreturn]] void refuse_names(const ConvertOptions& o, std::string_view target,
                               std::string_view hint) {
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: --names {} does not go with {}", o.out, o.names, target),
              {.expected = "--names with a .safetensors, .pth or .pt file",
               .found = "--names " + o.names,
               .hint = std::string(hint)});
}

Target target_of(const ConvertOptions& o) {
  Target t;
  std::error_code ignored;
  if (o.out.ends_with('/') || fs::is_directory(o.out, ignored)) {
    t.folder = o.out;
    t.weights = (fs::path(o.out) / "model.safetensors").string();
    t.options.names = ExportNames::kHuggingFace;
    t.options.in_hf_folder = true;
    if (o.names == "blinkdl")
      refuse_names(o, "Hugging Face's layout", "leave it out, or give the path of a file");
  } else {
    const auto format = weight_format_of(o.out);
    if (!format) {
      throw Error(Code::kInvalidArgument, o.out + ": no format has this extension",
                  {.expected = ".safetensors, .pth, .pt, .gguf or .bin, or a folder for Hugging "
                               "Face's layout",
                   .hint = "a folder that is to be made ends in '/'"});
    }
    t.weights = o.out;
    t.options.format = *format;
    const bool has_own_names = *format == WeightFormat::kGguf || *format == WeightFormat::kRwkvCpp;
    if (has_own_names && !o.names.empty())
      refuse_names(o, fmt::format("{}, which has names of its own", name_of(*format)),
                   "leave it out");
    if (o.names == "hf") t.options.names = ExportNames::kHuggingFace;
  }
  if (!o.dtype.empty()) t.options.dtype = dtype_from_name(o.dtype);
  return t;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename().string());
  return names;
}

/// A reader of the folder would take other weights in it for the model, or not know which to take.
void expect_no_other_weights(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    if (!has_weight_extension(name) && !name.ends_with(".index.json")) continue;
    if (name == "model.safetensors") continue;
    throw Error(Code::kFile, folder + ": holds weights already",
                {.expected = "a new folder, or one with a model.safetensors alone",
                 .found = one_line(name),
                 .hint = "give another folder, or remove that file"});
  }
}

/// Makes the folder of a model. Those that were made go again if nothing comes to lie in them.
class TargetFolder {
 public:
  explicit TargetFolder(const fs::path& folder) {
    std::error_code error;
    for (fs::path p = folder; !p.empty() && !fs::exists(p, error); p = p.parent_path())
      made_.push_back(p);
    fs::create_directories(folder, error);
    if (!error) return;
    remove_empty();
    throw Error(Code::kFile, folder.string() + ": cannot be made",
                {.found = error.message(), .hint = "choose a folder in which you may write"});
  }
  TargetFolder(const TargetFolder&) = delete;
  TargetFolder& operator=(const TargetFolder&) = delete;
  ~TargetFolder() { remove_empty(); }

 private:
  void remove_empty() const {
    for (const fs::path& p : made_) ::rmdir(p.c_str());
  }
  std::vector<fs::path> made_;  ///< the innermost first
};

/// A reader would take these for the new model's, if it does not bring its own.
void expect_no_other_descriptions(const std::string& folder, const std::vector<HfFile>& files) {
  for (const std::string& name : names_in(folder)) {
    const bool is_read = name == "tokenizer.json" || name == "tokenizer_config.json" ||
                         name == "chat_template.jinja" || name.starts_with("rwkv_vocab");
    const bool is_written =
        std::any_of(files.begin(), files.end(), [&](const HfFile& f) { return f.name == name; });
    if (!is_read || is_written) continue;
    throw Error(Code::kFile, folder + ": holds what belongs to another model",
                {.expected = "a new folder, or one of a model with the same files",
                 .found = one_line(name),
                 .hint = "give another folder, or remove that file"});
  }
}

/// The small files of a folder, complete under temporary names: a disk that is full shows before any
/// file of the old model is replaced.
class HfFolderFiles {
 public:
  HfFolderFiles(const std::vector<HfFile>& files, const std::string& folder) {
    for (const HfFile& file : files) {
      waiting_.push_back(std::make_unique<AtomicFile>((fs::path(folder) / file.name).string()));
      waiting_.back()->write(file.content);
    }
  }
  void commit() {
    for (const auto& file : waiting_) file->commit();
  }

 private:
  std::vector<std::unique_ptr<AtomicFile>> waiting_;
};

void run_convert(const ConvertOptions& o) {
  const Target target = target_of(o);
  const Checkpoint in(o.in);
  expect_other_file(in.reader(), target.weights, "converted");
  const Export plan(in, target.options);
  catch_interrupts();
  std::optional<TargetFolder> folder;
  std::vector<HfFile> files;
  if (!target.folder.empty()) {
    files = plan.hf_files();
    expect_no_other_weights(target.folder);
    expect_no_other_descriptions(target.folder, files);
    folder.emplace(target.folder);
  }
  expect_writable(target.weights);
  expect_room(target.weights, plan.bytes());
  const Stopwatch clock;
  HfFolderFiles beside(files, target.folder);
  {
    Progress progress("convert", "bytes", o.progress);
    plan.write(target.weights, [&](std::uint64_t done, std::uint64_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total),
                      done == total ? "flushing to the disk" : "");
      return !interrupted();
    });
  }
  beside.commit();
  if (o.json) {
    OrderedJson stand_ins = OrderedJson::object();
    for (const auto& [dtype, n] : plan.stand_ins()) stand_ins[std::string(name_of(dtype))] = n;
    print_json({{"path", target.weights},
                {"format", name_of(target.options.format)},
                {"generation", plan.model().generation->name},
                {"dtype", name_of(plan.main_dtype())},
                {"tensors", plan.tensors().size()},
                {"bytes", plan.bytes()},
                {"stand_ins", stand_ins},
                {"left_out", plan.left_out()},
                {"not_carried", plan.not_carried()}});
  } else if (!o.progress.quiet) {
    note(fmt::format("{}: RWKV-{} as {}, {} tensors, mostly {}, {}, {:.1f} s", target.weights,
                     plan.model().generation->name, name_of(target.options.format),
                     plan.tensors().size(), name_of(plan.main_dtype()),
                     bytes(static_cast<double>(plan.bytes())), clock.seconds()));
    for (const auto& [dtype, n] : plan.stand_ins()) {
      note(fmt::format("{} in place of {}: {} matri{}", name_of(dtype), o.dtype, n,
                       n == 1 ? "x" : "ces"));
    }
    if (!plan.left_out().empty())
      note(fmt::format("left out, since nothing reads it: {}", fmt::join(plan.left_out(), ", ")));
    for (const std::string& fact : plan.not_carried())
      note(fmt::format("not carried over, since {} has no place for it: {}", target.weights, fact));
  }
}

}  // namespace

void add_convert(CLI::App& app) {
  auto o = std::make_shared<ConvertOptions>();
  CLI::App* cmd =
      app.add_subcommand("convert", "Write a model in another format, naming or element type");
  cmd->footer(
      "The extension of OUT picks the format:\n"
      "  .safetensors, .pth, .pt   all generations; BlinkDL's names or Hugging Face's\n"
      "  .gguf                     RWKV-6 and 7, for llama.cpp, with the vocabulary\n"
      "  .bin                      rwkv.cpp: 4, 5.0, 5.2, 6 and 7\n"
      "  FOLDER/                   Hugging Face: model.safetensors, config.json, vocabulary\n"
      "Without --dtype each matrix keeps its type; GGUF and .bin have vectors and low-rank\n"
      "parts in f32 in any case. Block types (q4_0 and so on) are for GGUF and .bin; rows that\n"
      "a type does not fit get a smaller block or f16. Licence, author, chat template and the\n"
      "model's own vocabulary are carried over; what a format has no place for is said.\n"
      "JSON: path, format, generation, dtype, tensors, bytes, stand_ins (numbers of\n"
      "matrices that the type does not fit, by the type they got), left_out, not_carried.");
  cmd->add_option("IN", o->in, "Weight file or folder")->required()->type_name("IN");
  cmd->add_option("OUT", o->out, "File or folder to write")->required()->type_name("OUT");
  cmd->add_option("--dtype", o->dtype, "Type of the weights")
      ->check(CLI::IsMember(matrix_type_names()))
      ->type_name("TYPE");
  cmd->add_option("--names", o->names, "Names of the tensors in .safetensors and .pth")
      ->check(CLI::IsMember({"blinkdl", "hf"}))
      ->default_str("blinkdl")
      ->type_name("NAMES");
  cmd->add_flag("--json", o->json, "Print what was made as JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no summary");
  cmd->callback([o] { run_convert(*o); });
}

}  // namespace prwkv::cli
