#include "lathe/latency/models/ofa_tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/latency/models/ofa_table_file.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/channels.h"

namespace lathe::latency {
namespace {

namespace fs = std::filesystem;
using graph::Activation;
using space::Block;
using space::BlockKind;

constexpr std::string_view kFileSuffix = "_lookup_table.yaml";

enum class Naming { kMobileNetV3, kProxyless, kNsganet };

const char* nets_of(Naming naming) {
  return naming == Naming::kProxyless ? "ProxylessNAS" : "MobileNetV3";
}

Naming naming_of(const OfaTableFile& file) {
  for (const auto& [row, ms] : file.mean_ms) {
    if (row.starts_with("MBConv-")) {
      return Naming::kNsganet;
    }
    if (row.starts_with("expanded_conv-")) {
      return row.find("-hs:") == std::string::npos ? Naming::kProxyless : Naming::kMobileNetV3;
    }
  }
  throw Error(file.path +
              ": expected rows named expanded_conv-... or MBConv-..., got none: not a " +
              "once-for-all latency table");
}

std::string text(const graph::Shape& s) {
  return std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
         std::to_string(s.channels);
}

/// mid / input channels where that is what the width was made from; else there is no row.
std::optional<int> expansion_ratio(const Block& block) {
  const double ratio = std::round(static_cast<double>(block.mid_channels) / block.input.channels);
  if (space::make_divisible(block.input.channels * ratio) != block.mid_channels) {
    return std::nullopt;
  }
  return static_cast<int>(ratio);
}

std::optional<std::string> mbconv_row(Naming naming, const Block& b) {
  const bool mobilenet = b.activation == Activation::kRelu || b.activation == Activation::kHSwish;
  const bool proxyless = b.activation == Activation::kRelu6 && !b.squeeze_excite;
  const std::optional<int> expand =
      naming == Naming::kMobileNetV3 ? b.mid_channels : expansion_ratio(b);
  if (!expand || (naming == Naming::kProxyless ? !proxyless : !mobilenet)) {
    return std::nullopt;
  }
  std::string row = naming == Naming::kNsganet ? "MBConv" : "expanded_conv";
  row += "-input:" + text(b.input) + "-output:" + text(b.output) +
         "-expand:" + std::to_string(*expand) + "-kernel:" + std::to_string(b.kernel) +
         "-stride:" + std::to_string(b.stride) + "-idskip:" + (b.residual ? "1" : "0");
  if (naming != Naming::kProxyless) {
    row += b.squeeze_excite ? "-se:1" : "-se:0";
  }
  if (naming == Naming::kMobileNetV3) {
    row += b.activation == Activation::kHSwish ? "-hs:1" : "-hs:0";
  }
  return row;
}

const char* conv_name(Naming naming, const Block& block) {
  // The stem, the 1x1 before the pool and the 1x1 after it.
  const int place = block.kernel > 1 ? 0 : block.batch_norm ? 1 : 2;
  constexpr std::array<const char*, 3> kOfa{"Conv", "Conv_1", "Conv_2"};
  constexpr std::array<const char*, 3> kNsganet{"first_conv", "final_expand_layer",
                                                "feature_mix_layer"};
  return (naming == Naming::kNsganet ? kNsganet : kOfa)[static_cast<std::size_t>(place)];
}

std::string classifier_row(Naming naming, const Block& block, const graph::Shape& pooled) {
  const std::string output = "-output:" + std::to_string(block.output.channels);
  switch (naming) {
    case Naming::kMobileNetV3:
      return "Logits-input:" + text(block.input) + output;
    case Naming::kProxyless:
      return "Logits-input:" + text(pooled) + output;
    case Naming::kNsganet:
      return "classifier-input:" + std::to_string(block.input.channels) + output;
  }
  return "";
}

/// A block of nets of one input size, with what was pooled before it.
struct Needed {
  int input_size;
  Block block;
  graph::Shape pooled;

