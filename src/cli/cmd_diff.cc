#include <fmt/ranges.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/text.h"
#include "models/diff.h"

namespace prwkv::cli {
namespace {

struct DiffOptions {
  std::string a, b;
  double tolerance = 0;
  bool all = false, json = false;
  ProgressOptions progress;
};

std::string side_text(const TensorSide& side) {
  return fmt::format("{} ({})", name_of(side.dtype), fmt::join(side.shape, ", "));
}

/// "only in A", "values differ", …; the same words in the table and in JSON.
std::string_view verdict(const TensorDifference& d, double tolerance) {
  if (!d.b) return "only in A";
  if (!d.a) return "only in B";
  if (!d.compared) return "shapes differ";
  if (d.bit_equal) return "equal";
  return d.agrees(tolerance) ? "close" : "values differ";
}

void print_table(const std::vector<TensorDifference>& tensors, const DiffOptions& o) {
  std::size_t width = 6;
  const auto is_shown = [&](const TensorDifference& d) { return o.all || !d.bit_equal; };
  for (const TensorDifference& d : tensors) {
    if (is_shown(d)) width = std::max(width, d.name.size());
  }
  std::string out;
  for (const TensorDifference& d : tensors) {
    if (!is_shown(d)) continue;
    if (out.empty()) {
      out = fmt::format("{:{}}  {:13}  {:>10}  {:>10}  {:>10}  {:>10}  types\n", "tensor", width,
                        "verdict", "differing", "max abs", "relative", "rms");
    }
    out += fmt::format("{:{}}  {:13}  ", d.name, width, verdict(d, o.tolerance));
    if (d.compared) {
      const std::string_view a = name_of(d.a->dtype), b = name_of(d.b->dtype);
      out += fmt::format("{:>10}  {:>10.3g}  {:>10.3g}  {:>10.3g}  {}\n",
                         count(static_cast<double>(d.differing)), d.max_abs, d.relative(), d.rms,
                         a == b ? std::string(a) : fmt::format("{} {}", a, b));
    } else {
      std::vector<std::string> sides;
      for (const auto* side : {&d.a, &d.b}) {
        if (*side) sides.push_back(side_text(**side));
      }
      out += fmt::format("{}\n", fmt::join(sides, " and "));
    }
  }
  print(out);
}

std::string side_json(const std::optional<TensorSide>& side) {
  if (!side) return "null";
  return fmt::format(R"({{"dtype":"{}","shape":[{}]}})", name_of(side->dtype),
                     fmt::join(side->shape, ","));
}

void print_diff_json(const std::vector<TensorDifference>& tensors, const DiffOptions& o,
                     bool same) {
  std::string json =
      fmt::format(R"({{"a":{},"b":{},"same":{},"tensors":[)", json_text(o.a), json_text(o.b), same);
  for (const TensorDifference& d : tensors) {
    if (&d != tensors.data()) json += ',';
    json += fmt::format(R"({{"name":{},"verdict":"{}","a":{},"b":{})", json_text(d.name),
                        verdict(d, o.tolerance), side_json(d.a), side_json(d.b));
    if (d.compared) {
      json += fmt::format(R"(,"bit_equal":{},"differing":{})", d.bit_equal, d.differing);
      for (const auto& [key, value] :
           {std::pair("max_abs", d.max_abs), std::pair("relative", d.relative()),
            std::pair("rms", d.rms)}) {
        json += fmt::format(R"(,"{}":)", key);
        append_number(json, value);
      }
    }
    json += '}';
  }
  print(json + "]}\n");
}

void run_diff(const DiffOptions& o) {
  const Checkpoint a(o.a), b(o.b);
  catch_interrupts();
  std::vector<TensorDifference> tensors;
  {
    Progress progress("diff", "values", o.progress);
    tensors = diff(a, b, [&](std::uint64_t done, std::uint64_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total));
      return !interrupted();
    });
  }
  const auto agreeing = std::count_if(tensors.begin(), tensors.end(),
                                      [&](const auto& d) { return d.agrees(o.tolerance); });
  const auto equal = std::count_if(tensors.begin(), tensors.end(),
                                   [](const TensorDifference& d) { return d.bit_equal; });
  const bool same = agreeing == std::ssize(tensors);
  if (o.json) {
    print_diff_json(tensors, o, same);
  } else {
    print_table(tensors, o);
    print(
        fmt::format("{} of {} tensors are equal{}\n", equal, tensors.size(),
                    agreeing > equal ? fmt::format(", {} more are close", agreeing - equal) : ""));
  }
  if (!same) throw Exit{kMismatchError};
}

}  // namespace

void add_diff(CLI::App& app) {
  auto o = std::make_shared<DiffOptions>();
  CLI::App* cmd = app.add_subcommand("diff", "Compare two weight files tensor by tensor");
  cmd->footer(
      "Formats, names and types may differ: both files are seen through BlinkDL's names, values "
      "are\n"
      "decoded and what a format transforms is undone. Exit code 0 if all tensors agree, 5 if "
      "not.\n"
      "JSON: a, b, same, tensors [{name, verdict, a {dtype, shape}, b, bit_equal, differing, "
      "max_abs,\n"
      "relative, rms}]; a or b is null where a file has no such tensor. Verdicts: equal, close,\n"
      "values differ, shapes differ, only in A, only in B.");
  cmd->add_option("A", o->a, "Weight file or folder")->required()->type_name("A");
  cmd->add_option("B", o->b, "Weight file or folder")->required()->type_name("B");
  cmd->add_option(
         "--tolerance", o->tolerance,
         "Largest difference that agrees, relative to the largest value of the tensor in A")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("R");
  cmd->add_flag("--all", o->all, "List equal tensors, too");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress");
  cmd->callback([o] { run_diff(*o); });
}

}  // namespace prwkv::cli
