#include "comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "buckets.h"
#include "lathe/core/error.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/report/tradeoff_plot.h"
#include "lathe/run/trained.h"
#include "lathe/train/evaluator.h"

namespace lathe::bench {
namespace {

double mmacs(const space::Space& space, const space::Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch))) / 1e6;
}

std::unique_ptr<latency::StoredLatencyModel> model_of(const space::Space& space,
                                                      const LatencyModels& models) {
  for (const std::filesystem::path& path : models) {
    if (latency::fingerprint_of_model(path).space == space.name()) {
      return latency::load_latency_model(space, path);
    }
  }
  throw Error(space.name() + ": none of the latency models is of this space");
}

class Judge {
 public:
  Judge(const run::Trained& trained, nn::Workers& workers)
      : trained_(trained),
        evaluator_(trained.dataset, {.augment = trained.augment, .seed = trained.seed}),
        workers_(workers) {}

  const space::Arch& best_by_validation(const std::vector<space::Arch>& archs) const {
    std::vector<graph::Graph> nets;
    for (const space::Arch& arch : archs) {
      nets.push_back(trained_.space->graph(arch));
    }
    const std::vector<double> top1 =
        evaluator_.validation_top1(*trained_.weights, nets, -1, &workers_);
    return archs[static_cast<std::size_t>(std::max_element(top1.begin(), top1.end()) -
                                          top1.begin())];
  }

  JudgedNet on_test_images(const space::Arch& arch) const {
    const nn::Executor net(trained_.space->graph(arch));
    return {.arch = arch,
            .mmacs = mmacs(*trained_.space, arch),
            .test_top1 = evaluator_.top1(net, evaluator_.calibrated(*trained_.weights, net),
                                         trained_.dataset.test)};
  }

 private:
  const run::Trained& trained_;
  train::Evaluator evaluator_;
  nn::Workers& workers_;
};

std::vector<JudgedNet*> nets_of(JudgedRun& run) {
  std::vector<JudgedNet*> nets{&run.smallest, &run.largest};
  for (JudgedNet& net : run.buckets) {
    nets.push_back(&net);
  }
  return nets;
}

/// The methods in the order of their first runs, each with its runs.
std::vector<std::pair<std::string, std::vector<const JudgedRun*>>> by_method(
    const std::vector<JudgedRun>& runs) {
  std::vector<std::pair<std::string, std::vector<const JudgedRun*>>> methods;
  for (const JudgedRun& run : runs) {
    const auto found =
        std::ranges::find(methods, run.method, [](const auto& m) { return m.first; });
    auto& of = found == methods.end()
                   ? methods.emplace_back(run.method, std::vector<const JudgedRun*>())
                   : *found;
    of.second.push_back(&run);
  }
  return methods;
}

/// Test top-1 in %: of each bucket, their mean, and of the smallest and the largest net.
std::vector<double> columns(const JudgedRun& run) {
  std::vector<double> values;
  for (const JudgedNet& net : run.buckets) {
    values.push_back(100 * net.test_top1);
  }
  values.push_back(mean(values));
  values.push_back(100 * run.smallest.test_top1);
  values.push_back(100 * run.largest.test_top1);
  return values;
}

/// The mean, with the sample's standard deviation if there is more than one value.
std::string mean_text(const std::vector<double>& values) {
  return values.size() < 2 ? fmt::format("{:.2f}", mean(values))
                           : fmt::format("{:.2f} ± {:.2f}", mean(values), sample_deviation(values));
}

std::string net_text(const JudgedNet& net) {
  return net.measured_ms > 0
             ? fmt::format("{:.2f} ({:.2f} ms)", 100 * net.test_top1, net.measured_ms)
             : fmt::format("{:.2f} ({:.1f})", 100 * net.test_top1, net.mmacs);
}

void print_runs(const std::vector<JudgedRun>& runs) {
  const bool measured = runs.front().smallest.measured_ms > 0;
  fmt::print("test top-1 in % ({}) of the best net by validation in each of six buckets of {}\n\n",
             measured ? "measured" : "MMACs", measured ? "latency" : "MACs");
  fmt::print("| run | 1 | 2 | 3 | 4 | 5 | 6 | mean | smallest | largest |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|\n");
  for (const JudgedRun& run : runs) {
    fmt::print("| {} |", run.name);
    for (const JudgedNet& net : run.buckets) {
      fmt::print(" {} |", net_text(net));
    }
    fmt::print(" {:.2f} | {} | {} |\n", columns(run)[kBuckets], net_text(run.smallest),
               net_text(run.largest));
  }
}

}  // namespace

JudgedRun judge(const std::filesystem::path& folder, std::size_t per_bucket,
                const LatencyModels& models, nn::Workers& workers) {
  const run::Trained trained = run::open_trained(folder);
  const space::Space& space = *trained.space;
  const std::unique_ptr<latency::StoredLatencyModel> model =
      models.empty() ? nullptr : model_of(space, models);
  const auto buckets = draw_buckets(space, per_bucket, [&](const space::Arch& arch) {
    return model ? model->predict_ms(arch) : mmacs(space, arch);
  });
  const Judge judge(trained, workers);
  const std::string name = folder.filename().string();
  JudgedRun run{.method = name.substr(0, name.rfind('-')),
                .name = name,
                .space = trained.space,
                .buckets = {},
                .smallest = judge.on_test_images(space.smallest()),
                .largest = judge.on_test_images(space.largest())};
  for (const std::vector<space::Arch>& archs : buckets) {
    run.buckets.push_back(judge.on_test_images(judge.best_by_validation(archs)));
  }
  return run;
}

void measure_latency(std::vector<JudgedRun>& runs) {
  std::vector<graph::Net> nets;
  std::vector<JudgedNet*> judged;
  for (JudgedRun& run : runs) {
    for (JudgedNet* net : nets_of(run)) {
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

void print_table(const std::vector<JudgedRun>& runs) {
  print_runs(runs);
  fmt::print("\n| method | runs | 1 | 2 | 3 | 4 | 5 | 6 | mean | smallest | largest |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [method, of_method] : by_method(runs)) {
    std::map<std::size_t, std::vector<double>> by_column;
    for (const JudgedRun* run : of_method) {
      const std::vector<double> values = columns(*run);
      for (std::size_t c = 0; c < values.size(); ++c) {
        by_column[c].push_back(values[c]);
      }
    }
    fmt::print("| {} | {} |", method, of_method.size());
    for (const auto& [column, values] : by_column) {
      fmt::print(" {} |", mean_text(values));
    }
    fmt::print("\n");
  }
}

std::string figure_svg(const std::vector<JudgedRun>& runs) {
  report::TradeoffPlot plot{.title = "Test accuracy of nets out of supernets, by training method",
                            .latency_label = "measured latency (ms)",
                            .accuracy_label = "test top-1 (%)"};
  for (const auto& [method, of_method] : by_method(runs)) {
    report::TradeoffSeries& series = plot.answers.emplace_back(method);
    for (std::size_t b = 0; b < kBuckets; ++b) {
      std::vector<double> ms, top1;
      for (const JudgedRun* run : of_method) {
        ms.push_back(run->buckets[b].measured_ms);
        top1.push_back(run->buckets[b].test_top1);
      }
      series.points.push_back({mean(ms), mean(top1)});
    }
  }
  return report::tradeoff_svg(plot);
}

}  // namespace lathe::bench
