// Models as Python holds them: with the space that they refer to.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <typeinfo>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/space/space.h"
#include "lathe/space/subspace.h"

/// A space that is a part is one to Python too: the classes behind the two have no names there.
template <>
struct pybind11::polymorphic_type_hook<lathe::space::Space> {
  static const void* get(const lathe::space::Space* space, const std::type_info*& type) {
    const auto* part = dynamic_cast<const lathe::space::Subspace*>(space);
    type = part != nullptr ? &typeid(lathe::space::Subspace) : nullptr;
    return part != nullptr ? static_cast<const void*>(part) : space;
  }
};

namespace lathe::python {

namespace py = pybind11;

/// Holders of classes that Python sees must not be of const objects; nothing changes a space.
using SpacePtr = std::shared_ptr<space::Space>;

struct LatencyModel {
  SpacePtr space;
  std::shared_ptr<latency::LatencyModel> model;
  std::shared_ptr<void> whole = nullptr;  ///< what the model of a part refers to

  /// Null if the model can't be written to a file: that of a part, or of fewer resolutions.
  latency::StoredLatencyModel* stored() const {
    return whole == nullptr ? dynamic_cast<latency::StoredLatencyModel*>(model.get()) : nullptr;
  }
};

struct AccuracyPredictor {
  SpacePtr space;
  std::shared_ptr<accuracy::AccuracyPredictor> predictor;
};

/// Archs of `got` are archs of `expected` only if the two offer the same choices: a name alone
/// doesn't say which resolutions.
/// @throws std::invalid_argument `<what> must be of ...` if they don't.
void require_same_choices(const std::string& what, const space::Space& got,
                          const space::Space& expected);

// Each file's part of the module.
void add_spaces(py::module_& module);
void add_latency(py::module_& module);
void add_accuracy(py::module_& module);
void add_models(py::module_& module);
void add_search(py::module_& module);

}  // namespace lathe::python
