// Evaluates subnets into a file.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lathe/accuracy/sample.h"
#include "lathe/core/progress.h"
#include "lathe/space/arch.h"

namespace lathe::train {

/// The accuracy of a net as a fraction. Called from several threads at once.
using EvaluateFn = std::function<double(const space::Arch&)>;

/// The samples of `archs` in order: those that `log` has are taken from it, the others evaluated
/// `threads` at a time and appended, always in order. The threads change nothing but the time.
/// @throws Error naming the file and line if the log holds other nets than `archs` begins with;
/// std::invalid_argument if `threads` is less than 1; what `evaluate` throws.
std::vector<accuracy::AccuracySample> collect_accuracy(std::span<const space::Arch> archs,
                                                       const EvaluateFn& evaluate, int threads,
                                                       accuracy::SampleLog& log,
                                                       const ProgressFn& progress);

}  // namespace lathe::train
