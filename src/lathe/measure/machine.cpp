#include "lathe/measure/machine.h"

#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "lathe/core/error.h"
#include "lathe/measure/device_names.h"

namespace lathe::measure {
namespace {

nlohmann::ordered_json affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return nullptr;
  nlohmann::ordered_json cores = nlohmann::ordered_json::array();
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

nlohmann::ordered_json governor() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string name;
  if (file >> name) return name;
  return nullptr;
}

nlohmann::ordered_json megahertz() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("cpu MHz", 0) == 0 && colon != std::string::npos) {
      return std::strtod(line.c_str() + colon + 2, nullptr);
    }
  }
  return nullptr;
}

nlohmann::ordered_json load_average() {
  double load = 0;
  if (::getloadavg(&load, 1) == 1) return load;
  return nullptr;
}

}  // namespace

nlohmann::ordered_json machine_conditions() {
  return {{"cpu", cpu_model()},     {"logical_cores", std::thread::hardware_concurrency()},
          {"affinity", affinity()}, {"governor", governor()},
          {"mhz", megahertz()},     {"load_average", load_average()}};
}

void pin_to(const std::vector<int>& cores) {
  if (cores.empty()) {
    throw std::invalid_argument("[measure::pin_to] needs at least one core");
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  std::string names;
  for (const int core : cores) {
    if (core >= 0 && core < CPU_SETSIZE) CPU_SET(core, &set);
    names += (names.empty() ? "" : ",") + std::to_string(core);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw Error("cannot pin to cores " + names + ": " + std::generic_category().message(errno));
  }
}

}  // namespace lathe::measure
