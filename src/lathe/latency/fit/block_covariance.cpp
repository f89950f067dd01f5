#include "lathe/latency/fit/block_covariance.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

namespace lathe::latency {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using space::Block;
using Sparse = Eigen::SparseMatrix<double>;
using Triplets = std::vector<Eigen::Triplet<double>>;

constexpr double kLongOctaves = 4.0;
constexpr double kShortOctaves = 1.0;

Operator without_resolution(Operator op) {
  op.in_size = static_cast<int>(std::lround(static_cast<double>(op.in_size) / op.out_size));
  op.out_size = 1;
  return op;
}

Block without_resolution(Block block) {
  for (graph::Shape* shape : {&block.input, &block.output}) {
    shape->height = 1;
    shape->width = 1;
  }
  return block;
}

// A size counts twice: it is the side of an area.
std::array<double, 6> position_of(const Operator& op) {
  return {std::log2(op.in_channels),  std::log2(op.out_channels), 2 * std::log2(op.in_size),
          2 * std::log2(op.out_size), std::log2(op.kernel),       op.hard_activation ? 1.0 : 0.0};
}

Sparse sparse(std::size_t rows, std::size_t columns, const Triplets& entries) {
  Sparse matrix(static_cast<Index>(rows), static_cast<Index>(columns));
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

// The columns of [first, last) that have an entry.
std::vector<int> used_columns(const Sparse& matrix, int first, int last) {
  std::vector<int> used;
  for (int column = first; column < last; ++column) {
    if (Sparse::InnerIterator(matrix, column)) {
      used.push_back(column);
    }
  }
  return used;
}

Sparse columns_of(const Sparse& matrix, const std::vector<int>& columns) {
  Triplets entries;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (Sparse::InnerIterator it(matrix, columns[c]); it; ++it) {
      entries.emplace_back(it.row(), static_cast<int>(c), it.value());
    }
  }
  return sparse(static_cast<std::size_t>(matrix.rows()), columns.size(), entries);
}

void scale_to_one(std::vector<double*> values) {
  double largest = 0.0;
  for (const double* value : values) {
    largest = std::max(largest, *value);
  }
  for (double* value : values) {
    *value /= std::max(largest, 1e-300);
  }
}

}  // namespace

BlockCovariance::BlockCovariance(const space::Space& space) : space_(&space) {
  const std::vector<Block> blocks = space.distinct_blocks();
  std::map<Operator, int> column_of;  // by kind first
  std::vector<std::vector<Operator>> operators;
  for (const Block& block : blocks) {
    row_of_key_.emplace(block.key(), static_cast<int>(keys_.size()));
    keys_.push_back(block.key());
    operators.push_back(operators_of(block));
    for (const Operator& op : operators.back()) {
      column_of.emplace(op, 0);
    }
  }
  std::map<Operator, int> free_of;
  for (auto& [op, column] : column_of) {
    column = static_cast<int>(position_.size());
    const bool new_kind =
        column == 0 || std::next(column_of.begin(), column - 1)->first.kind != op.kind;
    if (new_kind) {
      kinds_.push_back({column, column});
    }
    kinds_.back().last = column + 1;
    position_.push_back(position_of(op));
    const int fresh = static_cast<int>(free_of.size());
    resolution_free_.push_back(free_of.emplace(without_resolution(op), fresh).first->second);
    amounts_.push_back({1.0, op.macs(), op.moved()});
  }
  std::map<std::string, int> shape_of;
  Triplets operator_entries, shape_entries, mac_entries;
  for (std::size_t row = 0; row < blocks.size(); ++row) {
    double macs = 0.0;
    for (const Operator& op : operators[row]) {
      operator_entries.emplace_back(static_cast<int>(row), column_of.at(op), 1.0);
      macs += op.macs();
    }
    const int fresh = static_cast<int>(shape_of.size());
    const int shape = shape_of.emplace(without_resolution(blocks[row]).key(), fresh).first->second;
    shape_entries.emplace_back(static_cast<int>(row), shape, 1.0);
    mac_entries.emplace_back(static_cast<int>(row), shape, macs);
  }
  operators_ = sparse(blocks.size(), position_.size(), operator_entries);
  shapes_ = sparse(blocks.size(), shape_of.size(), shape_entries);
  shape_macs_ = sparse(blocks.size(), shape_of.size(), mac_entries);
  shape_macs_ /= std::max(shape_macs_.coeffs().maxCoeff(), 1e-300);
  for (std::size_t a = 1; a < kAmounts; ++a) {
    std::vector<double*> values;
    for (auto& amounts : amounts_) {
      values.push_back(&amounts[a]);
    }
    scale_to_one(values);
  }
}

Sparse BlockCovariance::incidence(std::span<const space::Arch> archs) const {
  Triplets entries;
  for (std::size_t net = 0; net < archs.size(); ++net) {
    for (const Block& block : space_->blocks(archs[net])) {
      entries.emplace_back(static_cast<int>(net), row_of_key_.at(block.key()), 1.0);
    }
  }
  return sparse(archs.size(), keys_.size(), entries);
}

