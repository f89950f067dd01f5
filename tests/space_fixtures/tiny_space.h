// A mobile space small enough to enumerate: the oracle of latency and search tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/space.h"

namespace lathe::testing {

/// `stages` stages of one or two inverted residual blocks, each with kernel {3, 5} and ratio
/// {2, 3}, and a resolution {16, 24}: 2 * 20^stages nets.
class TinySpace : public space::Space {
 public:
  explicit TinySpace(int stages = 2, const std::string& name = "tiny")
      : Space(name, {.in_channels = 3, .num_classes = 10, .input_size = 24}), stages_(stages) {
    for (int s = 0; s < stages; ++s) {
      for (int b = 0; b < 2; ++b) {
        add("ks", 2 * s + b, {3, 5});
        add("e", 2 * s + b, {2, 3});
        genes_.push_back({5 * s + 2 * b, 5 * s + 2 * b + 1});
      }
      add("d", s, {1, 2});
      genes_.push_back({5 * s + 4});
    }
    add("r", 0, {16, 24});
    genes_.push_back({5 * stages});
    slots_.push_back({{5 * stages}});
    for (int s = 0; s < stages; ++s) {
      slots_.push_back({{5 * s, 5 * s + 1, 5 * stages}});
      slots_.push_back({{5 * s + 2, 5 * s + 3, 5 * s + 4, 5 * stages}});
    }
    slots_.push_back({{5 * stages}});
  }

  bool alive(const space::Arch& arch, int i) const override {
    const bool second_block = i < 5 * stages_ && i % 5 / 2 == 1;
    const int depth = i / 5 * 5 + 4;
    return !second_block || arch.choices[static_cast<std::size_t>(depth)] == 1;
  }
  double log10_num_nets() const override { return stages_ * std::log10(20.0); }
  std::vector<int> elastic_kernels() const override { return {3, 5}; }

 protected:
  std::vector<space::Block> slot_blocks(const space::Arch& arch, int s) const override {
    const int size = static_cast<int>(value(arch, 5 * stages_));
    if (s == 0) {
      return {{.kind = space::BlockKind::kConv,
               .name = "stem",
               .input = {3, size, size},
               .output = {4, size, size},
               .kernel = 3}};
    }
    if (s == 2 * stages_ + 1) {
      const graph::Shape input = input_of(size, stages_, 0);
      return {{.kind = space::BlockKind::kGlobalPool,
               .name = "pool",
               .input = input,
               .output = {input.channels, 1, 1}},
              {.kind = space::BlockKind::kClassifier,
               .name = "classifier",
               .input = {input.channels, 1, 1},
               .output = {10, 1, 1}}};
    }
    const int stage = (s - 1) / 2;
    const int block = (s - 1) % 2;
    if (block >= static_cast<int>(value(arch, 5 * stage + 4))) {
      return {};
    }
    return {mbconv(arch, stage, block, input_of(size, stage, block))};
  }

 private:
  void add(const std::string& group, int index, std::vector<double> values) {
    decisions_.push_back({.group = group, .index = index, .values = std::move(values)});
  }

  static graph::Shape input_of(int size, int stage, int block) {
    for (int halvings = stage + block; halvings > 0; --halvings) {
      size = (size - 1) / 2 + 1;
    }
    return {4 * std::max(1, stage + block), size, size};
  }

  space::Block mbconv(const space::Arch& arch, int stage, int block, graph::Shape input) const {
    const int stride = block == 0 ? 2 : 1;
    const int size = (input.height - 1) / stride + 1;
    const int first = 5 * stage + 2 * block;
    return {.kind = space::BlockKind::kMbconv,
            .name = "stages." + std::to_string(stage) + "." + std::to_string(block),
            .input = input,
            .output = {4 * (stage + 1), size, size},
            .kernel = static_cast<int>(value(arch, first)),
            .stride = stride,
            .mid_channels = static_cast<int>(value(arch, first + 1)) * input.channels,
            .residual = block == 1,
            .activation = graph::Activation::kRelu};
  }

  int stages_;
};

/// Every net of `space` once, canonical. For spaces of at most some ten thousand choices.
inline std::vector<space::Arch> all_archs(const space::Space& space) {
  std::unordered_set<space::Arch> seen;
  std::vector<space::Arch> found;
  space::Arch arch = space.smallest();
  arch.choices.assign(arch.choices.size(), 0);
  for (std::size_t i = 0; i < arch.choices.size();) {
    if (i == 0 && seen.insert(space.canonical(arch)).second) {
      found.push_back(space.canonical(arch));
    }
    if (arch.choices[i] + 1 < space.decisions()[i].num_choices()) {
      ++arch.choices[i];
      i = 0;
    } else {
      arch.choices[i++] = 0;
    }
  }
  return found;
}

/// `count` different nets, uniform. The space must have as many.
inline std::vector<space::Arch> distinct_archs(const space::Space& space, std::size_t count,
                                               std::uint64_t seed) {
  Rng rng(seed);
  std::vector<space::Arch> archs;
  std::unordered_set<space::Arch> seen;
  while (archs.size() < count) {
    const space::Arch arch = space.sample(rng);
    if (seen.insert(arch).second) {
      archs.push_back(arch);
    }
  }
  return archs;
}

}  // namespace lathe::testing
