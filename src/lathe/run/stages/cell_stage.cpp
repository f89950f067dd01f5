#include "lathe/run/stages/cell_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/nn/device.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/space_file.h"
#include "lathe/train/schedule.h"
#include "lathe/train/step/step.h"

namespace lathe::run {
namespace {

constexpr int kCellsVersion = 1;
constexpr int kPartialChannels = 4;
constexpr std::array<const char*, 2> kKinds{"normal", "reduce"};

std::shared_ptr<const space::Space> open_cells_for(const std::string& name,
                                                   const data::Dataset& dataset) {
  std::shared_ptr<const space::Space> space = open_space_for(name, dataset);
  require_cells(*space);
  return space;
}

/// What is searched for: cells of nets of `space` that take so long.
struct Counted {
  std::shared_ptr<const space::Space> space;
  search::CellLatency latency;
};

/// A model of nets on other images than these says nothing; that of a single cell is a proxy
/// anyway.
void require_images(const latency::Fingerprint& of, const space::Space& space,
                    const data::Dataset& dataset, const std::filesystem::path& file) {
  const int size = dataset.train.image_size();
  if (space.encoding_size() > space::kCellBits && of.input_size != size) {
    throw Error(
        fmt::format("{}: is of nets for images of {}x{} pixels, expected {}x{} as {} has; "
                    "measure nets for those, with --input-size",
                    file.string(), of.input_size, of.input_size, size, size, dataset.name));
  }
}

/// The latency that counts, of the model in the job or in its file; MACs are those of `space`.
std::optional<Counted> counted(const CellJob& job, std::shared_ptr<const space::Space> space,
                               const data::Dataset& dataset) {
  if (job.macs) {
    auto macs = search::CellLatency::of_macs(*space);
    return Counted{std::move(space), std::move(macs)};
  }
  if (job.latency != nullptr) {
    return Counted{{std::shared_ptr<const space::Space>(), job.latency_space},
                   search::CellLatency(*job.latency_space, *job.latency)};
  }
  if (job.latency_file.empty()) {
    return std::nullopt;
  }
  const latency::Fingerprint of = latency::fingerprint_of_model(job.latency_file);
  std::shared_ptr<const space::Space> own = space::open_space(
      of.space,
      {.in_channels = of.in_channels, .num_classes = of.num_classes, .input_size = of.input_size});
  if (!space::has_cells(*own)) {
    throw Error(job.latency_file.string() + ": is of space " + of.space +
                ", expected one of cells, such as darts_c16_l8");
  }
  require_images(of, *own, dataset, job.latency_file);
  search::CellLatency latency(*own, *latency::load_latency_model(*own, job.latency_file));
  return Counted{std::move(own), std::move(latency)};
}

/// A target that no cells meet is known before hours of searching for them.
void require_reachable(const Counted& of, double target, int max_skips, const std::string& unit) {
  const search::DerivedNet fastest =
      search::derive_within(*of.space, search::CellLogits::zero(of.latency.kinds(), false),
                            of.latency, std::array{target},
                            {.max_skips = max_skips, .most_nets = 1000})
          .front();
  if (!fastest.feasible) {
    throw Error(
        fmt::format("--latency-target {:.4g} {} is below the fastest cells, which take "
                    "{:.4g} {} (predicted); ask for more",
                    target, unit, fastest.minimum_ms, unit));
  }
}

nlohmann::ordered_json description(const CellJob& job, const std::string& space,
                                   const data::Dataset& dataset, int channel_parts) {
  return {{"version", kCellsVersion},
          {"method", job.method},
          {"space", space},
          {"channel_parts", channel_parts},
          {"dataset",
           {{"name", job.dataset},
            {"data_dir", job.data.data_dir.string()},
            {"cache_dir", job.data.cache_dir.string()},
            {"validation_size", dataset.validation.size()},
            {"image_size", dataset.train.image_size()}}},
          {"epochs", job.search.epochs},
          {"first_logits_epoch", job.search.first_logits_epoch},
          {"second_order", job.search.second_order},
          {"batch_size", job.search.batch_size},
          {"learning_rate", job.search.learning_rate},
          {"latency", job.macs ? "macs" : job.latency_file.string()},
          {"seed", job.seed}};
}

/// The best cells within the target, if there is one. @throws Error if none are found.
space::Arch derived(const SearchedFolder& searched, const train::SearchCellsOptions& options) {
  if (options.goal.target == 0) {
    return space::arch_of(*searched.space,
                          search::derive_cells(searched.cells.logits, options.max_skips));
  }
  const search::DerivedNet best =
      search::derive_within(*searched.space, searched.cells.logits, *options.goal.latency,
                            std::array{options.goal.target}, {.max_skips = options.max_skips})
          .front();
  if (!best.feasible) {
    throw Error(fmt::format(
        "the search has ended, and no cells within {:.4g} {} were found in what it left, the "
        "fastest take {:.4g}; lathe derive --from takes other targets",
        options.goal.target, options.goal.unit, best.minimum_ms));
  }
  return best.arch;
}

std::string name_of_state(int state) {
  return state == 0 ? "c_{k-2}" : state == 1 ? "c_{k-1}" : std::to_string(state - 2);
}

}  // namespace

std::vector<std::string> cell_method_names() { return {"darts", "pc-darts"}; }

bool searches_cells(const std::string& method) { return method == "darts" || method == "pc-darts"; }

void use_published_settings(CellJob& job) {
  train::SearchCellsOptions& o = job.search;
  o.batch_size = 64;
  if (job.method == "pc-darts") {
    o.batch_size = 256;
    o.learning_rate = 0.1;
    o.final_learning_rate = 0;
    o.logits_learning_rate = 6e-4;
    o.first_logits_epoch = 0.3 * o.epochs;  // 15 of 50
  }
}

void require_cells(const space::Space& space) {
  if (!space::has_cells(space)) {
    throw Error("space " + space.name() +
                " has no cells to search: expected one such as darts_c16_l8");
  }
}

std::string default_cell_space(int image_size) {
  constexpr int kLargestSmallImage = 48;
  return image_size <= kLargestSmallImage ? "darts_c8_l5" : "darts_imagenet_c16_l8";
}

SearchedFolder search_stage(const CellJob& job, const RunFolder& folder,
                            const ProgressFn& progress) {
  const c10::Device device = nn::open_device(job.device);
  const dist::ProcessGroup* group = job.search.group;
  const bool writes = group == nullptr || group->rank() == 0;
  SearchedFolder searched{.dataset = data::open_dataset(job.dataset, job.data)};
  const data::Dataset& dataset = searched.dataset;
  const std::string name =
      job.space.empty() ? default_cell_space(dataset.train.image_size()) : job.space;
  searched.space = open_cells_for(name, dataset);
  const bool partial = job.method == "pc-darts";
  const int parts = job.channel_parts > 0 ? job.channel_parts : partial ? kPartialChannels : 1;
  if (const int channels = space::cell_spec(*searched.space).init_channels;
      channels % (2 * parts) != 0) {
    throw Error(
        fmt::format("space {}: its {} channels don't divide into {} parts of even numbers of "
                    "channels; take a multiple of {}, or other --channel-parts",
                    name, channels, parts, 2 * parts));
  }
  train::SearchCellsOptions options = job.search;
  const space::CellSearchNet net = space::cell_search_graph(
      space::cell_spec(*searched.space),
      {.channel_parts = parts, .auxiliary_skips = options.auxiliary_skip > 0});
  const std::optional<Counted> goal = counted(job, searched.space, dataset);
  options.goal.latency = goal ? &goal->latency : nullptr;
  options.goal.unit = job.macs ? "MMACs" : "ms";
  if (goal && options.goal.target > 0) {
    require_reachable(*goal, options.goal.target, options.max_skips, options.goal.unit);
  }
  options.folder = folder.root();
  options.threads = threads_of(job.threads);
  options.seed = job.seed;
  progress({"data", 0, 0,
            fmt::format("{}: {} training images, half for weights and half for cells, {} "
                        "validation and {} test images of {} classes, {}x{}; search net of {}",
                        dataset.name, dataset.train.size(), dataset.validation.size(),
                        dataset.test.size(), dataset.train.num_classes(),
                        dataset.train.image_size(), dataset.train.image_size(), name)});
  if (options.shards == 0) {
    options.shards = default_shards(device, group == nullptr ? 1 : group->world_size());
  }
  if (writes) {
    write_json(folder.training(), description(job, name, dataset, parts));
  }
  const int replicas = train::shards_here(group, options.shards);
  nn::SharedWeights weights(searched.space->name(), net.graph, {},
                            {.seed = job.seed, .replicas = replicas, .device = device});
  train::CellMixer mixer(
      net, {.edge_weights = partial, .replicas = replicas, .seed = job.seed, .device = device});
  searched.cells = train::search_cells(weights, mixer, net, dataset, options, progress);
  if (writes) {
    write_json(folder.root() / kCellsName, searched.cells.logits.to_json());
    if (options.goal.target > 0) {
      write_json(folder.root() / kNearTargetName,
                 search::NearTarget{options.goal.target, options.goal.unit, searched.cells.passed}
                     .to_json());
    }
  }
  searched.arch = derived(searched, options);
  if (writes) {
    write_json(folder.root() / "genotype.json", searched.space->to_json(searched.arch));
    write_file_atomic(folder.root() / "genotype.dot", cells_dot(*searched.space, searched.arch));
  }
  return searched;
}

std::string cells_dot(const space::Space& space, const space::Arch& arch) {
  std::string dot;
  const std::vector<space::Cell> cells = space::cells_of(space, arch);
  for (std::size_t kind = 0; kind < cells.size(); ++kind) {
    dot += fmt::format("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n",
                       kKinds.at(kind));
    for (std::size_t i = 0; i < cells[kind].size(); ++i) {
      const space::CellInput& input = cells[kind].at(i);
      dot += fmt::format("  \"{}\" -> \"{}\" [label=\"{}\"];\n", name_of_state(input.source), i / 2,
                         space::kCellOps.at(static_cast<std::size_t>(input.op)));
    }
    for (int node = 0; node < space::kCellNodes; ++node) {
      dot += fmt::format("  \"{}\" -> \"c_{{k}}\";\n", node);
    }
    dot += "}\n";
  }
  return dot;
}

search::CellLogits open_cells(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kCellsName;
  if (!std::filesystem::exists(path)) {
    throw Error(folder.string() + ": has no " + kCellsName +
                ": expected a finished search, as lathe train --method darts leaves it");
  }
  return search::CellLogits::load(path);
}

std::optional<search::NearTarget> open_near_target(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kNearTargetName;
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  return search::NearTarget::load(path);
}

}  // namespace lathe::run
