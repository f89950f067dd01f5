// Search spaces, archs and random numbers.
#include <pybind11/operators.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/graph/counts.h"
#include "lathe/python/convert.h"
#include "lathe/python/models.h"
#include "lathe/python/task_options.h"
#include "lathe/space/space_file.h"
#include "lathe/space/subspace.h"

namespace lathe::python {
namespace {

using space::Arch;
using space::Space;
using SpaceClass = py::class_<Space, SpacePtr>;
using SubspaceClass = py::class_<space::Subspace, Space, std::shared_ptr<space::Subspace>>;

template <typename T>
void read_option(const py::kwargs& options, const char* name, T& into) {
  if (!options.contains(name) || options[name].is_none()) {
    return;
  }
  try {
    into = py::cast<T>(options[name]);
  } catch (const py::cast_error&) {
    throw py::type_error(std::string(name) + ": got " +
                         py::repr(options[name]).cast<std::string>());
  }
}

/// The bounds are those of the command line's options.
void read_size(const py::kwargs& options, const char* name, int least, int most,
               std::optional<int>& into) {
  read_option(options, name, into);
  if (into && (*into < least || *into > most)) {
    throw std::invalid_argument(std::string(name) + " must be from " + std::to_string(least) +
                                " to " + std::to_string(most) + ", got " + std::to_string(*into));
  }
}

Arch arch_of(const std::vector<int>& choices) {
  Arch arch;
  for (const int choice : choices) {
    if (choice < 0 || choice > std::numeric_limits<std::uint8_t>::max()) {
      throw std::invalid_argument("choices must be from 0 to 255, got " + std::to_string(choice));
    }
    arch.choices.push_back(static_cast<std::uint8_t>(choice));
  }
  return arch;
}

py::tuple choices_of(const Arch& arch) {
  py::tuple choices(arch.choices.size());
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    choices[i] = static_cast<int>(arch.choices[i]);
  }
  return choices;
}

py::list decisions_of(const Space& space) {
  py::list decisions;
  for (const space::Decision& decision : space.decisions()) {
    py::dict entry;
    entry["group"] = decision.group;
    entry["index"] = decision.index;
    entry["values"] = decision.values;
    decisions.append(std::move(entry));
  }
  return decisions;
}

py::array_t<float> encoded(const Space& space, const std::vector<Arch>& archs) {
  const auto width = static_cast<std::size_t>(space.encoding_size());
  py::array_t<float> out({archs.size(), width});
  float* row = out.mutable_data();
  const py::gil_scoped_release others_may_run;
  for (const Arch& arch : archs) {
    std::ranges::copy(space.encode(arch), row);
    row += width;
  }
  return out;
}

std::vector<std::string> block_keys(const std::vector<space::Block>& blocks) {
  std::vector<std::string> keys;
  for (const space::Block& block : blocks) {
    keys.push_back(block.key());
  }
  return keys;
}

/// A size of a net: of one arch a number, of many an array.
void def_count(SpaceClass& of, const char* name, std::int64_t (*count)(const graph::Graph&),
               const char* text) {
  of.def(
      name, [count](const Space& space, const Arch& arch) { return count(space.graph(arch)); },
      py::arg("arch"), text);
  of.def(
      name,
      [count](const Space& space, const std::vector<Arch>& archs) {
        std::vector<std::int64_t> counts(archs.size());
        {
          const py::gil_scoped_release others_may_run;
          std::ranges::transform(archs, counts.begin(),
                                 [&](const Arch& arch) { return count(space.graph(arch)); });
        }
        return py::array_t<std::int64_t>(static_cast<py::ssize_t>(counts.size()), counts.data());
      },
      py::arg("archs"), "The same of each, as an array of int64.");
}

void add_arch(py::module_& module) {
  py::class_<Arch>(module, "Arch",
                   R"(A net of a space: one choice for each of its decisions.

Immutable, and a key of dictionaries. It means something only together with its space. Archs of
the same net are equal once they are canonical, as those that a space gives are.)")
      .def(py::init(&arch_of), py::arg("choices"),
           "From the index of the choice of each decision, in the space's order.")
      .def_property_readonly("choices", &choices_of, "The index of the choice of each decision.")
      .def(py::self == py::self)
      .def(py::self != py::self)
      .def(py::self < py::self)
      .def("__hash__", [](const Arch& arch) { return std::hash<Arch>()(arch); })
      .def("__repr__",
           [](const Arch& arch) {
             return "lathe.Arch(" + py::repr(py::list(choices_of(arch))).cast<std::string>() + ")";
           })
      .def(py::pickle(&choices_of, [](const py::tuple& choices) {
        return arch_of(choices.cast<std::vector<int>>());
      }));
}

void add_rng(py::module_& module) {
  py::class_<Rng>(module, "Rng",
                  "A generator of random numbers, the same sequence on every machine.")
      .def(py::init<std::uint64_t>(), py::arg("seed"))
      .def("below", &Rng::below, py::arg("bound"), "An integer, uniform in [0, bound).")
      .def("uniform", &Rng::uniform, "A number, uniform in [0, 1).")
      .def("normal", &Rng::normal, "A number of the standard normal distribution.");
}

void def_description(SpaceClass& space) {
  space.def_property_readonly("name", &Space::name, "What archs and models are said to be of.")
      .def_property_readonly(
          "task",
          [](const Space& s) {
            py::dict task;
            task["in_channels"] = s.task().in_channels;
            task["num_classes"] = s.task().num_classes;
            task["input_size"] = s.task().input_size;
            return task;
          },
          "What its nets are for: in_channels, num_classes and input_size.")
      .def_property_readonly("input_sizes", &Space::input_sizes,
                             "Heights (and widths) that the input of a net can have, ascending.")
      .def_property_readonly("decisions", &decisions_of,
                             "What is chosen, in the order of Arch.choices: for each decision its "
                             "group (the key of the arch's dictionary), its index there, and the "
                             "values to choose from.")
      .def_property_readonly(
          "num_nets", [](const Space& s) { return std::pow(10.0, s.log10_num_nets()); },
          "How many different nets it has at one resolution.")
      .def_property_readonly("encoding_size", &Space::encoding_size, "Numbers of encode().")
      .def("__repr__", [](const Space& s) { return "<lathe.Space " + s.name() + ">"; });
}

void def_archs(SpaceClass& space) {
  space.def("smallest", &Space::smallest, "The net of the first choice everywhere.")
      .def("largest", &Space::largest, "The net that needs the most multiply-accumulates.")
      .def("sample", &Space::sample, py::arg("rng"),
           "A random net: each decision uniform and independent.")
      .def("mutate", &Space::mutate, py::arg("arch"), py::arg("rate"), py::arg("rng"),
           "The net with every gene redrawn with probability `rate`.")
      .def("crossover", &Space::crossover, py::arg("a"), py::arg("b"), py::arg("rng"),
           "A net that has each gene from either parent with equal probability.")
      .def(
          "canonical", [](const Space& s, const Arch& arch) { return s.canonical(arch); },
          py::arg("arch"), "The arch with choice 0 for decisions without effect.")
      .def("equivalents", &Space::equivalents, py::arg("arch"),
           "Every arch whose net is that of `arch` with its parts in another order.")
      .def("input_size", &Space::input_size, py::arg("arch"),
           "Height and width of the net's input.")
      .def(
          "to_dict", [](const Space& s, const Arch& arch) { return to_python(s.to_json(arch)); },
          py::arg("arch"), "The arch as its JSON file has it: {'space': ..., 'ks': [...], ...}.")
      .def(
          "from_dict",
          [](const Space& s, const py::dict& arch) { return s.from_json(to_json(arch), "arch"); },
          py::arg("arch"), "The arch that such a dictionary describes; canonical.");
}

void def_numbers(SpaceClass& space) {
  space
      .def(
          "encode",
          [](const Space& s, const Arch& arch) {
            const std::vector<float> row = s.encode(arch);
            return py::array_t<float>(static_cast<py::ssize_t>(row.size()), row.data());
          },
          py::arg("arch"),
          "What learned predictors see: a one-hot of every decision, zeros where it has no effect. "
          "An array of float32 [encoding_size].")
      .def("encode", &encoded, py::arg("archs"),
           "The same of each: an array of float32 [number of archs, encoding_size].");
  def_count(space, "macs", &graph::macs,
            "Multiply-accumulates for one image. FLOPs are twice that.");
  def_count(space, "params", &graph::params, "Trainable parameters.");
  def_count(space, "peak_memory_bytes", &graph::peak_memory_bytes,
            "The most bytes of float32 activations alive at once, for one image.");
  space
      .def(
          "block_keys", [](const Space& s, const Arch& arch) { return block_keys(s.blocks(arch)); },
          py::arg("arch"), "The keys of the net's blocks in latency tables, in the net's order.")
      .def(
          "block_keys", [](const Space& s) { return block_keys(s.distinct_blocks()); },
          "The key of every block that some net of the space has, each once.");
}

}  // namespace

