#include "lathe/space/bottleneck_family.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "lathe/space/channels.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Shape;

int strided(int size, int stride) { return (size - 1) / stride + 1; }
int halved(int size) { return strided(size, 2); }

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
  std::vector<Block> blocks(const Arch& arch) const override;
  std::vector<int> elastic_kernels() const override { return {}; }

 protected:
  std::vector<Block> possible_blocks(int input_size) const override;

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
  const int size = strided(input.height, stride);
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

std::vector<Block> BottleneckSpace::blocks(const Arch& arch) const {
  check(arch);
  std::vector<Block> net =
      stem(input_size(arch), value(arch, 0) > 0, width(arch, 0), width(arch, 1));
  int expansion = first_expansion_;
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    const int channels = stage_channels(s, width(arch, s + 2));
    for (int b = 0; b < depth(arch, s); ++b) {
      net.push_back(bottleneck(s, b, net.back().output, channels, value(arch, expansion + b)));
    }
    expansion += max_depth(s);
  }
  std::vector<Block> end = tail(net.back().output);
  std::move(end.begin(), end.end(), std::back_inserter(net));
  return net;
}

std::vector<Block> BottleneckSpace::possible_blocks(int input_size) const {
  std::vector<Block> all;
  const auto add = [&](std::vector<Block> blocks) {
    std::move(blocks.begin(), blocks.end(), std::back_inserter(all));
  };
  std::vector<Shape> inputs;  // what the widths before may hand to the next stage
  for (double out_width : spec_.widths) {
    for (double mid_width : spec_.widths) {
      add(stem(input_size, true, mid_width, out_width));
    }
    inputs.push_back(all.back().output);
  }
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    std::vector<Shape> outputs;
    for (double w : spec_.widths) {
      const int channels = stage_channels(s, w);
      for (double expansion : spec_.expansions) {
        for (const Shape& input : inputs) {
          all.push_back(bottleneck(s, 0, input, channels, expansion));
        }
        if (max_depth(s) > 1) {
          all.push_back(bottleneck(s, 1, all.back().output, channels, expansion));
        }
      }
      outputs.push_back(all.back().output);
    }
    inputs = std::move(outputs);
  }
  for (const Shape& input : inputs) {
    add(tail(input));
  }
  return all;
}

}  // namespace

std::unique_ptr<Space> make_bottleneck_space(BottleneckSpec spec) {
  return std::make_unique<BottleneckSpace>(std::move(spec));
}

}  // namespace lathe::space
