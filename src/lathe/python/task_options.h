// The task that a space is opened for.
#pragma once

#include <pybind11/pybind11.h>

#include "lathe/space/builtin_spaces.h"

namespace lathe::python {

namespace py = pybind11;

/// `in_channels`, `num_classes`, `input_size`, `resolutions`, and of cell spaces `stem`,
/// `init_channels`, `cells` and `auxiliary`; None is as the space has it.
/// @throws py::type_error for another name, or a value of another type; std::invalid_argument for a
/// size out of range; Error for an unknown stem.
space::TaskOverrides task_overrides(const py::kwargs& options);

}  // namespace lathe::python
