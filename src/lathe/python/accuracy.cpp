// Accuracy predictors and evaluated subnets.
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "lathe/accuracy/sample.h"
#include "lathe/accuracy/stored_predictor.h"
#include "lathe/accuracy/validation.h"
#include "lathe/python/convert.h"
#include "lathe/python/models.h"

namespace lathe::python {
namespace {

using space::Arch;

std::vector<double> predict(const AccuracyPredictor& self, const std::vector<Arch>& archs) {
  std::vector<double> accuracies(archs.size());
  const py::gil_scoped_release others_may_run;
  self.predictor->predict(archs, accuracies);
  return accuracies;
}

py::dict accuracy_samples(const space::Space& space, const std::filesystem::path& path) {
  const accuracy::AccuracySamples read = accuracy::read_samples(path, space);
  std::vector<Arch> archs;
  std::vector<double> accuracies;
  std::vector<double> soft;
  for (const accuracy::AccuracySample& sample : read.samples) {
    archs.push_back(sample.arch);
    accuracies.push_back(sample.accuracy);
    soft.push_back(sample.soft_accuracy.value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  py::dict samples;
  samples["archs"] = archs;
  samples["accuracy"] = to_array(accuracies);
  samples["soft_accuracy"] = to_array(soft);
  samples["conditions"] = to_python(to_json(read.conditions));
  samples["unfinished"] = read.unfinished;
  return samples;
}

}  // namespace

void add_accuracy(py::module_& module) {
  py::class_<AccuracyPredictor>(module, "AccuracyPredictor",
                                "Predicts how accurate the nets of a space are.")
      .def_readonly("space", &AccuracyPredictor::space, "The space whose nets it predicts.")
      .def(
          "predict",
          [](const AccuracyPredictor& self, const Arch& arch) {
            return self.predictor->predict(arch);
          },
          py::arg("arch"), "Top-1 accuracy as a fraction.")
      .def(
          "predict",
          [](const AccuracyPredictor& self, const std::vector<Arch>& archs) {
            return to_array(predict(self, archs));
          },
          py::arg("archs"), "The same of each, as an array of float64: faster than one by one.")
      .def(
          "error",
          [](const AccuracyPredictor& self, const std::vector<Arch>& archs,
             const py::object& measured) {
            return to_python(accuracy::to_json(
                accuracy::predictor_error(predict(self, archs), numbers(measured, "accuracy"))));
          },
          py::arg("archs"), py::arg("accuracy"),
          "Against accuracies that took no part in the fit: samples, rmse_points, bias_points (in "
          "percentage points), kendall and spearman.")
      .def("__repr__", [](const AccuracyPredictor& self) {
        return "<lathe.AccuracyPredictor of " + self.space->name() + ">";
      });
  module.def(
      "load_accuracy_predictor",
      [](const SpacePtr& space, const std::filesystem::path& path) {
        return AccuracyPredictor{space, accuracy::load_predictor(*space, path)};
      },
      py::arg("space"), py::arg("path"),
      "A predictor that Lathe wrote or a published one (.safetensors), or width scores (.json).");
  module.def(
      "read_accuracy_samples", &accuracy_samples, py::arg("space"), py::arg("path"),
      "Evaluated subnets of a file: archs, accuracy and soft_accuracy (fractions; NaN where a "
      "file has no soft one), the conditions that they were evaluated under, and whether an "
      "unfinished last line was left out.");
}

}  // namespace lathe::python
