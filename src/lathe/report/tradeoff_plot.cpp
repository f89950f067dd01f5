#include "lathe/report/tradeoff_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>

namespace lathe::report {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 560;
constexpr double kLeft = 76;
constexpr double kRight = 750;  // the legend is to the right of it
constexpr double kTop = 52;
constexpr double kBottom = 496;
constexpr double kLegendLeft = 774;
constexpr double kLegendRow = 24;
constexpr std::size_t kLegendChars = 22;
constexpr std::size_t kTitleChars = 90;
constexpr double kLargest = 1e9;

constexpr const char* kInk = "#333333";
constexpr const char* kGrid = "#e8e8e8";

constexpr std::array<const char*, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#7f7f7f"};
// Outlines about the point that the pen is at.
constexpr std::array<const char*, 6> kShapes = {
    "m-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",  // circle
    "m-4.5,-4.5h9v9h-9z",                     // square
    "m0,-6l5.5,9.5h-11z",                     // triangle
    "m0,-6.5l5.5,6.5l-5.5,6.5l-5.5,-6.5z",    // diamond
    "m0,6l5.5,-9.5h-11z",                     // triangle upside down
    "m-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",     // plus
};

/// A range of values laid along a line of the picture.
struct Axis {
  double low;
  double high;
  double start;  // where `low` is
  double end;
  double at(double value) const { return start + (value - low) / (high - low) * (end - start); }
};

class Range {
 public:
  void include(double value, const char* what) {
    if (!(std::abs(value) <= kLargest)) {
      throw std::invalid_argument(fmt::format(
          "[report::tradeoff_svg] {} must be finite and at most 1e9, got {}", what, value));
    }
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }

  /// With a margin, and with some width even if all values are one.
  Axis axis(double start, double end) const {
    if (low_ > high_) {
      return {0, 1, start, end};
    }
    const double least = std::max(std::abs(high_) * 1e-6, 1e-6);
    const double margin =
        high_ - low_ < least ? std::max(std::abs(high_) * 0.05, least) : 0.05 * (high_ - low_);
    return {low_ - margin, high_ + margin, start, end};
  }

 private:
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -low_;
};

/// The least of 1, 2 and 5 times a power of ten that makes at most ten steps.
double tick_step(const Axis& axis) {
  const double wanted = (axis.high - axis.low) / 10;
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= wanted) {
      return factor * power;
    }
  }
  return 10 * power;
}

struct Tick {
  double value;
  std::string label;
};

std::vector<Tick> ticks(const Axis& axis) {
  const double step = tick_step(axis);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::vector<Tick> ticks;
  const double last = std::floor(axis.high / step);
  for (double i = std::ceil(axis.low / step); i <= last; ++i) {
    // Adding 0 turns a negative zero into a plain one.
    ticks.push_back({i * step, fmt::format("{:.{}f}", i * step + 0.0, decimals)});
  }
  return ticks;
}

/// `text` as SVG's text: markup escaped, control characters, which XML does not allow, as spaces.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return result;
}

/// At most `most` characters, not bytes, of `text`.
std::string shortened(const std::string& text, std::size_t most) {
  std::size_t characters = 0;
  std::size_t cut = 0;  // where the last character that may stay begins
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool continues = (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
    if (!continues && ++characters == most) {
      cut = i;
    }
  }
  return characters > most ? text.substr(0, cut) + "\u2026" : text;
}

double percent(double accuracy) { return 100 * accuracy; }

class Picture {
 public:
  explicit Picture(const TradeoffPlot& plot) : plot_(plot) {
    Range latency;
    Range accuracy;
    const auto include = [&](const std::vector<TradeoffPoint>& points) {
      for (const TradeoffPoint& point : points) {
        latency.include(point.latency_ms, "latency_ms");
        accuracy.include(percent(point.accuracy), "accuracy in percent");
      }
    };
    include(plot.front);
    for (const TradeoffSeries& series : plot.answers) {
      include(series.points);
    }
    x_ = latency.axis(kLeft, kRight);
    y_ = accuracy.axis(kBottom, kTop);
  }

  std::string draw() {
    begin();
    axes();
    targets();
    front();
    for (std::size_t i = 0; i < plot_.answers.size(); ++i) {
      marks(i);
    }
    legend();
    svg_ += "</svg>\n";
    return std::move(svg_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(svg_), format, std::forward<Args>(args)...);
  }

  void text(double x, double y, const char* anchor, const std::string& words) {
    add("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
        escaped(words));
  }

  void line(double x1, double y1, double x2, double y2, const char* colour, const char* more = "") {
    add("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"{}/>\n", x1, y1,
        x2, y2, colour, more);
  }

