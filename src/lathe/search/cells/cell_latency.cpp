#include "lathe/search/cells/cell_latency.h"

#include <stdexcept>
#include <string>

#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/latency/models/perceptron_model.h"
#include "lathe/space/block.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/genotype.h"

namespace lathe::search {
namespace {}  // namespace

CellLatency::CellLatency(const space::Space& space, const latency::LatencyModel& model)
    : kinds_(space.encoding_size() / space::kCellBits),
      weights_(static_cast<std::size_t>(space.encoding_size())) {
  if (!space::has_cells(space)) {
    throw std::invalid_argument("[search::CellLatency] space must be one of cells, got " +
                                space.name());
  }
  if (model.space_name() != space.name()) {
    throw Error("the latency model is of space " + model.space_name() + ", expected " +
                space.name() + "; fit one for it with lathe latency generate and fit");
  }
  add(space, model);
}

void CellLatency::add(const space::Space& space, const latency::LatencyModel& model) {
  if (const space::SlotCosts* costs = model.slot_costs()) {
    add_sum(space, *costs);
  } else if (const auto* linear = dynamic_cast<const latency::LinearModel*>(&model)) {
    constant_ += linear->costs().bias_ms;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      weights_[i] += linear->costs().weights_ms[i];
    }
  } else if (const auto* learned = dynamic_cast<const latency::PerceptronModel*>(&model)) {
    perceptron_ = learned->fit().perceptron;
    scale_ = learned->fit().scale_ms;
    constant_ += learned->fit().mean_ms;
    if (learned->base() != nullptr) {
      add(space, *learned->base());
    }
  } else {
    throw Error("the latency model of " + space.name() +
                " is neither a sum nor a perceptron; fit another with lathe latency fit");
  }
}

void CellLatency::add_sum(const space::Space& space, const space::SlotCosts& costs) {
  constant_ += costs.constant() + costs.at(0, space.smallest());
  for (int s = 1; s <= kinds_ * space::kCellInputs; ++s) {
    const int kind = (s - 1) / space::kCellInputs;
    const int index = (s - 1) % space::kCellInputs;
    space.for_each_assignment(s, [&](const space::Arch& arch) {
      const space::CellInput input =
          space::cells_of(space, arch)[static_cast<std::size_t>(kind)].at(
              static_cast<std::size_t>(index));
      const int bit =
          kind * space::kCellBits + space::cell_edge(index / 2, input.source) * 8 + input.op;
      weights_[static_cast<std::size_t>(bit)] = costs.at(static_cast<std::size_t>(s), arch);
    });
  }
  for (const double weight : weights_) {
    if (weight != weight) {
      throw Error("the latency model doesn't cover every operation of " + space.name() +
                  "; fit one to more nets");
    }
  }
}

CellLatency CellLatency::of_macs(const space::Space& space) {
  if (!space::has_cells(space)) {
    throw std::invalid_argument("[search::CellLatency] space must be one of cells, got " +
                                space.name());
  }
  CellLatency macs;
  macs.kinds_ = space.encoding_size() / space::kCellBits;
  macs.weights_.resize(static_cast<std::size_t>(space.encoding_size()));
  macs.add_sum(space, space::SlotCosts(space, [](const space::Block& block) {
                 return static_cast<double>(graph::macs(space::lower({&block, 1}))) / 1e6;
               }));
  return macs;
}

std::vector<double> CellLatency::predict(std::span<const float> rows) const {
  const std::size_t count = rows.size() / row_size();
  std::vector<double> sums(count, constant_);
  for (std::size_t row = 0; row < count; ++row) {
    for (std::size_t i = 0; i < row_size(); ++i) {
      sums[row] += static_cast<double>(rows[row * row_size() + i]) * weights_[i];
    }
  }
  if (perceptron_) {
    const std::vector<float> learned = perceptron_->predict(rows);
    for (std::size_t row = 0; row < count; ++row) {
      sums[row] += scale_ * static_cast<double>(learned[row]);
    }
  }
  return sums;
}

std::vector<double> CellLatency::gradients(std::span<const float> rows) const {
  std::vector<double> all(rows.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = weights_[i % row_size()];
  }
  if (perceptron_) {
    const std::vector<float> learned = perceptron_->gradients(rows);
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] += scale_ * static_cast<double>(learned[i]);
    }
  }
  return all;
}

}  // namespace lathe::search
