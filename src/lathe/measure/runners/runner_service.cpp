#include "lathe/measure/runners/runner_service.h"

#include <exception>
#include <istream>
#include <ostream>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::measure {
namespace {

nlohmann::json fulfilled(RunnerService& service, const nlohmann::json& request) {
  const auto text = [&](const char* key) {
    return json_member<std::string>(request, key, "request");
  };
  const auto integer = [&](const char* key) { return json_member<int>(request, key, "request"); };
  const std::string what = text("request");
  if (what == "hello") {
    if (integer("version") != 2) {
      throw Error("speaks version 2, not " + request.at("version").dump());
    }
    return service.hello(
        {.threads = integer("threads"), .batch = integer("batch"), .precision = text("precision")});
  }
  if (what == "load") {
    const auto shape = request.find("input_shape");
    service.load(text("model"),
                 shape == request.end() || shape->is_null()
                     ? std::vector<std::int64_t>()
                     : json_member<std::vector<std::int64_t>>(request, "input_shape", "request"));
  } else if (what == "time") {
    return service.time(text("model"), integer("warmup_runs"), integer("runs"),
                        json_member<double>(request, "max_ms", "request"));
  } else if (what == "unload") {
    service.unload(text("model"));
  } else {
    throw Error("knows no request \"" + what + "\"; expected hello, load, time or unload");
  }
  return nlohmann::json::object();
}

}  // namespace

std::optional<nlohmann::json> object_of_line(const std::string& line) {
  try {
    nlohmann::json object = parse_json(line, "line");
    if (object.is_object()) return object;
  } catch (const Error&) {  // the caller says it better
  }
  return {};
}

void serve(RunnerService& service, std::istream& in, std::ostream& out) {
  for (std::string line; std::getline(in, line);) {
    const auto request = object_of_line(line);
    if (!request || !request->contains("id")) {
      continue;
    }
    nlohmann::json answer;
    try {
      answer = fulfilled(service, *request);
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    answer["id"] = request->at("id");
    out << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }
}

}  // namespace lathe::measure
