// Between Python's values and the library's.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/samples/fingerprint.h"
#include "lathe/space/space.h"

namespace lathe::python {

namespace py = pybind11;

/// Objects become dictionaries, in their order.
py::object to_python(const nlohmann::ordered_json& json);

/// `what` begins the error's text. @throws py::error_already_set TypeError if it is no JSON.
nlohmann::json to_json(const py::object& value);

/// A list, or an array of one dimension. `what` names it.
/// @throws std::invalid_argument if it has another number of dimensions; py::error_already_set if
/// an item is no number.
std::vector<double> numbers(const py::object& values, const std::string& what);

/// A new array of float64.
py::array_t<double> to_array(std::span<const double> values);

/// What `given` (a dictionary or None) says of where latencies were measured; the space and its
/// task are `space`'s.
/// @throws Error if a member is unknown, of another type, or names another space or task.
latency::Fingerprint to_fingerprint(const py::object& given, const space::Space& space);

}  // namespace lathe::python