std::array<double, BlockCovariance::kParts> BlockCovariance::parts(int a, int b) const {
  const auto i = static_cast<std::size_t>(a);
  const auto j = static_cast<std::size_t>(b);
  double distance = 0.0;  // squared
  for (std::size_t d = 0; d < position_[i].size(); ++d) {
    const double difference = position_[i][d] - position_[j][d];
    distance += difference * difference;
  }
  return {1.0, std::exp(-0.5 * distance / (kLongOctaves * kLongOctaves)),
          std::exp(-0.5 * distance / (kShortOctaves * kShortOctaves)), a == b ? 1.0 : 0.0,
          resolution_free_[i] == resolution_free_[j] ? 1.0 : 0.0};
}

std::vector<MatrixXd> BlockCovariance::grams(const Sparse& nets) const {
  std::vector<MatrixXd> grams(kNumGroups, MatrixXd::Zero(nets.rows(), nets.rows()));
  const Sparse counts = nets * operators_;
  for (const Kind& kind : kinds_) {
    const std::vector<int> used = used_columns(counts, kind.first, kind.last);
    const Sparse mine = columns_of(counts, used);
    const auto size = static_cast<Index>(used.size());
    std::vector<MatrixXd> part(kParts, MatrixXd(size, size));
    for (Index i = 0; i < size; ++i) {
      for (Index j = 0; j <= i; ++j) {
        const auto values =
            parts(used[static_cast<std::size_t>(i)], used[static_cast<std::size_t>(j)]);
        for (std::size_t p = 0; p < kParts; ++p) {
          part[p](i, j) = part[p](j, i) = values[p];
        }
      }
    }
    for (std::size_t a = 0; a < kAmounts; ++a) {
      VectorXd amount(size);
      for (Index i = 0; i < size; ++i) {
        amount[i] = amounts_[static_cast<std::size_t>(used[static_cast<std::size_t>(i)])][a];
      }
      const Sparse weighted = mine * amount.asDiagonal();
      for (std::size_t p = 0; p < kParts; ++p) {
        const MatrixXd left = weighted * part[p];
        grams[a * kParts + p] += left * weighted.transpose();
      }
    }
  }
  const Sparse shapes = nets * shapes_;
  const Sparse shape_macs = nets * shape_macs_;
  grams[kNumGroups - 2] = MatrixXd(shapes * Sparse(shapes.transpose()));
  grams[kNumGroups - 1] = MatrixXd(shape_macs * Sparse(shape_macs.transpose()));
  return grams;
}

MatrixXd BlockCovariance::covariance(const std::vector<int>& rows, const std::vector<int>& columns,
                                     std::span<const double> variances) const {
  MatrixXd result(static_cast<Index>(rows.size()), static_cast<Index>(columns.size()));
  for (std::size_t j = 0; j < columns.size(); ++j) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto part = parts(rows[i], columns[j]);
      double sum = 0.0;
      for (std::size_t a = 0; a < kAmounts; ++a) {
        double rate = 0.0;
        for (std::size_t p = 0; p < kParts; ++p) {
          rate += variances[a * kParts + p] * part[p];
        }
        sum += rate * amounts_[static_cast<std::size_t>(rows[i])][a] *
               amounts_[static_cast<std::size_t>(columns[j])][a];
      }
      result(static_cast<Index>(i), static_cast<Index>(j)) = sum;
    }
  }
  return result;
}

MatrixXd BlockCovariance::gram(const Sparse& nets, std::span<const double> variances) const {
  const Sparse shapes = nets * shapes_;
  const Sparse shape_macs = nets * shape_macs_;
  MatrixXd sum = variances[kNumGroups - 2] * MatrixXd(shapes * Sparse(shapes.transpose()));
  sum += variances[kNumGroups - 1] * MatrixXd(shape_macs * Sparse(shape_macs.transpose()));
  const Sparse counts = nets * operators_;
  for (const Kind& kind : kinds_) {
    const std::vector<int> used = used_columns(counts, kind.first, kind.last);
    const Sparse mine = columns_of(counts, used);
    const MatrixXd left = mine * covariance(used, used, variances);
    sum += left * mine.transpose();
  }
  return sum;
}

VectorXd BlockCovariance::block_costs(const Sparse& nets, std::span<const double> variances,
                                      const VectorXd& dual) const {
  const VectorXd by_shape = shapes_.transpose() * (nets.transpose() * dual);
  const VectorXd by_macs = shape_macs_.transpose() * (nets.transpose() * dual);
  VectorXd costs = variances[kNumGroups - 2] * (shapes_ * by_shape);
  costs += variances[kNumGroups - 1] * (shape_macs_ * by_macs);
  const Sparse counts = nets * operators_;
  VectorXd operator_costs = VectorXd::Zero(operators_.cols());
  for (const Kind& kind : kinds_) {
    const std::vector<int> used = used_columns(counts, kind.first, kind.last);
    std::vector<int> all;
    for (int op = kind.first; op < kind.last; ++op) {
      all.push_back(op);
    }
    const VectorXd weights = columns_of(counts, used).transpose() * dual;
    operator_costs.segment(kind.first, kind.last - kind.first) =
        covariance(all, used, variances) * weights;
  }
  return costs + operators_ * operator_costs;
}

}  // namespace lathe::latency
