// The extension module: what it holds is in the other files, by concept.
#include <pybind11/pybind11.h>

#include "lathe/core/error.h"
#include "lathe/python/models.h"

PYBIND11_MODULE(_lathe, module) {
  namespace py = pybind11;
  module.doc() = "The parts of Lathe that need no LibTorch. Import lathe, not this.";
  module.attr("__version__") = LATHE_VERSION;
  // Mistakes of the caller are ValueError, which is what pybind11 makes of std::invalid_argument.
  py::register_exception<lathe::Error>(module, "Error", PyExc_RuntimeError).attr("__doc__") =
      "A file or a name is not as needed; one line says which, what was expected and what came.";
  lathe::python::add_spaces(module);
  lathe::python::add_latency(module);
  lathe::python::add_accuracy(module);
  lathe::python::add_models(module);
  lathe::python::add_search(module);
}
