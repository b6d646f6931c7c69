#include <fmt/ranges.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "models/random.h"

namespace prwkv::cli {
namespace {

struct MakeRandomOptions {
  std::string shape, path, dtype = "f16";
  std::uint64_t seed = 0;
  double zeros = kZerosByChance;
  bool json = false;
  ProgressOptions progress;
};

void run_make_random(const MakeRandomOptions& o) {
  ModelShape shape = model_shape(o.shape);
  shape.zeros = o.zeros;
  const DType dtype = *dtype_from_name(o.dtype);
  const std::size_t size = shape.bytes(dtype);
  if (o.path == "-") {
    throw Error(Code::kInvalidArgument, "OUT: a model is not written to standard output",
                {.expected = "the path of a file"});
  }
  expect_writable(o.path);
  expect_room(o.path, size);
  catch_interrupts();
  const Stopwatch clock;
  {
    Progress progress("make-random", "bytes", o.progress);
    write_random_model(shape, dtype, o.path, o.seed, [&](std::size_t done, std::size_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total));
      return !interrupted();
    });
  }
  if (o.json) {
    print_json({{"path", o.path},
                {"shape", shape.name},
                {"dtype", o.dtype},
                {"seed", o.seed},
                {"parameters", shape.parameters()},
                {"bytes", size}});
  } else if (!o.progress.quiet) {
    note(fmt::format("{}: RWKV-{}, {} random parameters in {}, {}, {:.1f} s", o.path,
                     shape.generation->name, count(static_cast<double>(shape.parameters())),
                     o.dtype, bytes(static_cast<double>(size)), clock.seconds()));
  }
}

}  // namespace

void add_make_random(CLI::App& app) {
  auto o = std::make_shared<MakeRandomOptions>();
  CLI::App* cmd =
      app.add_subcommand("make-random", "Write a model of a real shape with random weights");
  std::vector<std::string_view> generation_names;
  for (const Generation& g : generations()) generation_names.push_back(g.name);
  std::reverse(generation_names.begin(), generation_names.end());  // oldest first
  cmd->footer(
      fmt::format("Such a model generates noise, at the speed and in the memory of the real one.\n"
                  "{}\n"
                  "or sizes, as in rwkv7:L2,C128,F512,V1000,N64: layers and channels, then "
                  "optionally A attention\n"
                  "channels, F ffn width, V vocabulary, N channels a head, and ranks (7: w a v g; "
                  "6: mix decay;\n"
                  "4a: tiny). Generations: {}. The same shape, type and seed give the same file.",
                  wrapped(fmt::format("Shapes: {}", fmt::join(model_shape_names(), " ")), 98),
                  fmt::join(generation_names, ", ")));
  cmd->add_option("SHAPE", o->shape, "Shape of the model, e.g. rwkv7:0.4b")
      ->required()
      ->type_name("SHAPE");
  cmd->add_option("OUT", o->path, "File to write (safetensors with BlinkDL's names)")
      ->required()
      ->type_name("OUT");
  cmd->add_option("--dtype", o->dtype, "Type of all tensors")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->capture_default_str()
      ->type_name("TYPE");
  add_zeros_option(*cmd, o->zeros);
  cmd->add_option("--seed", o->seed, "Seed of the weights")
      ->check(seed_number())
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--json", o->json, "Print what was made as JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no summary");
  cmd->callback([o] { run_make_random(*o); });
}

}  // namespace prwkv::cli
