#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "models/merge.h"
#include "models/model_tokenizer.h"

namespace prwkv::cli {
namespace {

struct MergeOptions {
  std::string in, out, lora, lora_init, dtype;
  std::optional<double> alpha;
  bool json = false;
  ProgressOptions progress;
};

/// A vocabulary of the model's own goes along, so that the result can be asked; a file that is there already stays.
void keep_vocabulary(const Checkpoint& in, const std::string& out, WeightFormat format) {
  if (format == WeightFormat::kGguf) return;  // it is inside
  const std::int64_t rows = detect(in).dims.V;
  const auto vocabulary = vocabulary_file_of(in, rows);
  if (!vocabulary || vocabulary->name == Tokenizer::default_name(rows)) return;
  const auto folder = std::filesystem::path(out).parent_path();
  if (!std::filesystem::exists(folder / vocabulary->file_name))
    vocabulary->write_to(folder.string());
}

void run_merge(const MergeOptions& o) {
  const std::optional<WeightFormat> format = weight_format_of(o.out);
  if (!format) {
    throw Error(Code::kInvalidArgument, o.out + ": no format has this extension",
                {.expected = ".safetensors, .pth, .gguf or .bin"});
  }
  catch_interrupts();
  const Checkpoint in(o.in);
  expect_other_file(in.reader(), o.out, "merged");
  expect_writable(o.out);
  LoraFile lora(o.lora, o.alpha, o.lora_init);
  expect_other_file(lora.reader(), o.out, "merged");
  const Merge merge(
      in, lora,
      {.format = *format, .dtype = o.dtype.empty() ? std::nullopt : dtype_from_name(o.dtype)});
  expect_room(o.out, merge.bytes());
  {
    Progress progress("merge", "bytes", o.progress);
    merge.write(o.out, [&](std::uint64_t done, std::uint64_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total));
      return !interrupted();
    });
  }
  keep_vocabulary(in, o.out, *format);
  if (o.json) {
    print_json({{"out", o.out},
                {"matrices", merge.matrices()},
                {"replaced", merge.replaced()},
                {"alpha", lora.alpha()},
                {"bytes", merge.bytes()}});
  } else if (!o.progress.quiet) {
    note(fmt::format("{}: {} matrices with adapters, {} tensors replaced, {}", o.out,
                     merge.matrices(), merge.replaced(),
                     bytes(static_cast<double>(merge.bytes()))));
  }
}

}  // namespace

void add_merge(CLI::App& app) {
  auto o = std::make_shared<MergeOptions>();
  CLI::App* cmd = app.add_subcommand("merge", "Fold adapters (LoRA) into the weights of a model");
  cmd->footer(
      "W becomes W + alpha / rank B A, computed in double and rounded once, to the type of the "
      "new\n"
      "file. A matrix of blocks becomes f16 unless --dtype says otherwise; 'prwkv quantize' makes\n"
      "blocks of the result.");
  cmd->add_option("MODEL", o->in, "Weight file that the adapters were trained on")
      ->required()
      ->type_name("FILE");
  cmd->add_option("OUT", o->out, "File to write: .safetensors, .pth, .gguf or .bin")
      ->required()
      ->type_name("FILE");
  cmd->add_option("--lora", o->lora, "Adapters, of RWKV-PEFT or 'prwkv train'")
      ->required()
      ->type_name("FILE");
  cmd->add_option("--lora-alpha", o->alpha,
                  "alpha of their training (default: what the file says; RWKV-PEFT's do not)")
      ->check(CLI::Number)
      ->type_name("A");
  cmd->add_option("--lora-init", o->lora_init,
                  "Where their training began, if they are PiSSA's: init_pissa.pth")
      ->type_name("FILE");
  cmd->add_option("--dtype", o->dtype, "Type of the matrices (default: as in MODEL)")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->type_name("TYPE");
  cmd->add_flag("--json", o->json, "Print what was written as JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no summary");
  cmd->callback([o] { run_merge(*o); });
}

}  // namespace prwkv::cli