  bool is_part_of_another_row(Naming naming) const {
    return block.kind == BlockKind::kGlobalPool && naming != Naming::kMobileNetV3;
  }
  /// Nothing if tables of this naming have no such rows.
  std::optional<std::string> row(Naming naming) const {
    switch (block.kind) {
      case BlockKind::kConv:
        return std::string(conv_name(naming, block)) + "-input:" + text(block.input) +
               "-output:" + text(block.output);
      case BlockKind::kMbconv:
        return mbconv_row(naming, block);
      case BlockKind::kGlobalPool:
        return "AvgPool2D-input:" + text(block.input) + "-output:" + text(block.output);
      case BlockKind::kClassifier:
        return classifier_row(naming, block, pooled);
      default:
        return std::nullopt;
    }
  }
};

/// Of slot `s` in nets of these input sizes; each block once for a size.
std::vector<Needed> needed_blocks(const space::Space& space, int s, const std::set<int>& sizes) {
  std::vector<Needed> needed;
  std::set<std::pair<int, std::string>> seen;
  space.for_each_assignment(s, [&](const space::Arch& arch) {
    const int size = space.input_size(arch);
    if (!sizes.contains(size)) {
      return;
    }
    graph::Shape pooled;
    for (Block& block : space.blocks(arch, s)) {
      if (block.kind == BlockKind::kGlobalPool) {
        pooled = block.input;
      }
      if (seen.emplace(size, block.key()).second) {
        needed.push_back({size, std::move(block), pooled});
      }
    }
  });
  return needed;
}

int num_slots(const space::Space& space) { return static_cast<int>(space.slots().size()); }

/// The milliseconds of a block, or nothing.
std::optional<double> find_ms(const OfaTableFile& file, Naming naming, const Needed& needed) {
  if (needed.is_part_of_another_row(naming)) {
    return 0.0;
  }
  const std::optional<std::string> row = needed.row(naming);
  const auto found = row ? file.mean_ms.find(*row) : file.mean_ms.end();
  return found == file.mean_ms.end() ? std::nullopt : std::optional(found->second);
}

/// Whether the table has every row for the only input size of `space`.
bool fits(const OfaTableFile& file, Naming naming, const space::Space& space) {
  for (int s = 0; s < num_slots(space); ++s) {
    for (const Needed& needed : needed_blocks(space, s, {space.task().input_size})) {
      if (!find_ms(file, naming, needed)) {
        return false;
      }
    }
  }
  return true;
}

/// The built-in spaces of which the table has every row at `input_size`, as text for an error.
std::string fitting_spaces(const OfaTableFile& file, Naming naming, const space::Task& task,
                           int input_size) {
  std::string names;
  for (const std::string& name : space::builtin_space_names()) {
    if (!space::make_space(name)->is_chain()) {
      continue;  // cells have no rows, and nets of few input sizes
    }
    const auto space = space::make_space(name, {.in_channels = task.in_channels,
                                                .num_classes = task.num_classes,
                                                .input_size = input_size});
    if (fits(file, naming, *space)) {
      names += (names.empty() ? "" : " or ") + name;
    }
  }
  return names;
}

[[noreturn]] void fail_missing(const OfaTableFile& file, Naming naming, const space::Space& space,
                               const Needed& needed) {
  const std::optional<std::string> row = needed.row(naming);
  std::string text = file.path + ": ";
  text += row ? "no row \"" + *row + "\""
              : std::string("a table of ") + nets_of(naming) + " nets has no rows for block \"" +
                    needed.block.key() + "\"";
  text += ", which space " + space.name() + " needs at resolution " +
          std::to_string(needed.input_size) + "; ";
  const std::string fitting = fitting_spaces(file, naming, space.task(), needed.input_size);
  text += fitting.empty() ? "the table is incomplete, or of nets that are no built-in space's"
                          : "the table fits space " + fitting;
  throw Error(text);
}

/// N of `<prefix>NxN...`.
std::optional<int> square_size(std::string_view row, std::string_view prefix) {
  if (!row.starts_with(prefix)) {
    return std::nullopt;
  }
  row.remove_prefix(prefix.size());
  const std::string_view height = row.substr(0, row.find('x'));
  int size = 0;
  const auto [end, status] = std::from_chars(height.data(), height.data() + height.size(), size);
  if (status != std::errc() || end != height.data() + height.size() || size <= 0) {
    return std::nullopt;
  }
  return size;
}

std::set<int> resolutions_of(const OfaTableFile& file, Naming naming) {
  const std::string prefix = naming == Naming::kNsganet ? "first_conv-input:" : "Conv-input:";
  std::set<int> sizes;
  for (const auto& [row, ms] : file.mean_ms) {
    if (const std::optional<int> size = square_size(row, prefix)) {
      sizes.insert(*size);
    }
  }
  if (sizes.empty()) {
    throw Error(file.path + ": no row \"" + prefix + "...\", which says the resolution");
  }
  const std::string name = fs::path(file.path).filename().string();
  int named = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), named);
  if (parsed.ec == std::errc() && parsed.ptr != name.data() + name.size() && *parsed.ptr == '_' &&
      sizes != std::set<int>{named}) {
    throw Error(file.path + ": its name says resolution " + std::to_string(named) +
                ", its first convolution " + std::to_string(*sizes.begin()));
  }
  return sizes;
}

