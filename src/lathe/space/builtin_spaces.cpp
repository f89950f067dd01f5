#include "lathe/space/builtin_spaces.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <regex>
#include <stdexcept>

#include "lathe/core/error.h"

namespace lathe::space {
namespace {

using graph::Activation;
using Choices = std::vector<double>;

Choices every_fourth_from_128_to_224() {
  Choices sizes;
  for (int size = 128; size <= 224; size += 4) {
    sizes.push_back(size);
  }
  return sizes;
}

constexpr std::array<bool, 5> kMobileNetV3SqueezeExcite{false, true, false, true, true};
constexpr std::array<int, 5> kMobileStrides{2, 2, 2, 1, 2};
const Choices kOfaKernels{3, 5, 7};
const Choices kOfaExpansions{3, 4, 6};
const Choices kOfaDepths{2, 3, 4};

/// Once-for-All's MobileNetV3; `widths`: stem, first block, five stages, head, feature conv.
MobileSpec ofa_mbv3(const std::string& name, const std::array<int, 9>& widths) {
  MobileSpec spec{.name = name,
                  .stem_channels = widths[0],
                  .first_channels = widths[1],
                  .head_channels = widths[7],
                  .feature_channels = widths[8],
                  .resolutions = every_fourth_from_128_to_224()};
  for (std::size_t s = 0; s < 5; ++s) {
    spec.stages.push_back({.channels = widths[s + 2],
                           .stride = kMobileStrides[s],
                           .activation = s < 2 ? Activation::kRelu : Activation::kHSwish,
                           .squeeze_excite = kMobileNetV3SqueezeExcite[s],
                           .depths = kOfaDepths,
                           .kernels = kOfaKernels,
                           .expansions = kOfaExpansions});
  }
  return spec;
}

MobileSpec ofa_mbv3_w10(const std::string& name) {
  return ofa_mbv3(name, {16, 16, 24, 40, 80, 112, 160, 960, 1280});
}

MobileSpec ofa_mbv3_w12(const std::string& name) {
  return ofa_mbv3(name, {24, 24, 32, 48, 96, 136, 192, 1152, 1536});
}

MobileSpec ofa_proxyless_w13(const std::string& name) {
  MobileSpec spec{.name = name,
                  .stem_channels = 40,
                  .stem_activation = Activation::kRelu6,
                  .first_channels = 24,
                  .first_activation = Activation::kRelu6,
                  .first_residual = false,
                  .head_channels = 1664,
                  .feature_channels = 0,
                  .head_activation = Activation::kRelu6,
                  .batch_norm_eps = 1e-3,
                  .resolutions = every_fourth_from_128_to_224()};
  constexpr std::array<int, 5> kChannels{32, 56, 104, 128, 248};
  const auto stage = [](int channels, int stride, const Choices& depths) {
    return MobileStage{.channels = channels,
                       .stride = stride,
                       .activation = Activation::kRelu6,
                       .depths = depths,
                       .kernels = kOfaKernels,
                       .expansions = kOfaExpansions};
  };
  for (std::size_t s = 0; s < 5; ++s) {
    spec.stages.push_back(stage(kChannels[s], kMobileStrides[s], kOfaDepths));
  }
  spec.stages.push_back(stage(416, 1, {1}));
  return spec;
}

/// DepS trains 7x7 kernels only.
MobileSpec deps_mbv3(const std::string& name) {
  MobileSpec spec = ofa_mbv3_w10(name);
  for (MobileStage& stage : spec.stages) {
    stage.kernels = {7};
  }
  spec.resolutions.clear();
  return spec;
}

/// CompOFA: depth and expansion grow together, the kernel is fixed per stage.
MobileSpec compofa_mbv3(const std::string& name) {
  MobileSpec spec = ofa_mbv3_w10(name);
  constexpr std::array<double, 5> kKernels{3, 5, 3, 3, 5};
  for (std::size_t s = 0; s < 5; ++s) {
    spec.stages[s].kernels = {kKernels[s]};
    spec.stages[s].expansion_follows_depth = true;
  }
  return spec;
}

MobileSpec compofa_mbv3_elastic_kernel(const std::string& name) {
  MobileSpec spec = ofa_mbv3_w10(name);
  for (MobileStage& stage : spec.stages) {
    stage.expansion_follows_depth = true;
  }
  return spec;
}

MobileStage small_stage(int channels, int stride, Activation activation, bool squeeze_excite) {
  return {.channels = channels,
          .stride = stride,
          .activation = activation,
          .squeeze_excite = squeeze_excite,
          .depths = {1, 2, 3},
          .kernels = {3, 5},
          .expansions = {2, 3, 4}};
}

/// MobileNetV3's blocks for 28x28 grey images: sized so that a supernet trains in minutes on a
/// CPU.
MobileSpec mbv3_28(const std::string& name) {
  MobileSpec spec{.name = name,
                  .task = {.in_channels = 1, .num_classes = 10, .input_size = 28},
                  .stem_channels = 16,
                  .stem_stride = 1,
                  .first_channels = 16,
                  .head_channels = 224,
                  .feature_channels = 0};
  spec.stages = {
      small_stage(24, 2, Activation::kRelu, false), small_stage(32, 2, Activation::kRelu, true),
      small_stage(40, 1, Activation::kHSwish, true), small_stage(48, 1, Activation::kHSwish, true)};
  return spec;
}

/// The same for colour photographs of 64 to 224 pixels.
MobileSpec mbv3_photo(const std::string& name) {
  MobileSpec spec{.name = name,
                  .stem_channels = 16,
                  .first_channels = 16,
                  .head_channels = 320,
                  .feature_channels = 0};
  spec.stages = {
      small_stage(24, 2, Activation::kRelu, false), small_stage(32, 2, Activation::kRelu, true),
      small_stage(48, 2, Activation::kHSwish, true), small_stage(64, 1, Activation::kHSwish, true),
      small_stage(96, 2, Activation::kHSwish, true)};
  return spec;
}

BottleneckSpec ofa_resnet50d(const std::string& name) {
  return {.name = name,
          .stages = {{256, 1, 2}, {512, 2, 2}, {1024, 2, 4}, {2048, 2, 2}},
          .extra_depths = {0, 1, 2},
          .expansions = {0.2, 0.25, 0.35},
          .widths = {0.65, 0.8, 1.0},
          .resolutions = every_fourth_from_128_to_224()};
}

/// The multiples of 8 nearest to 0.2, 0.3, ... 1.5 times `base`.
Choices fifth_to_one_and_a_half(double base) {
  Choices widths;
  for (int tenths = 2; tenths <= 15; ++tenths) {
    const double width = 8 * std::max(std::round(base * tenths / 80.0), 1.0);
    if (widths.empty() || widths.back() < width) {
      widths.push_back(width);
    }
  }
  return widths;
}

// Up to this size the stem of a width chain keeps the image's.
constexpr int kLargestSmallImage = 48;

/// Which of a width chain's nets are wanted.
struct ChainShape {
  double scale = 1;  ///< of all widths
  bool small = false;
};

/// AOWS, supplement D.
ChainSpec mobilenet_v1_widths(const std::string& name, const ChainShape& shape) {
  ChainSpec spec{.name = name};
  constexpr std::array<int, 14> kBase{32,  64,  128, 128, 256, 256,  512,
                                      512, 512, 512, 512, 512, 1024, 1024};
  constexpr std::array<int, 14> kStrides{2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1};
  for (std::size_t i = 0; i < kBase.size(); ++i) {
    spec.layers.push_back({.widths = fifth_to_one_and_a_half(kBase[i] * shape.scale),
                           .stride = i == 0 && shape.small ? 1 : kStrides[i],
                           .kind = i == 0 ? ChainLayerKind::kConv : ChainLayerKind::kSeparable});
  }
  return spec;
}

/// Basic blocks, of which each has an inner width of its own; its output is added to its input, so
/// that a stage has one outer width, and the first stage has the stem's.
ChainSpec resnet_widths(const std::string& name, const ChainShape& shape,
                        const std::array<int, 4>& blocks) {
  ChainSpec spec{.name = name};
  constexpr std::array<int, 4> kBase{64, 128, 256, 512};
  const auto conv = [&](std::size_t stage, int kernel, int stride) {
    return ChainLayer{.widths = fifth_to_one_and_a_half(kBase[stage] * shape.scale),
                      .stride = stride,
                      .kind = ChainLayerKind::kConv,
                      .kernel = kernel};
  };
  spec.layers.push_back(shape.small ? conv(0, 3, 1) : conv(0, 7, 2));
  spec.layers.back().pool = shape.small ? 1 : 2;
  for (std::size_t stage = 0; stage < kBase.size(); ++stage) {
    for (int block = 0; block < blocks[stage]; ++block) {
      const bool enters = stage > 0 && block == 0;
      const auto input = static_cast<int>(spec.layers.size()) - 1;
      spec.layers.push_back(conv(stage, 3, enters ? 2 : 1));
      spec.layers.push_back(conv(stage, 3, 1));
      spec.layers.back().shortcut_from = input;
      if (!enters) {
        spec.layers.back().widths.clear();
      }
    }
  }
  return spec;
}

ChainSpec resnet18_widths(const std::string& name, const ChainShape& shape) {
  return resnet_widths(name, shape, {2, 2, 2, 2});
}

ChainSpec resnet34_widths(const std::string& name, const ChainShape& shape) {
  return resnet_widths(name, shape, {3, 4, 6, 3});
}

using MakeChain = ChainSpec (*)(const std::string&, const ChainShape&);

const std::map<std::string, MakeChain>& width_chains() {
  static const std::map<std::string, MakeChain> kChains{
      {"mobilenet_v1_widths", mobilenet_v1_widths},
      {"resnet18_widths", resnet18_widths},
      {"resnet34_widths", resnet34_widths}};
  return kChains;
}

bool is_width_scale(double scale) {
  constexpr double kSteps = 1000;
  return scale >= 0.05 && scale <= 4 &&
         std::abs(scale * kSteps - std::round(scale * kSteps)) < 1e-9;
}

/// `<name>` or `<name>_x<scale>`, of one of width_chains().
struct ScaledChain {
  std::string base;
  double scale = 1;
};

std::string name_of(const ScaledChain& chain) {
  if (chain.scale == 1) {
    return chain.base;
  }
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "%.4g", chain.scale);
  return chain.base + "_x" + digits.data();
}

std::optional<ScaledChain> scaled_chain(const std::string& name) {
  static const std::regex kPattern("([a-z0-9_]+_widths)(_x([0-9]\\.?[0-9]{0,3}))?");
  std::smatch parts;
  if (!std::regex_match(name, parts, kPattern) || !width_chains().contains(parts[1])) {
    return std::nullopt;
  }
  ScaledChain chain{.base = parts[1], .scale = parts[3].matched ? std::stod(parts[3]) : 1};
  // One name for one space.
  return is_width_scale(chain.scale) && name_of(chain) == name ? std::optional(chain)
                                                               : std::nullopt;
}

std::string sizes_text(const Choices& sizes) {
  std::string text;
  for (double size : sizes) {
    text += (text.empty() ? "" : ", ") + std::to_string(static_cast<int>(size));
  }
  return text;
}

void keep_resolutions(const std::vector<int>& wanted, const std::string& space,
                      Choices& resolutions) {
  for (int size : wanted) {
    if (resolutions.empty()) {
      throw Error("space " + space + " has no choice of a resolution, got " + std::to_string(size) +
                  "; give an input size instead");
    }
    if (std::ranges::find(resolutions, size) == resolutions.end()) {
      throw Error("resolution " + std::to_string(size) + " is none of space " + space + ": " +
                  sizes_text(resolutions));
    }
  }
  std::erase_if(resolutions,
                [&](double size) { return std::ranges::find(wanted, size) == wanted.end(); });
}

/// `resolutions`: of a space where they are a choice.
void apply(const TaskOverrides& overrides, const std::string& space, Task& task,
           Choices& resolutions) {
  if (overrides.input_size && !overrides.resolutions.empty()) {
    throw std::invalid_argument(
        "[space::make_space] input_size and resolutions must not both be given");
  }
  if (!overrides.resolutions.empty()) {
    keep_resolutions(overrides.resolutions, space, resolutions);
  }
  task.in_channels = overrides.in_channels.value_or(task.in_channels);
  task.num_classes = overrides.num_classes.value_or(task.num_classes);
  if (overrides.input_size) {
    task.input_size = *overrides.input_size;
    resolutions.clear();
  }
}

/// The same where they are none.
void apply(const TaskOverrides& overrides, const std::string& space, Task& task) {
  Choices none;
  apply(overrides, space, task, none);
}

CellSpec published_cells(CellStem stem) {
  if (stem == CellStem::kCifar) {
    return {};
  }
  return {.task = {}, .stem = stem, .init_channels = 48, .cells = 14};
}

/// darts[_imagenet][_cN][_lN][_aux]
std::optional<CellSpec> cell_spec(const std::string& name) {
  static const std::regex kPattern("darts(_imagenet)?(_c([0-9]{1,4}))?(_l([0-9]{1,3}))?(_aux)?");
  std::smatch parts;
  if (!std::regex_match(name, parts, kPattern)) {
    return std::nullopt;
  }
  CellSpec spec = published_cells(parts[1].matched ? CellStem::kImagenet : CellStem::kCifar);
  if (parts[3].matched) {
    spec.init_channels = std::stoi(parts[3]);
  }
  if (parts[5].matched) {
    spec.cells = std::stoi(parts[5]);
  }
  spec.auxiliary = parts[6].matched;
  return spec;
}

std::string cell_space_name(const CellSpec& spec) {
  const CellSpec published = published_cells(spec.stem);
  std::string name = spec.stem == CellStem::kImagenet ? "darts_imagenet" : "darts";
  if (spec.init_channels != published.init_channels) {
    name += "_c" + std::to_string(spec.init_channels);
  }
  if (spec.cells != published.cells) {
    name += "_l" + std::to_string(spec.cells);
  }
  return name + (spec.auxiliary ? "_aux" : "");
}

std::unique_ptr<Space> make(const TaskOverrides& overrides, CellSpec spec) {
  if (overrides.stem && *overrides.stem != spec.stem) {
    const bool auxiliary = spec.auxiliary;
    spec = published_cells(*overrides.stem);
    spec.auxiliary = auxiliary;
  }
  spec.init_channels = overrides.init_channels.value_or(spec.init_channels);
  spec.cells = overrides.cells.value_or(spec.cells);
  spec.auxiliary = spec.auxiliary || overrides.auxiliary;
  spec.name = cell_space_name(spec);
  apply(overrides, spec.name, spec.task);
  return make_cell_space(std::move(spec));
}

std::unique_ptr<Space> make(const TaskOverrides& overrides, MobileSpec spec) {
  apply(overrides, spec.name, spec.task, spec.resolutions);
  return make_mobile_space(std::move(spec));
}

std::unique_ptr<Space> make(const TaskOverrides& overrides, BottleneckSpec spec) {
  apply(overrides, spec.name, spec.task, spec.resolutions);
  return make_bottleneck_space(std::move(spec));
}

std::unique_ptr<Space> make(const TaskOverrides& overrides, ChainSpec spec) {
  apply(overrides, spec.name, spec.task);
  return make_chain_space(std::move(spec));
}

template <auto make_spec>
SpaceSpec spec_of(const std::string& name) {
  return make_spec(name);
}

const std::map<std::string, SpaceSpec (*)(const std::string&)>& specs() {
  static const std::map<std::string, SpaceSpec (*)(const std::string&)> kSpecs{
      {"compofa_mbv3", spec_of<compofa_mbv3>},
      {"compofa_mbv3_elastic_kernel", spec_of<compofa_mbv3_elastic_kernel>},
      {"deps_mbv3", spec_of<deps_mbv3>},
      {"mbv3_28", spec_of<mbv3_28>},
      {"mbv3_photo", spec_of<mbv3_photo>},
      {"ofa_mbv3_w1.0", spec_of<ofa_mbv3_w10>},
      {"ofa_mbv3_w1.2", spec_of<ofa_mbv3_w12>},
      {"ofa_proxyless_w1.3", spec_of<ofa_proxyless_w13>},
      {"ofa_resnet50d", spec_of<ofa_resnet50d>},
  };
  return kSpecs;
}

}  // namespace

