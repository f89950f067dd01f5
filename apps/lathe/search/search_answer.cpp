#include "search/search_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <system_error>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/number_text.h"
#include "lathe/report/tradeoff_plot.h"

namespace lathe::app {
namespace {

using search::Candidate;
using search::TargetResult;
using Json = nlohmann::ordered_json;

/// JSON has no infinity: null where no net was found.
Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json to_json(const space::Space& space, const Candidate& candidate) {
  return {{"latency_ms", candidate.predicted_ms},
          {"accuracy", candidate.predicted_accuracy},
          {"arch", space.to_json(candidate.arch)}};
}

/// The net of uniform scaling for target number `i`; null if none was asked for or found.
const space::Arch* uniform_net(const SearchAnswer& answer, std::size_t i) {
  for (const StrategyAnswer& run : answer.runs) {
    if (run.strategy == to_string(search::Strategy::kUniform) && run.result.targets[i].feasible) {
      return &run.result.targets[i].candidates.front().arch;
    }
  }
  return nullptr;
}

bool is_space_of_widths(const space::Space& space) {
  return std::ranges::all_of(space.decisions(),
                             [](const space::Decision& d) { return d.group == "widths"; });
}

Json widths_json(const SearchAnswer& answer, const space::Arch& arch, const space::Arch* uniform) {
  const Json chosen = answer.space->to_json(arch);
  const Json beside = uniform != nullptr ? answer.space->to_json(*uniform) : Json();
  Json widths = Json::array();
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    const space::Decision& decision = answer.space->decisions()[i];
    const auto at = static_cast<std::size_t>(decision.index);
    Json layer{{"decision", fmt::format("{}[{}]", decision.group, decision.index)},
               {"width", chosen.at(decision.group).at(at)}};
    if (uniform != nullptr) {
      layer["uniform"] = beside.at(decision.group).at(at);
    }
    if (answer.scores != nullptr) {
      const auto& score = answer.scores->table()[i][arch.choices[i]];
      layer["score"] =
          score ? Json{{"mean", score->mean}, {"standard_error", score->standard_error}} : Json();
    }
    widths.push_back(std::move(layer));
  }
  return widths;
}

/// Of target number `i`.
Json to_json(const SearchAnswer& answer, const TargetResult& target, std::size_t i) {
  Json json{{"target_ms", target.target_ms}, {"feasible", target.feasible}};
  if (!target.feasible) {
    json["minimum_ms"] = finite_or_null(target.minimum_ms);
    return json;
  }
  json.update(to_json(*answer.space, target.candidates.front()));
  if (is_space_of_widths(*answer.space)) {
    json["widths"] = widths_json(answer, target.candidates.front().arch, uniform_net(answer, i));
  }
  json["evaluations"] = target.evaluations;
  json["seconds"] = target.seconds;
  json["provenance"] = target.provenance;
  if (target.error_bound) {
    json["error"] = target.error_bound->error;
    json["bound"] = target.error_bound->bound;
    json["gap"] = target.error_bound->gap();
  }
  if (target.candidates.size() > 1) {
    for (const Candidate& candidate : target.candidates) {
      json["candidates"].push_back(to_json(*answer.space, candidate));
    }
  }
  return json;
}

Json to_json(const SearchAnswer& answer, const StrategyAnswer& run) {
  Json targets = Json::array();
  for (std::size_t i = 0; i < run.result.targets.size(); ++i) {
    targets.push_back(to_json(answer, run.result.targets[i], i));
  }
  return {{"strategy", run.strategy},
          {"seconds", run.result.seconds},
          {"evaluations", run.result.evaluations},
          {"targets", targets}};
}

std::string infeasible_text(const TargetResult& target) {
  return std::isfinite(target.minimum_ms)
             ? fmt::format("infeasible: the minimum reachable is {} ms",
                           text_rounded_up(target.minimum_ms, 3))
             : "infeasible: no net within the limits was found";
}

std::string figures(const StrategyAnswer& run) {
  std::string text = fmt::format("{:>9} | {:>12} | {:>18} | {:>11} | {:>8} | found\n", "target ms",
                                 "predicted ms", "predicted accuracy", "evaluations", "seconds");
  for (const TargetResult& t : run.result.targets) {
    if (!t.feasible) {
      text += fmt::format("{:>9.3f} | {}\n", t.target_ms, infeasible_text(t));
      continue;
    }
    const Candidate& best = t.candidates.front();
    text += fmt::format("{:>9.3f} | {:>12.3f} | {:>17.2f}% | {:>11} | {:>8.3f} | {}\n", t.target_ms,
                        best.predicted_ms, 100 * best.predicted_accuracy, t.evaluations, t.seconds,
                        t.provenance);
  }
  return text;
}

std::string side_by_side(const SearchAnswer& answer) {
  std::string text = "\npredicted accuracy in percent by strategy\ntarget ms";
  const auto row = [&](const std::string& name, const auto& cell) {
    text += fmt::format("\n{:>9}", name);
    for (const StrategyAnswer& run : answer.runs) {
      text +=
          fmt::format(" | {:>{}}", cell(run.result), std::max<std::size_t>(run.strategy.size(), 7));
    }
  };
  for (const StrategyAnswer& run : answer.runs) {
    text += fmt::format(" | {:>7}", run.strategy);
  }
  for (std::size_t i = 0; i < answer.runs.front().result.targets.size(); ++i) {
    row(fmt::format("{:.3f}", answer.runs.front().result.targets[i].target_ms),
        [&](const search::SearchResult& result) {
          const TargetResult& target = result.targets.at(i);
          return target.feasible
                     ? fmt::format("{:.2f}", 100 * target.candidates.front().predicted_accuracy)
                     : std::string("-");
        });
  }
  row("seconds",
      [](const search::SearchResult& result) { return fmt::format("{:.3f}", result.seconds); });
  return text + "\n";
}

/// A value of the arch JSON as one field.
std::string csv_field(const Json& value) {
  if (!value.is_array()) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }
  std::string field;
  for (const Json& item : value) {
    field += (field.empty() ? "" : " ") + csv_field(item);
  }
  return field;
}

