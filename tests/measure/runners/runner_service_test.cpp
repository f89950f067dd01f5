#include "lathe/measure/runners/runner_service.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "lathe/core/error.h"

namespace lathe::measure {
namespace {

using nlohmann::json;

/// Remembers what it was asked.
class Recorder final : public RunnerService {
 public:
  json hello(const Terms& terms) override {
    terms_ = terms;
    return {{"device", "a recorder"}, {"runtime", "tape"}};
  }
  void load(const std::filesystem::path& model, const std::vector<std::int64_t>& shape) override {
    if (model == "broken.onnx") throw Error("broken.onnx: \xff is no model");
    loaded_.insert(model);
    shape_ = shape;
  }
  json time(const std::filesystem::path& model, int warmup_runs, int runs, double max_ms) override {
    if (!loaded_.contains(model)) throw Error("is not loaded");
    return {{"latencies_ms", std::vector<double>(static_cast<std::size_t>(runs), max_ms)},
            {"conditions", {{"warmup_runs", warmup_runs}}}};
  }
  void unload(const std::filesystem::path& model) override { loaded_.erase(model); }

  Terms terms_;
  std::set<std::filesystem::path> loaded_;
  std::vector<std::int64_t> shape_;
};

std::vector<json> answers(RunnerService& service, const std::string& lines) {
  std::istringstream in(lines);
  std::ostringstream out;
  serve(service, in, out);
  std::istringstream text(out.str());
  std::vector<json> result;
  for (std::string line; std::getline(text, line);) result.push_back(json::parse(line));
  return result;
}

TEST(RunnerService, IsAskedWhatTheLinesSay) {
  Recorder service;
  const std::vector<json> said = answers(
      service,
      R"({"request": "hello", "version": 2, "threads": 3, "batch": 4, "precision": "int8", "id": 1}
{"request": "load", "model": "a.onnx", "input_shape": [4, 3, 32, 32], "id": 2}
{"request": "time", "model": "a.onnx", "warmup_runs": 5, "runs": 2, "max_ms": 1.5, "id": 3}
{"request": "load", "model": "b.onnx", "input_shape": null, "id": 4}
{"request": "unload", "model": "a.onnx", "id": 5}
)");
  ASSERT_EQ(said.size(), 5U);
  EXPECT_EQ(said[0], json({{"id", 1}, {"device", "a recorder"}, {"runtime", "tape"}}));
  EXPECT_EQ(said[1], json({{"id", 2}}));
  EXPECT_EQ(said[2],
            json({{"id", 3}, {"latencies_ms", {1.5, 1.5}}, {"conditions", {{"warmup_runs", 5}}}}));
  EXPECT_EQ(said[4], json({{"id", 5}}));
  EXPECT_EQ(service.terms_.threads, 3);
  EXPECT_EQ(service.terms_.batch, 4);
  EXPECT_EQ(service.terms_.precision, "int8");
  EXPECT_TRUE(service.shape_.empty());
  EXPECT_EQ(service.loaded_, (std::set<std::filesystem::path>{"b.onnx"}));
}

TEST(RunnerService, AnswersWhatItCantDoAndGoesOn) {
  Recorder service;
  const std::vector<json> said = answers(service, R"(not JSON
[1]
{"request": "load"}
{"request": "hello", "version": 3, "threads": 1, "batch": 1, "precision": "float32", "id": 1}
{"request": "load", "model": "broken.onnx", "id": 2}
{"request": "time", "model": "a.onnx", "warmup_runs": 1, "runs": 2, "max_ms": 0, "id": 3}
{"request": "time", "model": "a.onnx", "id": 4}
{"request": "sing", "id": 5}
{"id": 6}
{"request": "load", "model": "a.onnx", "input_shape": "wide", "id": 7}
{"request": "load", "model": "a.onnx", "id": 8}
)");
  ASSERT_EQ(said.size(), 8U);
  const auto error = [&](std::size_t i) { return said[i].at("error").get<std::string>(); };
  EXPECT_EQ(error(0), "speaks version 2, not 3");
  EXPECT_EQ(error(1), "broken.onnx: \xef\xbf\xbd is no model");
  EXPECT_EQ(error(2), "is not loaded");
  EXPECT_NE(error(3).find("request"), std::string::npos) << error(3);
  EXPECT_EQ(error(4), "knows no request \"sing\"; expected hello, load, time or unload");
  EXPECT_NE(error(5).find("request"), std::string::npos);
  EXPECT_NE(error(6).find("input_shape"), std::string::npos);
  EXPECT_EQ(said[7], json({{"id", 8}}));
}

}  // namespace
}  // namespace lathe::measure
