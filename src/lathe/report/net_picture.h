// What a picture of a net is drawn from.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "lathe/space/space.h"

namespace lathe::report {

/// How much of something a net takes, such as its latency.
using NetCost = std::function<double(const space::Arch&)>;

/// Of a net that is a chain: `{"kind": "blocks", "blocks": [{"op": "mbconv", "name": "...",
/// "in": [channels, height, width], "out": [...], "kernel", "stride", "mid", "se", "residual",
/// "act"}, ...]}`; "mid" of blocks that have inner channels, "se" and "residual" where they are.
/// Where layers have a width each (decisions "widths") also `"widths": [{"most", "width",
/// "uniform"}, ...]`: "uniform" is that of the widest net of one multiplier whose cost is at most
/// this one's, and is missing where there is none.
/// Of cells: `{"kind": "cells"}`; they are drawn from the arch's JSON.
/// @throws std::invalid_argument if `arch` is none of the space.
nlohmann::ordered_json net_picture(const space::Space& space, const space::Arch& arch,
                                   const NetCost& cost);

/// MACs of the net, a cost that is always known.
double macs_of(const space::Space& space, const space::Arch& arch);

}  // namespace lathe::report
