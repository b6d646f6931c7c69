#include "cli/bench_report.h"

#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <set>
#include <tuple>

#include "base/clock.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

constexpr double kGB = 1e9;

/// One measured phase: its median, what it had to do, and the share of the limit.
struct Phase {
  double rate = 0;  ///< tokens/s
  double bytes = 0, read_share = 0;
  double ops = 0, ops_share = 0;
};

Phase generation_of(const BenchResult& r) {
  const double rate = median(r.rates.generation);
  const double bytes = r.cost.token_bytes() - r.skipped_bytes;
  return {
      .rate = rate, .bytes = bytes, .read_share = rate * bytes / r.machine.limits.read_bytes_per_s};
}

Phase prompt_of(const BenchResult& r, int tokens) {
  const double rate = median(r.rates.prompt.at(tokens));
  const Operations ops = r.cost.prompt(tokens);
  return {
      .rate = rate, .ops = ops.total(), .ops_share = rate * ops.least_seconds(r.machine.limits)};
}

/// The i-th number of sequences: so many tokens in gen_tokens steps. A ragged batch has fewer of them at the end.
Phase batch_of(const BenchResult& r, std::size_t i) {
  const int sequences = r.sizes.batch[i], generated = r.batch_tokens[i];
  const double rate = median(r.rates.batch.at(sequences));
  const Operations ops = r.cost.batch();
  const double bytes = r.cost.sequence_bytes +
                       r.cost.weight_bytes * r.sizes.gen_tokens / generated -
                       r.batch_skipped_bytes[i];
  return {.rate = rate,
          .bytes = bytes,
          .read_share = rate * bytes / r.machine.limits.read_bytes_per_s,
          .ops = ops.total(),
          .ops_share = rate * ops.least_seconds(r.machine.limits)};
}

OrderedJson prompt_json(const BenchResult& r, int tokens) {
  const Phase p = prompt_of(r, tokens);
  return {{"tokens_per_s", p.rate},
          {"ops", std::llround(p.ops)},
          {"share", p.ops_share},
          {"tokens", tokens},
          {"runs", r.rates.prompt.at(tokens)}};
}

OrderedJson batch_json(const BenchResult& r, std::size_t i) {
  const int sequences = r.sizes.batch[i];
  const Phase p = batch_of(r, i);
  return {{"sequences", sequences},
          {"ragged", r.sizes.ragged},
          {"tokens_per_s", p.rate},
          {"ops", std::llround(p.ops)},
          {"share", p.ops_share},
          {"bytes", std::llround(p.bytes)},
          {"read_share", p.read_share},
          {"tokens", r.batch_tokens[i]},
          {"runs", r.rates.batch.at(sequences)}};
}

OrderedJson planned_json(const Planned& p) {
  return {{"name", p.what.model},
          {"dtype", p.what.dtype.empty() ? OrderedJson() : OrderedJson(p.what.dtype)},
          {"threads", p.what.threads},
          {"planned_bytes", p.bytes}};
}

std::string threads_text(int n) { return fmt::format("{} thread{}", n, n == 1 ? "" : "s"); }

std::string limits_text(const MachineReport& m) {
  std::string text = fmt::format("read {:.1f} GB/s, {:.0f} GFLOP/s (f32 multiply-adds)",
                                 m.limits.read_bytes_per_s / kGB, m.limits.flops_per_s / kGB);
  if (m.limits.bf16_flops_per_s > 0)
    text += fmt::format(", {:.0f} GFLOP/s ({})", m.limits.bf16_flops_per_s / kGB,
                        m.limits.bf16_instruction);
  return text + fmt::format(", {:.0f} GOP/s ({})", m.limits.int8_ops_per_s / kGB,
                            m.limits.int8_instruction);
}

std::string probe_text(const MachineReport& m) {
  std::string text =
      fmt::format("{} in {} stream{} a thread, ", bytes(static_cast<double>(m.probe_bytes)),
                  m.limits.read_pattern.streams, m.limits.read_pattern.streams == 1 ? "" : "s");
  text += m.limits.read_pattern.prefetch > 0
              ? fmt::format("{} bytes prefetched", m.limits.read_pattern.prefetch)
              : "no prefetch";
  if (m.probe_bytes < ProbeMemory::kWanted)
    text += fmt::format(" (less than {}: no more memory is available)",
                        bytes(static_cast<double>(ProbeMemory::kWanted)));
  return text;
}

