// Latency models: loaded, made, fitted; measured nets.
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/latency/fit/calibrate.h"
#include "lathe/latency/fit/fit_sum_model.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/ofa_tables.h"
#include "lathe/latency/models/part_model.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/python/convert.h"
#include "lathe/python/models.h"
#include "lathe/search/models.h"
#include "lathe/space/subspace.h"

namespace lathe::python {
namespace {

using latency::LatencySample;
using latency::ModelError;
using space::Arch;

std::vector<double> predict_ms(const LatencyModel& self, const std::vector<Arch>& archs) {
  std::vector<double> predicted_ms(archs.size());
  const py::gil_scoped_release others_may_run;
  self.model->predict_ms(archs, predicted_ms);
  return predicted_ms;
}

const latency::StoredLatencyModel& require_stored(const LatencyModel& self) {
  if (self.stored() == nullptr) {
    throw Error("this latency model is a part of another: save and calibrate that");
  }
  return *self.stored();
}

py::object error_or_none(const std::optional<ModelError>& error) {
  return error ? to_python(latency::to_json(*error)) : py::none();
}

LatencyModel load(const SpacePtr& space, const std::filesystem::path& path) {
  if (search::are_ofa_tables(path)) {
    return {space,
            std::make_shared<latency::BlockTable>(*space, latency::load_ofa_tables(*space, path))};
  }
  return {space, latency::load_latency_model(*space, path)};
}

std::vector<LatencySample> samples_of(const std::vector<Arch>& archs, const py::object& measured) {
  const std::vector<double> measured_ms = numbers(measured, "measured_ms");
  if (measured_ms.size() != archs.size()) {
    throw std::invalid_argument("measured_ms must have one number for each of " +
                                std::to_string(archs.size()) + " archs, got " +
                                std::to_string(measured_ms.size()));
  }
  std::vector<LatencySample> samples;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    samples.push_back(
        {.arch = archs[i], .median_ms = measured_ms[i], .p90_ms = measured_ms[i], .repeats = 1});
  }
  return samples;
}

latency::SumModelKind kind_named(const std::string& name) {
  const auto kind = latency::sum_model_kind(name);
  if (!kind) {
    throw std::invalid_argument("unknown kind \"" + name +
                                "\": " + nearest_names(name, latency::sum_model_kinds()));
  }
  return *kind;
}

LatencyModel block_table(const SpacePtr& space, std::map<std::string, double> coefficients_ms,
                         double bias_ms, const py::object& fingerprint) {
  return {space, std::make_shared<latency::BlockTable>(
                     *space, latency::BlockCosts{.fingerprint = to_fingerprint(fingerprint, *space),
                                                 .bias_ms = bias_ms,
                                                 .coefficients_ms = std::move(coefficients_ms)})};
}

LatencyModel fit(const std::string& kind, const SpacePtr& space, const std::vector<Arch>& archs,
                 const py::object& measured_ms, const py::object& fingerprint, std::uint64_t seed) {
  const latency::SumModelKind of = kind_named(kind);
  const std::vector<LatencySample> samples = samples_of(archs, measured_ms);
  const latency::Fingerprint measured_under = to_fingerprint(fingerprint, *space);
  const py::gil_scoped_release others_may_run;
  return {space, fit_sum_model(of, *space, measured_under, samples, seed)};
}

std::optional<ModelError> cross_validated_error(const std::string& kind, const SpacePtr& space,
                                                const std::vector<Arch>& archs,
                                                const py::object& measured_ms, int folds,
                                                std::uint64_t seed) {
  const latency::SumModelKind of = kind_named(kind);
  const std::vector<LatencySample> samples = samples_of(archs, measured_ms);
  const py::gil_scoped_release others_may_run;
  return latency::cross_validated_error(of, *space, samples, folds, seed);
}

LatencyModel calibrated(const LatencyModel& self, const std::vector<Arch>& archs,
                        const py::object& measured) {
  const latency::StoredLatencyModel& stored = require_stored(self);
  const std::vector<double> predicted_ms = predict_ms(self, archs);
  const std::vector<double> measured_ms = numbers(measured, "measured_ms");
  auto model = stored.with_correction(latency::fit_correction(predicted_ms, measured_ms));
  if (archs.size() >= 3) {
    model->set_validation(latency::leave_one_out_error(predicted_ms, measured_ms));
  }
  return {self.space, std::move(model)};
}

LatencyModel for_part(const LatencyModel& self, const std::shared_ptr<space::Subspace>& part) {
  // The whole model lives as long as that of its part.
  return {part, latency::model_of_part(require_stored(self), *part),
          std::make_shared<LatencyModel>(self)};
}

py::dict latency_samples(const space::Space& space, const std::filesystem::path& path) {
  const latency::LatencySamples read = latency::read_samples(path, space);
  std::vector<Arch> archs;
  std::vector<double> median_ms;
  std::vector<double> p90_ms;
  std::vector<std::int64_t> repeats;
  for (const LatencySample& sample : read.samples) {
    archs.push_back(sample.arch);
    median_ms.push_back(sample.median_ms);
    p90_ms.push_back(sample.p90_ms);
    repeats.push_back(sample.repeats);
  }
  py::dict samples;
  samples["archs"] = archs;
  samples["median_ms"] = to_array(median_ms);
  samples["p90_ms"] = to_array(p90_ms);
  samples["repeats"] =
      py::array_t<std::int64_t>(static_cast<py::ssize_t>(repeats.size()), repeats.data());
  samples["fingerprint"] = to_python(latency::to_json(read.fingerprint));
  samples["unfinished"] = read.unfinished;
  return samples;
}

void add_latency_model(py::module_& module) {
  py::class_<LatencyModel>(module, "LatencyModel", "Predicts how long the nets of a space take.")
      .def_readonly("space", &LatencyModel::space, "The space whose nets it predicts.")
      .def(
          "predict_ms",
          [](const LatencyModel& self, const Arch& arch) { return self.model->predict_ms(arch); },
          py::arg("arch"), "Milliseconds for one run of the net.")
      .def(
          "predict_ms",
          [](const LatencyModel& self, const std::vector<Arch>& archs) {
            return to_array(predict_ms(self, archs));
          },
          py::arg("archs"), "The same of each, as an array of float64.")
      .def_property_readonly(
          "is_sum", [](const LatencyModel& self) { return self.model->slot_costs() != nullptr; },
          "Whether latency is a sum over the net's blocks, which the exact searches need.")
      .def_property_readonly(
          "fingerprint",
          [](const LatencyModel& self) {
            return self.stored() != nullptr
                       ? to_python(latency::to_json(self.stored()->fingerprint()))
                       : py::none();
          },
          "What was measured: device, runtime, precision, batch, threads, space and task. None of "
          "a model of fewer resolutions, or of a part.")
      .def_property_readonly(
          "validation",
          [](const LatencyModel& self) {
            return self.stored() != nullptr ? error_or_none(self.stored()->validation())
                                            : py::none();
          },
          "Its error on measurements that took no part in the fit, as error() gives it, or None.")
      .def(
          "error",
          [](const LatencyModel& self, const std::vector<Arch>& archs,
             const py::object& measured_ms) {
            return to_python(latency::to_json(latency::model_error(
                predict_ms(self, archs), numbers(measured_ms, "measured_ms"))));
          },
          py::arg("archs"), py::arg("measured_ms"),
          "Against measurements: samples, mape (a fraction), rmse_ms, spearman, kendall, within_5 "
          "and within_10 (fractions of the samples).")
      .def("calibrated", &calibrated, py::arg("archs"), py::arg("measured_ms"),
           "The model times a scale plus a bias that fit these measurements best; with three or "
           "more, validated by leaving out each once.")
      .def("for_part", &for_part, py::arg("part"), "The same model for a part of its space.")
      .def(
          "save",
          [](const LatencyModel& self, const std::filesystem::path& path) {
            require_stored(self).save(path);
          },
          py::arg("path"), "Writes the file that load_latency_model() and the command line read.")
      .def("__repr__", [](const LatencyModel& self) {
        return "<lathe.LatencyModel of " + self.space->name() + ">";
      });
}

}  // namespace

