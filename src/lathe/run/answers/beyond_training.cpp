#include "lathe/run/answers/beyond_training.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <string>

#include "lathe/core/file.h"
#include "lathe/data/dataset.h"
#include "lathe/graph/counts.h"
#include "lathe/run/answers/answers.h"
#include "lathe/search/reachable_range.h"
#include "lathe/search/target_bounds.h"
#include "lathe/space/space_file.h"
#include "lathe/space/subspace.h"
#include "lathe/train/records/metrics.h"

namespace lathe::run {
namespace {

namespace fs = std::filesystem;

constexpr double kNear = 0.05;

std::int64_t macs_of(const space::Space& space, const space::Arch& arch) {
  return graph::macs(space.graph(arch));
}

std::string duration(double seconds) {
  constexpr double kMinute = 60;
  return seconds < 2 * kMinute ? fmt::format("{:.0f} s", std::ceil(seconds))
                               : fmt::format("{:.0f} min", std::ceil(seconds / kMinute));
}

/// The command that trains a net of the run's space alone, on its data.
std::string command(const fs::path& from, const nlohmann::json& training, const fs::path& arch,
                    double epochs) {
  const std::string where = (from / kTrainingName).string();
  const auto space = json_member<std::string>(training, "space", where);
  const auto dataset = json_member<nlohmann::json>(training, "dataset", where);
  const auto name = json_member<std::string>(dataset, "name", where);
  std::string text = fmt::format("lathe train --method plain --space {} --arch {} --dataset {}",
                                 space::is_space_file(space) ? (from / space).string() : space,
                                 arch.string(), name);
  if (const auto dir = json_member<std::string>(dataset, "data_dir", where); !dir.empty()) {
    text += " --data-dir " + dir;
  }
  if (!data::is_dataset_name(name)) {
    text += fmt::format(" --image-size {}", json_member<int>(dataset, "image_size", where));
  }
  return text + fmt::format(" --epochs {:.3g} --out {}", epochs,
                            fs::path(arch).replace_extension().string());
}

/// What the run was trained for; empty if it doesn't say.
std::string trained_for(const fs::path& from) {
  const fs::path plan = from / "plan.json";
  if (!fs::exists(plan)) {
    return {};
  }
  const nlohmann::json json = read_json(plan);
  const auto targets_ms = json.contains("targets_ms")
                              ? json_member<std::vector<double>>(json, "targets_ms", plan.string())
                              : std::vector<double>{};  // of an older version
  return targets_ms.empty() ? std::string()
                            : fmt::format(" (it was trained for {:.3g} to {:.3g} ms on its device)",
                                          targets_ms.front(), targets_ms.back());
}

}  // namespace

std::vector<BeyondTraining> beyond_training(const Trained& trained, const Device& device,
                                            const latency::LatencyModel& latency_of_part,
                                            const search::Constraints& constraints,
                                            const std::vector<double>& medians_ms) {
  const std::shared_ptr<const space::Space> part = trained_nets(trained);
  if (dynamic_cast<const space::Subspace*>(part.get()) == nullptr) {
    return {};
  }
  const search::ReachableRange range = search::reachable_range(*part, latency_of_part);
  std::vector<BeyondTraining> beyond;
  for (const double median_ms : medians_ms) {
    const bool slower = median_ms > (1 + kNear) * range.slowest.predicted_ms;
    if (!slower && median_ms >= range.fastest.predicted_ms) {
      continue;
    }
    const auto best =
        search::target_bounds(device.space, *device.latency, median_ms, median_ms, constraints);
    if (!best) {
      continue;
    }
    const std::int64_t macs = macs_of(*device.space, best->lowest);
    const std::int64_t nearest = macs_of(*part, slower ? part->largest() : part->smallest());
    const double ratio = static_cast<double>(macs) / static_cast<double>(nearest);
    if (slower ? ratio > 1 + kNear : ratio < 1 - kNear) {
      beyond.push_back({median_ms, slower, best->lowest, macs, nearest});
    }
  }
  return beyond;
}

std::optional<double> seconds_alone(const fs::path& from, const Trained& trained, std::int64_t macs,
                                    double epochs) {
  const fs::path metrics = train::Metrics(from).jsonl();
  const std::vector<nlohmann::json> records = JsonLines(metrics).read();
  if (records.empty()) {
    return std::nullopt;
  }
  const std::string where = metrics.string();
  const auto images_per_s = json_member<double>(records.back(), "images_per_s", where);
  const auto nets = json_member<double>(records.back(), "nets_per_step", where);
  // Nets of a step are of all sizes between the smallest and the largest.
  const std::shared_ptr<const space::Space> part = trained_nets(trained);
  const double of_a_net =
      0.5 * static_cast<double>(macs_of(*part, part->smallest()) + macs_of(*part, part->largest()));
  const double images = epochs * static_cast<double>(trained.dataset.train.size());
  return images * static_cast<double>(macs) / (images_per_s * nets * of_a_net);
}

void tell_beyond(const fs::path& from, const Trained& trained, const Device& device,
                 const latency::LatencyModel& latency_of_part,
                 const std::vector<BeyondTraining>& beyond, double tail, const RunFolder& folder,
                 const ProgressFn& progress) {
  if (beyond.empty()) {
    return;
  }
  const search::ReachableRange range =
      search::reachable_range(*trained_nets(trained), latency_of_part);
  const nlohmann::json training = read_json(from / kTrainingName);
  const std::string where = (from / kTrainingName).string();
  const double epochs =
      training.contains("epochs") ? json_member<double>(training, "epochs", where) : 1;
  for (const BeyondTraining& target : beyond) {
    const std::string name = target_name(tail * target.target_ms);
    const fs::path arch = folder.root() / "beyond" / (name + ".json");
    write_json(arch, device.space->to_json(target.arch));
    progress(
        {"train", 0, 0,
         fmt::format("target {}: no net was trained for it: those trained take {:.3f} to {:.3f} ms "
                     "here{}; the best guess has {:.2f} MMACs, {:.2f} times the {} trained net's. "
                     "Nothing that is predicted of such nets could be trusted: {}",
                     name, tail * range.fastest.predicted_ms, tail * range.slowest.predicted_ms,
                     trained_for(from), static_cast<double>(target.macs) / 1e6,
                     static_cast<double>(target.macs) / static_cast<double>(target.trained_macs),
                     target.slower ? "largest" : "smallest",
                     target.slower ? "the answer is one of those trained" : "there is no answer")});
    const auto seconds = seconds_alone(from, trained, target.macs, epochs);
    progress(
        {"train", 0, 0,
         fmt::format("target {}: that net trained alone for the run's {:.3g} epochs{}: {}", name,
                     epochs,
                     seconds ? " takes about " + duration(*seconds) + " at the run's pace" : "",
                     command(from, training, arch, epochs))});
  }
}

}  // namespace lathe::run
