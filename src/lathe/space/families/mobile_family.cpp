#include "lathe/space/families/mobile_family.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <set>
#include <stdexcept>

#include "lathe/space/families/channels.h"

namespace lathe::space {
namespace {

constexpr int kNone = -1;  // no decision: there is only one choice

class MobileSpace final : public Space {
 public:
  explicit MobileSpace(MobileSpec spec);

  bool alive(const Arch& arch, int i) const override;
  double log10_num_nets() const override;
  std::vector<int> elastic_kernels() const override;

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override;

 private:
  struct StageDecisions {
    std::vector<int> kernel;     // per block
    std::vector<int> expansion;  // per block
    int depth = kNone;
  };
  /// Where a decision belongs; block kNone: to the whole stage; stage kNone: to the net.
  struct Owner {
    int stage = kNone;
    int block = kNone;
  };

  int add_decision(const std::string& group, const std::vector<double>& values, Owner owner);
  void add_genes();
  void add_slots();
  double chosen(const Arch& arch, int decision, const std::vector<double>& values) const {
    return decision == kNone ? values.front() : value(arch, decision);
  }
  int depth(const Arch& arch, std::size_t stage) const {
    return static_cast<int>(
        chosen(arch, stage_decisions_[stage].depth, spec_.stages[stage].depths));
  }
  double expansion(const Arch& arch, std::size_t stage, std::size_t block) const;

  /// What reaches a block; `stage` may be one past the last: what reaches the head.
  graph::Shape input_of(int resolution, std::size_t stage, int block) const;
  Block stem(int resolution) const;
  Block first(const graph::Shape& input) const;
  Block mbconv(std::size_t stage, int index, const graph::Shape& input, int kernel,
               double expansion) const;
  std::vector<Block> tail(const graph::Shape& input) const;

  MobileSpec spec_;
  std::vector<StageDecisions> stage_decisions_;
  std::vector<Owner> owners_;       // of each decision
  std::vector<Owner> slot_places_;  // of each slot; stage kNone: the net's beginning or end
};

int max_depth(const MobileStage& stage) { return static_cast<int>(stage.depths.back()); }

MobileSpace::MobileSpace(MobileSpec spec)
    : Space(spec.name, spec.task), spec_(std::move(spec)), stage_decisions_(spec_.stages.size()) {
  for (const MobileStage& stage : spec_.stages) {
    if (stage.depths.empty() || stage.kernels.empty() || stage.expansions.empty()) {
      throw std::invalid_argument("[space::make_mobile_space] " + name() +
                                  ": every stage needs a depth, a kernel and an expansion");
    }
    if (stage.depths.front() < 1 || !std::is_sorted(stage.depths.begin(), stage.depths.end())) {
      throw std::invalid_argument("[space::make_mobile_space] " + name() +
                                  ": a stage's depths must be ascending and at least 1");
    }
    if (stage.expansion_follows_depth && stage.depths.size() != stage.expansions.size()) {
      throw std::invalid_argument("[space::make_mobile_space] " + name() +
                                  ": tied depths and expansions must be as many");
    }
  }
  const auto each_block = [&](auto&& visit) {
    for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
      for (int b = 0; b < max_depth(spec_.stages[s]); ++b) {
        visit(spec_.stages[s], stage_decisions_[s], Owner{static_cast<int>(s), b});
      }
    }
  };
  each_block([&](const MobileStage& stage, StageDecisions& decisions, Owner owner) {
    decisions.kernel.push_back(add_decision("ks", stage.kernels, owner));
  });
  each_block([&](const MobileStage& stage, StageDecisions& decisions, Owner owner) {
    decisions.expansion.push_back(
        stage.expansion_follows_depth ? kNone : add_decision("e", stage.expansions, owner));
  });
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    stage_decisions_[s].depth =
        add_decision("d", spec_.stages[s].depths, Owner{static_cast<int>(s), kNone});
  }
  if (!spec_.resolutions.empty()) {
    add_decision("r", spec_.resolutions, Owner{});
  }
  add_genes();
  add_slots();
}

