// What lathe search answers, as JSON, as a table, as CSV and as a plot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/accuracy/width_scores.h"
#include "lathe/search/search_targets.h"
#include "lathe/space/space.h"

namespace lathe::app {

/// Between what a search can choose, told before it starts.
struct Capability {
  struct Limit {
    std::string name;  ///< "macs", "params", "memory_mb"
    double limit = 0.0;
    double smallest = 0.0;  ///< of the smallest net of the space
    double largest = 0.0;
  };
  std::optional<double> minimum_ms;  ///< within the limits; nothing if no net within them was found
  double maximum_ms = 0.0;           ///< whatever the limits
  std::vector<Limit> limits;         ///< those that were asked for
};

struct StrategyAnswer {
  std::string strategy;
  search::SearchResult result;
};

struct SearchAnswer {
  const space::Space* space = nullptr;
  const accuracy::WidthScores* scores = nullptr;  ///< null where another model predicts accuracy
  std::uint64_t seed = 0;
  Capability capability;
  /// The strategy that was asked for, then those that it was compared with; all of the same
  /// targets.
  std::vector<StrategyAnswer> runs;
};

/// For people: one line for the latency, one for each limit, one for the targets.
std::string capability_text(const Capability& capability, const std::vector<double>& targets_ms);

/// `{"space", "strategy", "seed", "predicted": ["latency_ms", "accuracy"], "reachable_ms":
/// {"minimum", "maximum"}, "limits": {"<name>": {"limit", "smallest", "largest"}}, "seconds",
/// "evaluations", "targets": [{"target_ms", "feasible", "latency_ms", "accuracy", "arch",
/// "evaluations", "seconds", "provenance", "error", "bound", "gap", "candidates": [...]}],
/// "compared": [{"strategy", "seconds", "evaluations", "targets"}]}`. An infeasible target has
/// "minimum_ms" in place of a net, null if no net is within the limits. "candidates" is there where
/// there are several, "error", "bound" and "gap" where a strategy proves how good the net is.
///
/// Of a space of widths each net comes with "widths": [{"decision": "widths[0]", "width",
/// "uniform", "score": {"mean", "standard_error"}}, ...], what a figure of widths by layer is drawn
/// from (AOWS, figure 5). "uniform", the width in the same target's net by uniform scaling, is
/// there where that was asked for or compared with and found one; "score" with width scores, null
/// where no net that was scored had the width.
nlohmann::ordered_json to_json(const SearchAnswer& answer);

/// The figures of every target, the archs below them, and the strategies side by side.
std::string table(const SearchAnswer& answer);

/// One line per net of the front of the strategy that was asked for: predicted_latency_ms,
/// predicted_accuracy and a column for each key of the arch JSON, lists separated by spaces.
std::string front_csv(const SearchAnswer& answer);

/// The front and every strategy's answers as SVG.
std::string plot_svg(const SearchAnswer& answer);

/// result.json, front.csv, tradeoff.svg and, for each feasible target, arch_<target>ms.json; the
/// first comes last, so that a folder that has it is complete.
/// @throws Error as write_file_atomic().
void write_folder(const SearchAnswer& answer, const std::filesystem::path& folder);

/// Makes `folder` where there is none. @throws Error naming it and the system's reason.
void make_folder(const std::filesystem::path& folder);

/// Makes `folder`. @throws Error as make_folder(), and if it already has an answer: files of its
/// other targets would stay.
void make_answer_folder(const std::filesystem::path& folder);

}  // namespace lathe::app
