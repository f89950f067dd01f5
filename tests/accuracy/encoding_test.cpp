#include "lathe/accuracy/encoding.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::accuracy {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::vector<float> row_of(const Encoding& encoding, const space::Arch& arch) {
  std::vector<float> row(static_cast<std::size_t>(encoding.size()), 7.0F);
  encoding.encode(arch, row);
  return row;
}

std::vector<int> ones_of(const std::vector<float>& row) {
  std::vector<int> ones;
  for (std::size_t i = 0; i < row.size(); ++i) {
    EXPECT_TRUE(row[i] == 0.0F || row[i] == 1.0F);
    if (row[i] == 1.0F) {
      ones.push_back(static_cast<int>(i));
    }
  }
  return ones;
}

TEST(EncodingTest, OneHotIsTheSpacesOwn) {
  for (const std::string& name : space::builtin_space_names()) {
    const auto space = space::make_space(name);
    const Encoding encoding(*space);
    EXPECT_EQ(encoding.name(), "one-hot");
    EXPECT_EQ(encoding.size(), space->encoding_size()) << name;
    EXPECT_EQ(encoding.input_sizes(), space->input_sizes());
    Rng rng(1);
    for (int i = 0; i < 20; ++i) {
      const space::Arch arch = space->sample(rng);
      ASSERT_EQ(row_of(encoding, arch), space->encode(arch)) << name;
    }
  }
}

TEST(EncodingTest, OneHotOfOtherInputSizesGoesByTheSize) {
  const TinySpace space;  // of 16 and 24
  const Encoding encoding("one-hot", space, {8, 24, 32});
  EXPECT_EQ(encoding.size(), space.encoding_size() + 1);
  EXPECT_TRUE(encoding.covers(24));
  EXPECT_TRUE(encoding.covers(8));
  EXPECT_FALSE(encoding.covers(16));
  EXPECT_EQ(ones_of(row_of(encoding, space.largest())).back(), encoding.size() - 2);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { row_of(encoding, space.smallest()); }),
            "[accuracy::Encoding] the predictor has only seen input sizes 8, 24, 32, got 16");
}

TEST(EncodingTest, OfaMbv3IsAsPublished) {
  const auto space = space::make_space("ofa_mbv3_w1.2");
  const Encoding encoding(Encoding::kOfaMbv3, *space, {160, 176, 192, 208, 224});
  EXPECT_EQ(encoding.size(), 128);
  // By hand: stages of 2 blocks, so that the blocks 0, 1 of each 4 are alive.
  space::Arch arch = space->canonical(space->smallest());
  arch.choices.back() = 12;  // 128 + 12 * 4 = 176
  arch.choices[1] = 2;       // the kernel of block 1: 7
  arch.choices[20 + 4] = 1;  // the expansion of block 4: 4
  const std::vector<int> expected{0,  5,  12, 15, 24, 27, 36, 39,  48,  51, 60,
                                  63, 73, 75, 84, 87, 96, 99, 108, 111, 124};
  EXPECT_EQ(ones_of(row_of(encoding, arch)), expected);
  EXPECT_EQ(ones_of(row_of(encoding, space->largest())).size(), 41U);
  EXPECT_FALSE(encoding.covers(128));
}

TEST(EncodingTest, OfaMbv3ShowsAFixedInputSize) {
  const auto free = space::make_space("ofa_mbv3_w1.2");
  const auto fixed = space::make_space("ofa_mbv3_w1.2", {.input_size = 224});
  EXPECT_EQ(row_of({Encoding::kOfaMbv3, *fixed, {160, 224}}, fixed->largest()),
            row_of({Encoding::kOfaMbv3, *free, {160, 224}}, free->largest()));
}

TEST(EncodingTest, GradientsAreGivenToChoices) {
  const auto space = space::make_space("ofa_mbv3_w1.2", {.resolutions = {160, 224}});
  const Encoding encoding(Encoding::kOfaMbv3, *space, {160, 224});
  std::vector<float> by_input(128);
  std::iota(by_input.begin(), by_input.end(), 1.0F);
  const std::vector<float> by_choice = encoding.by_choice(by_input);
  ASSERT_EQ(by_choice.size(), static_cast<std::size_t>(space->encoding_size()));
  for (std::size_t i = 0; i < 120; ++i) {
    EXPECT_EQ(by_choice[i], by_input[i]);
  }
  for (std::size_t i = 120; i < 135; ++i) {
    EXPECT_EQ(by_choice[i], 0.0F);  // depths
  }
  EXPECT_EQ(by_choice[135], by_input[120 + 3]);  // 160
  EXPECT_EQ(by_choice[136], by_input[120 + 7]);  // 224
}

TEST(EncodingTest, RefusesWhatItCannotShow) {
  const auto mbv3 = space::make_space("ofa_mbv3_w1.0");
  EXPECT_EQ(text_thrown<Error>([&] { Encoding("ofa_mbv3", *mbv3, {}); }),
            "unknown encoding \"ofa_mbv3\": did you mean \"ofa_mbv3_onehot_128\"?");
  EXPECT_EQ(text_thrown<Error>([&] {
              Encoding(Encoding::kOfaMbv3, *mbv3, {160, 170});
            }),
            "encoding ofa_mbv3_onehot_128 has no input for size 170, only 112, 128, 144, 160, 176, "
            "192, 208, 224");
  for (const std::string name :
       {"compofa_mbv3", "ofa_proxyless_w1.3", "ofa_resnet50d", "mbv3_28"}) {
    const auto space = space::make_space(name);
    EXPECT_EQ(text_thrown<Error>([&] { Encoding(Encoding::kOfaMbv3, *space, {160}); }),
              "encoding ofa_mbv3_onehot_128 is of spaces like ofa_mbv3_w1.2, with 20 kernels of 3, "
              "5, 7 and 20 expansions of 3, 4, 6; got " +
                  name);
  }
  const TinySpace tiny;
  const Encoding encoding(tiny);
  std::vector<float> row(3);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { encoding.encode(tiny.smallest(), row); }),
            "[accuracy::Encoding] row must have 22 values, got 3");
}

}  // namespace
}  // namespace lathe::accuracy
