#include "growth_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::bench {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 440;
constexpr double kLeft = 70;
constexpr double kRight = 180;
constexpr double kTop = 40;
constexpr double kBottom = 50;
// Okabe and Ito (2008).
constexpr const char* kColors[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"};

/// A logarithmic axis over whole decades.
struct Axis {
  double low = 0;
  double high = 1;
  double from;
  double to;
  double at(double value) const {
    return from + (to - from) * (std::log10(value) - low) / (high - low);
  }
};

}  // namespace

std::string growth_svg(const std::string& title, const std::string& size_label,
                       const std::vector<GrowthSeries>& series) {
  Axis x{.low = 9, .high = -9, .from = kLeft, .to = kWidth - kRight};
  Axis y{.low = 9, .high = -9, .from = kHeight - kBottom, .to = kTop};
  for (const GrowthSeries& s : series) {
    for (const auto& [size, ms] : s.points) {
      x.low = std::min(x.low, std::floor(std::log10(size)));
      x.high = std::max(x.high, std::ceil(std::log10(size)));
      y.low = std::min(y.low, std::floor(std::log10(ms)));
      y.high = std::max(y.high, std::ceil(std::log10(ms)));
    }
  }
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"22\" font-size=\"15\">{3}</text>\n"
      "<text x=\"{2}\" y=\"{4}\">{5}</text>\n<text x=\"8\" y=\"{6}\">ms</text>\n",
      kWidth, kHeight, kLeft, title, kHeight - 10, size_label, kTop - 6);
  for (double decade = x.low; decade <= x.high; ++decade) {
    const double at = x.at(std::pow(10, decade));
    svg += fmt::format(
        "<path d=\"M{0:.1f} {1}V{2}\" stroke=\"#ddd\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4:g}</text>\n",
        at, kTop, kHeight - kBottom, kHeight - kBottom + 18, std::pow(10, decade));
  }
  for (double decade = y.low; decade <= y.high; ++decade) {
    const double at = y.at(std::pow(10, decade));
    svg += fmt::format(
        "<path d=\"M{0} {1:.1f}H{2}\" stroke=\"#ddd\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5:g}</text>\n",
        kLeft, at, kWidth - kRight, kLeft - 6, at + 4, std::pow(10, decade));
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    const char* const color = kColors[i % std::size(kColors)];
    std::string path;
    for (const auto& [size, ms] : series[i].points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(size), y.at(ms));
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n",
                         x.at(size), y.at(ms), color);
    }
    svg += fmt::format(
        "<path d=\"{0}\" fill=\"none\" stroke=\"{1}\" stroke-width=\"2\"/><text x=\"{2}\" "
        "y=\"{3}\" fill=\"{1}\">{4}</text>\n",
        path, color, kWidth - kRight + 12, kTop + 20 * static_cast<double>(i + 1), series[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace lathe::bench
