// Accuracy against latency as a picture.
#pragma once

#include <string>
#include <vector>

namespace lathe::report {

struct TradeoffPoint {
  double latency_ms = 0.0;
  double accuracy = 0.0;  ///< a fraction
};

/// Points that are drawn as marks of one shape and colour, such as one strategy's answers.
struct TradeoffSeries {
  std::string name;
  std::vector<TradeoffPoint> points;
};

/// What the plot shows. Texts are UTF-8 without markup.
struct TradeoffPlot {
  std::string title;
  std::string latency_label = "latency (ms)";
  std::string accuracy_label = "accuracy (%)";
  std::string front_name = "Pareto front";
  /// Ascending in latency and accuracy, as search::pareto_front() gives it; may be empty. Drawn as
  /// steps: between two of its nets there is none better than the faster one.
  std::vector<TradeoffPoint> front;
  std::vector<TradeoffSeries> answers;
  /// Dashed vertical lines where they fall between the points; the axes don't stretch for them.
  std::vector<double> targets_ms;
};

/// The plot as a whole SVG file of 960 by 560 units: axes with round ticks, the front, the marks
/// (each with its figures as a tooltip), and a legend. Colours that the colour-blind can tell apart
/// (Okabe and Ito, 2008), never without a shape of their own. The same plot gives the same bytes.
/// A plot without points has axes from 0 to 1.
/// @throws std::invalid_argument if a latency or accuracy (in percent) is not finite or beyond 1e9.
std::string tradeoff_svg(const TradeoffPlot& plot);

}  // namespace lathe::report
