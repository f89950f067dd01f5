// `lathe run` on data that the test makes, as small as it gets.
#pragma once

#include <filesystem>
#include <string>

#include "apps/program.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/space/space_file.h"
#include "run/stage_fixtures.h"

namespace lathe::testing {

/// A folder with data, and the options of a run on them into <folder>/<out>.
class TinyRun {
 public:
  TinyRun() { write_synthetic_dataset(data(), 600, 200); }

  std::filesystem::path data() const { return temporary_ / "data"; }
  std::filesystem::path out(const std::string& name = "") const {
    return temporary_ / (name.empty() ? "out" : "out/" + name);
  }
  const TemporaryFolder& folder() const { return temporary_; }

  std::string options(const std::filesystem::path& out_folder, double epochs = 0.2,
                      const std::string& targets = "--targets 1000") const {
    return "run --data-dir " + quoted(data().string()) + " --out " + quoted(out_folder.string()) +
           " --epochs " + std::to_string(epochs) +
           " --validation-size 100 --batch-size 50 --train-threads 1 --accuracy-samples 10"
           " --evaluations 160 --latency-samples 20 --candidates 4 " +
           targets;
  }
  Outcome run(const std::string& more = "") const { return run_lathe(options(out()) + " " + more); }

  /// A latency table, so that a run into `out_folder` needs not measure.
  void write_latency_table(const std::filesystem::path& out_folder,
                           const std::string& name_or_file = "mbv3_28") const {
    const auto space = space::open_space(name_or_file, {.input_size = kSyntheticSide});
    const auto runner = measure::make_torch_runner(
        measure::random_net(space->graph(space->smallest()), 1), {.channels_last = true});
    table_by_macs(*space, measure::fingerprint(*runner, *space)).save(out_folder / "latency.json");
  }

 private:
  TemporaryFolder temporary_;
};

}  // namespace lathe::testing
