// What a reader needs to know of the machine to believe a measurement.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace lathe::measure {

/// `{"cpu": model name, "logical_cores": ..., "affinity": [cores this process may run on],
/// "governor": ..., "mhz": ..., "load_average": of the last minute}`; null for what the system does
/// not tell.
nlohmann::ordered_json machine_conditions();

/// Lets this process and the threads and programs that it starts from now on run on these cores
/// only. @throws std::invalid_argument if there are none; Error if the system refuses.
void pin_to(const std::vector<int>& cores);

}  // namespace lathe::measure
