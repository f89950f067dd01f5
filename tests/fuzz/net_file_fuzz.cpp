// Nets that were handed over. The first byte chooses whether the rest is the file, or its metadata.
// What is accepted is a whole net, which can be written again.
#include "lathe/run/answers/net_file.h"

#include "fuzz/hostile_file.h"
#include "fuzz/hostile_metadata.h"
#include "fuzz/small_net.h"
#include "lathe/graph/counts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::SmallNet kNet;
  static const std::string kGood = kNet.bytes();
  if (size < 1 || bytes[0] > 1) {
    return -1;
  }
  std::string content(bytes + 1, bytes + size);
  if (bytes[0] == 1) {
    content = lathe::testing::with_metadata(kGood, content);
  }
  const lathe::testing::HostileFile file(content);
  lathe::testing::expect_loaded_or_refused([&] {
    const lathe::run::NetFile read = lathe::run::load_net(file.path(), kNet.space_file());
    lathe::graph::check_weights(read.net);
    if (read.space->from_json(read.space->to_json(read.arch), "again") != read.arch ||
        lathe::graph::macs(read.net.graph) <= 0) {
      std::abort();
    }
    if (read.input) {
      lathe::run::metadata(*read.input, lathe::run::Normalizes::kNet);
    }
  });
  return 0;
}
