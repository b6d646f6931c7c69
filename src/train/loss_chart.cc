#include "train/loss_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/quote.h"

namespace prwkv {
namespace {

// ---- curves

struct ChartPoint {
  double x, y;  ///< y is NaN where the loss was not finite
};
using Curve = std::vector<ChartPoint>;

struct Curves {
  Curve training, smoothed, validation;  ///< by x
  double ceiling = 0;    ///< the largest y of a picture that one spike does not make flat
  double highest = 0;    ///< of all losses that are finite
  std::size_t lost = 0;  ///< losses that are not finite
  [[nodiscard]] bool empty() const { return training.empty() && validation.empty(); }
};

bool is_point(const ChartPoint& p) { return !std::isnan(p.y); }

/// Hostile logs have numbers whose sums and differences are none.
double tamed(double loss) {
  constexpr double kLargest = 1e30;
  return std::isfinite(loss) ? std::clamp(loss, -kLargest, kLargest) : std::nan("");
}

/// The y of all points, without gaps.
std::vector<double> losses_of(const Curve& curve) {
  std::vector<double> y;
  for (const ChartPoint& p : curve) {
    if (is_point(p)) y.push_back(p.y);
  }
  return y;
}

/// A quarter more than the loss that all but a few steps stay below, and the first one: if all losses are
/// within twice that, the largest of them.
double ceiling_of(const Curve& curve) {
  std::vector<double> y = losses_of(curve);
  if (y.empty()) return -std::numeric_limits<double>::infinity();
  const double first = y.front(), largest = *std::max_element(y.begin(), y.end());
  const auto all_but_few = y.begin() + static_cast<std::ptrdiff_t>((y.size() - 1) * 199 / 200);
  std::nth_element(y.begin(), all_but_few, y.end());
  const double usual = std::max(first, *all_but_few);
  return usual > 0 && largest > 2 * usual ? 1.25 * usual : largest;
}

/// Each value's mean with its `half` neighbours on both sides. Near the beginning, where the loss falls
/// as a power of the step, with a quarter of those in front, or the curve would lie above its values; near
/// the end, where it is flat, with those that there are, or the last one would be as noisy as a step.
std::vector<double> running_mean(const std::vector<double>& y, std::size_t half) {
  std::vector<double> sums(y.size() + 1, 0);
  for (std::size_t i = 0; i < y.size(); ++i) sums[i + 1] = sums[i] + y[i];
  std::vector<double> mean(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t reach = std::min(half, i / 4), end = std::min(i + reach + 1, y.size());
    mean[i] = (sums[end] - sums[i - reach]) / static_cast<double>(end - (i - reach));
  }
  return mean;
}

/// A mean of means, so that a spike makes a small tent and not a box; of some 3 % of the run each.
Curve smoothed(const Curve& curve) {
  const std::vector<double> y = losses_of(curve);
  const std::size_t half = (y.size() + 63) / 64;
  const std::vector<double> mean = running_mean(running_mean(y, half), half);
  Curve out = curve;
  std::size_t i = 0;
  for (ChartPoint& p : out) {
    if (is_point(p)) p.y = mean[i++];
  }
  return out;
}

Curves curves_of(const std::vector<RunPoint>& points, const LossChartOptions& options) {
  Curves curves;
  curves.highest = -std::numeric_limits<double>::infinity();
  const auto add = [&](Curve& curve, double x, std::optional<double> loss) {
    if (!loss || (options.x_scale == LossChartOptions::Scale::kLog && x <= 0)) return;
    curve.push_back({x, tamed(*loss)});
    if (is_point(curve.back())) {
      curves.highest = std::max(curves.highest, curve.back().y);
    } else {
      ++curves.lost;
    }
  };
  for (const RunPoint& p : points) {
    const auto x =
        static_cast<double>(options.x == LossChartOptions::X::kTokens ? p.tokens : p.step);
    add(curves.training, x, p.loss);
    add(curves.validation, x, p.validation_loss);
  }
  for (Curve* curve : {&curves.training, &curves.validation}) {
    std::stable_sort(curve->begin(), curve->end(),
                     [](const ChartPoint& a, const ChartPoint& b) { return a.x < b.x; });
  }
  // Each by itself: where a model learns its data by heart, one lies far above the other.
  curves.ceiling = std::max(ceiling_of(curves.training), ceiling_of(curves.validation));
  for (Curve* curve : {&curves.training, &curves.validation}) {
    for (ChartPoint& p : *curve) {
      if (p.y > curves.ceiling) p.y = curves.ceiling;
    }
  }
  curves.smoothed = smoothed(curves.training);
  return curves;
}

// ---- axes

constexpr double kLeft = 64, kRight = 740, kTopEdge = 88, kBottom = 388;

struct Range {
  double low, high;
};

/// Pixels of values, and the values that get a label.
struct ChartAxis {
  Range range;
  Range pixels;
  bool is_log = false;
  std::vector<double> ticks{};