double percent(double share) { return 100 * share; }

std::string result_text(const BenchResult& r) {
  const Phase g = generation_of(r);
  std::string text = fmt::format(
      "model       {}: RWKV-{}, {} parameters, {}, {}\n"
      "load        {:.2f} s, first {} tokens {:.2f} s, warm-up {:.3f} s, peak memory {}\n",
      r.name, r.generation, count(static_cast<double>(r.info.parameters)), r.dtype,
      bytes(static_cast<double>(r.info.weight_bytes)), r.load_seconds, FirstTokens::kCount,
      r.first.seconds, r.first.warmup, bytes(static_cast<double>(r.peak_resident_bytes)));
  for (const int tokens : r.sizes.prompt_tokens) {
    const Phase p = prompt_of(r, tokens);
    text += fmt::format(
        "prompt      {:8.1f} tokens/s of {}: {} ops a token, {:.0f} GFLOP/s = {:.0f} % of the "
        "limit\n",
        p.rate, tokens, count(p.ops), p.rate * p.ops / kGB, percent(p.ops_share));
  }
  text += fmt::format(
      "generation  {:8.1f} tokens/s of {}: {} a token, {:.1f} GB/s = {:.0f} % of the limit\n",
      g.rate, r.sizes.gen_tokens, bytes(g.bytes), g.rate * g.bytes / kGB, percent(g.read_share));
  if (r.skipped_bytes > 0) {
    text += fmt::format("            {} a token not read: these weights meet zeros\n",
                        bytes(r.skipped_bytes));
  }
  for (std::size_t i = 0; i < r.sizes.batch.size(); ++i) {
    const Phase b = batch_of(r, i);
    text += fmt::format(
        "{:<11} {:8.1f} tokens/s of {} sequences: {:.0f} GFLOP/s = {:.0f} % of the limit, {:.1f} "
        "GB/s = {:.0f} %\n",
        r.sizes.ragged ? "ragged" : "batch", b.rate, r.sizes.batch[i], b.rate * b.ops / kGB,
        percent(b.ops_share), b.rate * b.bytes / kGB, percent(b.read_share));
  }
  return text + fmt::format("medians of {}; logits hash {:016x}\n", r.rates.generation.size(),
                            r.logits_hash);
}

std::string planned_text(const Planned& p) {
  return fmt::format("{}: does not fit, {} planned\n", p.what.name(),
                     bytes(static_cast<double>(p.bytes)));
}

