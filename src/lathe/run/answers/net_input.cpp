#include "lathe/run/answers/net_input.h"

#include <algorithm>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/pixel_input.h"

namespace lathe::run {
namespace {

std::string colors(std::size_t channels) {
  return channels == 3 ? "RGB" : channels == 1 ? "gray" : std::to_string(channels) + " channels";
}

std::string text(const nlohmann::ordered_json& value) {
  // Names of folders may be no UTF-8.
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

NetInput net_input(const data::Dataset& dataset, int size) {
  const data::ImageSource& source = dataset.train.source();
  return {.size = size,
          .normalization = dataset.normalization,
          .center_crop_share = source.center_crop_share(),
          .classes = {source.class_names().begin(), source.class_names().end()}};
}

graph::Net on_pixels(const graph::Net& net, const NetInput& input) {
  return graph::take_pixels(net, input.normalization.mean, input.normalization.stddev);
}

nlohmann::ordered_json to_json(const NetInput& input) {
  return {{"input_range", {0, 1}},
          {"input_layout", "NCHW"},
          {"input_colors", colors(input.normalization.mean.size())},
          {"input_size", input.size},
          {"resize",
           {{"center_crop_share", input.center_crop_share},
            {"smaller", "area mean"},
            {"larger", "bilinear"}}},
          {"normalization",
           {{"mean", input.normalization.mean}, {"stddev", input.normalization.stddev}}},
          {"classes", input.classes}};
}

std::string json_text(const NetInput& input) { return text(to_json(input)); }

Metadata metadata(const NetInput& input, Normalizes normalizes) {
  Metadata result{{"normalized_by", normalizes == Normalizes::kNet ? "net" : "caller"}};
  const nlohmann::ordered_json members = to_json(input);
  for (const auto& [key, value] : members.items()) result[key] = text(value);
  return result;
}

NetInput net_input_from(const Metadata& metadata, const std::string& where) {
  nlohmann::json json;
  for (const char* key : {"input_size", "resize", "normalization", "classes"}) {
    json[key] = parse_json(metadata_text(metadata, key, where), where + ": " + key);
  }
  const auto resize = json_member<nlohmann::json>(json, "resize", where);
  const auto normalization = json_member<nlohmann::json>(json, "normalization", where);
  NetInput input{
      .size = positive_json_member<int>(json, "input_size", where),
      .normalization = {.mean = json_member<std::vector<float>>(normalization, "mean", where),
                        .stddev = json_member<std::vector<float>>(normalization, "stddev", where)},
      .center_crop_share = positive_json_member<double>(resize, "center_crop_share", where),
      .classes = json_member<std::vector<std::string>>(json, "classes", where)};
  const data::Normalization& n = input.normalization;
  if (n.mean.empty() || n.mean.size() != n.stddev.size() ||
      *std::min_element(n.stddev.begin(), n.stddev.end()) <= 0) {
    throw Error(where + ": \"normalization\": expected a mean and a stddev > 0 for each channel");
  }
  return input;
}

}  // namespace lathe::run
