#include "lathe/space/space_file.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/hash.h"
#include "lathe/core/json_fields.h"
#include "lathe/core/short_digits.h"
#include "lathe/graph/activation_name.h"

namespace lathe::space {
namespace {

using graph::Activation;
using nlohmann::json;
using nlohmann::ordered_json;

using Kind = NumberDomain::Kind;

// The bounds keep the multiply-accumulates of the largest net within 64 bits, and the choices of
// every slot below what Space::for_each_assignment() lists.
constexpr NumberDomain kChannels{.high = 4096};
constexpr NumberDomain kStride{.high = 4};
constexpr NumberDomain kDepth{.high = 16};
constexpr NumberDomain kExtraDepth{.low = 0, .high = 16};
constexpr NumberDomain kKernel{.kind = Kind::kOddInteger, .high = 15};
/// From 1: the mid channels of the largest net are then never fewer than a smaller one's, and the
/// largest net holds every weight.
constexpr NumberDomain kExpansion{.kind = Kind::kReal, .high = 16};
constexpr NumberDomain kShareOfChannels{.kind = Kind::kReal, .low = 0.05, .high = 1};
constexpr NumberDomain kWidth{.kind = Kind::kReal, .low = 0.05, .high = 2};
constexpr NumberDomain kInputSize{.high = 4096};
constexpr NumberDomain kInChannels{.high = 1024};
constexpr NumberDomain kNumClasses{.high = 1000000};
constexpr NumberDomain kFeatureChannels{.low = 0, .high = 4096};
constexpr NumberDomain kEpsilon{.kind = Kind::kReal, .low = 1e-9, .high = 1};
constexpr NumberDomain kDropout{.kind = Kind::kReal, .low = 0, .high = 0.9};

constexpr std::size_t kMaxStages = 16;
constexpr std::size_t kMaxLayers = 64;
constexpr std::size_t kMaxChoices = 8;
constexpr std::size_t kMaxChainWidths = 32;
constexpr std::size_t kMaxResolutions = 64;
constexpr std::size_t kMaxNameLength = 64;

Activation read_activation(const JsonFields& fields, Activation otherwise) {
  std::vector<std::string> names;
  for (const Activation activation : graph::kActivations) {
    names.emplace_back(graph::activation_name(activation));
  }
  const std::string name = fields.one_of("activation", names, graph::activation_name(otherwise));
  return graph::kActivations[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) -
                                                      names.begin())];
}

// What every family has.

Task read_task(const JsonFields& file) {
  const JsonFields task = file.object("task", {"in_channels", "num_classes", "input_size"});
  const Task usual;
  return {.in_channels = task.integer("in_channels", kInChannels, usual.in_channels),
          .num_classes = task.integer("num_classes", kNumClasses, usual.num_classes),
          .input_size = task.integer("input_size", kInputSize, usual.input_size)};
}

std::vector<double> read_resolutions(const JsonFields& file) {
  return file.has("resolutions") ? file.ascending("resolutions", kInputSize, kMaxResolutions)
                                 : std::vector<double>();
}

ordered_json json_list(const std::vector<double>& values) {
  ordered_json list = ordered_json::array();
  for (double value : values) {
    list.push_back(json_number(value));
  }
  return list;
}

ordered_json header(const char* family, const std::string& name, const Task& task) {
  return {{"family", family},
          {"name", name},
          {"task",
           {{"in_channels", task.in_channels},
            {"num_classes", task.num_classes},
            {"input_size", task.input_size}}}};
}

/// An empty list is not written: the input size is the task's.
void add_resolutions(ordered_json& file, const std::vector<double>& resolutions) {
  if (!resolutions.empty()) {
    file["resolutions"] = json_list(resolutions);
  }
}

// The mobile family.

