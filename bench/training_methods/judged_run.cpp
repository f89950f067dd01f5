#include "judged_run.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "buckets.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/run/trained.h"
#include "lathe/train/evaluator.h"

namespace lathe::bench {
namespace {

double mmacs(const space::Space& space, const space::Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch))) / 1e6;
}

std::unique_ptr<latency::StoredLatencyModel> model_of(
    const space::Space& space, const std::vector<std::filesystem::path>& models) {
  for (const std::filesystem::path& path : models) {
    if (latency::fingerprint_of_model(path).space == space.name()) {
      return latency::load_latency_model(space, path);
    }
  }
  throw Error(space.name() + ": none of the latency models is of this space");
}

/// The places of nets whose accuracies are `top1`: of the best in each bucket.
std::vector<std::size_t> best_of_each(const Buckets& buckets, const std::vector<space::Arch>& archs,
                                      const std::vector<double>& top1) {
  std::vector<std::optional<std::size_t>> best(kBuckets);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    std::optional<std::size_t>& of = best[buckets.of(archs[i])];
    if (!of || top1[i] > top1[*of]) {
      of = i;
    }
  }
  std::vector<std::size_t> places;
  for (const std::optional<std::size_t>& place : best) {
    places.push_back(place.value());
  }
  return places;
}

nlohmann::ordered_json json_of(const space::Space& space, const JudgedNet& net) {
  return {{"arch", space.to_json(net.arch)}, {"mmacs", net.mmacs}, {"test_top1", net.test_top1}};
}

nlohmann::ordered_json json_of(const space::Space& space, const std::vector<JudgedNet>& nets) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const JudgedNet& net : nets) {
    list.push_back(json_of(space, net));
  }
  return list;
}

nlohmann::ordered_json json_of(const JudgeOptions& options) {
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  for (const std::filesystem::path& path : options.models) {
    models.push_back(path.string());
  }
  return {{"per_bucket", options.per_bucket}, {"models", models}};
}

JudgedNet net_from_json(const space::Space& space, const nlohmann::json& json,
                        const std::string& where) {
  return {.arch = space.from_json(json_member<nlohmann::json>(json, "arch", where), where),
          .mmacs = json_member<double>(json, "mmacs", where),
          .test_top1 = json_member<double>(json, "test_top1", where)};
}

std::vector<JudgedNet> nets_from_json(const space::Space& space, const nlohmann::json& json,
                                      const char* key, const std::string& where) {
  std::vector<JudgedNet> nets;
  for (const nlohmann::json& net : json_member<nlohmann::json>(json, key, where)) {
    nets.push_back(net_from_json(space, net, where));
  }
  return nets;
}

/// Reads what was kept of a run into it, if there is something.
bool was_kept(JudgedRun& run, const JudgeOptions& options) {
  const std::string where = options.kept.string();
  for (const nlohmann::json& line : JsonLines(options.kept).read()) {
    if (json_member<std::string>(line, "run", where) == run.name &&
        json_member<nlohmann::json>(line, "options", where) == nlohmann::json(json_of(options))) {
      const auto net = [&](const char* key) {
        return net_from_json(*run.space, json_member<nlohmann::json>(line, key, where), where);
      };
      run.smallest = net("smallest");
      run.largest = net("largest");
      run.by_macs = nets_from_json(*run.space, line, "by_macs", where);
      run.by_latency = nets_from_json(*run.space, line, "by_latency", where);
      return true;
    }
  }
  return false;
}

/// Reads nets on the test images.
std::vector<JudgedNet> tested(const run::Trained& trained, const train::Evaluator& evaluator,
                              const std::vector<space::Arch>& archs, nn::Workers& workers) {
  std::vector<graph::Graph> graphs;
  for (const space::Arch& arch : archs) {
    graphs.push_back(trained.space->graph(arch));
  }
  const std::vector<train::Score> scores =
      evaluator.calibrated_scores(*trained.weights, graphs, trained.dataset.test, -1, &workers);
  std::vector<JudgedNet> nets;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    nets.push_back(
        {.arch = archs[i], .mmacs = mmacs(*trained.space, archs[i]), .test_top1 = scores[i].top1});
  }
  return nets;
}

