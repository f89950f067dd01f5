// A net of small_chain() in a file, as answers are handed over.
#pragma once

#include <memory>
#include <string>

#include "core/temporary_folder.h"
#include "fuzz/small_chain.h"
#include "lathe/core/file.h"
#include "lathe/measure/random_net.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/space/space_file.h"

namespace lathe::testing {

class SmallNet {
 public:
  SmallNet() {
    write_json(space_file(), space::to_json(space::SpaceSpec{small_chain()}));
    const std::unique_ptr<space::Space> space = space::open_space(space_file());
    const space::Arch arch = space->smallest();
    const graph::Net net = measure::random_net(space->graph(arch), 1);
    const run::NetInput input{.size = 4, .normalization = {{0.5F}, {0.25F}}, .classes = {"a", "b"}};
    run::save_net(folder_ / "net", {net, *space, arch, input});
  }
  std::string space_file() const { return (folder_ / "space.json").string(); }
  std::string bytes() const { return read_file(folder_ / "net"); }

 private:
  TemporaryFolder folder_;
};

}  // namespace lathe::testing
