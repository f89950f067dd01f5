#include "lathe/run/stages/train_stage.h"

#include <gtest/gtest.h>

#include "lathe/space/subspace.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::stage_space;
using lathe::testing::synthetic_dataset;

class Narrowed : public ::testing::Test {
 protected:
  /// All that train.json says but for which nets there are.
  static nlohmann::ordered_json settings(const Trained& trained) {
    nlohmann::ordered_json json = to_json(trained, "space", "images", {});
    json.erase("arch");
    json.erase("within");
    return json;
  }

  Trained trained_{.dataset = synthetic_dataset(40, 10, 10),
                   .space = stage_space(),
                   .method = "grow",
                   .seed = 7,
                   .shards = 3,
                   .augment = {.crop_padding = 1, .horizontal_flip = false, .cutout = 2}};
  TrainJob job_{.method = {.name = "grow"}};
};

TEST_F(Narrowed, KeepsAllButTheNets) {
  const Trained part =
      narrowed(trained_, job_, {trained_.space->smallest(), trained_.space->largest()});
  EXPECT_EQ(settings(part), settings(trained_));
  EXPECT_EQ(part.dataset.train.size(), 40);
  EXPECT_EQ(part.weights->parameters().replicas(), 3) << "one a shard: a step's pace is theirs";
  EXPECT_FALSE(part.arch);
}

TEST_F(Narrowed, HasTheNetsBetweenItsBounds) {
  const space::Arch least = trained_.space->smallest();
  space::Arch most = trained_.space->largest();
  most.choices.front() = least.choices.front();
  most = trained_.space->canonical(most);
  const Trained part = narrowed(trained_, job_, {least, most});
  EXPECT_EQ(space::in_whole(*part.space, part.space->smallest()).arch, least);
  EXPECT_EQ(space::in_whole(*part.space, part.space->largest()).arch, most);
  EXPECT_LT(part.space->log10_num_nets(), trained_.space->log10_num_nets());
}

TEST_F(Narrowed, IsOneNetBetweenABoundAndItself) {
  job_.method.name = "plain";
  const space::Arch net = trained_.space->smallest();
  const Trained part = narrowed(trained_, job_, {net, net});
  EXPECT_EQ(part.arch, net);
  EXPECT_EQ(part.method, "plain");
  EXPECT_EQ(part.space, trained_.space);
}

}  // namespace
}  // namespace lathe::run