/// As parse_amount() reads it: 337.2M.
std::string short_number(double value) {
  constexpr std::pair<double, const char*> kSuffixes[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [factor, suffix] : kSuffixes) {
    if (value >= factor) {
      return fmt::format("{:.4g}{}", value / factor, suffix);
    }
  }
  return fmt::format("{:.4g}", value);
}

std::vector<report::TradeoffPoint> points(const std::vector<Candidate>& nets) {
  std::vector<report::TradeoffPoint> points;
  for (const Candidate& net : nets) {
    points.push_back({.latency_ms = net.predicted_ms, .accuracy = net.predicted_accuracy});
  }
  return points;
}

}  // namespace

std::string capability_text(const Capability& capability, const std::vector<double>& targets_ms) {
  std::string text;
  for (const Capability::Limit& limit : capability.limits) {
    text += fmt::format("{}: at most {} of {} (smallest net) to {} (largest)\n", limit.name,
                        short_number(limit.limit), short_number(limit.smallest),
                        short_number(limit.largest));
  }
  if (!capability.minimum_ms) {
    return text + "latency: no net within the limits was found\n";
  }
  text += fmt::format("latency: {} to {:.3f} ms reachable, predicted{}\n",
                      text_rounded_up(*capability.minimum_ms, 3), capability.maximum_ms,
                      capability.limits.empty() ? "" : "; the latter without the limits");
  std::vector<double> below;
  for (const double target_ms : targets_ms) {
    if (target_ms < *capability.minimum_ms) {
      below.push_back(target_ms);
    }
  }
  text += below.empty() ? fmt::format("targets: all {} satisfiable\n", targets_ms.size())
                        : fmt::format("targets: {} of {} satisfiable; too low: {}\n",
                                      targets_ms.size() - below.size(), targets_ms.size(),
                                      fmt::join(below, ", "));
  return text;
}