SpaceSpec builtin_space_spec(const std::string& name, std::optional<int> input_size) {
  if (const std::optional<ScaledChain> chain = scaled_chain(name)) {
    ChainSpec spec = width_chains().at(chain->base)(
        name, {.scale = chain->scale,
               .small = input_size.value_or(Task().input_size) <= kLargestSmallImage});
    spec.task.input_size = input_size.value_or(spec.task.input_size);
    return spec;
  }
  if (cell_spec(name)) {
    throw Error("space " + name +
                " has no file: its name says it all, such as darts_imagenet_c32_l8");
  }
  const auto found = specs().find(name);
  if (found == specs().end()) {
    throw Error("unknown space \"" + name + "\": " + nearest_names(name, builtin_space_names()));
  }
  return found->second(name);
}

std::string scaled_widths_name(const std::string& name, double scale) {
  const std::optional<ScaledChain> chain = scaled_chain(name);
  if (!chain) {
    std::string known;
    for (const auto& [base, make] : width_chains()) {
      known += (known.empty() ? "" : ", ") + base;
    }
    throw Error("space \"" + name + "\" has no width scale: expected one of " + known);
  }
  if (!is_width_scale(scale)) {
    throw Error("width scale: expected a number in [0.05, 4] with at most three decimals, got " +
                std::to_string(scale));
  }
  return name_of({.base = chain->base, .scale = scale});
}

std::unique_ptr<Space> make_space_from_spec(SpaceSpec spec, const TaskOverrides& overrides) {
  if (overrides.stem || overrides.init_channels || overrides.cells || overrides.auxiliary) {
    const std::string& name =
        std::visit([](const auto& s) -> const std::string& { return s.name; }, spec);
    throw Error("space " + name + " has no cells: a stem, channels, cells and an auxiliary head " +
                "can be given to darts only");
  }
  return std::visit([&](auto& of_family) { return make(overrides, std::move(of_family)); }, spec);
}

std::unique_ptr<Space> make_space(const std::string& name, const TaskOverrides& overrides) {
  if (std::optional<CellSpec> spec = cell_spec(name)) {
    return make(overrides, std::move(*spec));
  }
  return make_space_from_spec(builtin_space_spec(name, overrides.input_size), overrides);
}

bool is_space_name(const std::string& name) {
  return specs().contains(name) || cell_spec(name).has_value() || scaled_chain(name).has_value();
}

std::vector<std::string> builtin_space_names() {
  std::vector<std::string> names{"darts", "darts_imagenet"};
  for (const auto& [name, spec] : specs()) {
    names.push_back(name);
  }
  for (const auto& [name, make] : width_chains()) {
    names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace lathe::space
