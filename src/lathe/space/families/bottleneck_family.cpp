#include "lathe/space/families/bottleneck_family.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lathe/space/families/channels.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Shape;

int halved(int size) { return graph::strided(size, 2); }

void check_spec(const BottleneckSpec& spec) {
  if (spec.stages.empty() || spec.extra_depths.empty() || spec.expansions.empty() ||
      spec.widths.empty()) {
    throw std::invalid_argument("[space::make_bottleneck_space] " + spec.name +
                                ": needs a stage, an extra depth, an expansion and a width");
  }
  for (const BottleneckStage& stage : spec.stages) {
    if (stage.channels <= 0 || stage.stride <= 0 || stage.base_depth + spec.extra_depths[0] < 1) {
      throw std::invalid_argument(
          "[space::make_bottleneck_space] " + spec.name +
          ": every stage needs channels, a stride and at least one block at its shallowest");
    }
  }
}

class BottleneckSpace final : public Space {
 public:
  explicit BottleneckSpace(BottleneckSpec spec);

  bool alive(const Arch& arch, int i) const override;
  double log10_num_nets() const override;
  std::vector<int> elastic_kernels() const override { return {}; }

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override;

 private:
  int max_depth(std::size_t stage) const {
    return spec_.stages[stage].base_depth + static_cast<int>(spec_.extra_depths.back());
  }
  int depth(const Arch& arch, std::size_t stage) const {
    return spec_.stages[stage].base_depth +
           static_cast<int>(value(arch, 1 + static_cast<int>(stage)));
  }
  double width(const Arch& arch, std::size_t i) const {
    return value(arch, first_width_ + static_cast<int>(i));
  }
  int stem_out(double w) const { return make_divisible(spec_.stem_channels * w); }
  int stem_mid(double w) const { return make_divisible(stem_out(w) / 2); }
  int stage_channels(std::size_t stage, double w) const {
    return make_divisible(spec_.stages[stage].channels * w);
  }

  void add_slots();
  /// What reaches a block; `stage` may be one past the last: what reaches the tail.
  Shape input_of(const Arch& arch, std::size_t stage, int block) const;
  std::vector<Block> stem(int resolution, bool residual, double mid_width, double width) const;
  Block bottleneck(std::size_t stage, int index, const Shape& input, int channels,
                   double expansion) const;
  std::vector<Block> tail(const Shape& input) const;

  BottleneckSpec spec_;
  std::vector<std::pair<std::size_t, int>> expansion_owners_;  // stage and block of each "e"
  int first_expansion_ = 0;
  int first_width_ = 0;
};

BottleneckSpace::BottleneckSpace(BottleneckSpec spec)
    : Space(spec.name, spec.task), spec_(std::move(spec)) {
  check_spec(spec_);
  const auto add = [&](const std::string& group, int index, const std::vector<double>& values) {
    decisions_.push_back({group, index, values});
    genes_.push_back({static_cast<int>(decisions_.size()) - 1});
  };
  const auto stages = static_cast<int>(spec_.stages.size());
  add("d", 0, {0, 2});
  for (int s = 0; s < stages; ++s) {
    add("d", s + 1, spec_.extra_depths);
  }
  first_expansion_ = static_cast<int>(decisions_.size());
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    for (int b = 0; b < max_depth(s); ++b) {
      add("e", static_cast<int>(expansion_owners_.size()), spec_.expansions);
      expansion_owners_.emplace_back(s, b);
    }
  }
  first_width_ = static_cast<int>(decisions_.size());
  for (int i = 0; i < stages + 2; ++i) {
    add("w", i, spec_.widths);
  }
  if (!spec_.resolutions.empty()) {
    add("r", 0, spec_.resolutions);
  }
  add_slots();
}

void BottleneckSpace::add_slots() {
  const auto add = [&](std::vector<int> decisions) {
    if (!spec_.resolutions.empty()) {
      decisions.push_back(static_cast<int>(decisions_.size()) - 1);
    }
    slots_.push_back({std::move(decisions)});
  };
  add({0, first_width_, first_width_ + 1});
  for (std::size_t e = 0; e < expansion_owners_.size(); ++e) {
    const auto [stage, block] = expansion_owners_[e];
    const int s = static_cast<int>(stage);
    std::vector<int> decisions;
    if (block >= spec_.stages[stage].base_depth + static_cast<int>(spec_.extra_depths[0])) {
      decisions.push_back(1 + s);
    }
    decisions.push_back(first_expansion_ + static_cast<int>(e));
    if (block == 0) {
      decisions.push_back(first_width_ + s + 1);
    }
    decisions.push_back(first_width_ + s + 2);
    add(std::move(decisions));
  }
  add({first_width_ + static_cast<int>(spec_.stages.size()) + 1});
}

