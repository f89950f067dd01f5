// A supernet trained for some steps, its smallest net taken out, timed on this CPU and written as
// ONNX: what `lathe run` does, by hand.
//   example_train_and_measure [DATA [STEPS [OUT.onnx]]]     e.g. fashion-mnist 200 smallest.onnx
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "lathe/deploy/onnx.h"
#include "lathe/graph/fold.h"
#include "lathe/graph/pixel_input.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/nn/supernet.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/method.h"
#include "lathe/train/trainer.h"

namespace {

int run(const char* data_name, int steps, const std::filesystem::path& out) {
  const lathe::data::Dataset data = lathe::data::open_dataset(data_name);
  const std::shared_ptr<const lathe::space::Space> space =
      lathe::space::make_space("mbv3_28", {.in_channels = data.train.channels(),
                                           .num_classes = data.train.num_classes(),
                                           .input_size = data.train.image_size()});

  // Train. A method plans every step; the trainer executes them, and keeps a checkpoint in its
  // folder, from which the same call goes on.
  lathe::nn::Supernet supernet(space, {.seed = 1, .replicas = 2});
  lathe::train::TrainOptions options{.batch_size = 64, .shards = 2, .threads = 2};
  options.folder = std::filesystem::temp_directory_path() / "lathe_example";
  std::filesystem::remove_all(options.folder);
  std::filesystem::create_directories(options.folder);
  const auto method = lathe::train::make_strategy(*space, {.name = "deps"}, steps,
                                                  data.train.size() / options.batch_size,
                                                  /*arch=*/std::nullopt, /*seed=*/1);
  lathe::train::train(supernet, *space, *method, data, options, [](const lathe::Progress& step) {
    std::printf("%s %lld/%lld %s\n", step.stage.c_str(), static_cast<long long>(step.done),
                static_cast<long long>(step.total), step.message.c_str());
  });

  // Take a net out: its slice of the weights, batch norm recalibrated.
  const lathe::space::Arch arch = space->smallest();
  const lathe::train::Evaluator evaluator(data, {.seed = 1});
  const lathe::graph::Net net = evaluator.extract(supernet, space->graph(arch));
  std::printf("validation top-1 %.2f%%\n",
              100 * evaluator.validation_top1(supernet, net.graph, 1000));

  // Time it and write it, as it is handed over: on pixels, batch norm folded.
  const lathe::graph::Net folded = lathe::graph::fold_batch_norm(
      lathe::graph::take_pixels(net, data.normalization.mean, data.normalization.stddev));
  const auto runner = lathe::measure::make_torch_runner(folded, {.threads = 1});
  const auto timings = runner->time({&folded, 1}, {.rounds = 5, .runs_per_round = 10});
  std::printf("%s, %s: median %.3f ms\n", runner->device().c_str(), runner->runtime().c_str(),
              lathe::measure::latency_stats(timings[0].times_ms()).p50_ms);
  lathe::deploy::export_onnx(folded, out);
  std::printf("wrote %s\n", out.c_str());
  std::filesystem::remove_all(options.folder);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc > 1 ? argv[1] : "fashion-mnist", argc > 2 ? std::atoi(argv[2]) : 200,
             argc > 3 ? argv[3] : "smallest.onnx");
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
