#include "cli/quantize_report.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/quote.h"
#include "cli/text.h"
#include "models/naming.h"

namespace prwkv::cli {
namespace {

/// Columns as wide as their longest cell; those of `right` are aligned to the right.
std::string markdown_table(const std::vector<std::vector<std::string>>& rows,
                           const std::vector<bool>& right) {
  std::vector<std::size_t> width(right.size(), 3);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < width.size(); ++c)
      text += right[c] ? fmt::format("| {:>{}} ", rows[r][c], width[c])
                       : fmt::format("| {:<{}} ", rows[r][c], width[c]);
    text += "|\n";
    if (r > 0) continue;
    for (std::size_t c = 0; c < width.size(); ++c)
      text += fmt::format("|{}{}", std::string(width[c] + 1, '-'), right[c] ? ':' : '-');
    text += "|\n";
  }
  return text;
}

/// "0, 3-5"
std::string ranges(const std::vector<int>& sorted) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] <= sorted[last] + 1) ++last;
    parts.push_back(sorted[i] == sorted[last] ? std::to_string(sorted[i])
                                              : fmt::format("{}-{}", sorted[i], sorted[last]));
    i = last + 1;
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Tensors that one line of the table speaks of.
struct Alike {
  std::string name;
  const QuantizedTensor* first;
  std::vector<int> layers;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  quant::CalibratedCost cost;
};

std::string family_of(const QuantizedTensor& t) {
  if (t.param.stored == Stored::kVector) return "vectors";
  if (t.param.stored == Stored::kTransposed) return "low-rank parts";
  return numbered(t.name).name;
}

std::vector<Alike> grouped(const std::vector<QuantizedTensor>& tensors) {
  std::vector<Alike> groups;
  for (const QuantizedTensor& t : tensors) {
    const auto key = [](const QuantizedTensor& x) {
      return std::tuple(family_of(x), x.from, x.to, x.reason, x.rounding);
    };
    auto at = std::find_if(groups.begin(), groups.end(),
                           [&](const Alike& g) { return key(*g.first) == key(t); });
    if (at == groups.end())
      at = groups.insert(
          groups.end(),
          {.name = family_of(t), .first = &t, .layers = {}, .count = 0, .bytes = 0, .cost = {}});
    if (t.param.layer >= 0) at->layers.push_back(t.param.layer);
    ++at->count;
    at->bytes += t.bytes;
    at->cost.nearest += t.cost.nearest;
    at->cost.calibrated += t.cost.calibrated;
  }
  return groups;
}

/// "23 %": what calibration left of the squared error of round-to-nearest.
std::string left_of(const quant::CalibratedCost& cost) {
  return cost.nearest > 0 ? fmt::format("{:.0f} %", 100 * cost.calibrated / cost.nearest) : "";
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) append_xml(out, c);
  return out;
}

/// Bars of one quantity.
struct Panel {
  std::string title;
  std::vector<std::pair<std::string, double>> bars;
  std::string (*label)(double);
};

std::string nats(double x) { return fmt::format("{:.3g}", x); }
std::string ppl(double x) { return fmt::format("{:.4f}", x); }

std::vector<Panel> panels_of(const QuantizeReport& report) {
  std::vector<Panel> panels = {{"KL divergence, mean, nats a token", {}, &nats},
                               {"KL divergence, 99th percentile, nats a token", {}, &nats},
                               {"tokens for which another one is likeliest", {}, &percent},
                               {"perplexity above the original's", {}, &ppl}};
  for (const Measured& m : report.measured) {
    const Agreement& a = m.agreement;
    panels[0].bars.emplace_back(m.rounding, a.kl);
    panels[1].bars.emplace_back(m.rounding, a.kl_p99);
    panels[2].bars.emplace_back(m.rounding, 1 - a.top1);
    panels[3].bars.emplace_back(m.rounding, a.ppl - a.ppl_original);
  }
  return panels;
}

}  // namespace

double QuantizeReport::bits_per_element() const {
  const auto elements =
      std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0},
                      [](std::int64_t n, const QuantizedTensor& t) { return n + t.elements; });
  return 8 * static_cast<double>(bytes) / static_cast<double>(std::max<std::int64_t>(elements, 1));
}

std::string tensor_table(const QuantizeReport& report) {
  const bool is_calibrated = !report.calibrated_on.empty();
  std::vector<std::vector<std::string>> rows = {
      {"tensor", "layers", "number", "from", "to", "bytes", "rounding", "why"}};
  std::vector<bool> right = {false, false, true, false, false, true, false, false};
  if (is_calibrated) {
    rows[0].insert(rows[0].begin() + 7, "error");
    right.insert(right.begin() + 7, true);
  }
  for (const Alike& g : grouped(report.tensors)) {
    std::vector<std::string> row = {g.name,
                                    ranges(g.layers),
                                    std::to_string(g.count),
                                    std::string(name_of(g.first->from)),
                                    std::string(name_of(g.first->to)),
                                    bytes(static_cast<double>(g.bytes)),
                                    g.first->rounding,
                                    g.first->reason};
    if (is_calibrated) row.insert(row.begin() + 7, left_of(g.cost));
    rows.push_back(std::move(row));
  }
  return markdown_table(rows, right);
}

std::string quality_table(const QuantizeReport& report) {
  if (report.measured.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"rounding", "KL", "+-", "KL 99 %", "KL largest", "top-1", "perplexity", "original's"}};
  for (const Measured& m : report.measured) {
    const Agreement& a = m.agreement;
    rows.push_back({m.rounding, fmt::format("{:.3e}", a.kl), fmt::format("{:.0e}", a.kl_error),
                    fmt::format("{:.3e}", a.kl_p99), fmt::format("{:.3e}", a.kl_largest),
                    percent(a.top1), ppl(a.ppl), ppl(a.ppl_original)});
  }
  return markdown_table(rows, {false, true, true, true, true, true, true, true});
}

