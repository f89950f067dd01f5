// Matrices of normal numbers.
#pragma once

#include <Eigen/Core>

#include "lathe/core/random.h"

namespace lathe::testing {

inline Eigen::MatrixXd random_matrix(Eigen::Index rows, Eigen::Index columns, Rng& rng) {
  Eigen::MatrixXd m(rows, columns);
  for (double& value : m.reshaped()) {
    value = rng.normal();
  }
  return m;
}

}  // namespace lathe::testing
