#include "lathe/search/cells/cell_logits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::search {
namespace {

constexpr std::array<const char*, 2> kKinds{"normal", "reduce"};

/// The softmax of `count` numbers.
void soften(const double* from, int count, double* to) {
  const double most = *std::max_element(from, from + count);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    to[i] = std::exp(from[i] - most);
    sum += to[i];
  }
  for (int i = 0; i < count; ++i) {
    to[i] /= sum;
  }
}

void require_list(const nlohmann::json& json, std::size_t count, const std::string& of,
                  const std::string& where) {
  if (!json.is_array() || json.size() != count) {
    throw Error(where + ": expected a list of " + std::to_string(count) + " " + of + ", got " +
                (json.is_array() ? std::to_string(json.size()) : internal::json_summary(json)));
  }
}

std::vector<double> numbers(const nlohmann::json& json, std::size_t count,
                            const std::string& where) {
  require_list(json, count, "numbers", where);
  std::vector<double> values;
  for (const nlohmann::json& value : json) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      throw Error(where + ": expected a finite number, got " + internal::json_summary(value));
    }
    values.push_back(value.get<double>());
  }
  return values;
}

/// Two inputs of one node, of all that `strengths` of a kind of cell allow.
void derive_node(const double* strengths, int node, space::Cell& cell) {
  struct Best {
    double strength;
    space::CellInput input;
  };
  std::vector<Best> edges;
  for (int source = 0; source < node + 2; ++source) {
    const double* of = strengths + space::cell_edge(node, source) * space::kNumCellOps;
    const double* best = std::max_element(of + 1, of + space::kNumCellOps);
    edges.push_back({*best, {static_cast<int>(best - of), source}});
  }
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Best& a, const Best& b) { return a.strength > b.strength; });
  std::array<space::CellInput, 2> chosen{edges[0].input, edges[1].input};
  if (chosen[0].source > chosen[1].source) {
    std::swap(chosen[0], chosen[1]);
  }
  cell.at(static_cast<std::size_t>(2 * node)) = chosen[0];
  cell.at(static_cast<std::size_t>(2 * node + 1)) = chosen[1];
}

space::Cell derive_cell(const double* strengths) {
  space::Cell cell;
  for (int node = 0; node < space::kCellNodes; ++node) {
    derive_node(strengths, node, cell);
  }
  return cell;
}

}  // namespace

CellLogits CellLogits::zero(int kinds, bool with_edges) {
  if (kinds != 1 && kinds != 2) {
    throw std::invalid_argument("[search::CellLogits] kinds must be 1 or 2, got " +
                                std::to_string(kinds));
  }
  CellLogits logits{.kinds = kinds};
  logits.ops.assign(static_cast<std::size_t>(kinds * space::kCellEdges * space::kNumCellOps), 0.0);
  logits.edges.assign(with_edges ? static_cast<std::size_t>(kinds * space::kCellEdges) : 0, 0.0);
  return logits;
}

std::vector<double> CellLogits::strengths() const {
  std::vector<double> all(ops.size());
  for (int kind = 0; kind < kinds; ++kind) {
    std::array<double, space::kCellEdges> of_edges;
    of_edges.fill(1);
    for (int node = 0; node < space::kCellNodes && !edges.empty(); ++node) {
      const int first = space::cell_edge(node, 0);
      soften(edges.data() + edge_index(kind, first), node + 2, of_edges.data() + first);
    }
    for (int edge = 0; edge < space::kCellEdges; ++edge) {
      double* to = all.data() + op_index(kind, edge, 0);
      soften(ops.data() + op_index(kind, edge, 0), space::kNumCellOps, to);
      for (int op = 0; op < space::kNumCellOps; ++op) {
        to[op] *= of_edges.at(static_cast<std::size_t>(edge));
      }
    }
  }
  return all;
}

