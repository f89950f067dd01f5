// Stage: from a data set to the weights of cells' operations, which all latency targets are then
// answered from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/run/run_folder.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/space.h"
#include "lathe/train/cells/search_cells.h"

namespace lathe::run {

/// {"darts", "pc-darts"}.
std::vector<std::string> cell_method_names();
bool searches_cells(const std::string& method);

/// What is searched, on what and how.
struct CellJob {
  std::string dataset = "fashion-mnist";  ///< a name or a folder
  data::DatasetOptions data;
  std::string method = "darts";
  std::string space;      ///< of cells, whose size the search net has; empty: default_cell_space()
  int channel_parts = 0;  ///< as space::CellSearchOptions; 0: the method's, 1 or 4
  /// Model of the latency that the search minds, of any space of cells: that of the nets which the
  /// cells are for. A file's, or one that is there; neither: accuracy alone counts.
  std::filesystem::path latency_file;
  const space::Space* latency_space = nullptr;
  const latency::LatencyModel* latency = nullptr;
  /// MACs of nets of the search net's space in place of latency, in millions: a control.
  bool macs = false;
  /// Its folder, threads and seed are set by the stage, and the goal's latency and unit; shards
  /// that are 0 as well: two on the CPU, one a process on GPUs.
  train::SearchCellsOptions search;
  std::string device = "cpu";  ///< that the search net is trained on
  int threads = 0;             ///< of this process; 0: all cores
  std::uint64_t seed = 0;
};

/// The published settings of a method, where they differ from the options' own defaults: batch
/// size, learning rates, and the share of the epochs that train the weights alone.
void use_published_settings(CellJob& job);

/// @throws Error if `space` has no cells, naming it and one that has.
void require_cells(const space::Space& space);

/// The search net for images of that size, unless another is asked for: one that two cores search
/// in minutes.
std::string default_cell_space(int image_size);

/// What the files of a search are called in its folder.
inline constexpr const char* kCellsName = "cells.json";
inline constexpr const char* kNearTargetName = "near_target.json";

struct SearchedFolder {
  data::Dataset dataset;
  std::shared_ptr<const space::Space> space;  ///< of nets as large as the search net
  train::SearchedCells cells;
  space::Arch arch;  ///< what the cells are derived as: within the goal's target, if there is one
};

/// Searches, or goes on; writes train.json, which says what was searched, cells.json
/// (search::CellLogits), and genotype.json and genotype.dot, the cells as derived: within the
/// goal's target where it has one, otherwise without a limit; with a target near_target.json too
/// (search::NearTarget). Of several processes
/// (job.search.group) all call it, and rank 0 alone reads and writes the folder.
/// @throws Error if the data, the space or the latency model is not as needed, or as
/// train::search_cells(); std::invalid_argument if a number is out of range.
SearchedFolder search_stage(const CellJob& job, const RunFolder& folder,
                            const ProgressFn& progress);

/// The cells of `arch` as a Graphviz document: a graph for each kind.
std::string cells_dot(const space::Space& space, const space::Arch& arch);

/// The logits that a folder of search_stage() has. @throws Error if it has none, with the command
/// that makes them.
search::CellLogits open_cells(const std::filesystem::path& folder);
/// What such a search for a latency target passed near it; nothing of other searches.
/// @throws Error if the file is not as written.
std::optional<search::NearTarget> open_near_target(const std::filesystem::path& folder);

}  // namespace lathe::run
