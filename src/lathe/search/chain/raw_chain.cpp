#include "lathe/search/chain/raw_chain.h"

#include <algorithm>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::search {
namespace {

constexpr double kMostCost = 1e15;  // sums of them stay finite and exact enough
constexpr std::uint64_t kMostStates = 100'000;

/// Checks a file's members, naming them by their place.
class Reader {
 public:
  Reader(const nlohmann::json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) {
      fail("", "expected an object with states, error and latency_ms, got " +
                   internal::json_summary(json));
    }
    static const std::vector<std::string> kMembers{"states", "error", "latency_ms"};
    for (const auto& [key, value] : json.items()) {
      if (std::ranges::find(kMembers, key) == kMembers.end()) {
        fail("", "unknown member \"" + key.substr(0, 40) +
                     "\": " + nearest_names(key.substr(0, 40), kMembers));
      }
    }
  }

  std::vector<std::uint32_t> sizes() const {
    const nlohmann::json& list = member("states");
    if (!list.is_array() || list.empty() || list.size() > kMaxChainNodes) {
      fail("states", "expected the number of states of each of 1 to " +
                         std::to_string(kMaxChainNodes) + " nodes, got " + summary(list));
    }
    std::vector<std::uint32_t> sizes;
    std::uint64_t edges = 0;
    std::uint64_t states = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const nlohmann::json* culprit = nullptr;
      if (!internal::json_holds<std::uint32_t>(list[i], culprit) || list[i] == 0 ||
          list[i].get<std::uint32_t>() > kMostStates) {
        fail("states[" + std::to_string(i) + "]", "expected an integer from 1 to " +
                                                      std::to_string(kMostStates) + ", got " +
                                                      internal::json_summary(list[i]));
      }
      const auto size = list[i].get<std::uint32_t>();
      states += size;
      edges += sizes.empty() ? 0 : static_cast<std::uint64_t>(sizes.back()) * size;
      sizes.push_back(size);
    }
    if (edges > kMaxChainEdges || states > kMostStates) {
      fail("states", "expected at most " + std::to_string(kMostStates) + " states and " +
                         std::to_string(kMaxChainEdges) + " edges between them in all, got " +
                         std::to_string(states) + " and " + std::to_string(edges));
    }
    return sizes;
  }

  const nlohmann::json& member(const std::string& key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) {
      fail(key, "expected a list, got nothing");
    }
    return *found;
  }

  /// `value` as a list of `size`: one for each `what`.
  const nlohmann::json& list(const nlohmann::json& value, const std::string& place,
                             std::size_t size, const char* what) const {
    if (!value.is_array() || value.size() != size) {
      fail(place, "expected a list of " + std::to_string(size) + ", one for each " + what +
                      ", got " + summary(value));
    }
    return value;
  }

  double cost(const nlohmann::json& list, std::size_t index, const std::string& place) const {
    const nlohmann::json& value = list[index];
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!(number >= 0 && number <= kMostCost)) {
      fail(place + "[" + std::to_string(index) + "]",
           "expected a number from 0 to 1e15, got " + internal::json_summary(value));
    }
    return number;
  }

 private:
  static std::string summary(const nlohmann::json& value) {
    return value.is_array() ? "a list of " + std::to_string(value.size())
                            : internal::json_summary(value);
  }

  [[noreturn]] void fail(const std::string& place, const std::string& what) const {
    throw Error(where_ + ": " + (place.empty() ? "" : place + ": ") + what);
  }

  const nlohmann::json& json_;
  std::string where_;
};

space::Trellis trellis_of(const std::vector<std::uint32_t>& sizes) {
  std::vector<std::uint32_t> layers{1};
  layers.insert(layers.end(), sizes.begin(), sizes.end());
  layers.push_back(1);
  std::vector<std::vector<space::Transition>> steps(layers.size() - 1);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::uint32_t to = 0; to < layers[s + 1]; ++to) {
      for (std::uint32_t from = 0; from < layers[s]; ++from) {
        steps[s].push_back({.from = from, .to = to});
      }
    }
  }
  return {layers, steps};
}

std::string at(std::size_t index) { return "[" + std::to_string(index) + "]"; }

}  // namespace

std::vector<std::uint32_t> RawChain::states(std::span<const std::uint32_t> path) const {
  std::vector<std::uint32_t> states;
  for (std::size_t node = 0; node < sizes.size(); ++node) {
    states.push_back(trellis.transition(path[node]).to - trellis.first_state(node + 1));
  }
  return states;
}

space::Path RawChain::path(std::span<const std::uint32_t> states) const {
  space::Path path;
  std::uint32_t from = 0;
  for (std::size_t s = 0; s < trellis.num_steps(); ++s) {
    const std::uint32_t to = s < states.size() ? states[s] : 0;
    path.push_back(trellis.first_transition(s) + to * trellis.layer_size(s) + from);
    from = to;
  }
  return path;
}

RawChain raw_chain_from_json(const nlohmann::json& json, const std::string& where) {
  const Reader reader(json, where);
  std::vector<std::uint32_t> sizes = reader.sizes();
  const nlohmann::json& errors = reader.list(reader.member("error"), "error", sizes.size(), "node");
  const nlohmann::json& latencies =
      reader.list(reader.member("latency_ms"), "latency_ms", sizes.size() - 1, "edge");
  RawChain chain{.sizes = sizes, .trellis = trellis_of(sizes), .error = {}, .latency_ms = {}};
  chain.error.resize(chain.trellis.num_transitions(), 0.0);
  chain.latency_ms.resize(chain.trellis.num_transitions(), 0.0);
  for (std::size_t node = 0; node < sizes.size(); ++node) {
    const std::string place = "error" + at(node);
    const nlohmann::json& row = reader.list(errors[node], place, sizes[node], "state");
    for (std::uint32_t state = 0; state < sizes[node]; ++state) {
      const double error = reader.cost(row, state, place);
      const std::uint32_t arriving = chain.trellis.first_state(node + 1) + state;
      for (std::uint32_t t = chain.trellis.first_arriving(arriving);
           t < chain.trellis.first_arriving(arriving + 1); ++t) {
        chain.error[t] = error;
      }
    }
  }
  for (std::size_t edge = 0; edge + 1 < sizes.size(); ++edge) {
    const std::string place = "latency_ms" + at(edge);
    const nlohmann::json& table = reader.list(latencies[edge], place, sizes[edge], "state before");
    for (std::uint32_t from = 0; from < sizes[edge]; ++from) {
      const std::string row_place = place + at(from);
      const nlohmann::json& row =
          reader.list(table[from], row_place, sizes[edge + 1], "state after");
      for (std::uint32_t to = 0; to < sizes[edge + 1]; ++to) {
        chain.latency_ms[chain.trellis.first_transition(edge + 1) + to * sizes[edge] + from] =
            reader.cost(row, to, row_place);
      }
    }
  }
  return chain;
}

RawChain load_raw_chain(const std::filesystem::path& path) {
  return raw_chain_from_json(read_json(path), path.string());
}

}  // namespace lathe::search
