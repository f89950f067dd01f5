#include "training/launched.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "lathe/nn/device.h"
#include "options/amount.h"

namespace lathe::app {

void add_launch_options(CLI::App& command, dist::ProcessGroup::Options& options) {
  command
      .add_option("--connect-timeout", options.connect_timeout_s,
                  "of several processes: until all must have come, e.g. 120s")
      ->transform(CLI::Validator(to_seconds, "TIME"))
      ->capture_default_str()
      ->configurable(false);
  command
      .add_option("--rank-timeout", options.timeout_s,
                  "of several processes: how long one may keep the others waiting, e.g. 30m")
      ->transform(CLI::Validator(to_seconds, "TIME"))
      ->capture_default_str()
      ->configurable(false);
}

dist::ProcessGroup meet_launched(dist::ProcessGroup::Options options, std::string& device) {
  std::map<std::string, std::string> variables;
  for (const char* name : dist::launch_variables()) {
    if (const char* value = std::getenv(name)) {
      variables[name] = value;
    }
  }
  const dist::Launch launch = dist::launch_from(variables);
  if (launch.world_size > 1) {
    if (device == "cuda") {
      device += ":" + std::to_string(launch.local_rank);
    }
    const c10::Device opened = nn::open_device(device);
    nn::make_current(opened);
    options.device = opened.type();
  }
  dist::ProcessGroup group(launch, options);
  group.require_same(dist::versions());
  return group;
}

int processes_here(dist::ProcessGroup& group) {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  const std::vector<std::string> names = group.all_gather(std::string(name.data()));
  return static_cast<int>(
      std::count(names.begin(), names.end(), names[static_cast<std::size_t>(group.rank())]));
}

}  // namespace lathe::app
