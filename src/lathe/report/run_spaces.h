// The space that a run's nets are of.
#pragma once

#include <memory>

#include "lathe/report/run_files.h"
#include "lathe/space/space.h"

namespace lathe::report {

struct RunSpaces {
  std::shared_ptr<const space::Space> whole;
  /// The part of it that was trained (space::Subspace), or the whole.
  std::shared_ptr<const space::Space> trained;
};

/// By what the folder `training` says it has trained, for the task that `files`' latency model or
/// result names; without a training, by the latency model alone. Null, with a note, if the space
/// can't be opened. `training` may be the folder of `files`.
RunSpaces run_spaces(RunFiles& files, RunFiles& training);

}  // namespace lathe::report