  [[nodiscard]] double share(double value) const {
    const auto t = [&](double v) { return is_log ? std::log10(v) : v; };
    return std::clamp((t(value) - t(range.low)) / (t(range.high) - t(range.low)), 0.0, 1.0);
  }
  [[nodiscard]] double operator()(double value) const {
    return pixels.low + (pixels.high - pixels.low) * share(value);
  }
};

/// At most about `most` multiples of 1, 2 or 5 times a power of ten, `least` or more apart.
std::vector<double> round_ticks(Range range, int most, double least = 0) {
  const double raw = (range.high - range.low) / most,
               power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double digit : {5.0, 2.0, 1.0}) {
    if (digit * power >= raw) step = digit * power;
  }
  step = std::max(step, least);
  std::vector<double> ticks;
  const double first = std::ceil(range.low / step);
  for (int i = 0; i <= most + 1 && (first + i) * step <= range.high; ++i)
    ticks.push_back((first + i) * step);
  return ticks;
}

/// Powers of ten; in short ranges 2 and 5 times them as well, in very short ones what a linear axis has.
std::vector<double> log_ticks(Range range) {
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::floor(std::log10(range.high)));
  const int stride = std::max((last - first + 7) / 8, 1);
  std::vector<double> ticks;
  for (int e = first; e <= last; e += stride) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * std::pow(10, e);
      if (digit > 1 && last - first > 2) continue;
      if (tick >= range.low && tick <= range.high) ticks.push_back(tick);
    }
  }
  return ticks.size() < 2 ? round_ticks(range, 6, 1) : ticks;
}

ChartAxis x_axis(const Curves& curves, LossChartOptions::Scale scale) {
  Range range{0, 1};
  bool is_first = true;
  for (const Curve* curve : {&curves.training, &curves.validation}) {
    if (curve->empty()) continue;
    const double low = curve->front().x, high = curve->back().x;
    range =
        is_first ? Range{low, high} : Range{std::min(range.low, low), std::max(range.high, high)};
    is_first = false;
  }
  ChartAxis axis{.range = range, .pixels = {kLeft, kRight}};
  axis.is_log = scale == LossChartOptions::Scale::kLog && !curves.empty();
  if (axis.is_log) {
    if (range.high < 1.000001 * range.low) axis.range = {range.low / 2, range.high * 2};
    axis.ticks = log_ticks(axis.range);
    return axis;
  }
  // A run that was resumed without its log begins where it begins; all others at 0.
  if (range.low >= 0 && range.low <= range.high / 10) axis.range.low = 0;
  if (axis.range.low == axis.range.high) axis.range = {range.low - 1, range.low + 1};
  // Beyond 2^53 neighbours are the same double.
  const double least = 1e-9 * std::max(std::abs(axis.range.low), std::abs(axis.range.high));
  axis.range.high = std::max(axis.range.high, axis.range.low + least);
  axis.ticks = round_ticks(axis.range, 7, 1);
  return axis;
}

ChartAxis y_axis(const Curves& curves) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const Curve* curve : {&curves.training, &curves.validation}) {
    for (const ChartPoint& p : *curve) {
      if (!is_point(p)) continue;
      range = {std::min(range.low, p.y), std::max(range.high, p.y)};
    }
  }
  if (range.low > range.high) range = {0, 1};
  // Runs whose losses are all but equal get a picture too, with ticks that doubles can tell apart.
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  const double span = std::max({range.high - range.low, 1e-6 * size, 1e-30});
  const double margin = range.high > range.low ? 0.04 * span : 0.05 * std::max(size, 1.0);
  const bool is_positive = range.low >= 0;
  range = {range.low - margin, range.high + std::max(margin, 0.04 * span)};
  if (is_positive) range.low = std::max(range.low, 0.0);
  return {.range = range, .pixels = {kBottom, kTopEdge}, .ticks = round_ticks(range, 6)};
}

// ---- text

