#include "lathe/train/cells/cell_mixer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace lathe::train {
namespace {

constexpr int kFirstEdgeWeight = space::kCellBits;
constexpr int kAuxiliaryWeight = space::kCellBits + space::kCellEdges;
constexpr double kInitialDeviation = 1e-3;

std::string ops_name(int kind) { return "ops." + std::to_string(kind); }
std::string edges_name(int kind) { return "edges." + std::to_string(kind); }

int kinds_of(const space::CellSearchNet& net) {
  int kinds = 1;
  for (const space::CellMixture& mixture : net.mixtures) {
    kinds = std::max(kinds, mixture.kind + 1);
  }
  return kinds;
}

std::vector<nn::Parameters::Declaration> declarations(int kinds, bool edge_weights) {
  std::vector<nn::Parameters::Declaration> all;
  for (int kind = 0; kind < kinds; ++kind) {
    all.push_back({.name = ops_name(kind), .shape = {space::kCellEdges, space::kNumCellOps}});
    if (edge_weights) {
      all.push_back({.name = edges_name(kind), .shape = {space::kCellEdges}});
    }
  }
  return all;
}

std::int64_t place_of(const space::MixedTerm& term) {
  if (term.op == space::MixedTerm::kBypass) {
    return kFirstEdgeWeight + term.edge;
  }
  return term.op == space::MixedTerm::kAuxiliarySkip ? kAuxiliaryWeight
                                                     : term.edge * space::kNumCellOps + term.op;
}

/// [14]: the softmax over the edges into each node.
at::Tensor edge_softmax(const at::Tensor& logits) {
  std::vector<at::Tensor> parts;
  for (int node = 0; node < space::kCellNodes; ++node) {
    parts.push_back(at::softmax(logits.narrow(0, space::cell_edge(node, 0), node + 2), 0));
  }
  return at::cat(parts);
}

at::Tensor entropy_of(const at::Tensor& shares) { return -(shares * (shares + 1e-30).log()).sum(); }

void copy(const std::vector<double>& from, std::size_t first, const at::Tensor& to, double scale,
          bool add) {
  float* data = to.data_ptr<float>();
  for (std::int64_t i = 0; i < to.numel(); ++i) {
    const auto value = static_cast<float>(scale * from[first + static_cast<std::size_t>(i)]);
    data[i] = add ? data[i] + value : value;
  }
}

}  // namespace

CellMixer::CellMixer(const space::CellSearchNet& net, const CellMixerOptions& options)
    : kinds_(kinds_of(net)),
      edge_weights_(options.edge_weights),
      device_(options.device),
      parameters_(declarations(kinds_, options.edge_weights), options.replicas) {
  std::map<std::pair<int, std::vector<std::int64_t>>, std::size_t> known;
  for (const space::CellMixture& mixture : net.mixtures) {
    std::vector<std::int64_t> places;
    for (const space::MixedTerm& term : mixture.terms) {
      places.push_back(place_of(term));
    }
    const auto [at, fresh] = known.try_emplace({mixture.kind, places}, readers_.size());
    if (fresh) {
      readers_.push_back({mixture.kind, at::tensor(places, at::kLong).to(device_), {}});
    }
    readers_[at->second].nodes.push_back(mixture.node);
  }
  Rng rng(options.seed);
  const at::Tensor& values = parameters_.values();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(kInitialDeviation * rng.normal());
  }
}

search::CellLogits CellMixer::logits() const {
  search::CellLogits logits{.kinds = kinds_};
  const auto append = [&](const std::string& name, std::vector<double>& to) {
    const at::Tensor part = parameters_.part(parameters_.values(), name);
    const float* data = part.data_ptr<float>();
    to.insert(to.end(), data, data + part.numel());
  };
  for (int kind = 0; kind < kinds_; ++kind) {
    append(ops_name(kind), logits.ops);
    if (edge_weights_) {
      append(edges_name(kind), logits.edges);
    }
  }
  return logits;
}

