// Checkpoints that a training goes on from. The first byte chooses the method; the second whether
// the rest is the file, or what it says beside tensors. What is accepted has a next step, and is
// written as it was read.
#include <ATen/Parallel.h>

#include <array>
#include <memory>

#include "core/temporary_folder.h"
#include "fuzz/hostile_file.h"
#include "fuzz/hostile_metadata.h"
#include "fuzz/small_training.h"
#include "lathe/core/file.h"

namespace {

using lathe::testing::kSmallTrainings;
using lathe::testing::SmallTraining;

struct Subject {
  explicit Subject(const std::string& method) : training(method) {
    at::set_num_threads(1);
    const lathe::testing::TemporaryFolder folder;
    training.pretend();
    training.state().save(folder / "checkpoint", training.settings(), SmallTraining::kDone);
    good = lathe::read_file(folder / "checkpoint");
  }

  SmallTraining training;
  std::string good;  ///< the bytes of a checkpoint
};

Subject& subject(std::size_t method) {
  static std::array<std::unique_ptr<Subject>, kSmallTrainings.size()> subjects;
  if (!subjects[method]) {
    subjects[method] = std::make_unique<Subject>(kSmallTrainings[method]);
  }
  return *subjects[method];
}

/// What the trainer does with a checkpoint before its next step, and at the end of an epoch.
void go_on(SmallTraining& training, const std::filesystem::path& checkpoint) {
  const std::int64_t done = training.state().restore(checkpoint, training.settings());
  const std::int64_t total = training.strategy().total_steps();
  if (done < 0 || done > total) {
    std::abort();
  }
  if (done < total) {
    for (const lathe::train::Pass& pass : training.strategy().plan(done).passes) {
      training.space().check(pass.arch);
    }
  }
  training.strategy().figures();
  training.strategy().width_scores();
  const nlohmann::json counted = training.state().counted();
  training.state().restore_counted(counted);
  if (training.state().counted() != counted) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2 || bytes[0] >= kSmallTrainings.size() || bytes[1] > 1) {
    return -1;
  }
  Subject& chosen = subject(bytes[0]);
  std::string content(bytes + 2, bytes + size);
  if (bytes[1] == 1) {
    content = lathe::testing::with_metadata(chosen.good, content);
  }
  const lathe::testing::HostileFile file(content);
  lathe::testing::expect_loaded_or_refused([&] { go_on(chosen.training, file.path()); });
  return 0;
}
