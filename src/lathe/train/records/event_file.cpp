#include "lathe/train/records/event_file.h"

#include <bit>
#include <cstring>
#include <optional>

#include "lathe/core/crc32c.h"

namespace lathe::train {
namespace {

static_assert(std::endian::native == std::endian::little, "event files are little-endian");

constexpr const char* kTensorBoardVersion = "brain.Event:2";
constexpr std::uint32_t kMaskDelta = 0xa282ead8;
constexpr std::size_t kFrameBytes = 8 + 4 + 4;  // around a record's data

// Fields of the messages, and how protocol buffers write them.
enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
constexpr std::uint32_t kEventWallTime = 1;
constexpr std::uint32_t kEventStep = 2;
constexpr std::uint32_t kEventFileVersion = 3;
constexpr std::uint32_t kEventSummary = 5;
constexpr std::uint32_t kSummaryValue = 1;
constexpr std::uint32_t kValueTag = 1;
constexpr std::uint32_t kValueSimpleValue = 2;

template <typename T>
void append_raw(std::string& bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

void append_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>(value | 0x80);
  }
  bytes += static_cast<char>(value);
}

void append_key(std::string& bytes, std::uint32_t field, WireType type) {
  append_varint(bytes, std::uint64_t{field} << 3 | type);
}

void append_bytes(std::string& bytes, std::uint32_t field, std::string_view value) {
  append_key(bytes, field, kBytes);
  append_varint(bytes, value.size());
  bytes += value;
}

std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + kMaskDelta;
}

std::string framed(std::string_view data) {
  std::string record;
  append_raw(record, std::uint64_t{data.size()});
  append_raw(record, masked_crc(record));
  record += data;
  append_raw(record, masked_crc(data));
  return record;
}

template <typename T>
T raw_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// The data of the record that `bytes` begins with.
std::optional<std::string_view> unframed(std::string_view bytes) {
  if (bytes.size() < kFrameBytes ||
      raw_at<std::uint32_t>(bytes, 8) != masked_crc(bytes.substr(0, 8))) {
    return std::nullopt;
  }
  const auto size = raw_at<std::uint64_t>(bytes, 0);
  if (size > bytes.size() - kFrameBytes) {
    return std::nullopt;
  }
  const std::string_view data = bytes.substr(12, size);
  return raw_at<std::uint32_t>(bytes, 12 + data.size()) == masked_crc(data) ? std::optional(data)
                                                                            : std::nullopt;
}

/// Takes a varint off the front.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  return std::nullopt;
}

/// Takes a field's value off the front, whatever it is.
bool skip(std::string_view& bytes, std::uint64_t type) {
  std::size_t size = type == kFixed64 ? 8 : 4;
  if (type == kVarint) {
    return take_varint(bytes).has_value();
  }
  if (type == kBytes) {
    const auto length = take_varint(bytes);
    if (!length || *length > bytes.size()) {
      return false;
    }
    size = static_cast<std::size_t>(*length);
  } else if ((type != kFixed64 && type != kFixed32) || size > bytes.size()) {
    return false;
  }
  bytes.remove_prefix(size);
  return true;
}

struct EventHead {
  std::int64_t step = 0;  // what a message without the field has
  bool is_version = false;
};

std::optional<EventHead> head_of(std::string_view message) {
  EventHead head;
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key) {
      return std::nullopt;
    }
    if (*key == (kEventStep << 3 | kVarint)) {
      const auto step = take_varint(message);
      if (!step) {
        return std::nullopt;
      }
      head.step = static_cast<std::int64_t>(*step);
      continue;
    }
    head.is_version |= *key == (kEventFileVersion << 3 | kBytes);
    if (!skip(message, *key & 7)) {
      return std::nullopt;
    }
  }
  return head;
}

std::string event(double wall_time_s) {
  std::string message;
  append_key(message, kEventWallTime, kFixed64);
  append_raw(message, wall_time_s);
  return message;
}

}  // namespace

std::string event_file_header(double wall_time_s) {
  std::string message = event(wall_time_s);
  append_bytes(message, kEventFileVersion, kTensorBoardVersion);
  return framed(message);
}

std::string event_record(std::int64_t step, double wall_time_s, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_bytes(value, kValueTag, tag);
    append_key(value, kValueSimpleValue, kFixed32);
    append_raw(value, number);
    append_bytes(summary, kSummaryValue, value);
  }
  std::string message = event(wall_time_s);
  append_key(message, kEventStep, kVarint);
  append_varint(message, static_cast<std::uint64_t>(step));
  append_bytes(message, kEventSummary, summary);
  return framed(message);
}

EventScan scan_events(std::string_view bytes) {
  EventScan scan;
  std::size_t end = 0;
  while (const auto data = unframed(bytes.substr(end))) {
    const auto head = head_of(*data);
    const bool first = end == 0;
    if (!head || head->is_version != first) {
      break;
    }
    end += data->size() + kFrameBytes;
    if (first) {
      scan.header_end = end;
    } else {
      scan.events.push_back({.step = head->step, .end = end});
    }
  }
  return scan;
}

}  // namespace lathe::train