MobileStage read_mobile_stage(const JsonFields& fields) {
  const MobileStage usual;
  MobileStage stage{.channels = fields.integer("channels", kChannels),
                    .stride = fields.integer("stride", kStride, usual.stride),
                    .activation = read_activation(fields, usual.activation),
                    .squeeze_excite = fields.flag("squeeze_excite", usual.squeeze_excite),
                    .depths = fields.ascending("depths", kDepth, kMaxChoices),
                    .kernels = fields.ascending("kernels", kKernel, kMaxChoices),
                    .expansions = fields.ascending("expansions", kExpansion, kMaxChoices),
                    .expansion_follows_depth =
                        fields.flag("expansion_follows_depth", usual.expansion_follows_depth)};
  if (stage.expansion_follows_depth && stage.expansions.size() != stage.depths.size()) {
    fields.fail("expansions", "expected as many as depths, " + std::to_string(stage.depths.size()) +
                                  ", which they follow, got " +
                                  std::to_string(stage.expansions.size()));
  }
  return stage;
}

MobileSpec read_mobile(const json& content, const std::string& where) {
  const JsonFields file(content, where, "",
                        {"family", "name", "task", "stem", "first_block", "stages", "head",
                         "batch_norm_eps", "resolutions"});
  const JsonFields stem = file.object("stem", {"channels", "stride", "activation"});
  const JsonFields first = file.object("first_block", {"channels", "activation", "residual"});
  const JsonFields head =
      file.object("head", {"channels", "feature_channels", "activation", "dropout"});
  const MobileSpec usual;
  MobileSpec spec{.name = file.identifier("name", kMaxNameLength),
                  .task = read_task(file),
                  .stem_channels = stem.integer("channels", kChannels),
                  .stem_stride = stem.integer("stride", kStride, usual.stem_stride),
                  .stem_activation = read_activation(stem, usual.stem_activation),
                  .first_channels = first.integer("channels", kChannels),
                  .first_activation = read_activation(first, usual.first_activation),
                  .first_residual = first.flag("residual", usual.first_residual),
                  .head_channels = head.integer("channels", kChannels),
                  .feature_channels = head.integer("feature_channels", kFeatureChannels, 0),
                  .head_activation = read_activation(head, usual.head_activation),
                  .batch_norm_eps = file.number("batch_norm_eps", kEpsilon, usual.batch_norm_eps),
                  .dropout = head.number("dropout", kDropout, usual.dropout),
                  .resolutions = read_resolutions(file)};
  for (const JsonFields& fields :
       file.objects("stages", kMaxStages,
                    {"channels", "stride", "activation", "squeeze_excite", "depths", "kernels",
                     "expansions", "expansion_follows_depth"})) {
    spec.stages.push_back(read_mobile_stage(fields));
  }
  return spec;
}

ordered_json to_json(const MobileStage& stage) {
  return {{"channels", stage.channels},
          {"stride", stage.stride},
          {"activation", graph::activation_name(stage.activation)},
          {"squeeze_excite", stage.squeeze_excite},
          {"depths", json_list(stage.depths)},
          {"kernels", json_list(stage.kernels)},
          {"expansions", json_list(stage.expansions)},
          {"expansion_follows_depth", stage.expansion_follows_depth}};
}

ordered_json file_of(const MobileSpec& spec) {
  ordered_json file = header("mobile", spec.name, spec.task);
  file["stem"] = {{"channels", spec.stem_channels},
                  {"stride", spec.stem_stride},
                  {"activation", graph::activation_name(spec.stem_activation)}};
  file["first_block"] = {{"channels", spec.first_channels},
                         {"activation", graph::activation_name(spec.first_activation)},
                         {"residual", spec.first_residual}};
  for (const MobileStage& stage : spec.stages) {
    file["stages"].push_back(to_json(stage));
  }
  file["head"] = {{"channels", spec.head_channels},
                  {"feature_channels", spec.feature_channels},
                  {"activation", graph::activation_name(spec.head_activation)},
                  {"dropout", spec.dropout}};
  file["batch_norm_eps"] = spec.batch_norm_eps;
  add_resolutions(file, spec.resolutions);
  return file;
}

// The bottleneck family.

