#include "lathe/report/tradeoff_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "report/well_formed.h"

namespace lathe::report {
namespace {

using lathe::testing::expect_well_formed;

constexpr double kWidth = 960;
constexpr double kHeight = 560;

TradeoffPlot example() {
  return {.title = "phone",
          .front = {{10, 0.70}, {20, 0.78}, {40, 0.83}},
          .answers = {{"vanilla", {{19.5, 0.775}, {39, 0.825}}}, {"cold", {{18, 0.76}}}},
          .targets_ms = {20, 40, 1e300}};
}

std::vector<std::smatch> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return {std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()};
}

/// Where the marks with a tooltip are, in order.
std::vector<std::pair<double, double>> marks(const std::string& svg) {
  std::vector<std::pair<double, double>> at;
  for (const std::smatch& mark : matches(svg, "<path d=\"M([-0-9.]+),([-0-9.]+)m[^>]*\"><title>")) {
    at.emplace_back(std::stod(mark[1]), std::stod(mark[2]));
  }
  return at;
}

/// Every coordinate that the picture has.
void expect_inside(const std::string& svg) {
  for (const char* attribute : {"x", "x1", "x2"}) {
    for (const std::smatch& m : matches(svg, std::string(" ") + attribute + "=\"([^\"]*)\"")) {
      EXPECT_GE(std::stod(m[1]), 0) << m[0];
      EXPECT_LE(std::stod(m[1]), kWidth) << m[0];
    }
  }
  for (const char* attribute : {"y", "y1", "y2"}) {
    for (const std::smatch& m : matches(svg, std::string(" ") + attribute + "=\"([^\"]*)\"")) {
      EXPECT_GE(std::stod(m[1]), 0) << m[0];
      EXPECT_LE(std::stod(m[1]), kHeight) << m[0];
    }
  }
  for (const std::smatch& m : matches(svg, "[M]([-0-9.]+),([-0-9.]+)|H([-0-9.]+)V([-0-9.]+)")) {
    const double x = std::stod(m[1].matched ? m[1] : m[3]);
    const double y = std::stod(m[2].matched ? m[2] : m[4]);
    EXPECT_TRUE(x >= 6 && x <= kWidth - 6 && y >= 6 && y <= kHeight - 6) << m[0];
  }
}

std::vector<double> tick_labels(const std::string& svg, const std::string& anchor) {
  std::vector<double> labels;
  for (const std::smatch& m : matches(svg, "text-anchor=\"" + anchor + "\">([-0-9.]+)</text>")) {
    labels.push_back(std::stod(m[1]));
  }
  return labels;
}

void expect_good(const TradeoffPlot& plot) {
  const std::string svg = tradeoff_svg(plot);
  expect_well_formed(svg);
  expect_inside(svg);
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  for (const char* anchor : {"middle", "end"}) {
    const std::vector<double> labels = tick_labels(svg, anchor);
    EXPECT_GE(labels.size(), 4U) << anchor;
    EXPECT_LE(labels.size(), 12U) << anchor;
    EXPECT_EQ(std::set<double>(labels.begin(), labels.end()).size(), labels.size())
        << "two ticks of " << anchor << " read the same";
  }
}

TEST(TradeoffPlotTest, IsWellFormedAndInsideItsViewBox) {
  expect_good(example());
  EXPECT_EQ(tradeoff_svg(example()), tradeoff_svg(example()));
  const std::string svg = tradeoff_svg(example());
  EXPECT_EQ(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 560\"", 0), 0U);
  for (const char* text : {"latency (ms)", "accuracy (%)", "Pareto front", "vanilla", "cold"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
}

TEST(TradeoffPlotTest, PutsMarksWhereTheTicksSay) {
  const std::string svg = tradeoff_svg(example());
  // Two vertical grid lines with labels give the scale.
  const auto ticks =
      matches(svg, "<text x=\"([0-9.]+)\" y=\"516.0\" text-anchor=\"middle\">([0-9.]+)</text>");
  ASSERT_GE(ticks.size(), 2U);
  const double scale = (std::stod(ticks[1][1]) - std::stod(ticks[0][1])) /
                       (std::stod(ticks[1][2]) - std::stod(ticks[0][2]));
  const auto at = marks(svg);
  ASSERT_EQ(at.size(), 3U);
  EXPECT_NEAR(at[0].first, std::stod(ticks[0][1]) + scale * (19.5 - std::stod(ticks[0][2])), 0.2);
  // Faster is left, better is up.
  EXPECT_LT(at[2].first, at[0].first);
  EXPECT_GT(at[2].second, at[0].second);
  EXPECT_NE(svg.find("<title>vanilla: 19.500 ms, 77.50%</title>"), std::string::npos) << svg;
}

TEST(TradeoffPlotTest, DrawsTheFrontAsSteps) {
  TradeoffPlot plot = example();
  plot.answers.clear();
  const auto fronts =
      matches(tradeoff_svg(plot), " d=\"M[0-9.]+,[0-9.]+(H[0-9.]+V[0-9.]+)(H[0-9.]+V[0-9.]+)\"/>");
  EXPECT_EQ(fronts.size(), 1U);
}

TEST(TradeoffPlotTest, TargetsAreLinesOnlyInsideTheData) {
  const auto dashed = matches(tradeoff_svg(example()), "stroke-dasharray");
  EXPECT_EQ(dashed.size(), 3U);  // 20, 40 and the legend's; the last is far outside
}

TEST(TradeoffPlotTest, EscapesTextsAndShortensLongOnes) {
  TradeoffPlot plot = example();
  plot.title = "a <b> & \"c\"\n\x01" + std::string(200, 'x');
  plot.latency_label = "</text><script>";
  plot.answers[0].name = "<&>\"'";
  for (int i = 0; i < 40; ++i) {
    plot.answers[1].name += "\u00e4";
  }
  expect_good(plot);
  const std::string svg = tradeoff_svg(plot);
  EXPECT_NE(svg.find("&lt;&amp;&gt;&quot;'"), std::string::npos);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  std::string in_legend = "cold";
  for (int i = 0; i < 17; ++i) {
    in_legend += "\u00e4";
  }
  EXPECT_NE(svg.find(">" + in_legend + "\u2026</text>"), std::string::npos) << svg;
}

TEST(TradeoffPlotTest, BearsDegenerateData) {
  expect_good({.title = "nothing"});
  expect_good({.title = "one point", .front = {{20, 0.75}}});
  expect_good({.title = "equal", .front = {}, .answers = {{"a", {{20, 0.75}, {20, 0.75}}}}});
  expect_good({.title = "zero", .front = {{0, 0}}, .answers = {}});
  expect_good({.title = "level", .front = {{1, 0.5}, {2, 0.5}, {3, 0.5}}});
  expect_good({.title = "close", .front = {{20, 0.75}, {20 + 1e-13, 0.75 + 1e-15}}});
  expect_good({.title = "tiny", .front = {{1e-7, 0.1}, {2e-4, 0.10001}}});
  expect_good({.title = "huge", .front = {{0, -1000}, {1e9, 1e7}}});
  expect_good({.title = "no answer", .front = {}, .answers = {{"a", {}}}});
}

TEST(TradeoffPlotTest, HasAMarkOfItsOwnForEachOfManySeries) {
  TradeoffPlot plot = example();
  plot.answers.clear();
  for (int i = 0; i < 40; ++i) {
    plot.answers.push_back({std::to_string(i), {{10.0 + i, 0.7 + 0.001 * i}}});
  }
  expect_good(plot);
  const std::string svg = tradeoff_svg(plot);
  std::set<std::string> looks;
  for (const std::smatch& mark :
       matches(svg, "<path d=\"M[0-9.]+,[0-9.]+(m[^\"]*\" fill=\"[^\"]*)\"[^>]*><t")) {
    looks.insert(mark[1]);
  }
  EXPECT_EQ(looks.size(), 40U);
}

TEST(TradeoffPlotTest, RefusesWhatCannotBeDrawn) {
  const auto message = [](TradeoffPlot plot) -> std::string {
    try {
      tradeoff_svg(plot);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  TradeoffPlot plot = example();
  plot.front[0].latency_ms = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message(plot),
            "[report::tradeoff_svg] latency_ms must be finite and at most 1e9, got nan");
  plot = example();
  plot.answers[0].points[0].accuracy = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message(plot),
            "[report::tradeoff_svg] accuracy in percent must be finite and at most 1e9, got inf");
}

}  // namespace
}  // namespace lathe::report