std::vector<double> CellLogits::op_shares() const {
  std::vector<double> all(ops.size(), 0.0);
  for (std::size_t first = 0; first < all.size(); first += space::kNumCellOps) {
    soften(ops.data() + first + 1, space::kNumCellOps - 1, all.data() + first + 1);
  }
  return all;
}

nlohmann::ordered_json CellLogits::to_json() const {
  nlohmann::ordered_json json{{"version", kVersion}, {"ops", nullptr}, {"edges", nullptr}};
  for (int kind = 0; kind < kinds; ++kind) {
    nlohmann::ordered_json lists = nlohmann::ordered_json::array();
    for (int edge = 0; edge < space::kCellEdges; ++edge) {
      const auto begin = ops.begin() + static_cast<std::ptrdiff_t>(op_index(kind, edge, 0));
      lists.push_back(std::vector<double>(begin, begin + space::kNumCellOps));
    }
    const char* name = kKinds.at(static_cast<std::size_t>(kind));
    json["ops"][name] = std::move(lists);
    if (!edges.empty()) {
      const auto begin = edges.begin() + static_cast<std::ptrdiff_t>(edge_index(kind, 0));
      json["edges"][name] = std::vector<double>(begin, begin + space::kCellEdges);
    }
  }
  return json;
}

CellLogits CellLogits::from_json(const nlohmann::json& json, const std::string& where) {
  const int version = json_member<int>(json, "version", where);
  if (version != kVersion) {
    throw Error(where + ": \"version\": expected " + std::to_string(kVersion) + ", got " +
                std::to_string(version));
  }
  const auto lists = json_member<nlohmann::json>(json, "ops", where);
  const auto of_edges = json.find("edges");
  const bool with_edges = of_edges != json.end() && !of_edges->is_null();
  CellLogits logits = zero(lists.contains(kKinds[1]) ? 2 : 1, false);
  logits.ops.clear();
  for (int kind = 0; kind < logits.kinds; ++kind) {
    const std::string name = kKinds.at(static_cast<std::size_t>(kind));
    const std::string here = where + ": ops." + name;
    const auto of_kind = json_member<nlohmann::json>(lists, name, where + ": ops");
    require_list(of_kind, space::kCellEdges, "lists, one for each edge", here);
    for (std::size_t edge = 0; edge < of_kind.size(); ++edge) {
      for (const double value :
           numbers(of_kind[edge], space::kNumCellOps, here + "[" + std::to_string(edge) + "]")) {
        logits.ops.push_back(value);
      }
    }
    if (with_edges) {
      const auto values = json_member<nlohmann::json>(*of_edges, name, where + ": edges");
      for (const double value : numbers(values, space::kCellEdges, where + ": edges." + name)) {
        logits.edges.push_back(value);
      }
    }
  }
  return logits;
}

CellLogits CellLogits::load(const std::filesystem::path& path) {
  return from_json(read_json(path), path.string());
}

std::vector<space::Cell> derive_cells(const CellLogits& logits, int max_skips) {
  std::vector<double> strengths = logits.strengths();
  std::vector<space::Cell> cells;
  for (int kind = 0; kind < logits.kinds; ++kind) {
    double* of_kind = strengths.data() + CellLogits::op_index(kind, 0, 0);
    space::Cell cell = derive_cell(of_kind);
    while (kind == 0 && max_skips >= 0) {
      double* weakest = nullptr;
      int skips = 0;
      for (std::size_t i = 0; i < cell.size(); ++i) {
        if (cell[i].op == space::kCellSkip) {
          ++skips;
          double* strength =
              of_kind +
              space::cell_edge(static_cast<int>(i) / 2, cell[i].source) * space::kNumCellOps +
              space::kCellSkip;
          weakest = weakest == nullptr || *strength < *weakest ? strength : weakest;
        }
      }
      if (skips <= max_skips) {
        break;
      }
      *weakest = 0;
      cell = derive_cell(of_kind);
    }
    cells.push_back(cell);
  }
  return cells;
}

}  // namespace lathe::search