BottleneckSpec read_bottleneck(const json& content, const std::string& where) {
  const JsonFields file(content, where, "",
                        {"family", "name", "task", "stem", "stages", "extra_depths", "expansions",
                         "widths", "dropout", "resolutions"});
  const BottleneckSpec usual;
  BottleneckSpec spec{
      .name = file.identifier("name", kMaxNameLength),
      .task = read_task(file),
      .stem_channels = file.object("stem", {"channels"}).integer("channels", kChannels),
      .extra_depths = file.ascending("extra_depths", kExtraDepth, kMaxChoices),
      .expansions = file.ascending("expansions", kShareOfChannels, kMaxChoices),
      .widths = file.ascending("widths", kWidth, kMaxChoices),
      .dropout = file.number("dropout", kDropout, usual.dropout),
      .resolutions = read_resolutions(file)};
  for (const JsonFields& stage :
       file.objects("stages", kMaxStages, {"channels", "stride", "base_depth"})) {
    const BottleneckStage usual_stage;
    spec.stages.push_back({.channels = stage.integer("channels", kChannels),
                           .stride = stage.integer("stride", kStride, usual_stage.stride),
                           .base_depth = stage.integer("base_depth", kDepth)});
  }
  return spec;
}

ordered_json file_of(const BottleneckSpec& spec) {
  ordered_json file = header("bottleneck", spec.name, spec.task);
  file["stem"] = {{"channels", spec.stem_channels}};
  for (const BottleneckStage& stage : spec.stages) {
    file["stages"].push_back(
        {{"channels", stage.channels}, {"stride", stage.stride}, {"base_depth", stage.base_depth}});
  }
  file["extra_depths"] = json_list(spec.extra_depths);
  file["expansions"] = json_list(spec.expansions);
  file["widths"] = json_list(spec.widths);
  file["dropout"] = spec.dropout;
  add_resolutions(file, spec.resolutions);
  return file;
}

// The chain family.

const std::vector<std::string> kChainLayerKinds{"conv", "separable", "mbconv"};

ChainLayer read_chain_layer(const JsonFields& fields, int index) {
  const ChainLayer usual;
  const ChainLayerKind usual_kind = index == 0 ? ChainLayerKind::kConv : usual.kind;
  const std::string kind = fields.one_of("kind", kChainLayerKinds,
                                         kChainLayerKinds[static_cast<std::size_t>(usual_kind)]);
  ChainLayer layer{.stride = fields.integer("stride", kStride, usual.stride),
                   .kind = static_cast<ChainLayerKind>(std::ranges::find(kChainLayerKinds, kind) -
                                                       kChainLayerKinds.begin()),
                   .kernel = fields.integer("kernel", kKernel, usual.kernel),
                   .expansion = fields.number("expansion", kExpansion, usual.expansion),
                   .activation = read_activation(fields, usual.activation),
                   .pool = fields.integer("pool", kStride, usual.pool),
                   .shortcut_from = fields.integer("shortcut_from", {.low = -1, .high = kMaxLayers},
                                                   usual.shortcut_from)};
  if (fields.has("widths") || layer.shortcut_from < 0) {
    layer.widths = fields.ascending("widths", kChannels, kMaxChainWidths);
  }
  return layer;
}

ChainSpec read_chain(const json& content, const std::string& where) {
  const JsonFields file(content, where, "", {"family", "name", "task", "layers"});
  ChainSpec spec{.name = file.identifier("name", kMaxNameLength), .task = read_task(file)};
  for (const JsonFields& layer : file.objects("layers", kMaxLayers,
                                              {"widths", "stride", "kind", "kernel", "expansion",
                                               "activation", "pool", "shortcut_from"})) {
    spec.layers.push_back(read_chain_layer(layer, static_cast<int>(spec.layers.size())));
  }
  try {
    make_chain_space(spec);
  } catch (const std::invalid_argument& error) {  // shortcuts that don't fit
    const std::string text = error.what();
    file.fail("layers", text.substr(text.find(": layer ") + 2));
  }
  return spec;
}