  void begin() {
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" "
        "height=\"{}\" role=\"img\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" "
        "fill=\"{}\">\n",
        kWidth, kHeight, kWidth, kHeight, kInk);
    add("<title>{}</title>\n", escaped(plot_.title));
    add("<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n", kWidth, kHeight);
    add("<text x=\"{}\" y=\"28\" font-size=\"16\">{}</text>\n", kLeft,
        escaped(shortened(plot_.title, kTitleChars)));
  }

  void axes() {
    for (const Tick& tick : ticks(x_)) {
      line(x_.at(tick.value), kTop, x_.at(tick.value), kBottom, kGrid);
      text(x_.at(tick.value), kBottom + 20, "middle", tick.label);
    }
    for (const Tick& tick : ticks(y_)) {
      line(kLeft, y_.at(tick.value), kRight, y_.at(tick.value), kGrid);
      text(kLeft - 8, y_.at(tick.value) + 4.5, "end", tick.label);
    }
    line(kLeft, kBottom, kRight, kBottom, kInk);
    line(kLeft, kTop, kLeft, kBottom, kInk);
    text((kLeft + kRight) / 2, kBottom + 46, "middle", plot_.latency_label);
    const double middle = (kTop + kBottom) / 2;
    add("<text x=\"22\" y=\"{0:.1f}\" text-anchor=\"middle\" transform=\"rotate(-90 22 {0:.1f})\">"
        "{1}</text>\n",
        middle, escaped(plot_.accuracy_label));
  }

  void targets() {
    for (const double target_ms : plot_.targets_ms) {
      if (target_ms >= x_.low && target_ms <= x_.high) {
        line(x_.at(target_ms), kTop, x_.at(target_ms), kBottom, "#999999",
             " stroke-dasharray=\"2 4\"");
      }
    }
  }

  void front() {
    if (plot_.front.empty()) {
      return;
    }
    svg_ += "<path fill=\"none\" stroke-width=\"1.5\" stroke=\"#333333\" d=\"";
    for (std::size_t i = 0; i < plot_.front.size(); ++i) {
      const double x = x_.at(plot_.front[i].latency_ms);
      const double y = y_.at(percent(plot_.front[i].accuracy));
      if (i == 0) {
        add("M{:.2f},{:.2f}", x, y);
      } else {
        add("H{:.2f}V{:.2f}", x, y);
      }
    }
    svg_ += "\"/>\n";
  }

  /// An element that the caller closes, by "/>" or with children. Light inside, so that marks on
  /// one spot are all seen.
  void open_mark(std::size_t series, double x, double y) {
    add("<path d=\"M{0:.2f},{1:.2f}{2}\" fill=\"{3}\" fill-opacity=\"0.25\" stroke=\"{3}\" "
        "stroke-width=\"1.6\"",
        x, y, kShapes[series % kShapes.size()], kColours[series % kColours.size()]);
  }

  void marks(std::size_t i) {
    const TradeoffSeries& series = plot_.answers[i];
    for (const TradeoffPoint& point : series.points) {
      open_mark(i, x_.at(point.latency_ms), y_.at(percent(point.accuracy)));
      add("><title>{}: {:.3f} ms, {:.2f}%</title></path>\n", escaped(series.name), point.latency_ms,
          percent(point.accuracy));
    }
  }

  void legend() {
    double y = kTop + 12;
    const auto name = [&](const std::string& words) {
      text(kLegendLeft + 30, y + 4.5, "start", shortened(words, kLegendChars));
      y += kLegendRow;
    };
    if (!plot_.front.empty()) {
      line(kLegendLeft, y, kLegendLeft + 22, y, kInk, " stroke-width=\"1.5\"");
      name(plot_.front_name);
    }
    const auto rows = static_cast<std::size_t>((kHeight - y) / kLegendRow);
    for (std::size_t i = 0; i < std::min(plot_.answers.size(), rows); ++i) {
      open_mark(i, kLegendLeft + 11, y);
      svg_ += "/>\n";
      name(plot_.answers[i].name);
    }
    if (!plot_.targets_ms.empty() && y < kHeight - kLegendRow) {
      line(kLegendLeft, y, kLegendLeft + 22, y, "#999999", " stroke-dasharray=\"2 4\"");
      name("target");
    }
  }

  const TradeoffPlot& plot_;
  Axis x_;
  Axis y_;
  std::string svg_;
};

}  // namespace

std::string tradeoff_svg(const TradeoffPlot& plot) { return Picture(plot).draw(); }

}  // namespace lathe::report