int MobileSpace::add_decision(const std::string& group, const std::vector<double>& values,
                              Owner owner) {
  if (values.size() == 1 && group != "r") {
    return kNone;
  }
  const auto in_group = std::count_if(decisions_.begin(), decisions_.end(),
                                      [&](const Decision& d) { return d.group == group; });
  decisions_.push_back({group, static_cast<int>(in_group), values});
  owners_.push_back(owner);
  return static_cast<int>(decisions_.size()) - 1;
}

void MobileSpace::add_genes() {
  std::set<int> in_a_gene;
  for (const StageDecisions& stage : stage_decisions_) {
    for (std::size_t b = 0; b < stage.kernel.size(); ++b) {
      std::vector<int> gene;
      for (int decision : {stage.kernel[b], stage.expansion[b]}) {
        if (decision != kNone) {
          gene.push_back(decision);
          in_a_gene.insert(decision);
        }
      }
      if (!gene.empty()) {
        genes_.push_back(gene);
      }
    }
  }
  for (int i = 0; i < static_cast<int>(decisions_.size()); ++i) {
    if (!in_a_gene.contains(i)) {
      genes_.push_back({i});
    }
  }
}

void MobileSpace::add_slots() {
  const auto add = [&](Owner place, std::initializer_list<int> decisions) {
    Slot slot;
    for (const int decision : decisions) {
      if (decision != kNone) {
        slot.decisions.push_back(decision);
      }
    }
    if (!spec_.resolutions.empty()) {
      slot.decisions.push_back(static_cast<int>(decisions_.size()) - 1);
    }
    slots_.push_back(std::move(slot));
    slot_places_.push_back(place);
  };
  add(Owner{}, {});  // stem and first block
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    const StageDecisions& stage = stage_decisions_[s];
    for (int b = 0; b < max_depth(spec_.stages[s]); ++b) {
      const auto at = static_cast<std::size_t>(b);
      const bool optional = b >= spec_.stages[s].depths.front();
      const bool sees_depth = optional || spec_.stages[s].expansion_follows_depth;
      add(Owner{static_cast<int>(s), b},
          {stage.kernel[at], stage.expansion[at], sees_depth ? stage.depth : kNone});
    }
  }
  add(Owner{}, {});  // head to classifier
}

bool MobileSpace::alive(const Arch& arch, int i) const {
  const Owner& owner = owners_[static_cast<std::size_t>(i)];
  return owner.block == kNone || owner.block < depth(arch, static_cast<std::size_t>(owner.stage));
}

double MobileSpace::log10_num_nets() const {
  double total = 0;
  for (std::size_t s = 0; s < spec_.stages.size(); ++s) {
    const MobileStage& stage = spec_.stages[s];
    const double per_block = static_cast<double>(
        stage.kernels.size() * (stage.expansion_follows_depth ? 1 : stage.expansions.size()));
    double nets = 0;
    for (double depth : stage.depths) {
      nets += std::pow(per_block, depth);
    }
    total += std::log10(nets);
  }
  return total;
}

double MobileSpace::expansion(const Arch& arch, std::size_t stage, std::size_t block) const {
  const MobileStage& spec = spec_.stages[stage];
  const StageDecisions& decisions = stage_decisions_[stage];
  if (spec.expansion_follows_depth) {
    const std::size_t choice =
        decisions.depth == kNone ? 0 : arch.choices[static_cast<std::size_t>(decisions.depth)];
    return spec.expansions[choice];
  }
  return chosen(arch, decisions.expansion[block], spec.expansions);
}

Block MobileSpace::stem(int resolution) const {
  const int size = graph::strided(resolution, spec_.stem_stride);
  return {.kind = BlockKind::kConv,
          .name = "stem",
          .input = {task().in_channels, resolution, resolution},
          .output = {spec_.stem_channels, size, size},
          .kernel = 3,
          .stride = spec_.stem_stride,
          .activation = spec_.stem_activation,
          .batch_norm_eps = spec_.batch_norm_eps};
}

Block MobileSpace::first(const graph::Shape& input) const {
  return {.kind = BlockKind::kMbconv,
          .name = "first",
          .input = input,
          .output = {spec_.first_channels, input.height, input.width},
          .kernel = 3,
          .mid_channels = input.channels,
          .residual = spec_.first_residual && input.channels == spec_.first_channels,
          .activation = spec_.first_activation,
          .batch_norm_eps = spec_.batch_norm_eps};
}

