// lathe describe: sizes of a net, without running it.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "lathe/graph/counts.h"
#include "options/arch_files.h"
#include "options/space_options.h"

namespace lathe::app {
namespace {

struct DescribeOptions {
  SpaceOptions space;
  std::string arch;
  std::string archs;
  bool json = false;
};

nlohmann::ordered_json describe(const space::Space& space, const space::Arch& arch) {
  nlohmann::ordered_json blocks = nlohmann::ordered_json::array();
  for (const space::Block& block : space.blocks(arch)) {
    const graph::Graph alone = space::lower({&block, 1});
    blocks.push_back({{"name", block.name},
                      {"key", block.key()},
                      {"macs", graph::macs(alone)},
                      {"params", graph::params(alone)}});
  }
  const graph::Graph net = space.graph(arch);
  return {{"arch", space.to_json(arch)},
          {"macs", graph::macs(net)},
          {"params", graph::params(net)},
          {"peak_memory_bytes", graph::peak_memory_bytes(net)},
          {"blocks", blocks}};
}

void print(const nlohmann::ordered_json& net) {
  fmt::print("{}\n  {:.2f} MMACs, {:.3f} M params, {:.1f} KiB peak activations\n",
             net["arch"].dump(), net["macs"].get<double>() / 1e6, net["params"].get<double>() / 1e6,
             net["peak_memory_bytes"].get<double>() / 1024);
  for (const auto& block : net["blocks"]) {
    fmt::print("  {:<34} {:>10.3f} MMACs {:>9} params  {}\n", block["name"].get<std::string>(),
               block["macs"].get<double>() / 1e6, block["params"].get<std::int64_t>(),
               block["key"].get<std::string>());
  }
}

void execute(const DescribeOptions& options) {
  const std::unique_ptr<space::Space> space = options.space.make();
  const bool own_size = options.space.own_size();
  std::vector<space::Arch> archs;
  if (!options.arch.empty()) {
    archs.push_back(read_arch(options.arch, *space, own_size));
  } else if (!options.archs.empty()) {
    archs = read_archs(options.archs, *space, own_size);
  } else {
    archs = {space->smallest(), space->largest()};
  }
  for (const space::Arch& arch : archs) {
    const nlohmann::ordered_json net = describe(*space, arch);
    if (options.json) {
      fmt::print("{}\n", net.dump());
    } else {
      print(net);
    }
  }
}

}  // namespace

void add_describe_command(CLI::App& app) {
  auto options = std::make_shared<DescribeOptions>();
  CLI::App* command = app.add_subcommand(
      "describe",
      "MACs, parameters, memory and blocks of nets; of the smallest and the largest "
      "without --arch or --archs");
  add_space_options(*command, options->space);
  CLI::Option* arch = command->add_option("--arch", options->arch,
                                          "file of one arch: JSON, or of cells Genotype(...)");
  command->add_option("--archs", options->archs, "file of one arch a line")->excludes(arch);
  command->add_flag("--json", options->json, "one line of JSON per net");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
