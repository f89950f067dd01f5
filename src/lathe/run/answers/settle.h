// Which of the targets' winners answers which target.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "lathe/run/answers/answers.h"

namespace lathe::run {

/// The winners' nets in their order, each once.
std::vector<space::Arch> different_nets(std::span<const Winner> winners);

/// The winners, by index and ascending, one of which answers the target of winner `i`: its own if
/// that holds it, and those of faster targets that hold it, even if not their own
/// (Winner::verdict_at()). Where none does, its own, as the nearest there is; so never empty.
/// `winners` are those of `targets_ms`, which ascend.
std::vector<std::size_t> that_may_answer(std::size_t i, std::span<const Winner> winners,
                                         std::span<const double> targets_ms);

/// At most so many of the winners' nets (0: all), for training that not all of them get: first
/// those without which targets would be answered by nets that do not get it, the most targets at a
/// time; for the rest of the number evenly of the others, the slowest target's included. In the
/// order of different_nets(). Differs from a choice by rank: an untrained part of a supernet can
/// be ten points below what it becomes, so that one target left out costs more than all others
/// gain.
std::vector<space::Arch> worth_training_alone(std::span<const Winner> winners,
                                              std::span<const double> targets_ms,
                                              std::size_t at_most);

/// For each target the best on the validation images of the nets of those that_may_answer(), of
/// equals the fastest target's.
std::vector<Answer> settled(const std::vector<Winner>& winners,
                            const std::vector<double>& targets_ms,
                            const std::map<space::Arch, Made>& nets);

}  // namespace lathe::run