void judge_now(JudgedRun& run, const run::Trained& trained, const JudgeOptions& options,
               nn::Workers& workers) {
  const space::Space& space = *run.space;
  std::vector<Buckets> costs;
  costs.emplace_back(space, [&](const space::Arch& arch) { return mmacs(space, arch); });
  std::unique_ptr<latency::StoredLatencyModel> model;
  if (!options.models.empty()) {
    model = model_of(space, options.models);
    costs.emplace_back(space, [&](const space::Arch& arch) { return model->predict_ms(arch); });
  }
  const std::vector<space::Arch> archs = draw_nets(space, options.per_bucket, costs);
  std::vector<graph::Graph> graphs;
  for (const space::Arch& arch : archs) {
    graphs.push_back(space.graph(arch));
  }
  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = trained.augment, .seed = trained.seed});
  const std::vector<double> top1 =
      evaluator.validation_top1(*trained.weights, graphs, -1, &workers);
  std::vector<std::size_t> chosen{0, 1};
  for (const Buckets& cost : costs) {
    for (const std::size_t place : best_of_each(cost, archs, top1)) {
      chosen.push_back(place);
    }
  }
  // A net that is the best of several is read once.
  std::vector<space::Arch> once;
  for (const std::size_t place : chosen) {
    if (std::ranges::find(once, archs[place]) == once.end()) {
      once.push_back(archs[place]);
    }
  }
  const std::vector<JudgedNet> read = tested(trained, evaluator, once, workers);
  const auto net_at = [&](std::size_t i) {
    return *std::ranges::find(read, archs[chosen[i]], &JudgedNet::arch);
  };
  run.smallest = net_at(0);
  run.largest = net_at(1);
  for (std::size_t i = 2; i < chosen.size(); ++i) {
    (i < 2 + kBuckets ? run.by_macs : run.by_latency).push_back(net_at(i));
  }
}

}  // namespace

JudgedRun judge(const std::filesystem::path& folder, const JudgeOptions& options,
                nn::Workers& workers) {
  const run::Trained trained = run::open_trained(folder);
  const std::string name = folder.filename().string();
  JudgedRun run{.method = name.substr(0, name.rfind('-')),
                .name = name,
                .space = trained.space,
                .smallest = {},
                .largest = {},
                .by_macs = {},
                .by_latency = {}};
  if (!options.kept.empty() && was_kept(run, options)) {
    return run;
  }
  judge_now(run, trained, options, workers);
  if (!options.kept.empty()) {
    JsonLines(options.kept)
        .append({{"run", run.name},
                 {"options", json_of(options)},
                 {"smallest", json_of(*run.space, run.smallest)},
                 {"largest", json_of(*run.space, run.largest)},
                 {"by_macs", json_of(*run.space, run.by_macs)},
                 {"by_latency", json_of(*run.space, run.by_latency)}});
  }
  return run;
}

void measure_latency(std::vector<JudgedRun>& runs) {
  std::vector<graph::Net> nets;
  std::vector<JudgedNet*> judged;
  for (JudgedRun& run : runs) {
    std::vector<JudgedNet*> of_run{&run.smallest, &run.largest};
    for (JudgedNet& net : run.by_latency) {
      of_run.push_back(&net);
    }
    for (JudgedNet* const net : of_run) {
      nets.push_back(measure::random_net(*run.space, net->arch, 1));
      judged.push_back(net);
    }
  }
  const std::unique_ptr<measure::Runner> runner =
      measure::make_torch_runner(nets.front(), {.threads = 1});
  const std::vector<measure::Timing> timings =
      runner->time(nets, {.rounds = 12, .runs_per_round = 20});
  for (std::size_t i = 0; i < nets.size(); ++i) {
    judged[i]->measured_ms = median(timings[i].times_ms());
  }
}

}  // namespace lathe::bench