std::string as_markdown(const QuantizeReport& report) {
  std::string text =
      fmt::format("# {}: RWKV-{} in {}\n\n", one_line(report.out), report.generation, report.type);
  text += fmt::format("From {} ({}), {} of tensors, {:.2f} bits an element.\n\n",
                      one_line(report.in), bytes(static_cast<double>(report.original_bytes)),
                      bytes(static_cast<double>(report.bytes)), report.bits_per_element());
  if (!report.measured.empty()) {
    text += fmt::format(
        "## Quality\n\nOver {} tokens of {}, against the original. KL in nats a token.\n\n{}\n",
        report.measured.front().agreement.tokens, one_line(report.evaluated_on),
        quality_table(report));
  }
  text += "## Tensors\n\n";
  if (!report.calibrated_on.empty()) {
    text += fmt::format(
        "Calibrated on {} tokens of {}. error: what is left of the squared error of rounding to "
        "nearest, there.\n\n",
        report.calibration_tokens, one_line(report.calibrated_on));
  }
  return text + tensor_table(report);
}

OrderedJson as_json(const QuantizeReport& report) {
  OrderedJson tensors = OrderedJson::array();
  for (const QuantizedTensor& t : report.tensors) {
    OrderedJson line = {{"name", t.name},      {"from", name_of(t.from)},
                        {"to", name_of(t.to)}, {"elements", t.elements},
                        {"bytes", t.bytes},    {"rounding", t.rounding},
                        {"why", t.reason}};
    if (t.cost.nearest > 0) line["error"] = t.cost.calibrated / t.cost.nearest;
    tensors.push_back(std::move(line));
  }
  OrderedJson json = {{"path", report.out},
                      {"original", report.in},
                      {"format", report.format},
                      {"generation", report.generation},
                      {"type", report.type},
                      {"bytes", report.bytes},
                      {"original_bytes", report.original_bytes},
                      {"bits_per_element", report.bits_per_element()},
                      {"seconds", report.seconds},
                      {"calibration", nullptr},
                      {"evaluation", nullptr},
                      {"tensors", std::move(tensors)},
                      {"left_out", report.left_out},
                      {"not_carried", report.not_carried}};
  if (!report.calibrated_on.empty())
    json["calibration"] = {{"file", report.calibrated_on}, {"tokens", report.calibration_tokens}};
  if (report.measured.empty()) return json;
  OrderedJson models = OrderedJson::array();
  for (const Measured& m : report.measured) {
    const Agreement& a = m.agreement;
    models.push_back({{"rounding", m.rounding},
                      {"kl", a.kl},
                      {"kl_standard_error", a.kl_error},
                      {"kl_median", a.kl_median},
                      {"kl_p99", a.kl_p99},
                      {"kl_largest", a.kl_largest},
                      {"top1", a.top1},
                      {"ppl", a.ppl}});
  }
  const Agreement& any = report.measured.front().agreement;
  json["evaluation"] = {{"file", report.evaluated_on},
                        {"tokens", any.tokens},
                        {"ppl_original", any.ppl_original},
                        {"models", std::move(models)}};
  return json;
}

std::string as_svg(const QuantizeReport& report) {
  constexpr int kWidth = 760, kBarsAt = 130, kBarSpace = 480, kBar = 22, kTop = 56;
  const auto n = static_cast<int>(report.measured.size());
  const int panel_height = 34 + kBar * n + 14;
  const std::vector<Panel> panels = panels_of(report);
  const int height = kTop + panel_height * static_cast<int>(panels.size()) + 8;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" font-size=\"13\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
      "<text x=\"16\" y=\"26\" font-size=\"17\" fill=\"#222222\">RWKV-{2} in {3}, {4:.2f} bits an "
      "element, against the original</text>\n"
      "<text x=\"16\" y=\"45\" fill=\"#666666\">{5} tokens of {6}</text>\n",
      kWidth, height, escaped(report.generation), escaped(report.type), report.bits_per_element(),
      report.measured.front().agreement.tokens, escaped(report.evaluated_on));
  int y = kTop;
  for (const Panel& panel : panels) {
    double most = 0;
    for (const auto& bar : panel.bars) most = std::max(most, bar.second);
    svg += fmt::format("<text x=\"16\" y=\"{}\" fill=\"#222222\" font-weight=\"bold\">{}</text>\n",
                       y + 22, escaped(panel.title));
    int at = y + 34;
    for (const auto& [name, value] : panel.bars) {
      const double width = most > 0 ? kBarSpace * std::max(value, 0.0) / most : 0;
      svg += fmt::format(
          "<text x=\"{0}\" y=\"{1}\" text-anchor=\"end\" fill=\"#222222\">{2}</text>\n"
          "<rect x=\"{3}\" y=\"{4}\" width=\"{5:.1f}\" height=\"{6}\" fill=\"{7}\"/>\n"
          "<text x=\"{8:.1f}\" y=\"{1}\" fill=\"#222222\">{9}</text>\n",
          kBarsAt - 8, at + 14, escaped(name), kBarsAt, at + 2, width, kBar - 6,
          name == "calibrated" ? "#2a7f9e" : "#b8b8b8", kBarsAt + width + 6, panel.label(value));
      at += kBar;
    }
    y += panel_height;
  }
  return svg + "</svg>\n";
}

}  // namespace prwkv::cli
