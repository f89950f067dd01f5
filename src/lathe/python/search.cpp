// The search: with stored models or functions, the best nets for every latency target.
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/python/arch_function.h"
#include "lathe/python/convert.h"
#include "lathe/python/models.h"
#include "lathe/search/reachable_range.h"
#include "lathe/search/search_targets.h"
#include "lathe/search/strategy_name.h"

namespace lathe::python {
namespace {

using search::Candidate;

/// A model that Python gives: one of ours, or a function.
template <typename Ours, typename Function, typename Model>
std::shared_ptr<const Model> model_of(const py::object& given, std::shared_ptr<Model> Ours::*model,
                                      const space::Space& space, const std::string& name) {
  if (py::isinstance<Ours>(given)) {
    const auto& ours = given.cast<const Ours&>();
    require_same_choices(name, *ours.space, space);
    return ours.*model;
  }
  if (PyCallable_Check(given.ptr()) == 0) {
    throw py::type_error(name + " must be a model or a function of a list of archs, got " +
                         py::repr(given).cast<std::string>());
  }
  return std::make_shared<Function>(given, space.name());
}

auto latency_of(const py::object& given, const space::Space& space) {
  return model_of<LatencyModel, LatencyFunction>(given, &LatencyModel::model, space, "latency");
}

auto accuracy_of(const py::object& given, const space::Space& space) {
  return model_of<AccuracyPredictor, AccuracyFunction>(given, &AccuracyPredictor::predictor, space,
                                                       "accuracy");
}

template <typename T>
T named(const std::optional<T>& found, const std::string& what, const std::string& name,
        const std::vector<std::string>& known) {
  if (!found) {
    throw std::invalid_argument("unknown " + what + " \"" + name +
                                "\": " + nearest_names(name, known));
  }
  return *found;
}

py::dict to_dict(const search::TimedArch& net) {
  py::dict dict;
  dict["arch"] = net.arch;
  dict["predicted_ms"] = net.predicted_ms;
  return dict;
}

py::dict to_dict(const Candidate& net) {
  py::dict dict;
  dict["arch"] = net.arch;
  dict["predicted_ms"] = net.predicted_ms;
  dict["predicted_accuracy"] = net.predicted_accuracy;
  return dict;
}

py::list to_list(const std::vector<Candidate>& nets) {
  py::list list;
  for (const Candidate& net : nets) {
    list.append(to_dict(net));
  }
  return list;
}

py::dict to_dict(const search::TargetResult& target) {
  py::dict dict;
  dict["target_ms"] = target.target_ms;
  dict["feasible"] = target.feasible;
  dict["minimum_ms"] = target.minimum_ms;
  dict["arch"] = py::none();
  dict["predicted_ms"] = py::none();
  dict["predicted_accuracy"] = py::none();
  if (target.feasible) {
    dict["arch"] = target.candidates.front().arch;
    dict["predicted_ms"] = target.candidates.front().predicted_ms;
    dict["predicted_accuracy"] = target.candidates.front().predicted_accuracy;
  }
  dict["candidates"] = to_list(target.candidates);
  dict["evaluations"] = target.evaluations;
  dict["seconds"] = target.seconds;
  dict["provenance"] = target.provenance;
  dict["error"] = py::none();
  dict["bound"] = py::none();
  if (target.error_bound) {
    dict["error"] = target.error_bound->error;
    dict["bound"] = target.error_bound->bound;
  }
  return dict;
}

py::dict to_dict(const search::SearchResult& result) {
  py::list targets;
  for (const search::TargetResult& target : result.targets) {
    targets.append(to_dict(target));
  }
  py::list trace;
  for (const search::GenerationTrace& entry : result.trace) {
    py::dict line;
    line["generation"] = entry.generation;
    line["evaluations"] = entry.evaluations;
    line["best_accuracy"] = entry.best_accuracy;
    line["first_target"] = entry.first_target;
    trace.append(std::move(line));
  }
  py::dict dict;
  dict["targets"] = std::move(targets);
  dict["front"] = to_list(result.front);
  dict["evaluations"] = result.evaluations;
  dict["seconds"] = result.seconds;
  dict["trace"] = std::move(trace);
  return dict;
}

/// So that a long search ends when it is interrupted.
void raise_if_interrupted(const Progress& /*progress*/) {
  const py::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) {
    throw py::error_already_set();
  }
}

py::dict search_space(const SpacePtr& space, const py::object& latency, const py::object& accuracy,
                      const std::vector<double>& targets_ms, const search::SearchOptions& options,
                      std::uint64_t seed) {
  const auto latency_model = latency_of(latency, *space);
  const auto predictor = accuracy_of(accuracy, *space);
  search::SearchResult result;
  {
    const py::gil_scoped_release others_may_run;
    Rng rng(seed);
    result = search::search_targets(*space, *latency_model, *predictor, targets_ms, options, rng,
                                    raise_if_interrupted);
  }
  return to_dict(result);
}

constexpr const char* kSearchText =
    R"(The best nets of a space for every latency target.

latency, accuracy: a LatencyModel and an AccuracyPredictor of the space, or functions. A function is
called with a list of archs and returns a number for each (milliseconds; a fraction); it is asked
for every net once, in an order that the seed determines, and what it raises ends the search.
strategy: see strategy_names(); effort, of "all-targets": "fast", "normal" or "thorough".
candidates: how many ranked nets are given for each target.
max_macs, max_params, max_memory_mb: what every net must keep beside its target.
max_evaluations: accuracy predictions after which to stop; 0: by the effort.
budget_s: seconds after which to stop; 0: none. With it the answer depends on the machine.
population, generations, followup_generations (0: the square root of generations), mutation_prob,
parent_ratio, mutation_ratio: of the strategies that search one target after the other.

Returns {"targets": [...], "front": [...], "evaluations": ..., "seconds": ..., "trace": [...]}. A
target has its target_ms, whether it is feasible, the minimum_ms that is reachable, the best net's
arch, predicted_ms and predicted_accuracy (None if infeasible), its ranked candidates, evaluations,
seconds and provenance; of exact strategies also the error and its lower bound. "front" has the
nets that no other evaluated net beats in both latency and accuracy. The same seed gives the same
answer on every machine.)";

