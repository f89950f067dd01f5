#include "lathe/run/stages/train_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/dist/process_group.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/nn/device.h"
#include "lathe/space/space_file.h"
#include "lathe/space/subspace.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/records/train_state.h"
#include "lathe/train/schedule.h"
#include "lathe/train/step/step.h"
#include "lathe/train/strategies/first_steps.h"

namespace lathe::run {
namespace {

constexpr double kSmallestEpochs = 0.01;
constexpr int kCpuShards = 2;

/// What to open as this run's space: a built-in name, or the folder's own copy of the file.
std::string kept_space(const std::string& space, const RunFolder& folder) {
  if (!space::is_space_file(space)) {
    return space;
  }
  const std::filesystem::path kept = folder.space_file();
  if (!folder.begun() || !std::filesystem::exists(kept)) {
    write_json(kept, space::to_json(space::load_space_spec(space)));
  } else if (std::filesystem::exists(space)) {
    const std::string now = space::fingerprinted_name(space::load_space_spec(space));
    const std::string before = space::fingerprinted_name(space::load_space_spec(kept));
    if (now != before) {
      throw Error(space + ": has changed: expected " + before + ", the space that the run in " +
                  folder.root().string() + " began with, got " + now +
                  "; restore it or use another --out");
    }
  }
  return kept.string();
}

/// The same where several processes train: rank 0 keeps the copy, which others may not see.
std::string kept_space(const std::string& space, const RunFolder& folder,
                       dist::ProcessGroup& group) {
  const nlohmann::json kept = group.from_rank_0([&] { return kept_space(space, folder); });
  const auto path = kept.get<std::string>();
  return space::is_space_file(space) && !std::filesystem::exists(path) ? space : path;
}

std::string space_of(const TrainJob& job, const data::Dataset& dataset) {
  return job.space.empty() ? default_space(dataset.train.image_size()) : job.space;
}

/// What is not as it should be with the images, as a part of a sentence.
std::string oddities(const data::Dataset& dataset) {
  std::string text;
  if (const std::int64_t skipped = dataset.train.source().num_unreadable(); skipped > 0) {
    text += fmt::format(", {} unreadable files skipped", skipped);
  }
  if (dataset.enlarged > 0) {
    text += fmt::format(", {} small images enlarged", dataset.enlarged);
  }
  return text;
}

/// The weights that training begins with.
std::unique_ptr<nn::SharedWeights> new_weights(const Trained& trained, const TrainJob& job) {
  return make_weights(trained, {.seed = job.seed,
                                .zero_residual_gamma = trained.method == "bignas",
                                .replicas = train::shards_here(job.train.group, trained.shards),
                                .device = nn::open_device(job.device)});
}

/// The net of `trained` taken out of another run.
void take_weights(Trained& trained, const std::filesystem::path& from) {
  const Trained source = open_trained(from);
  if (space::whole_of(*source.space).name() != trained.space->name()) {
    throw Error(from.string() + ": has nets of space " + source.space->name() + ", expected " +
                trained.space->name() + "; use another --from or --space");
  }
  const train::Evaluator evaluator(source.dataset,
                                   {.augment = source.augment, .seed = source.seed});
  const space::Arch arch =
      source.space->from_json(trained.space->to_json(*trained.arch), from.string());
  const graph::Net net = evaluator.extract(*source.weights, source.graph(arch));
  trained.weights->load_state(net.weights, from.string());
}

/// Seconds of a step, by some steps in a copy of the weights. Of several processes, by rank 0's
/// clock: the others' answers mean nothing.
double tried_step_s(const Trained& trained, const TrainJob& job,
                    const train::TrainOptions& options) {
  constexpr std::int64_t kWarm = 10, kTimed = 20;
  const std::unique_ptr<nn::SharedWeights> weights = new_weights(trained, job);
  train::TrainOptions trial = options;
  trial.folder = options.folder / "pace";
  trial.validation_images = 0;
  trial.step_s = {};
  const std::int64_t per_epoch = trained.dataset.train.size() / options.batch_size;
  const std::int64_t steps = std::max(
      kWarm + kTimed,
      train::steps_of(job.method.epochs, options.batch_size, trained.dataset.train.size()));
  train::FirstSteps strategy(
      train::make_strategy(*trained.space, job.method, steps, per_epoch, trained.arch, job.seed),
      kWarm + kTimed);
  using Clock = std::chrono::steady_clock;
  Clock::time_point warm{}, last{};
  std::int64_t first_done = 0, last_done = 0;
  const auto note = [&](const Progress& progress) {  // every ten steps
    if (progress.done < kWarm) {
      return;
    }
    if (first_done == 0) {
      first_done = progress.done;
      warm = Clock::now();
    }
    if (progress.done > last_done) {  // what follows the last step belongs to no step
      last_done = progress.done;
      last = Clock::now();
    }
  };
  const bool writes = trial.group == nullptr || trial.group->rank() == 0;
  if (writes) {
    std::filesystem::remove_all(trial.folder);  // of a trial that was killed
    std::filesystem::create_directories(trial.folder);
  }
  train::train(*weights, trained_space(trained), strategy, trained.dataset, trial, note);
  const std::chrono::duration<double> seconds = last - warm;
  if (writes) {
    std::filesystem::remove_all(trial.folder);
  }
  return seconds.count() / static_cast<double>(last_done - first_done);
}

train::StepSeconds step_s_of(const Trained& trained, TrainJob job,
                             const train::TrainOptions& options) {
  const bool smaller = job.method.small_images.any();
  job.method.small_images = {};
  const double full_s = tried_step_s(trained, job, options);
  job.method.small_images = {.half_until = 1, .three_quarters_until = 1};
  return {.full = full_s, .half = smaller ? tried_step_s(trained, job, options) : full_s};
}

train::TrainOptions train_options(const Trained& trained, const TrainJob& job,
                                  const RunFolder& folder) {
  train::TrainOptions options = job.train;
  options.folder = folder.root();
  options.seed = job.seed;
  options.threads = threads_of(job.threads);
  options.shards = trained.shards;
  return options;
}

/// As many as the job says; where it says nothing those of before, or what suits the device.
int shards_of(const TrainJob& job, const RunFolder& folder, dist::ProcessGroup& group) {
  if (job.train.shards > 0) {
    return job.train.shards;
  }
  const nlohmann::json shards = group.from_rank_0([&]() -> nlohmann::json {
    if (std::filesystem::exists(folder.training())) {
      const nlohmann::json before = read_json(folder.training());
      return before.contains("shards")
                 ? json_member<int>(before, "shards", folder.training().string())
                 : kCpuShards;  // of an older version
    }
    return default_shards(nn::open_device(job.device), group.world_size());
  });
  return shards.get<int>();
}

/// How long a training is that has a time, and what its steps take.
struct Length {
  double epochs = 0;
  train::StepSeconds step_s;
};

/// What fits into the budget: of a run that goes on as before, whatever its pace now.
Length length_within_budget(const Trained& trained, const TrainJob& job,
                            const train::TrainOptions& options, const RunFolder& folder,
                            dist::ProcessGroup& group) {
  const nlohmann::json before = group.from_rank_0([&]() -> nlohmann::json {
    return std::filesystem::exists(folder.training()) ? read_json(folder.training()) : nullptr;
  });
  const double per_epoch = static_cast<double>(trained.dataset.train.size() / options.batch_size);
  const std::string where = folder.training().string();
  if (!before.is_null()) {
    const auto epochs = json_member<double>(before, "epochs", where);
    const double mean_s = job.budget_s / (epochs * per_epoch);
    if (!before.contains("step_s")) {  // of an older version
      return {epochs, {.full = mean_s, .half = mean_s}};
    }
    return {epochs, train::step_seconds_from_json(before, "step_s", where)};
  }
  const train::StepSeconds tried = step_s_of(trained, job, options);
  const double fit = job.budget_s / (per_epoch * job.method.small_images.mean_s(tried));
  const nlohmann::json now = group.from_rank_0([&]() -> nlohmann::json {
    return {std::max(kSmallestEpochs, fit), tried.full, tried.half};
  });
  return {now.at(0).get<double>(),
          {.full = now.at(1).get<double>(), .half = now.at(2).get<double>()}};
}

}  // namespace

std::string default_space(int image_size) {
  constexpr int kLargestSmallImage = 48;
  return image_size <= kLargestSmallImage ? "mbv3_28" : "mbv3_photo";
}

int default_shards(c10::Device device, int world_size) {
  return device.is_cpu() ? kCpuShards : world_size;
}

int threads_of(int threads) {
  return threads > 0 ? threads
                     : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Trained prepare_training(const TrainJob& job, const RunFolder& folder, const ProgressFn& progress) {
  nn::open_device(job.device);  // known now whether it is there, not after the data are read
  dist::ProcessGroup alone;
  dist::ProcessGroup& group = job.train.group != nullptr ? *job.train.group : alone;
  Trained trained{.dataset = data::open_dataset(job.dataset, job.data),
                  .method = job.method.name,
                  .seed = job.seed,
                  .shards = shards_of(job, folder, group),
                  .augment = job.train.augment};
  // Whether there are images enough is better known now than after minutes of measuring.
  train::steps_of(job.method.epochs, job.train.batch_size, trained.dataset.train.size());
  trained.space =
      open_space_for(kept_space(space_of(job, trained.dataset), folder, group), trained.dataset);
  const bool supernet = train::trains_supernet(job.method.name);
  if (supernet && !trained.space->weights_nest()) {
    throw Error("space " + job.space + " has no supernet: its nets don't share weights by " +
                "slicing; choose another --space, or train one net (--method plain)");
  }
  if (!supernet) {
    trained.arch = job.arch_file.empty()
                       ? trained.space->largest()
                       : trained.space->from_json(read_json(job.arch_file), job.arch_file.string());
  }
  split_heads(trained);
  trained.weights = new_weights(trained, job);
  progress({"data", 0, 0,
            fmt::format("{}: {} training, {} validation and {} test images of {} classes, "
                        "{}x{}{}; space {} of 10^{:.1f} nets",
                        trained.dataset.name, trained.dataset.train.size(),
                        trained.dataset.validation.size(), trained.dataset.test.size(),
                        trained.dataset.train.num_classes(), trained.dataset.train.image_size(),
                        trained.dataset.train.image_size(), oddities(trained.dataset),
                        trained.space->name(), trained.space->log10_num_nets())});
  return trained;
}

Trained narrowed(const Trained& trained, const TrainJob& job, const Bounds& bounds) {
  Trained part{.dataset = trained.dataset,
               .space = trained.space,
               .with_heads = trained.with_heads,
               .method = job.method.name,
               .seed = trained.seed,
               .shards = trained.shards,
               .augment = trained.augment};
  if (bounds.lowest == bounds.highest) {
    part.arch = bounds.lowest;
  } else {
    part.space = space::make_subspace(trained.space, bounds.lowest, bounds.highest);
  }
  part.weights = new_weights(part, job);
  return part;
}

train::StepSeconds measure_step_s(const Trained& trained, const TrainJob& job,
                                  const RunFolder& folder) {
  return step_s_of(trained, job, train_options(trained, job, folder));
}

void train_stage(Trained& trained, const TrainJob& job, const RunFolder& folder,
                 const ProgressFn& progress) {
  train::TrainOptions options = train_options(trained, job, folder);
  const std::int64_t images = trained.dataset.train.size();
  dist::ProcessGroup alone;
  dist::ProcessGroup& group = job.train.group != nullptr ? *job.train.group : alone;
  group.from_rank_0([&]() -> nlohmann::json {  // whose weights are where all begin
    if (!job.from.empty() && !std::filesystem::exists(train::checkpoint_path(folder.root()))) {
      take_weights(trained, job.from);
    }
    return nullptr;
  });
  Length length{.epochs = job.method.epochs};
  if (job.budget_s > 0) {
    length = length_within_budget(trained, job, options, folder, group);
    progress({"train", 0, 0,
              fmt::format("{:.2f} epochs fit into {:.0f} s", length.epochs, job.budget_s)});
    // Reports on validation images, and a machine that becomes slower, are no part of that pace.
    const auto steps =
        static_cast<double>(train::steps_of(length.epochs, options.batch_size, images));
    options.step_s = [=, small = job.method.small_images](std::int64_t step) {
      return length.step_s.at(small.scale(static_cast<double>(step) / steps));
    };
  }
  group.from_rank_0([&]() -> nlohmann::json {
    const std::string space = space::is_space_file(job.space)
                                  ? folder.space_file().filename().string()
                                  : space_of(job, trained.dataset);
    nlohmann::ordered_json json = to_json(trained, space, job.dataset, job.data);
    json["epochs"] = length.epochs;
    if (job.budget_s > 0) {
      json["step_s"] = train::to_json(length.step_s);
    }
    write_json(folder.training(), json);
    return nullptr;
  });
  const auto of_file = job.latency_file.empty()
                           ? nullptr
                           : latency::load_latency_model(*trained.space, job.latency_file);
  const auto strategy = train::make_strategy(
      *trained.space, job.method, train::steps_of(length.epochs, options.batch_size, images),
      images / options.batch_size, trained.arch, job.seed, of_file ? of_file.get() : job.latency);
  const std::int64_t before = trained.dataset.train.source().num_unreadable();
  train::train(*trained.weights, trained_space(trained), *strategy, trained.dataset, options,
               progress);
  if (const auto scores = strategy->width_scores(); scores && group.rank() == 0) {
    scores->save(folder.root() / kScoresName);
  }
  if (const std::int64_t now = trained.dataset.train.source().num_unreadable(); now > before) {
    progress({"data", 0, 0,
              fmt::format("{} more unreadable files: in their place came others of their class",
                          now - before)});
  }
}

}  // namespace lathe::run