bool BottleneckSpace::alive(const Arch& arch, int i) const {
  if (i < first_expansion_ || i >= first_width_) {
    return true;
  }
  const auto [stage, block] = expansion_owners_[static_cast<std::size_t>(i - first_expansion_)];
  return block < depth(arch, stage);
}

double BottleneckSpace::log10_num_nets() const {
  const auto widths = static_cast<double>(spec_.widths.size());
  double total =
      std::log10(2.0) + static_cast<double>(spec_.stages.size() + 2) * std::log10(widths);
  for (const BottleneckStage& stage : spec_.stages) {
    double nets = 0;
    for (double extra : spec_.extra_depths) {
      nets += std::pow(static_cast<double>(spec_.expansions.size()), stage.base_depth + extra);
    }
    total += std::log10(nets);
  }
  return total;
}

std::vector<Block> BottleneckSpace::stem(int resolution, bool residual, double mid_width,
                                         double width) const {
  const int size = halved(resolution);
  const Shape mid{stem_mid(mid_width), size, size};
  const Shape out{stem_out(width), size, size};
  std::vector<Block> blocks;
  blocks.push_back({.kind = BlockKind::kConv,
                    .name = "stem.0",
                    .input = {task().in_channels, resolution, resolution},
                    .output = mid,
                    .kernel = 3,
                    .stride = 2,
                    .activation = Activation::kRelu});
  if (residual) {
    blocks.push_back({.kind = BlockKind::kResidualConv,
                      .name = "stem.1",
                      .input = mid,
                      .output = mid,
                      .kernel = 3,
                      .activation = Activation::kRelu});
  }
  blocks.push_back({.kind = BlockKind::kConv,
                    .name = "stem.2",
                    .input = mid,
                    .output = out,
                    .kernel = 3,
                    .activation = Activation::kRelu});
  blocks.push_back({.kind = BlockKind::kMaxPool,
                    .name = "stem.pool",
                    .input = out,
                    .output = {out.channels, halved(size), halved(size)},
                    .kernel = 3,
                    .stride = 2});
  return blocks;
}

Block BottleneckSpace::bottleneck(std::size_t stage, int index, const Shape& input, int channels,
                                  double expansion) const {
  const int stride = index == 0 ? spec_.stages[stage].stride : 1;
  const int size = graph::strided(input.height, stride);
  return {.kind = BlockKind::kBottleneck,
          .name = "stages." + std::to_string(stage) + ".blocks." + std::to_string(index),
          .input = input,
          .output = {channels, size, size},
          .kernel = 3,
          .stride = stride,
          .mid_channels = make_divisible(std::round(channels * expansion)),
          .residual = index > 0,
          .activation = Activation::kRelu};
}

std::vector<Block> BottleneckSpace::tail(const Shape& input) const {
  const Shape features{input.channels, 1, 1};
  return {{.kind = BlockKind::kGlobalPool, .name = "pool", .input = input, .output = features},
          {.kind = BlockKind::kClassifier,
           .name = "classifier",
           .input = features,
           .output = {task().num_classes, 1, 1},
           .dropout = spec_.dropout}};
}

Shape BottleneckSpace::input_of(const Arch& arch, std::size_t stage, int block) const {
  int size = halved(halved(input_size(arch)));  // the stem's stride and its pool
  for (std::size_t s = 0; s < stage; ++s) {
    size = graph::strided(size, spec_.stages[s].stride);
  }
  if (block > 0) {
    size = graph::strided(size, spec_.stages[stage].stride);
    return {stage_channels(stage, width(arch, stage + 2)), size, size};
  }
  const int channels =
      stage == 0 ? stem_out(width(arch, 1)) : stage_channels(stage - 1, width(arch, stage + 1));
  return {channels, size, size};
}

std::vector<Block> BottleneckSpace::slot_blocks(const Arch& arch, int s) const {
  if (s == 0) {
    return stem(input_size(arch), value(arch, 0) > 0, width(arch, 0), width(arch, 1));
  }
  const auto e = static_cast<std::size_t>(s) - 1;  // slots between stem and tail are the "e"s'
  if (e == expansion_owners_.size()) {
    return tail(input_of(arch, spec_.stages.size(), 0));
  }
  const auto [stage, block] = expansion_owners_[e];
  if (block >= depth(arch, stage)) {
    return {};
  }
  return {bottleneck(stage, block, input_of(arch, stage, block),
                     stage_channels(stage, width(arch, stage + 2)),
                     value(arch, first_expansion_ + static_cast<int>(e)))};
}

}  // namespace

std::unique_ptr<Space> make_bottleneck_space(BottleneckSpec spec) {
  return std::make_unique<BottleneckSpace>(std::move(spec));
}

}  // namespace lathe::space
