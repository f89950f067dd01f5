#include "lathe/space/families/genotype.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "space/published_cells.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;
using Json = nlohmann::json;

/// Every choice of sources (180), with one operation everywhere.
std::vector<Cell> skeletons() {
  std::vector<Cell> all{Cell{}};
  for (int node = 0; node < kCellNodes; ++node) {
    std::vector<Cell> longer;
    for (const Cell& cell : all) {
      for (int a = 0; a < node + 2; ++a) {
        for (int b = a + 1; b < node + 2; ++b) {
          longer.push_back(cell);
          longer.back()[static_cast<std::size_t>(2 * node)] = {1, a};
          longer.back()[static_cast<std::size_t>(2 * node + 1)] = {1, b};
        }
      }
    }
    all = std::move(longer);
  }
  return all;
}

/// The skeleton with operations 1 to `ops` by the digits of `number`.
Cell with_ops(Cell cell, int number, int ops) {
  for (CellInput& input : cell) {
    input.op = 1 + number % ops;
    number /= ops;
  }
  return cell;
}

/// Cells up to relabelling, by Burnside's lemma: for each class of skeletons the mean, over its
/// symmetries, of the number of ways to give operations that the symmetry leaves alone.
std::int64_t classes_by_burnside(int ops) {
  std::set<Cell> seen;
  std::int64_t classes = 0;
  for (const Cell& skeleton : skeletons()) {
    if (!seen.insert(relabellings(skeleton).front()).second) {
      continue;
    }
    std::int64_t symmetries = 0;
    std::int64_t fixed = 0;
    std::array<int, kCellNodes> place{0, 1, 2, 3};
    do {
      // The place of each edge after moving its nodes; a symmetry maps edges to edges.
      std::map<std::pair<int, int>, int> edges;
      std::vector<int> image;
      const auto moved = [&](int state) {
        return state < 2 ? state : place[static_cast<std::size_t>(state - 2)] + 2;
      };
      for (int i = 0; i < 8; ++i) {
        edges[{i / 2 + 2, skeleton[static_cast<std::size_t>(i)].source}] = i;
      }
      for (int i = 0; i < 8; ++i) {
        const auto found =
            edges.find({moved(i / 2 + 2), moved(skeleton[static_cast<std::size_t>(i)].source)});
        if (found != edges.end()) {
          image.push_back(found->second);
        }
      }
      if (image.size() < 8) {
        continue;
      }
      ++symmetries;
      std::int64_t ways = 1;
      std::set<int> visited;
      for (int start = 0; start < 8; ++start) {
        if (visited.insert(start).second) {
          ways *= ops;
          for (int i = image[static_cast<std::size_t>(start)]; i != start;
               i = image[static_cast<std::size_t>(i)]) {
            visited.insert(i);
          }
        }
      }
      fixed += ways;
    } while (std::next_permutation(place.begin(), place.end()));
    EXPECT_EQ(fixed % symmetries, 0);
    classes += fixed / symmetries;
  }
  return classes;
}

TEST(CellEdge, NumbersTheFourteenEdgesByNodeAndSource) {
  std::vector<int> edges;
  for (int node = 0; node < kCellNodes; ++node) {
    for (int source = 0; source < node + 2; ++source) {
      edges.push_back(cell_edge(node, source));
    }
  }
  std::vector<int> expected(kCellEdges);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(edges, expected);
}

TEST(Relabellings, HandComputed) {
  // A chain has one order only.
  const Cell chain{{{1, 0}, {2, 1}, {3, 1}, {4, 2}, {5, 2}, {6, 3}, {7, 3}, {1, 4}}};
  EXPECT_EQ(relabellings(chain), std::vector<Cell>{chain});
  // Four different nodes that read the inputs only have 24, four equal ones a single.
  Cell flat;
  for (int i = 0; i < 8; ++i) {
    flat[static_cast<std::size_t>(i)] = {i % 2 == 0 ? i / 2 + 1 : 1, i % 2};
  }
  EXPECT_EQ(relabellings(flat).size(), 24U);
  for (CellInput& input : flat) {
    input.op = 4;
  }
  EXPECT_EQ(relabellings(flat), std::vector<Cell>{flat});
  // The third node may move to before the second, or before the first: it reads none of them.
  const Cell free{{{4, 0}, {4, 1}, {1, 0}, {1, 2}, {5, 0}, {5, 1}, {2, 3}, {2, 4}}};
  const Cell second{{{4, 0}, {4, 1}, {5, 0}, {5, 1}, {1, 0}, {1, 2}, {2, 3}, {2, 4}}};
  const Cell first{{{5, 0}, {5, 1}, {4, 0}, {4, 1}, {1, 0}, {1, 3}, {2, 2}, {2, 4}}};
  Cell expected_second = second;
  expected_second[6] = {2, 3};  // what was state 4 is now 3, and the other way round
  expected_second[7] = {2, 4};
  EXPECT_EQ(relabellings(free), (std::vector<Cell>{free, expected_second, first}));
}

