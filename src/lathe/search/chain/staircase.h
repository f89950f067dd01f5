// What has been seen of two or three numbers, to ask whether anything was at most that in all.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

namespace lathe::search {

/// Pairs, of which those that another is at most in both are dropped.
class Staircase {
 public:
  /// Whether some pair is at most (x, y) in both. O(log pairs).
  bool covers(double x, double y) const;
  /// O(log pairs) and what it drops.
  void insert(double x, double y);

 private:
  std::map<double, double> y_by_x_;  // y falls as x rises
};

/// Triples whose first numbers are among a list that is known before. A Fenwick tree over that list
/// (Fenwick, 1994) of a staircase of the other two for each of its ranges.
class Staircase3 {
 public:
  /// In any order, equal ones too; no NaN.
  explicit Staircase3(std::vector<double> xs);
  /// Whether some triple is at most (x, y, z) in all. O(log^2).
  bool covers(double x, double y, double z) const;
  /// `x` must be in the list: not checked. O(log^2).
  void insert(double x, double y, double z);

 private:
  /// How many of the list are at most `x`.
  std::size_t rank(double x) const;

  std::vector<double> xs_;
  std::vector<Staircase> ranges_;  // by the rank at which they end; the first is unused
};

}  // namespace lathe::search