py::dict reachable_range(const SpacePtr& space, const py::object& latency, std::uint64_t seed) {
  const auto model = latency_of(latency, *space);
  search::ReachableRange range;
  {
    const py::gil_scoped_release others_may_run;
    range = search::reachable_range(*space, *model, {.seed = seed});
  }
  py::dict dict;
  dict["fastest"] = to_dict(range.fastest);
  dict["slowest"] = to_dict(range.slowest);
  return dict;
}

}  // namespace

void add_search(py::module_& module) {
  const search::SearchOptions defaults;
  const search::EvolutionOptions& evolution = defaults.evolution;
  module.def(
      "search",
      [](const SpacePtr& space, const py::object& latency, const py::object& accuracy,
         const std::vector<double>& targets_ms, const std::string& strategy,
         const std::string& effort, std::uint64_t seed, int candidates,
         std::optional<double> max_macs, std::optional<double> max_params,
         std::optional<double> max_memory_mb, std::int64_t max_evaluations, double budget_s,
         int population, int generations, int followup_generations, double mutation_prob,
         double parent_ratio, double mutation_ratio) {
        const search::SearchOptions options{
            .strategy = named(search::strategy_named(strategy), "strategy", strategy,
                              search::strategy_names()),
            .effort = named(search::effort_named(effort), "effort", effort, search::effort_names()),
            .evolution = {.population = population,
                          .generations = generations,
                          .mutation_prob = mutation_prob,
                          .parent_ratio = parent_ratio,
                          .mutation_ratio = mutation_ratio,
                          .followup_generations = followup_generations},
            .constraints = {.max_macs = max_macs,
                            .max_params = max_params,
                            .max_memory_mb = max_memory_mb},
            .max_evaluations = max_evaluations,
            .budget_s = budget_s,
            .candidates_per_target = candidates};
        return search_space(space, latency, accuracy, targets_ms, options, seed);
      },
      py::arg("space"), py::kw_only(), py::arg("latency"), py::arg("accuracy"),
      py::arg("targets_ms"), py::arg("strategy") = to_string(defaults.strategy),
      py::arg("effort") = "normal", py::arg("seed") = 0, py::arg("candidates") = 1,
      py::arg("max_macs") = py::none(), py::arg("max_params") = py::none(),
      py::arg("max_memory_mb") = py::none(), py::arg("max_evaluations") = defaults.max_evaluations,
      py::arg("budget_s") = defaults.budget_s, py::arg("population") = evolution.population,
      py::arg("generations") = evolution.generations,
      py::arg("followup_generations") = evolution.followup_generations,
      py::arg("mutation_prob") = evolution.mutation_prob,
      py::arg("parent_ratio") = evolution.parent_ratio,
      py::arg("mutation_ratio") = evolution.mutation_ratio, kSearchText);
  module.def("strategy_names", &search::strategy_names,
             "The strategies of search(); docs/search.md says what each does.");
  module.def("reachable_range", &reachable_range, py::arg("space"), py::arg("latency"),
             py::kw_only(), py::arg("seed") = 0,
             "The fastest and the slowest net, each with arch and predicted_ms: between which "
             "latencies targets make sense. latency as in search().");
}

}  // namespace lathe::python