Block MobileSpace::mbconv(std::size_t s, int index, const graph::Shape& input, int kernel,
                          double expansion) const {
  const MobileStage& stage = spec_.stages[s];
  const int stride = index == 0 ? stage.stride : 1;
  return {.kind = BlockKind::kMbconv,
          .name = "stages." + std::to_string(s) + ".blocks." + std::to_string(index),
          .input = input,
          .output = {stage.channels, graph::strided(input.height, stride),
                     graph::strided(input.width, stride)},
          .kernel = kernel,
          .stride = stride,
          .mid_channels = make_divisible(std::round(input.channels * expansion)),
          .squeeze_excite = stage.squeeze_excite,
          .residual = stride == 1 && input.channels == stage.channels,
          .activation = stage.activation,
          .batch_norm_eps = spec_.batch_norm_eps};
}

std::vector<Block> MobileSpace::tail(const graph::Shape& input) const {
  std::vector<Block> blocks;
  blocks.push_back({.kind = BlockKind::kConv,
                    .name = "head",
                    .input = input,
                    .output = {spec_.head_channels, input.height, input.width},
                    .activation = spec_.head_activation,
                    .batch_norm_eps = spec_.batch_norm_eps});
  graph::Shape features{spec_.head_channels, 1, 1};
  blocks.push_back({.kind = BlockKind::kGlobalPool,
                    .name = "pool",
                    .input = blocks.back().output,
                    .output = features});
  if (spec_.feature_channels > 0) {
    blocks.push_back({.kind = BlockKind::kConv,
                      .name = "feature",
                      .input = features,
                      .output = {spec_.feature_channels, 1, 1},
                      .batch_norm = false,
                      .activation = spec_.head_activation});
    features = blocks.back().output;
  }
  blocks.push_back({.kind = BlockKind::kClassifier,
                    .name = "classifier",
                    .input = features,
                    .output = {task().num_classes, 1, 1},
                    .dropout = spec_.dropout});
  return blocks;
}

graph::Shape MobileSpace::input_of(int resolution, std::size_t stage, int block) const {
  int size = graph::strided(resolution, spec_.stem_stride);
  for (std::size_t s = 0; s < stage; ++s) {
    size = graph::strided(size, spec_.stages[s].stride);
  }
  if (block > 0) {
    return {spec_.stages[stage].channels, graph::strided(size, spec_.stages[stage].stride),
            graph::strided(size, spec_.stages[stage].stride)};
  }
  return {stage == 0 ? spec_.first_channels : spec_.stages[stage - 1].channels, size, size};
}

std::vector<Block> MobileSpace::slot_blocks(const Arch& arch, int slot) const {
  const Owner place = slot_places_[static_cast<std::size_t>(slot)];
  const int resolution = input_size(arch);
  if (place.stage == kNone && slot == 0) {
    const Block conv = stem(resolution);
    return {conv, first(conv.output)};
  }
  if (place.stage == kNone) {
    return tail(input_of(resolution, spec_.stages.size(), 0));
  }
  const auto stage = static_cast<std::size_t>(place.stage);
  if (place.block >= depth(arch, stage)) {
    return {};
  }
  const auto at = static_cast<std::size_t>(place.block);
  const double kernel =
      chosen(arch, stage_decisions_[stage].kernel[at], spec_.stages[stage].kernels);
  return {mbconv(stage, place.block, input_of(resolution, stage, place.block),
                 static_cast<int>(kernel), expansion(arch, stage, at))};
}

std::vector<int> MobileSpace::elastic_kernels() const {
  std::set<int> kernels;
  for (const MobileStage& stage : spec_.stages) {
    if (stage.kernels.size() > 1) {
      kernels.insert(stage.kernels.begin(), stage.kernels.end());
    }
  }
  return {kernels.begin(), kernels.end()};
}

}  // namespace

std::unique_ptr<Space> make_mobile_space(MobileSpec spec) {
  return std::make_unique<MobileSpace>(std::move(spec));
}

}  // namespace lathe::space