void add_latency(py::module_& module) {
  add_latency_model(module);
  module.def("load_latency_model", &load, py::arg("space"), py::arg("path"),
             R"(A model of any kind that Lathe writes, or published once-for-all tables.

Those are a folder or a .yaml file, and may know only some input sizes of the space: load_models()
opens the space with these alone.)");
  module.def("block_table", &block_table, py::arg("space"), py::arg("coefficients_ms"),
             py::kw_only(), py::arg("bias_ms") = 0.0, py::arg("fingerprint") = py::none(),
             R"(A lookup table: latency is the bias plus the sum over the net's blocks.

coefficients_ms: milliseconds, by Space.block_keys().)");
  module.def("fit_latency_model", &fit, py::arg("kind"), py::arg("space"), py::arg("archs"),
             py::arg("measured_ms"), py::kw_only(), py::arg("fingerprint") = py::none(),
             py::arg("seed") = 0,
             R"(Fits a latency model to whole nets that were measured.

kind: "ridge" explains few samples best; "additive" is AOWS's least squares over blocks; "linear"
the plain ridge over choices. Perceptrons are fitted by `lathe latency fit`.
fingerprint: a dictionary of what was measured: device, runtime, precision, batch, threads.)");
  module.def(
      "cross_validated_error",
      [](const std::string& kind, const SpacePtr& space, const std::vector<Arch>& archs,
         const py::object& measured_ms, int folds, std::uint64_t seed) {
        return error_or_none(cross_validated_error(kind, space, archs, measured_ms, folds, seed));
      },
      py::arg("kind"), py::arg("space"), py::arg("archs"), py::arg("measured_ms"), py::kw_only(),
      py::arg("folds") = 5, py::arg("seed") = 0,
      R"(The error to expect of fit_latency_model(), as LatencyModel.error() gives it.

Each part of the nets is predicted by a model fitted to the others. None if there are too few nets
for that.)");
  module.def("read_latency_samples", &latency_samples, py::arg("space"), py::arg("path"),
             "Measured nets of a file: archs, median_ms and p90_ms (corrected for the machine's "
             "drift where an anchor net was measured beside), repeats, the fingerprint, and "
             "whether an unfinished last line was left out.");
}

}  // namespace lathe::python