/// A table line.
std::string row(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

std::string heading(const std::vector<std::string>& cells) {
  std::string text = row(cells) + "|";
  for (std::size_t i = 0; i < cells.size(); ++i) text += "---|";
  return text + "\n";
}

std::string machines_markdown(const BenchReport& report) {
  std::string text = heading(
      {"threads", "read GB/s", "access pattern", "f32 GFLOP/s", "bf16 GFLOP/s", "int8 GOP/s"});
  std::set<std::tuple<int, double>> seen;  // one line for each time the limits were measured
  for (const BenchResult& r : report.results) {
    const MachineReport& m = r.machine;
    if (!seen.emplace(m.threads, m.limits.read_bytes_per_s).second) continue;
    text +=
        row({fmt::format("{}", m.threads), fmt::format("{:.1f}", m.limits.read_bytes_per_s / kGB),
             probe_text(m), fmt::format("{:.0f}", m.limits.flops_per_s / kGB),
             m.limits.bf16_flops_per_s > 0 ? fmt::format("{:.0f}", m.limits.bf16_flops_per_s / kGB)
                                           : "-",
             fmt::format("{:.0f} ({})", m.limits.int8_ops_per_s / kGB, m.limits.int8_instruction)});
  }
  return text;
}

std::vector<std::string> case_cells(const BenchResult& r) {
  const std::string& sparsity = r.what.sparsity;
  return {r.name, sparsity == "skip" ? r.dtype : fmt::format("{}, {}", r.dtype, sparsity),
          fmt::format("{}", r.machine.threads)};
}

std::string speed_markdown(const BenchReport& report) {
  const BenchSizes& sizes = report.results.front().sizes;
  std::vector<std::string> titles = {"model",      "type", "threads",   "generation tok/s",
                                     "MB a token", "GB/s", "of reading"};
  for (const int n : sizes.prompt_tokens) {
    titles.push_back(fmt::format("prompt {} tok/s", n));
    titles.emplace_back("of the peak");
  }
  for (const int n : sizes.batch) {
    titles.push_back(fmt::format("{} {}sequences tok/s", n, sizes.ragged ? "unequal " : ""));
    titles.emplace_back("of the peak");
  }
  titles.emplace_back("logits");
  std::string text = heading(titles);
  for (const BenchResult& r : report.results) {
    std::vector<std::string> cells = case_cells(r);
    const Phase g = generation_of(r);
    cells.push_back(fmt::format("{:.1f}", g.rate));
    cells.push_back(fmt::format("{:.0f}", g.bytes / 1e6));
    cells.push_back(fmt::format("{:.1f}", g.rate * g.bytes / kGB));
    cells.push_back(fmt::format("{:.0f} %", percent(g.read_share)));
    const auto add = [&](const Phase& p) {
      cells.push_back(fmt::format("{:.1f}", p.rate));
      cells.push_back(fmt::format("{:.0f} %", percent(p.ops_share)));
    };
    for (const int n : sizes.prompt_tokens) add(prompt_of(r, n));
    for (std::size_t i = 0; i < sizes.batch.size(); ++i) add(batch_of(r, i));
    cells.push_back(fmt::format("`{:016x}`", r.logits_hash));
    text += row(cells);
  }
  return text;
}

/// As the tables of the first RWKV programs had it.
std::string memory_markdown(const BenchReport& report) {
  std::string text =
      heading({"model", "type", "threads", "load s", "warm-up s",
               fmt::format("first {} tokens s", FirstTokens::kCount), "tokens/s", "memory"});
  for (const BenchResult& r : report.results) {
    std::vector<std::string> cells = case_cells(r);
    cells.push_back(fmt::format("{:.2f}", r.load_seconds));
    cells.push_back(fmt::format("{:.3f}", r.first.warmup));
    cells.push_back(fmt::format("{:.2f}", r.first.seconds));
    cells.push_back(fmt::format("{:.1f}", generation_of(r).rate));
    cells.push_back(bytes(static_cast<double>(r.peak_resident_bytes)));
    text += row(cells);
  }
  for (const Planned& p : report.planned) {
    text += row({p.what.model, p.what.dtype.empty() ? "-" : p.what.dtype,
                 p.what.threads == 0 ? "-" : fmt::format("{}", p.what.threads), "-", "-", "-", "-",
                 fmt::format("does not fit: {} planned", bytes(static_cast<double>(p.bytes)))});
  }
  return text;
}

}  // namespace

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != line.npos) return line.substr(colon + 2);
  }
  return "unknown";
}

OrderedJson machine_json(const MachineReport& m) {
  return {{"cpu", m.cpu},
          {"isa", m.isa},
          {"threads", m.threads},
          {"read_bytes_per_s", m.limits.read_bytes_per_s},
          {"flops_per_s", m.limits.flops_per_s},
          {"bf16_flops_per_s",
           m.limits.bf16_flops_per_s > 0 ? OrderedJson(m.limits.bf16_flops_per_s) : OrderedJson()},
          {"bf16_instruction",
           m.limits.bf16_flops_per_s > 0 ? OrderedJson(m.limits.bf16_instruction) : OrderedJson()},
          {"int8_ops_per_s", m.limits.int8_ops_per_s},
          {"int8_instruction", m.limits.int8_instruction},
          {"read_probe",
           {{"bytes", m.probe_bytes},
            {"streams", m.limits.read_pattern.streams},
            {"prefetch_bytes", m.limits.read_pattern.prefetch}}}};
}

