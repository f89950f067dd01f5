// How the costs of a space's blocks vary together, for want of samples of each: the groups of
// features of latency/fit/ridge.h in dual form.
#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/fit/operators.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// The prior covariance of the blocks' costs, as a sum of groups whose variances are free.
///
/// Groups: each amount of an operator (its launch, multiply-accumulates, numbers moved) times each
/// part of the rate: common to the kind of operator; smooth in the logarithms of its shape with
/// length scales of 4 octaves and of 1; the operator's own; its own at whatever resolution. Then
/// the block's own at whatever resolution, constant and times its multiply-accumulates.
class BlockCovariance {
 public:
  /// `space` must outlive this. @throws Error as Space::distinct_blocks().
  explicit BlockCovariance(const space::Space& space);

  static constexpr int kNumGroups = 17;

  /// Block::key() of each of the space's distinct blocks.
  const std::vector<std::string>& keys() const { return keys_; }

  /// How often each net has each block: [nets, blocks].
  Eigen::SparseMatrix<double> incidence(std::span<const space::Arch> archs) const;

  /// The covariance of the nets' costs that each group gives, at variance 1: [nets, nets] each.
  std::vector<Eigen::MatrixXd> grams(const Eigen::SparseMatrix<double>& nets) const;
  /// Their sum at these variances, without holding all of them.
  Eigen::MatrixXd gram(const Eigen::SparseMatrix<double>& nets,
                       std::span<const double> variances) const;
  /// The mean cost of each block, given the dual weights of the nets: gram(nets) * dual, had each
  /// block been a net.
  Eigen::VectorXd block_costs(const Eigen::SparseMatrix<double>& nets,
                              std::span<const double> variances, const Eigen::VectorXd& dual) const;

 private:
  static constexpr int kAmounts = 3;
  static constexpr int kParts = 5;
  /// Operators [first, last) are of one kind.
  struct Kind {
    int first;
    int last;
  };

  std::array<double, kParts> parts(int a, int b) const;
  Eigen::MatrixXd covariance(const std::vector<int>& rows, const std::vector<int>& columns,
                             std::span<const double> variances) const;

  const space::Space* space_;
  std::vector<std::string> keys_;
  std::map<std::string, int> row_of_key_;
  std::vector<Kind> kinds_;
  std::vector<std::array<double, 6>> position_;  // of each operator, in octaves
  std::vector<int> resolution_free_;             // equal for operators alike but for resolution
  std::vector<std::array<double, kAmounts>> amounts_;
  Eigen::SparseMatrix<double> operators_;   // [blocks, operators]
  Eigen::SparseMatrix<double> shapes_;      // [blocks, blocks at whatever resolution]
  Eigen::SparseMatrix<double> shape_macs_;  // the same, times the block's multiply-accumulates
};

}  // namespace lathe::latency
