// From the widest net to the narrowest, each time by the layer that it hurts least (AutoSlim).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lathe::search {

/// One choice of each layer, 0 the narrowest.
using LayerChoices = std::vector<std::uint32_t>;

/// What it costs in error to take the next narrower choice in each of some layers of a net.
using ShrinkCosts = std::function<std::vector<double>(const LayerChoices& net,
                                                      std::span<const std::size_t> layers)>;

/// Sees a net; whether to go on.
using VisitNet = std::function<bool(const LayerChoices& net)>;

/// Visits nets of layers with so many choices from the widest to the narrowest; each is the one
/// before with one layer's choice narrower by one: that which `costs` says costs least, of equals
/// the first. Sum of the sizes x layers in all.
/// @see Yu and Huang, "AutoSlim" (2019), section 3.2; the baseline of AOWS, Table 2.
void greedy_shrink(std::span<const std::uint32_t> sizes, const ShrinkCosts& costs,
                   const VisitNet& visit);

}  // namespace lathe::search
