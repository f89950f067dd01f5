#include "lathe/python/convert.h"

#include <stdexcept>

#include "lathe/core/error.h"

namespace lathe::python {
namespace {

constexpr const char* kUnknown = "unknown";

}  // namespace

// By Python's own module: it knows every type that a dictionary may hold, and how to refuse others.
py::object to_python(const nlohmann::ordered_json& json) {
  return py::module_::import("json").attr("loads")(json.dump());
}

nlohmann::json to_json(const py::object& value) {
  return nlohmann::json::parse(py::module_::import("json")
                                   .attr("dumps")(value, py::arg("allow_nan") = false)
                                   .cast<std::string>());
}

std::vector<double> numbers(const py::object& values, const std::string& what) {
  const py::array_t<double, py::array::c_style | py::array::forcecast> array(values);
  if (array.ndim() != 1) {
    throw std::invalid_argument(what + " must be a list of numbers, got " +
                                std::to_string(array.ndim()) + " dimensions");
  }
  return {array.data(), array.data() + array.size()};
}

py::array_t<double> to_array(std::span<const double> values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

latency::Fingerprint to_fingerprint(const py::object& given, const space::Space& space) {
  nlohmann::ordered_json json = latency::to_json({.device = kUnknown,
                                                  .runtime = kUnknown,
                                                  .precision = "float32",
                                                  .space = space.name(),
                                                  .in_channels = space.task().in_channels,
                                                  .num_classes = space.task().num_classes,
                                                  .input_size = space.task().input_size});
  if (!given.is_none()) {
    std::vector<std::string> known;
    for (const auto& [key, value] : json.items()) {
      known.push_back(key);
    }
    const nlohmann::json members = to_json(given);
    if (!members.is_object()) {
      throw Error("fingerprint: expected a dictionary");
    }
    for (const auto& [key, value] : members.items()) {
      if (!json.contains(key)) {
        throw Error("fingerprint: unknown member \"" + key + "\": " + nearest_names(key, known));
      }
      json[key] = value;
    }
  }
  latency::Fingerprint fingerprint = latency::fingerprint_from_json(json, "fingerprint");
  latency::require_space(fingerprint, space, "fingerprint");
  return fingerprint;
}

}  // namespace lathe::python
