#include "lathe/latency/samples/fingerprint.h"

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::latency {
namespace {

std::string task_text(const Fingerprint& f) {
  return "\"" + f.space + "\" with " + std::to_string(f.in_channels) + " input channels, " +
         std::to_string(f.num_classes) + " classes and input size " + std::to_string(f.input_size);
}

}  // namespace

nlohmann::ordered_json to_json(const Fingerprint& fingerprint) {
  return {{"device", fingerprint.device},           {"runtime", fingerprint.runtime},
          {"precision", fingerprint.precision},     {"batch", fingerprint.batch},
          {"threads", fingerprint.threads},         {"space", fingerprint.space},
          {"in_channels", fingerprint.in_channels}, {"num_classes", fingerprint.num_classes},
          {"input_size", fingerprint.input_size}};
}

Fingerprint fingerprint_from_json(const nlohmann::json& json, const std::string& where) {
  Fingerprint fingerprint;
  fingerprint.device = json_member<std::string>(json, "device", where);
  fingerprint.runtime = json_member<std::string>(json, "runtime", where);
  fingerprint.precision = json_member<std::string>(json, "precision", where);
  fingerprint.batch = positive_json_member<int>(json, "batch", where);
  fingerprint.threads = positive_json_member<int>(json, "threads", where);
  fingerprint.space = json_member<std::string>(json, "space", where);
  fingerprint.in_channels = positive_json_member<int>(json, "in_channels", where);
  fingerprint.num_classes = positive_json_member<int>(json, "num_classes", where);
  fingerprint.input_size = positive_json_member<int>(json, "input_size", where);
  return fingerprint;
}

std::optional<std::string> difference(const Fingerprint& a, const Fingerprint& b) {
  return json_difference(to_json(a), to_json(b));
}

void require_space(const Fingerprint& fingerprint, const space::Space& space,
                   const std::string& where) {
  Fingerprint expected = fingerprint;
  expected.space = space.name();
  expected.in_channels = space.task().in_channels;
  expected.num_classes = space.task().num_classes;
  expected.input_size = space.task().input_size;
  if (fingerprint != expected) {
    throw Error(where + ": made for space " + task_text(fingerprint) + ", expected " +
                task_text(expected));
  }
}

}  // namespace lathe::latency