void CellMixer::set_logits(const search::CellLogits& logits) {
  if (logits.kinds != kinds_ || logits.edges.empty() == edge_weights_) {
    throw std::invalid_argument(
        "[train::CellMixer] the logits are of other kinds of cells, or with and without weights of "
        "edges");
  }
  for (int kind = 0; kind < kinds_; ++kind) {
    copy(logits.ops, search::CellLogits::op_index(kind, 0, 0),
         parameters_.part(parameters_.values(), ops_name(kind)), 1, false);
    if (edge_weights_) {
      copy(logits.edges, search::CellLogits::edge_index(kind, 0),
           parameters_.part(parameters_.values(), edges_name(kind)), 1, false);
    }
  }
}

void CellMixer::add_gradient(const search::CellLogits& by, double scale) {
  for (int kind = 0; kind < kinds_; ++kind) {
    copy(by.ops, search::CellLogits::op_index(kind, 0, 0),
         parameters_.part(parameters_.grads(), ops_name(kind)), scale, true);
    if (edge_weights_) {
      copy(by.edges, search::CellLogits::edge_index(kind, 0),
           parameters_.part(parameters_.grads(), edges_name(kind)), scale, true);
    }
  }
}

at::Tensor CellMixer::weights(int kind, int replica, double auxiliary,
                              const at::Tensor& perturbation) const {
  at::Tensor ops = at::softmax(parameters_.leaf(ops_name(kind), replica), 1);
  if (perturbation.defined()) {
    ops = ops + perturbation;
  }
  at::Tensor edges = at::ones({space::kCellEdges});
  if (edge_weights_) {
    edges = edge_softmax(parameters_.leaf(edges_name(kind), replica));
    ops = ops * edges.unsqueeze(1);
  }
  return at::cat({ops.flatten(), edges, at::full({1}, auxiliary)}).to(device_);
}

void CellMixer::bind(nn::Binding& binding, const std::vector<at::Tensor>& of_kinds) const {
  for (const Reader& reader : readers_) {
    const at::Tensor mixing =
        of_kinds[static_cast<std::size_t>(reader.kind)].index_select(0, reader.places);
    for (const int node : reader.nodes) {
      binding[static_cast<std::size_t>(node)].weight = mixing;
    }
  }
}

void CellMixer::mix(nn::Binding& binding, int replica, double auxiliary) const {
  std::vector<at::Tensor> all;
  for (int kind = 0; kind < kinds_; ++kind) {
    all.push_back(weights(kind, replica, auxiliary, {}));
  }
  bind(binding, all);
}

void CellMixer::mix_fixed(nn::Binding& binding, double auxiliary,
                          const std::vector<at::Tensor>& perturbation) const {
  std::vector<at::Tensor> all;
  {
    const c10::NoGradGuard no_grad;
    for (int kind = 0; kind < kinds_; ++kind) {
      all.push_back(weights(
          kind, 0, auxiliary,
          perturbation.empty() ? at::Tensor() : perturbation[static_cast<std::size_t>(kind)]));
    }
  }
  bind(binding, all);
}

std::vector<at::Tensor> CellMixer::perturbation(double size, Rng& rng) const {
  std::vector<at::Tensor> all;
  for (int kind = 0; kind < kinds_; ++kind) {
    all.push_back(at::empty({space::kCellEdges, space::kNumCellOps}));
    float* data = all.back().data_ptr<float>();
    for (std::int64_t i = 0; i < all.back().numel(); ++i) {
      data[i] = static_cast<float>(size * (2 * rng.uniform() - 1));
    }
  }
  return all;
}

at::Tensor CellMixer::entropy() const {
  at::Tensor sum = at::zeros({});
  for (int kind = 0; kind < kinds_; ++kind) {
    sum = sum + entropy_of(at::softmax(parameters_.leaf(ops_name(kind)), 1)) / space::kCellEdges;
    if (edge_weights_) {
      sum = sum + entropy_of(edge_softmax(parameters_.leaf(edges_name(kind)))) / space::kCellNodes;
    }
  }
  return sum / kinds_;
}

}  // namespace lathe::train