std::string list_of(const auto& sizes) {
  std::string text;
  for (const int size : sizes) {
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return text;
}

std::vector<fs::path> table_paths(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return {path};
  }
  std::vector<fs::path> paths;
  for (auto entry = fs::directory_iterator(path, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    if (entry->path().filename().string().ends_with(kFileSuffix)) {
      paths.push_back(entry->path());
    }
  }
  if (error) {
    throw Error(path.string() + ": cannot read: " + error.message());
  }
  if (paths.empty()) {
    throw Error(path.string() + ": expected files *" + std::string(kFileSuffix) + ", got none");
  }
  std::ranges::sort(paths);
  return paths;
}

/// The first resolution that has a block gives its coefficient; those that differ keep their own.
void add(const Needed& needed, double ms, BlockCosts& costs) {
  const std::string key = needed.block.key();
  const auto [first, is_new] = costs.coefficients_ms.emplace(key, ms);
  if (!is_new && first->second != ms) {
    costs.coefficients_at_input_size_ms[needed.input_size][key] = ms;
  }
}

/// "note10" of "tables/note10/" and of "tables/note10.yaml".
std::string name_of(const fs::path& path) {
  const fs::path full = fs::absolute(path).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).stem().string();
}

}  // namespace

BlockCosts load_ofa_tables(const space::Space& space, const fs::path& path) {
  BlockCosts costs{.fingerprint = {.device = name_of(path),
                                   .runtime = "published latency table",
                                   .precision = "unknown",
                                   .space = space.name(),
                                   .in_channels = space.task().in_channels,
                                   .num_classes = space.task().num_classes,
                                   .input_size = space.task().input_size}};
  const std::vector<int> own_sizes = space.input_sizes();
  std::set<int> found_sizes;
  std::set<int> used_sizes;
  for (const fs::path& file_path : table_paths(path)) {
    const OfaTableFile file = read_ofa_table(file_path);
    const Naming naming = naming_of(file);
    std::set<int> sizes;
    for (const int size : resolutions_of(file, naming)) {
      if (!found_sizes.insert(size).second) {
        throw Error(file.path + ": resolution " + std::to_string(size) +
                    " is in another file of the folder too");
      }
      if (std::ranges::find(own_sizes, size) != own_sizes.end()) {
        sizes.insert(size);
      }
    }
    for (int slot = 0; slot < num_slots(space); ++slot) {
      for (const Needed& needed : needed_blocks(space, slot, sizes)) {
        const std::optional<double> ms = find_ms(file, naming, needed);
        if (!ms) {
          fail_missing(file, naming, space, needed);
        }
        add(needed, *ms, costs);
      }
    }
    used_sizes.merge(sizes);
  }
  if (used_sizes.empty()) {
    throw Error(path.string() + ": its resolutions, " + list_of(found_sizes) +
                ", are none of space " + space.name() + ": " + list_of(own_sizes));
  }
  return costs;
}

}  // namespace lathe::latency
