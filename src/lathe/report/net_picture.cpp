#include "lathe/report/net_picture.h"

#include <string>
#include <vector>

#include "lathe/graph/activation_name.h"
#include "lathe/graph/counts.h"
#include "lathe/search/chain/uniform_widths.h"

namespace lathe::report {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const graph::Shape& shape) { return {shape.channels, shape.height, shape.width}; }

Json to_json(const space::Block& block) {
  const std::string key = block.key();
  Json json{
      {"op", key.substr(0, key.find(' '))}, {"name", block.name},     {"in", to_json(block.input)},
      {"out", to_json(block.output)},       {"kernel", block.kernel}, {"stride", block.stride}};
  if (block.mid_channels > 0) json["mid"] = block.mid_channels;
  if (block.squeeze_excite) json["se"] = true;
  if (block.residual) json["residual"] = true;
  if (block.activation != graph::Activation::kNone) {
    json["act"] = graph::activation_name(block.activation);
  }
  return json;
}

/// Whether every decision is the width of a layer.
bool chooses_widths(const space::Space& space) {
  for (const space::Decision& decision : space.decisions()) {
    if (decision.group != "widths") {
      return false;
    }
  }
  return !space.decisions().empty();
}

/// The widest net of one multiplier that costs no more than `most`.
std::optional<space::Arch> uniform_net(const space::Space& space, const NetCost& cost,
                                       double most) {
  std::vector<std::vector<double>> widths;
  for (const space::Decision& decision : space.decisions()) {
    widths.push_back(decision.values);
  }
  std::optional<space::Arch> found;
  search::uniform_widths(widths, [&](const search::LayerChoices& choices) {
    space::Arch arch;
    arch.choices.assign(choices.begin(), choices.end());
    if (cost(arch) <= most) {
      found = std::move(arch);
    }
    return !found;
  });
  return found;
}

}  // namespace

double macs_of(const space::Space& space, const space::Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch)));
}

nlohmann::ordered_json net_picture(const space::Space& space, const space::Arch& arch,
                                   const NetCost& cost) {
  space.check(arch);
  if (space.to_json(arch).contains("normal")) {
    return {{"kind", "cells"}};
  }
  Json picture{{"kind", "blocks"}, {"blocks", Json::array()}};
  for (const space::Block& block : space.blocks(arch)) {
    picture["blocks"].push_back(to_json(block));
  }
  if (!chooses_widths(space)) {
    return picture;
  }
  const auto uniform = uniform_net(space, cost, cost(arch));
  picture["widths"] = Json::array();
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    const std::vector<double>& values = space.decisions()[i].values;
    Json layer{{"most", values.back()}, {"width", values[arch.choices[i]]}};
    if (uniform) {
      layer["uniform"] = values[uniform->choices[i]];
    }
    picture["widths"].push_back(std::move(layer));
  }
  return picture;
}

}  // namespace lathe::report
