// Stage: from a data set and a method to trained weights in a folder, which is all that later
// stages need.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/trained.h"
#include "lathe/space/space.h"
#include "lathe/train/method.h"
#include "lathe/train/trainer.h"

namespace lathe::run {

/// What is trained, on what and how.
struct TrainJob {
  std::string dataset = "fashion-mnist";  ///< a name or a folder
  data::DatasetOptions data;              ///< its seed stays: always the same images are held out
  std::string space;  ///< a built-in one or a .json file; empty: default_space()
  /// JSON file of the net that the method "plain" trains; empty: the space's largest.
  std::filesystem::path arch_file;
  /// A finished run whose weights of that net are where training begins; empty: random ones.
  std::filesystem::path from;
  train::MethodOptions method;
  /// Latency model that the method "aows" goes by: a file's, or one that is there.
  std::filesystem::path latency_file;
  const latency::LatencyModel* latency = nullptr;
  /// Seconds that training may take: epochs follow from the pace of the first steps. 0: as the
  /// method's epochs say. Plain training only.
  double budget_s = 0;
  /// Its folder, threads and seed are set by the stage. Shards may be 0: 2 on the CPU, one for each
  /// process on GPUs, and as many as before where a run goes on. Processes of its group call the
  /// stage's functions together, each with the same job; rank 0 alone reads and writes the folder.
  train::TrainOptions train;
  int threads = 0;             ///< 0: all cores
  std::string device = "cpu";  ///< that computes, as nn::open_device(); of no result's identity
  std::uint64_t seed = 0;
};

/// The net that has the least and the one that has the most: archs of the whole space, canonical.
struct Bounds {
  space::Arch lowest;
  space::Arch highest;
};

/// The space that nets for images of that size are taken from, unless another is asked for:
/// mbv3_28 up to 48 pixels, mbv3_photo above. Both train in minutes on two cores.
std::string default_space(int image_size);

/// Of a batch, where nothing is asked for: two on the CPU, one a process on GPUs.
int default_shards(c10::Device device, int world_size);

/// Threads for everything but measuring: `threads`, or all cores if that is 0.
int threads_of(int threads);

/// Loads the data and opens the space, with weights as they are before training.
/// @throws Error if there is no such device, or the data, the space or the arch is not as needed,
/// the method can't train it, or there are too few images.
Trained prepare_training(const TrainJob& job, const RunFolder& folder, const ProgressFn& progress);

/// What is to be trained of `trained` where the nets between the bounds are all there are: that
/// part of its space or, where the bounds are one net, that net alone (TrainJob's method should be
/// "plain" then). All else is as there, but for weights that begin anew.
Trained narrowed(const Trained& trained, const TrainJob& job, const Bounds& bounds);

/// What a training step of the job's method takes as it is at its beginning, images and all: some
/// steps of a copy of the weights, which leaves nothing behind. On images of full size and, where
/// the job has smaller ones, of half of it.
train::StepSeconds measure_step_s(const Trained& trained, const TrainJob& job,
                                  const RunFolder& folder);

/// What the scores of widths are called in a run's folder.
inline constexpr const char* kScoresName = "scores.json";

/// Trains, or goes on; writes train.json, which says what the folder's weights are of, and
/// scores.json if the method scores widths (accuracy::WidthScores).
/// @throws Error as train::train(), load_latency_model() and make_strategy().
void train_stage(Trained& trained, const TrainJob& job, const RunFolder& folder,
                 const ProgressFn& progress);

}  // namespace lathe::run
