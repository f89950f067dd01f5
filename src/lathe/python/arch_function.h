// Models that are functions of Python: called with a list of archs, they give a number for each.
#pragma once

#include <pybind11/pybind11.h>

#include <span>
#include <string>
#include <unordered_map>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/space/arch.h"

namespace lathe::python {

namespace py = pybind11;

/// Asks the function for each arch once: what a model says of a net must not change within a
/// search, and calls are dear. To be made and destroyed with Python's lock held, which calls take.
class ArchFunction {
 public:
  /// `name` is what errors call it.
  ArchFunction(py::object function, std::string name);

  /// `out[i]` of `archs[i]`; the unknown among them in one call, in their order.
  /// @throws py::error_already_set what the function raised; std::invalid_argument if it doesn't
  /// give one finite number for each.
  void evaluate(std::span<const space::Arch> archs, std::span<double> out) const;

 private:
  void ask(const std::vector<space::Arch>& archs) const;

  py::object function_;
  std::string name_;
  mutable std::unordered_map<space::Arch, double> known_;  // only with Python's lock held
};

class LatencyFunction final : public latency::LatencyModel {
 public:
  LatencyFunction(py::object function, std::string space_name)
      : function_(std::move(function), "latency"), space_name_(std::move(space_name)) {}

  double predict_ms(const space::Arch& arch) const override {
    double ms = 0.0;
    function_.evaluate({&arch, 1}, {&ms, 1});
    return ms;
  }
  void predict_ms(std::span<const space::Arch> archs, std::span<double> out_ms) const override {
    function_.evaluate(archs, out_ms);
  }
  const std::string& space_name() const override { return space_name_; }

 private:
  ArchFunction function_;
  std::string space_name_;
};

class AccuracyFunction final : public accuracy::AccuracyPredictor {
 public:
  AccuracyFunction(py::object function, std::string space_name)
      : function_(std::move(function), "accuracy"), space_name_(std::move(space_name)) {}

  using accuracy::AccuracyPredictor::predict;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
    function_.evaluate(archs, out);
  }
  const std::string& space_name() const override { return space_name_; }

 private:
  ArchFunction function_;
  std::string space_name_;
};

}  // namespace lathe::python
