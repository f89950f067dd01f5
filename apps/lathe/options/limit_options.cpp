#include "options/limit_options.h"

#include <optional>

#include "lathe/graph/counts.h"
#include "options/amount.h"

namespace lathe::app {

void add_limit_options(CLI::App& command, LimitOptions& o) {
  command.add_option("--max-macs", o.max_macs, "limit such as 300M, or 50% of the largest net")
      ->check(amount);
  command.add_option("--max-params", o.max_params, "limit such as 5M, or 50% of the largest net")
      ->check(amount);
  command
      .add_option("--max-memory-mb", o.max_memory_mb,
                  "limit on the activations alive at once in millions of bytes, or 50% of the "
                  "largest net's")
      ->check(amount);
}

bool limits_anything(const LimitOptions& o) {
  return !o.max_macs.empty() || !o.max_params.empty() || !o.max_memory_mb.empty();
}

search::Constraints constraints(const LimitOptions& options, const space::Space& space,
                                Capability* capability) {
  const graph::Graph smallest = space.graph(space.smallest());
  const graph::Graph largest = space.graph(space.largest());
  const auto limit = [&](const std::string& name, const std::string& text, auto count,
                         double unit) -> std::optional<double> {
    if (text.empty()) {
      return std::nullopt;
    }
    const double most = static_cast<double>(count(largest)) / unit;
    const double value = parse_amount(text)->of(most);
    if (capability != nullptr) {
      capability->limits.push_back({.name = name,
                                    .limit = value,
                                    .smallest = static_cast<double>(count(smallest)) / unit,
                                    .largest = most});
    }
    return value;
  };
  return {
      .max_macs = limit("macs", options.max_macs, graph::macs, 1),
      .max_params = limit("params", options.max_params, graph::params, 1),
      .max_memory_mb = limit("memory_mb", options.max_memory_mb, graph::peak_memory_bytes, 1e6)};
}

}  // namespace lathe::app
