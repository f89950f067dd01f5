// MACs and parameters against published counts, to the unit. The large table is read from
// LATHE_PUBLISHED_DATA (ofa_measured, DyNAS-T, Apache-2.0) and skipped where that is unset.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::space {
namespace {

double mmacs(const Space& space, const Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch))) / 1e6;
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, separator);) {
    cells.push_back(cell);
  }
  return cells;
}

nlohmann::json numbers(const std::string& cell) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& number : split(cell, ' ')) {
    list.push_back(std::stoi(number));
  }
  return list;
}

TEST(PublishedCounts, OfaMbv3ExtremesAsPrinted) {
  const auto at_224 = make_space("ofa_mbv3_w1.0", {.input_size = 224});
  EXPECT_NEAR(mmacs(*at_224, at_224->largest()), 566.2, 0.05);
  EXPECT_NEAR(mmacs(*at_224, at_224->smallest()), 121.3, 0.05);
  const auto at_128 = make_space("ofa_mbv3_w1.0", {.input_size = 128});
  EXPECT_NEAR(mmacs(*at_128, at_128->smallest()), 41.5, 0.05);
}

TEST(PublishedCounts, EveryMeasuredOfaNetToTheUnit) {
  const char* folder = std::getenv("LATHE_PUBLISHED_DATA");
  if (folder == nullptr) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  std::ifstream file(std::string(folder) + "/ofa_measured/mbv3_w1.0_r224.csv");
  ASSERT_TRUE(file) << folder;
  const auto space = make_space("ofa_mbv3_w1.0");
  std::string line;
  std::getline(file, line);
  ASSERT_EQ(line.rfind("ks,e,d,r,top1,macs,params", 0), 0U) << line;
  int rows = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = split(line, ',');
    const nlohmann::json json{{"ks", numbers(cells[0])},
                              {"e", numbers(cells[1])},
                              {"d", numbers(cells[2])},
                              {"r", std::stoi(cells[3])}};
    const graph::Graph net = space->graph(space->from_json(json, "row"));
    ASSERT_EQ(graph::macs(net), std::stoll(cells[5])) << line;
    ASSERT_EQ(graph::params(net), std::stoll(cells[6])) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 1111);
}

TEST(PublishedCounts, SpaceSizes) {
  const auto nets = [](const std::string& name) {
    return std::pow(10.0, make_space(name)->log10_num_nets());
  };
  EXPECT_NEAR(nets("ofa_mbv3_w1.0") / std::pow(7371.0, 5), 1.0, 1e-9);
  EXPECT_NEAR(nets("ofa_mbv3_w1.2") / 2.18e19, 1.0, 0.003);
  EXPECT_NEAR(nets("ofa_proxyless_w1.3") / 1.96e20, 1.0, 0.003);
  EXPECT_NEAR(nets("compofa_mbv3"), 243.0, 1e-6);
  EXPECT_NEAR(nets("compofa_mbv3_elastic_kernel") / std::pow(117.0, 5), 1.0, 1e-9);
  EXPECT_NEAR(nets("deps_mbv3") / std::pow(117.0, 5), 1.0, 1e-9);
  EXPECT_NEAR(nets("ofa_resnet50d") / 2.46e12, 1.0, 0.003);
  EXPECT_GE(nets("mbv3_28"), 1e9);
}

TEST(PublishedCounts, Mbv3For28x28ShrinksToAQuarter) {
  const auto space = make_space("mbv3_28");
  EXPECT_LE(4 * mmacs(*space, space->smallest()), mmacs(*space, space->largest()));
}

}  // namespace
}  // namespace lathe::space
