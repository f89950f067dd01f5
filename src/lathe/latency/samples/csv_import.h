// Latencies that users already have, in a table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// Samples from a comma-separated file whose first line names its columns. The arch stands either
/// in a column `arch`, as arch JSON, or in one column for each key of that JSON (`ks`, `e`, `d`,
/// `widths`, ...) with the genes separated by spaces, and `r` where the space has resolutions. The
/// latency in milliseconds stands in `column`; other columns are left alone. Cells may be quoted
/// ("" for a quote inside). Each row counts as one run.
/// @throws Error naming the file, and the line where there is one: it can't be read, has no rows, a
/// row has another number of cells, a column is missing (the nearest are named), an arch is none of
/// the space, or a latency is not finite and > 0.
std::vector<LatencySample> read_latency_csv(const std::filesystem::path& path,
                                            const space::Space& space, const std::string& column);

}  // namespace lathe::latency