space::TaskOverrides task_overrides(const py::kwargs& options) {
  static const std::vector<std::string> kKnown{"in_channels", "num_classes", "input_size",
                                               "resolutions", "stem",        "init_channels",
                                               "cells",       "auxiliary"};
  for (const auto& [key, value] : options) {
    const auto name = key.cast<std::string>();
    if (std::ranges::find(kKnown, name) == kKnown.end()) {
      throw py::type_error("unexpected argument '" + name + "': " + nearest_names(name, kKnown));
    }
  }
  space::TaskOverrides overrides;
  read_size(options, "in_channels", 1, 1024, overrides.in_channels);
  read_size(options, "num_classes", 1, 1'000'000, overrides.num_classes);
  read_size(options, "input_size", 1, 4096, overrides.input_size);
  read_option(options, "resolutions", overrides.resolutions);
  read_size(options, "init_channels", 2, 9999, overrides.init_channels);
  read_size(options, "cells", 1, 999, overrides.cells);
  read_option(options, "auxiliary", overrides.auxiliary);
  std::string stem;
  read_option(options, "stem", stem);
  if (!stem.empty() && stem != "cifar" && stem != "imagenet") {
    throw Error("stem must be \"cifar\" or \"imagenet\", got \"" + stem + "\"");
  }
  if (!stem.empty()) {
    overrides.stem = stem == "cifar" ? space::CellStem::kCifar : space::CellStem::kImagenet;
  }
  return overrides;
}

