// Where a run keeps everything.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "lathe/core/file.h"

namespace lathe::run {

/// The file that says what a folder's weights are of.
inline constexpr const char* kTrainingName = "train.json";
/// The definition of the space, of a run that was given a file of one.
inline constexpr const char* kSpaceFileName = "space.json";

/// The files of a run's folder. A stage whose file is there is not done again.
class RunFolder {
 public:
  /// Makes the folder, or with `resume` goes on with the run that is there.
  /// `config` is the text of config.toml: all options, resolved. A run that failed before it had
  /// anything to keep is begun anew, with whatever config. One that is gone on with may have other
  /// targets.
  /// No other process can open it until this object and its copies are gone.
  /// @throws Error naming the folder if it can't be written, another process has it, it holds a run
  /// and `resume` is not set, or holds a run with another config but for its targets (the first
  /// line that differs is named).
  static RunFolder open(const std::filesystem::path& root, const std::string& config, bool resume);

  /// The same folder for a process that trains together with the one that opened it: nothing is
  /// written, and it need not be there.
  static RunFolder of_other_process(const std::filesystem::path& root) {
    return {root, /*begun=*/true, nullptr};
  }

  const std::filesystem::path& root() const { return root_; }
  /// Whether the run had anything to keep when it was opened.
  bool begun() const { return begun_; }
  std::filesystem::path space_file() const { return root_ / kSpaceFileName; }
  std::filesystem::path training() const { return root_ / kTrainingName; }
  std::filesystem::path latency_model() const { return root_ / "latency.json"; }
  std::filesystem::path latency_samples() const { return root_ / "latency_samples.jsonl"; }
  std::filesystem::path latency_blocks() const { return root_ / "latency_blocks.jsonl"; }
  /// Sentinel nets, and by how much the device's sessions differ.
  std::filesystem::path device_noise() const { return root_ / "device_noise.json"; }
  std::filesystem::path accuracy_samples() const { return root_ / "accuracy_samples.jsonl"; }
  std::filesystem::path accuracy_predictor() const { return root_ / "accuracy.safetensors"; }
  /// Width scores with what evaluated subnets say about them.
  std::filesystem::path accuracy_of_widths() const { return root_ / "accuracy.json"; }
  std::filesystem::path net(const std::string& target) const { return root_ / "nets" / target; }
  std::filesystem::path plan() const { return root_ / "plan.json"; }
  std::filesystem::path candidates() const { return root_ / "candidates.jsonl"; }
  /// What was chosen for a target by measuring it.
  std::filesystem::path winner(const std::string& target) const {
    return root_ / "winners" / (target + ".json");
  }
  std::filesystem::path result() const { return root_ / "result.json"; }

 private:
  RunFolder(std::filesystem::path root, bool begun, std::shared_ptr<FileLock> lock)
      : root_(std::move(root)), begun_(begun), lock_(std::move(lock)) {}
  std::filesystem::path root_;
  bool begun_;
  std::shared_ptr<FileLock> lock_;
};

}  // namespace lathe::run