/// "0", "2500", "12 k", "1.5 M"
std::string short_count(double n, int digits) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e18, " E"}, {1e15, " P"}, {1e12, " T"},
                                                       {1e9, " G"},  {1e6, " M"},  {1e3, " k"}};
  if (std::abs(n) < 1e4) return fmt::format("{:.4g}", n);
  for (const auto& [size, unit] : kUnits) {
    if (std::abs(n) >= size) return fmt::format("{:.{}g}{}", n / size, digits, unit);
  }
  return "";
}

/// A tick of an axis whose ticks are `step` apart.
std::string loss_label(double tick, double step) {
  if (std::abs(tick) >= 1e5 || step < 1e-5) return fmt::format("{:.8g}", tick);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", tick, decimals);
}

/// Text as XML has it: what is no UTF-8 and no character of XML is replaced. At most 80 characters.
std::string xml_text(std::string_view text) {
  // The JSON library knows UTF-8; nothing else below this layer does.
  const std::string valid =
      Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace))
          .get<std::string>();
  std::string out;
  int characters = 0;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const char c = valid[i];
    const bool begins_character = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (begins_character && ++characters > 80) return out + "…";
    const std::string_view three = std::string_view(valid).substr(i, 3);
    if (three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") {  // U+FFFE, U+FFFF
      out += "\xef\xbf\xbd";
      i += 2;
      continue;
    }
    append_xml(out, c);
  }
  return out;
}

/// "step 12000, 98.3 M tokens; training 3.214; validation 3.301, lowest 3.28"
std::string summary_of(const std::vector<RunPoint>& points, const Curves& curves) {
  std::int64_t step = 0, tokens = 0;
  for (const RunPoint& p : points) {
    step = std::max(step, p.step);
    tokens = std::max(tokens, p.tokens);
  }
  std::string text = fmt::format("step {}", step);
  if (tokens > 0) text += fmt::format(", {} tokens", short_count(static_cast<double>(tokens), 4));
  const std::vector<double> means = losses_of(curves.smoothed);
  if (!means.empty()) text += fmt::format("; training {:#.4g}", means.back());
  const std::vector<double> validation = losses_of(curves.validation);
  if (!validation.empty()) {
    text += fmt::format("; validation {:#.4g}, lowest {:#.4g}", validation.back(),
                        *std::min_element(validation.begin(), validation.end()));
  }
  if (curves.highest > curves.ceiling) text += fmt::format("; highest {:.3g}", curves.highest);
  if (curves.lost > 0) text += fmt::format("; {} losses not finite", curves.lost);
  return text;
}

// ---- picture

constexpr const char* kPale = "#a9cfdb";
constexpr const char* kStrong = "#2a7f9e";
constexpr const char* kValidation = "#d0662c";

/// The lowest and the highest point of each of `stretches` parts of the axis, in order. A loss that is not
/// finite cuts the line in front of its part.
Curve thinned(const Curve& curve, const ChartAxis& x, int stretches) {
  Curve out;
  const auto stretch_of = [&](const ChartPoint& p) {
    return std::min(static_cast<int>(x.share(p.x) * stretches), stretches - 1);
  };
  for (std::size_t i = 0; i < curve.size();) {
    const int stretch = stretch_of(curve[i]);
    const ChartPoint *low = nullptr, *high = nullptr;
    bool has_gap = false;
    for (; i < curve.size() && stretch_of(curve[i]) == stretch; ++i) {
      const ChartPoint& p = curve[i];
      if (!is_point(p)) {
        has_gap = true;
        continue;
      }
      if (low == nullptr || p.y < low->y) low = &p;
      if (high == nullptr || p.y > high->y) high = &p;
    }
    if (has_gap) out.push_back({0, std::nan("")});
    if (low == nullptr) continue;
    const auto [one, other] = std::minmax(low, high);  // they are of one array: in order of x
    out.push_back(*one);
    if (one != other) out.push_back(*other);
  }
  return out;
}

std::string path_of(const Curve& curve, const ChartAxis& x, const ChartAxis& y, const char* colour,
                    double width) {
  std::string d;
  bool is_open = false;
  for (const ChartPoint& p : curve) {
    if (is_point(p)) {
      // "h0": a point alone is a dot, if line ends are round.
      d += fmt::format("{}{:.1f},{:.1f}{}", is_open ? "L" : "M", x(p.x), y(p.y),
                       is_open ? "" : "h0");
    }
    is_open = is_point(p);
  }
  if (d.empty()) return "";
  return fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\" "
      "stroke-linecap=\"round\"/>\n",
      d, colour, width);
}

