// A reader of TensorBoard's event files that shares no code with the writer: checksums bit by bit,
// messages by a table of fields.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace lathe::testing {

struct ReadEvent {
  double wall_time_s = 0;
  std::int64_t step = 0;
  std::string file_version;
  std::map<std::string, float> scalars;
};

class EventReader {
 public:
  explicit EventReader(const std::string& bytes) : bytes_(bytes) {}

  std::vector<ReadEvent> all() {
    std::vector<ReadEvent> events;
    while (at_ < bytes_.size() && !::testing::Test::HasFailure()) {
      const std::string length = take(8);
      EXPECT_EQ(fixed<std::uint32_t>(take(4)), masked(length));
      const std::string message = take(static_cast<std::size_t>(fixed<std::uint64_t>(length)));
      EXPECT_EQ(fixed<std::uint32_t>(take(4)), masked(message));
      events.push_back(event(message));
    }
    return events;
  }

 private:
  struct Field {
    std::uint64_t number = 0;
    std::uint64_t integer = 0;  // of a varint
    std::string bytes;          // of everything else
  };

  static std::uint32_t masked(const std::string& bytes) {
    std::uint32_t crc = ~std::uint32_t{0};
    for (const char byte : bytes) {
      for (int bit = 0; bit < 8; ++bit) {
        const bool odd = ((crc ^ (static_cast<std::uint8_t>(byte) >> bit)) & 1U) != 0;
        crc >>= 1;
        if (odd) crc ^= 0x82f63b78U;
      }
    }
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  }

  template <typename T>
  static T fixed(const std::string& bytes) {
    T value{};
    EXPECT_EQ(bytes.size(), sizeof(T));
    if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  std::string take(std::size_t count) {
    EXPECT_LE(count, bytes_.size() - at_);
    const std::string taken = bytes_.substr(at_, count);
    at_ += taken.size();
    return taken;
  }

  static std::uint64_t varint(const std::string& bytes, std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes.at(at++));
      value += static_cast<std::uint64_t>(byte % 128) << shift;
      if (byte < 128) return value;
    }
  }

  static std::vector<Field> fields(const std::string& message) {
    std::vector<Field> result;
    for (std::size_t at = 0; at < message.size();) {
      const std::uint64_t key = varint(message, at);
      Field field{.number = key / 8};
      const std::map<std::uint64_t, std::size_t> sizes{{1, 8}, {5, 4}};
      if (key % 8 == 0) {
        field.integer = varint(message, at);
      } else {
        const std::size_t size =
            key % 8 == 2 ? static_cast<std::size_t>(varint(message, at)) : sizes.at(key % 8);
        EXPECT_LE(at + size, message.size());
        field.bytes = message.substr(at, size);
        at += size;
      }
      result.push_back(field);
    }
    return result;
  }

  static ReadEvent event(const std::string& message) {
    ReadEvent result;
    for (const Field& field : fields(message)) {
      if (field.number == 1) result.wall_time_s = fixed<double>(field.bytes);
      if (field.number == 2) result.step = static_cast<std::int64_t>(field.integer);
      if (field.number == 3) result.file_version = field.bytes;
      if (field.number != 5) continue;
      for (const Field& value : fields(field.bytes)) {
        EXPECT_EQ(value.number, 1U);
        std::string tag;
        for (const Field& part : fields(value.bytes)) {
          if (part.number == 1) tag = part.bytes;
          if (part.number == 2) result.scalars[tag] = fixed<float>(part.bytes);
        }
      }
    }
    return result;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace lathe::testing