void add_spaces(py::module_& module) {
  add_arch(module);
  add_rng(module);
  SpaceClass space(module, "Space",
                   "What may be chosen: a set of nets. Opened by space(); immutable.");
  SubspaceClass(module, "Subspace",
                R"(The nets between two nets of a space, as a space of its own: Space.part().

Its archs are written as those of the whole space, and have fewer choices.)")
      .def("to_whole", &space::Subspace::to_whole, py::arg("arch"),
           "The arch of the whole space that is the same net.")
      .def("from_whole", &space::Subspace::from_whole, py::arg("arch"), "The other way.")
      .def("contains", &space::Subspace::contains, py::arg("whole_arch"),
           "Whether a net of the whole space is in this part.");
  def_description(space);
  def_archs(space);
  def_numbers(space);
  space.def(
      "part",
      [](const SpacePtr& whole, const Arch& lowest, const Arch& highest) {
        return std::const_pointer_cast<space::Subspace>(
            space::make_subspace(whole, lowest, highest));
      },
      py::arg("lowest"), py::arg("highest"),
      "The nets that have at least the choices of one net and at most those of another.");
  module.def(
      "space",
      [](const std::string& name_or_file, const py::kwargs& task) {
        return SpacePtr(space::open_space(name_or_file, task_overrides(task)));
      },
      py::arg("name_or_file"),
      R"(Opens a search space: a built-in one by its name, or a .json file of your own.

input_size, num_classes, in_channels: the task, where it isn't the space's own.
resolutions: those of the space's input sizes that archs may have.
stem ("cifar" or "imagenet"), init_channels, cells, auxiliary: of cell spaces alone.)");
  module.def("space_names", &space::builtin_space_names,
             "The names of the built-in spaces, sorted.");
}

}  // namespace lathe::python
