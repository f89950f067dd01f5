// Event files, as TensorBoard reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::train {

/// Numbers by tag, such as `train/loss`.
using Scalars = std::vector<std::pair<std::string, float>>;

/// The bytes that an event file begins with: a record that names the format's version.
std::string event_file_header(double wall_time_s);

/// The bytes of one event: a record of the scalars at `step`. `wall_time_s`: since 1970.
/// A record is its length (uint64), the length's checksum, an Event message with a Summary, and
/// that's checksum; checksums are CRC-32C, rotated and offset.
/// @see TensorFlow's event.proto, summary.proto and record_writer.cc for the formats.
std::string event_record(std::int64_t step, double wall_time_s, const Scalars& scalars);

/// Where an event of a file ends, and what step it is of.
struct EventPlace {
  std::int64_t step = 0;
  std::size_t end = 0;  ///< offset of the byte behind it
};

/// What can be trusted of an event file.
struct EventScan {
  std::size_t header_end = 0;  ///< 0: the file has no header
  std::vector<EventPlace> events;
};

/// The whole records that `bytes` begins with, up to the first that is torn or damaged, or no event
/// of ours. The input is treated as hostile.
EventScan scan_events(std::string_view bytes);

}  // namespace lathe::train