ordered_json file_of(const ChainSpec& spec) {
  ordered_json file = header("chain", spec.name, spec.task);
  for (const ChainLayer& layer : spec.layers) {
    ordered_json& fields = file["layers"].emplace_back(ordered_json::object());
    if (!layer.widths.empty()) {
      fields["widths"] = json_list(layer.widths);
    }
    fields.update({{"stride", layer.stride},
                   {"kind", kChainLayerKinds.at(static_cast<std::size_t>(layer.kind))},
                   {"kernel", layer.kernel},
                   {"expansion", json_number(layer.expansion)},
                   {"activation", graph::activation_name(layer.activation)},
                   {"pool", layer.pool},
                   {"shortcut_from", layer.shortcut_from}});
  }
  return file;
}

std::string& name_of(SpaceSpec& spec) {
  return std::visit([](auto& of_family) -> std::string& { return of_family.name; }, spec);
}

}  // namespace

ordered_json to_json(const SpaceSpec& spec) {
  return std::visit([](const auto& of_family) { return file_of(of_family); }, spec);
}

SpaceSpec space_spec_from_json(const json& content, const std::string& where) {
  const json family = content.is_object() ? content.value("family", json()) : json();
  if (family == "mobile") {
    return read_mobile(content, where);
  }
  if (family == "bottleneck") {
    return read_bottleneck(content, where);
  }
  if (family == "chain") {
    return read_chain(content, where);
  }
  throw Error(where + ": expected an object with \"family\": \"mobile\", \"bottleneck\" or " +
              "\"chain\", got " + internal::json_summary(family.is_null() ? content : family));
}

SpaceSpec load_space_spec(const std::filesystem::path& path) {
  SpaceSpec spec = space_spec_from_json(read_json(path), path.string());
  if (is_space_name(name_of(spec))) {
    throw Error(path.string() +
                ": name: expected a name of its own, got that of the built-in "
                "space \"" +
                name_of(spec) + "\"");
  }
  return spec;
}

std::string fingerprinted_name(const SpaceSpec& spec) {
  ordered_json content = to_json(spec);
  const std::string name = content["name"];
  content.erase("name");
  content.erase("task");
  return name + "@" + short_digits(fnv1a(content.dump()));
}

bool is_space_file(const std::string& name) { return name.ends_with(".json"); }

namespace {

/// The task that `overrides` ask for is one that a file could have. @throws std::invalid_argument
void check_task(const std::string& space, const TaskOverrides& overrides) {
  const auto check = [&](const char* name, const std::optional<int>& value,
                         const NumberDomain& domain) {
    if (value && (*value < domain.low || *value > domain.high)) {
      throw std::invalid_argument(
          space + ": " + name + " must be in [" + json_number(domain.low).dump() + ", " +
          json_number(domain.high).dump() + "], got " + std::to_string(*value));
    }
  };
  check("in_channels", overrides.in_channels, kInChannels);
  check("num_classes", overrides.num_classes, kNumClasses);
  check("input_size", overrides.input_size, kInputSize);
}

}  // namespace

std::unique_ptr<Space> open_space(const std::string& name_or_file, const TaskOverrides& overrides) {
  if (name_or_file.find('@') != std::string::npos && !is_space_file(name_or_file)) {
    throw Error("space \"" + name_or_file + "\" is defined in a file: give that file with --space");
  }
  try {
    check_task(name_or_file, overrides);
    if (!is_space_file(name_or_file)) {
      return make_space(name_or_file, overrides);
    }
    SpaceSpec spec = load_space_spec(name_or_file);
    name_of(spec) = fingerprinted_name(spec);
    return make_space_from_spec(std::move(spec), overrides);
  } catch (const std::invalid_argument& error) {
    // To a family a caller's mistake; here the caller is a person, who knows no function names.
    const std::string text = error.what();
    const std::size_t end = text.find("] ");
    throw Error("space " + (end == std::string::npos ? text : text.substr(end + 2)) +
                "; give the space another size or task");
  }
}

}  // namespace lathe::space