std::string dot_of(const ChartPoint& p, const ChartAxis& x, const ChartAxis& y,
                   const char* colour) {
  return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\"/>\n", x(p.x),
                     y(p.y), colour);
}

std::string grid_of(const ChartAxis& x, const ChartAxis& y, std::string_view x_name) {
  std::string svg;
  const double y_step = y.ticks.size() > 1 ? y.ticks[1] - y.ticks[0] : 1;
  for (const double tick : y.ticks) {
    svg += fmt::format(
        "<path d=\"M{0},{1:.1f}H{2}\" stroke=\"#e8e8e8\"/>\n"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\" font-size=\"12\" "
        "fill=\"#666666\">{5}</text>\n",
        kLeft, y(tick), kRight, kLeft - 8, y(tick) + 4, loss_label(tick, y_step));
  }
  for (const double tick : x.ticks) {
    svg += fmt::format(
        "<path d=\"M{0:.1f},{1}v5\" stroke=\"#b8b8b8\"/>\n"
        "<text x=\"{0:.1f}\" y=\"{2}\" text-anchor=\"middle\" font-size=\"12\" "
        "fill=\"#666666\">{3}</text>\n",
        x(tick), kBottom, kBottom + 20, short_count(tick, 6));
  }
  svg += fmt::format(
      "<path d=\"M{0},{1}H{2}\" stroke=\"#b8b8b8\"/>\n"
      "<text x=\"{2}\" y=\"{3}\" text-anchor=\"end\" fill=\"#666666\">{4}</text>\n"
      "<text x=\"16\" y=\"{5}\" fill=\"#666666\">loss, nats a token</text>\n",
      kLeft, kBottom, kRight, kBottom + 40, x_name, kTopEdge - 14);
  return svg;
}

/// Right-aligned above the curves, which themselves may be anywhere.
std::string legend_of(const Curves& curves) {
  struct Entry {
    const char *name, *colour;
    double width, room;
  };
  std::vector<Entry> entries;
  if (!curves.training.empty()) {
    entries = {{"each step", kPale, 2, 100}, {"running mean", kStrong, 2.4, 130}};
  }
  if (!curves.validation.empty()) entries.push_back({"validation", kValidation, 2, 104});
  std::string svg;
  double at = kRight;
  for (const Entry& entry : entries) at -= entry.room;
  for (const Entry& entry : entries) {
    svg += fmt::format(
        "<path d=\"M{0},{1}h18\" stroke=\"{2}\" stroke-width=\"{3}\"/>\n"
        "<text x=\"{4}\" y=\"{5}\" fill=\"#222222\">{6}</text>\n",
        at, kTopEdge - 18, entry.colour, entry.width, at + 23, kTopEdge - 14, entry.name);
    at += entry.room;
  }
  return svg;
}

}  // namespace

std::string loss_chart(const std::vector<RunPoint>& points, std::string_view title,
                       const LossChartOptions& options) {
  constexpr int kWidth = 760, kHeight = 440;
  const Curves curves = curves_of(points, options);
  const ChartAxis x = x_axis(curves, options.x_scale), y = y_axis(curves);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" font-size=\"13\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
      "<text x=\"16\" y=\"26\" font-size=\"17\" fill=\"#222222\">{2}</text>\n"
      "<text x=\"16\" y=\"45\" fill=\"#666666\">{3}</text>\n",
      kWidth, kHeight, xml_text(title),
      points.empty() ? "no step yet" : summary_of(points, curves));
  svg += grid_of(x, y, options.x == LossChartOptions::X::kTokens ? "tokens" : "step");
  svg += legend_of(curves);
  // Together fewer than 2,000 points.
  const Curve training = thinned(curves.training, x, 680);
  const Curve mean = thinned(curves.smoothed, x, 200);
  const Curve validation = thinned(curves.validation, x, 55);
  svg += path_of(training, x, y, kPale, 1);
  svg += path_of(mean, x, y, kStrong, 2);
  const auto last = std::find_if(mean.rbegin(), mean.rend(), is_point);
  if (last != mean.rend()) svg += dot_of(*last, x, y, kStrong);
  svg += path_of(validation, x, y, kValidation, 1.4);
  for (const ChartPoint& p : validation) {
    if (is_point(p)) svg += dot_of(p, x, y, kValidation);
  }
  return svg + "</svg>\n";
}

}  // namespace prwkv