Json to_json(const SearchAnswer& answer) {
  const Capability& capability = answer.capability;
  Json limits = Json::object();
  for (const Capability::Limit& limit : capability.limits) {
    limits[limit.name] = {
        {"limit", limit.limit}, {"smallest", limit.smallest}, {"largest", limit.largest}};
  }
  Json json{{"space", answer.space->name()},
            {"seed", answer.seed},
            {"predicted", {"latency_ms", "accuracy"}},
            {"reachable_ms",
             {{"minimum", capability.minimum_ms ? Json(*capability.minimum_ms) : Json()},
              {"maximum", capability.maximum_ms}}},
            {"limits", limits}};
  json.update(to_json(answer, answer.runs.front()));
  for (std::size_t i = 1; i < answer.runs.size(); ++i) {
    json["compared"].push_back(to_json(answer, answer.runs[i]));
  }
  return json;
}

std::string table(const SearchAnswer& answer) {
  const StrategyAnswer& asked = answer.runs.front();
  std::string text = figures(asked);
  text += fmt::format(
      "{} by {}: {} nets evaluated in {:.3f} s; latency and accuracy are predicted\n",
      answer.space->name(), asked.strategy, asked.result.evaluations, asked.result.seconds);
  for (const TargetResult& target : asked.result.targets) {
    if (target.feasible) {
      text += fmt::format("{} ms: {}\n", target.target_ms,
                          answer.space->to_json(target.candidates.front().arch).dump());
    }
  }
  return answer.runs.size() > 1 ? text + side_by_side(answer) : text;
}

std::string front_csv(const SearchAnswer& answer) {
  std::string head = "predicted_latency_ms,predicted_accuracy";
  std::string rows;
  const std::vector<Candidate>& front = answer.runs.front().result.front;
  for (const Candidate& net : front) {
    fmt::format_to(std::back_inserter(rows), "{},{}", net.predicted_ms, net.predicted_accuracy);
    const Json arch = answer.space->to_json(net.arch);
    for (const auto& [key, value] : arch.items()) {
      if (key != "space") {
        rows += "," + csv_field(value);
        if (&net == &front.front()) {
          head += "," + key;
        }
      }
    }
    rows += "\n";
  }
  return head + "\n" + rows;
}

std::string plot_svg(const SearchAnswer& answer) {
  report::TradeoffPlot plot{
      .title = answer.space->name() + ": predicted accuracy against predicted latency",
      .latency_label = "predicted latency (ms)",
      .accuracy_label = "predicted accuracy (%)",
      .front_name = "front, " + answer.runs.front().strategy,
      .front = points(answer.runs.front().result.front)};
  for (const StrategyAnswer& run : answer.runs) {
    report::TradeoffSeries series{.name = run.strategy};
    for (const TargetResult& target : run.result.targets) {
      if (target.feasible) {
        series.points.push_back(points({target.candidates.front()}).front());
      }
    }
    plot.answers.push_back(std::move(series));
  }
  for (const TargetResult& target : answer.runs.front().result.targets) {
    plot.targets_ms.push_back(target.target_ms);
  }
  return report::tradeoff_svg(plot);
}

void write_folder(const SearchAnswer& answer, const std::filesystem::path& folder) {
  for (const TargetResult& target : answer.runs.front().result.targets) {
    if (target.feasible) {
      write_json(folder / fmt::format("arch_{}ms.json", target.target_ms),
                 answer.space->to_json(target.candidates.front().arch));
    }
  }
  write_file_atomic(folder / "front.csv", front_csv(answer));
  write_file_atomic(folder / "tradeoff.svg", plot_svg(answer));
  write_json(folder / "result.json", to_json(answer));
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw Error(folder.string() + ": cannot make this folder: " + error.message());
  }
}

void make_answer_folder(const std::filesystem::path& folder) {
  make_folder(folder);
  std::error_code error;
  if (std::filesystem::exists(folder / "result.json", error)) {
    throw Error(folder.string() + ": already has a result.json; name another folder with --out");
  }
}

}  // namespace lathe::app
