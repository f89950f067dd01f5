#include "lathe/python/arch_function.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lathe/python/convert.h"

namespace lathe::python {

ArchFunction::ArchFunction(py::object function, std::string name)
    : function_(std::move(function)), name_(std::move(name)) {}

void ArchFunction::evaluate(std::span<const space::Arch> archs, std::span<double> out) const {
  if (archs.size() != out.size()) {
    throw std::invalid_argument("[python::ArchFunction] needs one place for each arch");
  }
  const py::gil_scoped_acquire lock;
  std::vector<space::Arch> unknown;
  std::unordered_set<space::Arch> asked;
  for (const space::Arch& arch : archs) {
    if (!known_.contains(arch) && asked.insert(arch).second) {
      unknown.push_back(arch);
    }
  }
  if (!unknown.empty()) {
    ask(unknown);
  }
  std::ranges::transform(archs, out.begin(),
                         [&](const space::Arch& arch) { return known_.at(arch); });
}

void ArchFunction::ask(const std::vector<space::Arch>& archs) const {
  const std::vector<double> values = numbers(function_(archs), "what " + name_ + " returns");
  if (values.size() != archs.size()) {
    throw std::invalid_argument(name_ + " must return one number for each of " +
                                std::to_string(archs.size()) + " archs, got " +
                                std::to_string(values.size()));
  }
  for (std::size_t i = 0; i < archs.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw std::invalid_argument(name_ + " must return finite numbers, got " +
                                  std::to_string(values[i]) + " for " +
                                  py::repr(py::cast(archs[i])).cast<std::string>());
    }
    known_.emplace(archs[i], values[i]);
  }
}

}  // namespace lathe::python