std::string machine_text(const MachineReport& m) {
  return fmt::format("machine     {}, {}, {}\nlimits      {}\n            reading {}\n", m.cpu,
                     m.isa, threads_text(m.threads), limits_text(m), probe_text(m));
}

BenchResult result_of(const BenchRun& run, const MachineReport& machine) {
  const ModelInfo& info = run.info();
  BenchResult r{.machine = machine,
                .what = run.what(),
                .sizes = run.sizes(),
                .name = run.what().random ? run.what().model : info.path,
                .generation = info.generation,
                .dtype = run.what().dtype,
                .info = info,
                .cost = run.cost(),
                .rates = run.rates,
                .batch_tokens = {},
                .batch_skipped_bytes = {},
                .load_seconds = run.load_seconds(),
                .first = run.first_tokens(),
                .peak_resident_bytes = run.peak_resident_bytes(),
                .logits_hash = run.logits_hash(),
                .skipped_bytes = run.skipped_bytes()};
  if (r.dtype.empty()) r.dtype = run.what().random ? "f16" : "as stored";
  for (const int n : r.sizes.batch) {
    r.batch_tokens.push_back(run.batch_tokens(n));
    r.batch_skipped_bytes.push_back(run.batch_skipped_bytes(n));
  }
  return r;
}

OrderedJson result_json(const BenchResult& r) {
  const Phase g = generation_of(r);
  OrderedJson prompts = OrderedJson::array(), batches = OrderedJson::array();
  for (const int tokens : r.sizes.prompt_tokens) prompts.push_back(prompt_json(r, tokens));
  for (std::size_t i = 0; i < r.sizes.batch.size(); ++i) batches.push_back(batch_json(r, i));
  return {{"machine", machine_json(r.machine)},
          {"model",
           {{"name", r.name},
            {"generation", r.generation},
            {"n_layer", r.info.dims.L},
            {"n_embd", r.info.dims.C},
            {"parameters", r.info.parameters},
            {"bytes", r.info.weight_bytes},
            {"dtype", r.dtype}}},
          {"load_seconds", r.load_seconds},
          {"first_tokens", {{"tokens", FirstTokens::kCount}, {"seconds", r.first.seconds}}},
          {"warmup_seconds", r.first.warmup},
          {"peak_resident_bytes", r.peak_resident_bytes},
          {"generation",
           {{"tokens_per_s", g.rate},
            {"bytes", std::llround(g.bytes)},
            {"skipped_bytes", std::llround(r.skipped_bytes)},
            {"share", g.read_share},
            {"tokens", r.sizes.gen_tokens},
            {"runs", r.rates.generation}}},
          {"prompt", prompts.front()},
          {"prompts", prompts},
          {"batches", batches},
          {"sparsity", r.what.sparsity},
          {"logits_hash", fmt::format("{:016x}", r.logits_hash)}};
}

OrderedJson report_json(const BenchReport& report) {
  if (report.results.size() == 1 && report.planned.empty())
    return result_json(report.results.front());
  OrderedJson results = OrderedJson::array(), planned = OrderedJson::array();
  for (const BenchResult& r : report.results) results.push_back(result_json(r));
  for (const Planned& p : report.planned) planned.push_back(planned_json(p));
  return {{"results", results}, {"planned", planned}};
}

std::string report_text(const BenchReport& report) {
  std::string text;
  for (const BenchResult& r : report.results) {
    if (!text.empty()) text += '\n';
    text += machine_text(r.machine) + result_text(r);
  }
  if (!report.planned.empty()) text += '\n';
  for (const Planned& p : report.planned) text += planned_text(p);
  return text;
}

std::string report_markdown(const BenchReport& report) {
  const MachineReport& m = report.results.front().machine;
  return fmt::format(
      "Machine: {}, {}. Medians of {} interleaved rounds.\n\n"
      "Limits, measured between the rounds:\n\n{}\n"
      "Speed, and the share of the limit:\n\n{}\n"
      "Start and memory:\n\n{}",
      m.cpu, m.isa, report.results.front().rates.generation.size(), machines_markdown(report),
      speed_markdown(report), memory_markdown(report));
}

}  // namespace prwkv::cli
