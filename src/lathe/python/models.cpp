#include "lathe/python/models.h"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <utility>

#include "lathe/python/task_options.h"
#include "lathe/search/models.h"

namespace lathe::python {
namespace {

std::string text_of(const space::Space& space) {
  std::string text = space.name() + " of";
  for (const int size : space.input_sizes()) {
    text += " " + std::to_string(size);
  }
  return text + " pixels";
}

py::tuple load_models(const std::string& name, std::optional<std::filesystem::path> latency,
                      std::optional<std::filesystem::path> accuracy,
                      const space::TaskOverrides& task) {
  search::Models models = search::load_models(
      name, task, {.latency = std::move(latency), .accuracy = std::move(accuracy)});
  const SpacePtr space = std::const_pointer_cast<space::Space>(
      std::shared_ptr<const space::Space>(std::move(models.space)));
  py::object latency_model = py::none();
  if (models.latency) {
    latency_model = py::cast(LatencyModel{
        space, std::const_pointer_cast<latency::LatencyModel>(
                   std::shared_ptr<const latency::LatencyModel>(std::move(models.latency)))});
  }
  py::object predictor = py::none();
  if (models.accuracy) {
    predictor = py::cast(AccuracyPredictor{
        space,
        std::const_pointer_cast<accuracy::AccuracyPredictor>(
            std::shared_ptr<const accuracy::AccuracyPredictor>(std::move(models.accuracy)))});
  }
  return py::make_tuple(space, latency_model, predictor);
}

}  // namespace

void require_same_choices(const std::string& what, const space::Space& got,
                          const space::Space& expected) {
  const bool same =
      &got == &expected ||
      (got.name() == expected.name() &&
       std::ranges::equal(got.decisions(), expected.decisions(),
                          [](const space::Decision& a, const space::Decision& b) {
                            return a.group == b.group && a.index == b.index && a.values == b.values;
                          }) &&
       got.input_sizes() == expected.input_sizes());
  if (!same) {
    throw std::invalid_argument(what + " must be of " + text_of(expected) + ", got one of " +
                                text_of(got));
  }
}

void add_models(py::module_& module) {
  module.def(
      "load_models",
      [](const std::string& name, std::optional<std::filesystem::path> latency,
         std::optional<std::filesystem::path> accuracy, const py::kwargs& task) {
        return load_models(name, std::move(latency), std::move(accuracy), task_overrides(task));
      },
      py::arg("name"), py::kw_only(), py::arg("latency") = py::none(),
      py::arg("accuracy") = py::none(),
      R"(A space with its models from files: (space, latency model, accuracy predictor).

The space has only those input resolutions that every model knows: published tables know some.
`latency` is a model that Lathe wrote, or published once-for-all tables: a folder or a .yaml file;
`accuracy` a predictor, Lathe's or published. A model that isn't asked for is None.
The other arguments are those of space().)");
}

}  // namespace lathe::python
