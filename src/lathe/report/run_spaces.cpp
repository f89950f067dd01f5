#include "lathe/report/run_spaces.h"

#include <string>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/space_file.h"
#include "lathe/space/subspace.h"

namespace lathe::report {
namespace {

constexpr int kLargestTask = 1'000'000;

std::optional<int> count(const nlohmann::json& object, const std::string& key) {
  const auto value = number(object, key);
  return value && *value >= 1 && *value <= kLargestTask ? std::optional(static_cast<int>(*value))
                                                        : std::nullopt;
}

/// The conditions that latencies were measured under.
nlohmann::json fingerprint_of(RunFiles& files) {
  const nlohmann::json model = files.has("latency.json") ? files.json("latency.json") : nullptr;
  if (const nlohmann::json& found = part(model, "fingerprint"); found.is_object()) {
    return found;
  }
  return part(files.json("result.json"), "device");
}

/// What the net is for, as far as the folder says it.
space::TaskOverrides task_of(const nlohmann::json& fingerprint, const nlohmann::json& train,
                             const nlohmann::json& result) {
  space::TaskOverrides task{.in_channels = count(fingerprint, "in_channels"),
                            .num_classes = count(fingerprint, "num_classes"),
                            .input_size = count(fingerprint, "input_size")};
  if (!task.in_channels) {
    if (const auto& mean = part(part(train, "normalization"), "mean"); !mean.empty()) {
      task.in_channels = static_cast<int>(mean.size());
    }
  }
  if (!task.num_classes && !part(result, "classes").empty()) {
    task.num_classes = static_cast<int>(part(result, "classes").size());
  }
  if (!task.input_size) {
    task.input_size = count(part(train, "dataset"), "image_size");
  }
  return task;
}

}  // namespace

RunSpaces run_spaces(RunFiles& files, RunFiles& training) {
  const nlohmann::json train = training.json("train.json");
  const nlohmann::json fingerprint = fingerprint_of(files);
  // The nets that were measured are those that are handed over; a search of cells trains others. A
  // space of a file is known by its file alone.
  const auto measured = text(fingerprint, "space"), trained = text(train, "space");
  const bool built_in = measured && space::is_space_name(*measured);
  const auto name = built_in || !trained ? measured : trained;
  RunSpaces spaces;
  if (!name) {
    files.note("no file says which search space the nets are of: no pictures of them");
    return spaces;
  }
  files.noting([&] {
    // A file of a space is the folder's own copy: never another that the text might name.
    const std::string opened =
        space::is_space_file(*name) ? (training.root() / "space.json").string() : *name;
    spaces.whole =
        space::open_space(opened, task_of(fingerprint, train, files.json("result.json")));
    spaces.trained = spaces.whole;
    if (const nlohmann::json& within = part(train, "within"); within.is_object()) {
      const auto bound = [&](const char* key) {
        return spaces.whole->from_json(part(within, key), "train.json");
      };
      spaces.trained = space::make_subspace(spaces.whole, bound("lowest"), bound("highest"));
    }
  });
  return spaces;
}

}  // namespace lathe::report
