// Evaluates subnets into a file.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lathe/accuracy/sample.h"
#include "lathe/core/progress.h"
#include "lathe/space/arch.h"
#include "lathe/train/evaluator.h"

namespace lathe::train {

/// As many as there are nets.
using EvaluateFn = std::function<std::vector<Score>(std::span<const space::Arch>)>;

/// The samples of `archs` in order: those that `log` has are taken from it, the others evaluated
/// `at_once` at a time and appended: a crash loses as many.
/// @throws Error naming the file and line if the log holds other nets than `archs` begins with;
/// std::invalid_argument if `at_once` is less than 1; what `evaluate` throws.
std::vector<accuracy::AccuracySample> collect_accuracy(std::span<const space::Arch> archs,
                                                       const EvaluateFn& evaluate, int at_once,
                                                       accuracy::SampleLog& log,
                                                       const ProgressFn& progress);

}  // namespace lathe::train