TEST(Relabellings, AreAnEquivalence) {
  std::map<Cell, std::vector<Cell>> orbits;
  const std::vector<Cell> all = skeletons();
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    const Cell cell = with_ops(all[rng.below(180)], static_cast<int>(rng.below(6561)), 3);
    const std::vector<Cell> orbit = relabellings(cell);
    EXPECT_TRUE(std::is_sorted(orbit.begin(), orbit.end()));
    EXPECT_TRUE(std::binary_search(orbit.begin(), orbit.end(), cell));
    for (const Cell& other : orbit) {
      EXPECT_EQ(relabellings(other), orbit);
      EXPECT_EQ(cell_from_json(to_json(other), "c"), other) << "a valid cell";
    }
  }
}

TEST(Relabellings, LeastOfThemCountsTheClasses) {
  std::set<Cell> least;
  for (const Cell& skeleton : skeletons()) {
    for (int number = 0; number < 256; ++number) {
      least.insert(relabellings(with_ops(skeleton, number, 2)).front());
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(least.size()), classes_by_burnside(2));
}

TEST(Relabellings, ClassesOfAllCellsAreAsManyAsPublished) {
  EXPECT_EQ(skeletons().size() * static_cast<std::size_t>(std::pow(7, 8)), 1037664180U);
  EXPECT_EQ(classes_by_burnside(7), 382128166);
}

TEST(GenotypeText, IsReadAsPublished) {
  const Json arch = genotype_from_text(testing::kDartsV2, "v2.txt");
  EXPECT_EQ(arch.dump(),
            R"({"normal":[["sep_conv_3x3",0],["sep_conv_3x3",1],["sep_conv_3x3",0],)"
            R"(["sep_conv_3x3",1],["sep_conv_3x3",1],["skip_connect",0],["skip_connect",0],)"
            R"(["dil_conv_3x3",2]],"reduce":[["max_pool_3x3",0],["max_pool_3x3",1],)"
            R"(["skip_connect",2],["max_pool_3x3",1],["max_pool_3x3",0],["skip_connect",2],)"
            R"(["skip_connect",2],["max_pool_3x3",1]],"space":"darts"})");
  for (const char* text : {testing::kDartsV1, testing::kPcDartsCifar, testing::kPcDartsImage}) {
    const Json cells = genotype_from_text(text, "g.txt");
    const Cell normal = cell_from_json(cells["normal"], "normal");
    const Cell reduce = cell_from_json(cells["reduce"], "reduce");
    const Json again = genotype_from_text(genotype_to_text(normal, reduce), "again");
    EXPECT_EQ(cell_from_json(again["normal"], "normal"), normal);
    EXPECT_EQ(cell_from_json(again["reduce"], "reduce"), reduce);
  }
}

TEST(GenotypeText, QuotesSpacesAndTrailingCommasAreFree) {
  const Json arch = genotype_from_text(
      "Genotype ( normal = [ (\"skip_connect\" ,1 ) , ], reduce_concat=[5,4,3,2,],)\n", "g");
  EXPECT_EQ(arch["normal"], Json::array({{"skip_connect", 1}}));
}

TEST(GenotypeText, SaysWhatIsWrongAndWhere) {
  const auto text = [](const std::string& genotype) {
    return text_thrown<Error>([&] { genotype_from_text(genotype, "g.txt"); });
  };
  EXPECT_EQ(text(""), "g.txt: expected a name in line 1, got the end");
  EXPECT_EQ(text("\n\n(1)"), "g.txt: expected a name in line 3, got \"(\"");
  EXPECT_EQ(text("V1 Genotype"), "g.txt: expected '=' in line 1, got \"G\"");
  EXPECT_EQ(text("V1 = Gene("), "g.txt: expected Genotype( in line 1, got \"(\"");
  EXPECT_EQ(text("Genotype(normal=[('skip_connect' 1)])"),
            "g.txt: expected ',' in line 1, got \"1\"");
  EXPECT_EQ(text("Genotype(normal=[(skip, 1)])"), "g.txt: expected ''' in line 1, got \"s\"");
  EXPECT_EQ(text("Genotype(normal=[('a', x)])"), "g.txt: expected a number in line 1, got \"x\"");
  EXPECT_EQ(text("Genotype(normal=[('a', 12345)])"), "g.txt: expected ')' in line 1, got \"4\"");
  EXPECT_EQ(text("Genotype(normals=[])"),
            "g.txt: unknown member \"normals\" of a genotype in line 1");
  EXPECT_EQ(text("Genotype(\nnormal_concat=range(2, 5))"),
            "g.txt: the cell in line 2 must concatenate the nodes 2 to 5, got [2,3,4]");
  EXPECT_EQ(text("Genotype(normal_concat=all)"),
            "g.txt: expected a list or range(2, 6) in line 1, got \")\"");
  EXPECT_EQ(text("Genotype(normal=[]) V2 = Genotype(normal=[])"),
            "g.txt: expected the end after one genotype in line 1, got \"V\"");
  EXPECT_EQ(text("Genotype(normal=[]"), "g.txt: expected ')' in line 1, got the end");
}

TEST(GenotypeText, MutatedBytesGiveCellsOrAnError) {
  Rng rng(3);
  int read = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text = testing::kPcDartsCifar;
    for (std::uint32_t i = 0; i <= rng.below(4); ++i) {
      text[rng.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(rng.below(256));
    }
    try {
      const Json arch = genotype_from_text(text, "g.txt");
      const Cell cell = cell_from_json(arch.value("normal", Json()), "normal");
      EXPECT_EQ(cell_from_json(to_json(cell), "normal"), cell);
      ++read;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(read, 0);
}

TEST(CellJson, SaysWhatIsWrongAndWhere) {
  const Json good =
      to_json(cell_from_json(genotype_from_text(testing::kDartsV1, "v1")["normal"], "normal"));
  const auto text = [&](std::size_t i, const Json& input) {
    Json bad = good;
    bad[i] = input;
    return text_thrown<Error>([&] { cell_from_json(bad, "a.json: \"normal\""); });
  };
  const std::string where = "a.json: \"normal\"";
  const std::string list = " must be a list of 8 inputs such as [\"sep_conv_3x3\", 0], got ";
  EXPECT_EQ(text_thrown<Error>([&] { cell_from_json(Json::object(), where); }),
            where + list + "object");
  EXPECT_EQ(text_thrown<Error>([&] {
              cell_from_json(Json::array({1, 2}), where);
            }),
            where + list + "2");
  EXPECT_EQ(text(3, "sep_conv_3x3"),
            where +
                "[3] must be an operation and its source such as [\"sep_conv_3x3\", 0], got "
                "\"sep_conv_3x3\"");
  EXPECT_EQ(text(2, {3, 1}), where + "[2] must have the name of an operation, got 3");
  EXPECT_EQ(text(0, {"sep_conv_4x4", 0})
                .rfind(where + "[0] has the unknown operation \"sep_conv_4x4\": did you mean", 0),
            0U);
  EXPECT_EQ(text(0, {"none", 0}).rfind(where + "[0] has the unknown operation \"none\"", 0), 0U);
  EXPECT_EQ(text(4, {"skip_connect", 4}), where + "[4] must have a source from 0 to 3, got 4");
  EXPECT_EQ(text(4, {"skip_connect", -1}), where + "[4] must have a source from 0 to 3, got -1");
  EXPECT_EQ(text(4, {"skip_connect", 0.5}), where + "[4] must have a source from 0 to 3, got 0.5");
  EXPECT_EQ(text(1, {"skip_connect", 0}),
            where + "[1] must have another source than the node's first input, got 0 twice");
}

}  // namespace
}  // namespace lathe::space
