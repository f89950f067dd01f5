#include "lathe/search/cells/near_target.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::search {
namespace {

constexpr std::array<const char*, 2> kPassedKinds{"normal", "reduce"};

}  // namespace

void pass(std::vector<PassedCells>& passed, PassedCells now) {
  std::erase_if(passed, [&](const PassedCells& other) { return other.cells == now.cells; });
  passed.push_back(std::move(now));
}

nlohmann::ordered_json to_json(const std::vector<PassedCells>& passed) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PassedCells& one : passed) {
    nlohmann::ordered_json& json = list.emplace_back();
    json = {{"step", one.step}, {"latency", one.latency}};
    for (std::size_t kind = 0; kind < one.cells.size(); ++kind) {
      json[kPassedKinds.at(kind)] = space::to_json(one.cells[kind]);
    }
  }
  return list;
}

std::vector<PassedCells> passed_from_json(const nlohmann::json& json, const std::string& where) {
  if (!json.is_array()) {
    throw Error(where + ": expected a list of passed cells");
  }
  std::vector<PassedCells> passed;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string here = where + "[" + std::to_string(i) + "]";
    PassedCells one{.step = json_member<std::int64_t>(json[i], "step", here),
                    .latency = json_member<double>(json[i], "latency", here),
                    .cells = {}};
    for (const char* const kind : kPassedKinds) {
      if (one.cells.empty() || json[i].contains(kind)) {
        one.cells.push_back(space::cell_from_json(json_member<nlohmann::json>(json[i], kind, here),
                                                  here + "." + kind));
      }
    }
    passed.push_back(std::move(one));
  }
  return passed;
}

nlohmann::ordered_json NearTarget::to_json() const {
  return {{"version", kVersion},
          {"target", target},
          {"unit", unit},
          {"passed", search::to_json(passed)}};
}

NearTarget NearTarget::from_json(const nlohmann::json& json, const std::string& where) {
  const int version = json_member<int>(json, "version", where);
  if (version != kVersion) {
    throw Error(where + ": \"version\": expected " + std::to_string(kVersion) + ", got " +
                std::to_string(version));
  }
  NearTarget near{.target = json_member<double>(json, "target", where),
                  .unit = json_member<std::string>(json, "unit", where),
                  .passed = passed_from_json(json_member<nlohmann::json>(json, "passed", where),
                                             where + ": passed")};
  if (!(near.target > 0)) {
    throw Error(where + ": \"target\": expected a number > 0, got " + std::to_string(near.target));
  }
  return near;
}

NearTarget NearTarget::load(const std::filesystem::path& path) {
  return from_json(read_json(path), path.string());
}

}  // namespace lathe::search
