#include "lathe/core/tensor_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/hash.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr std::uint64_t kLengthBytes = 8;
/// Far above any net's header (about 100 bytes a tensor); bounds what parsing can allocate.
constexpr std::uint64_t kLongestHeader = std::uint64_t{16} << 20;
constexpr const char* kMetadataKey = "__metadata__";

/// Where a tensor's data lies, counted from the end of the header.
struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
  std::string name;
  std::vector<std::int64_t> shape;
};

/// An open file with its size, whose errors name it.
class Input {
 public:
  explicit Input(const fs::path& path) : path_(path.string()) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      fail("cannot read: " + (error ? error.message() : "No such file or directory"));
    }
    if (!fs::is_regular_file(status)) fail("cannot read: not a regular file");
    size_ = fs::file_size(path, error);
    stream_.open(path, std::ios::binary);
    if (error || !stream_) fail("cannot read");
  }
  [[noreturn]] void fail(const std::string& text) const { throw Error(path_ + ": " + text); }
  std::uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  void read(char* bytes, std::uint64_t count) {
    if (count > 0 && !stream_.read(bytes, static_cast<std::streamsize>(count))) {
      fail("truncated while it was being read");
    }
  }

 private:
  std::string path_;
  std::uint64_t size_ = 0;
  std::ifstream stream_;
};

/// A name from the file as one line, whatever it holds.
std::string quoted(const std::string& name) { return json(name).dump(); }

/// The product of `shape`, or -1 if a side is negative or the bytes don't fit 63 bits.
std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 4;
  std::int64_t count = 1;
  for (const std::int64_t side : shape) {
    if (side < 0 || (side > 0 && count > kMost / side)) return -1;
    count *= side;
  }
  return count;
}

/// The header, parsed; `data_bytes` becomes the size of what follows it.
json read_header(Input& input, std::uint64_t& data_bytes) {
  if (input.size() < kLengthBytes) {
    input.fail("truncated: expected a safetensors file of at least 8 bytes, got " +
               std::to_string(input.size()));
  }
  std::uint64_t length = 0;
  input.read(reinterpret_cast<char*>(&length), kLengthBytes);
  if (length > kLongestHeader) {
    input.fail("not a safetensors file: a header of " + std::to_string(length) +
               " bytes, at most " + std::to_string(kLongestHeader) + " are allowed");
  }
  if (length > input.size() - kLengthBytes) {
    input.fail("truncated: a header of " + std::to_string(length) + " bytes, " +
               std::to_string(input.size() - kLengthBytes) + " are left in the file");
  }
  data_bytes = input.size() - kLengthBytes - length;
  std::string text(length, '\0');
  input.read(text.data(), length);
  json header = parse_json(text, input.path() + ": safetensors header");
  if (!header.is_object()) input.fail("the safetensors header is not a JSON object");
  return header;
}

Extent read_extent(const Input& input, const std::string& name, const json& entry,
                   std::uint64_t data_bytes) {
  const std::string where = input.path() + ": tensor " + quoted(name);
  const auto dtype = json_member<std::string>(entry, "dtype", where);
  if (dtype != "F32") throw Error(where + ": expected dtype F32, got " + dtype.substr(0, 60));
  Extent extent{.begin = 0,
                .end = 0,
                .name = name,
                .shape = json_member<std::vector<std::int64_t>>(entry, "shape", where)};
  const auto offsets = json_member<std::vector<std::uint64_t>>(entry, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_bytes) {
    throw Error(where + ": data_offsets must be [begin, end] within the file's " +
                std::to_string(data_bytes) + " bytes of data (truncated or damaged)");
  }
  extent.begin = offsets[0];
  extent.end = offsets[1];
  const std::int64_t count = element_count(extent.shape);
  if (count < 0 || static_cast<std::uint64_t>(count) * sizeof(float) != extent.end - extent.begin) {
    throw Error(where + ": its shape and its " + std::to_string(extent.end - extent.begin) +
                " bytes of data disagree");
  }
  return extent;
}

/// All extents in the order of their data, which they cover exactly, without overlap.
std::vector<Extent> read_extents(const Input& input, const json& header, std::uint64_t data_bytes) {
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadataKey) extents.push_back(read_extent(input, name, entry, data_bytes));
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != covered) {
      input.fail("tensor " + quoted(extent.name) + " begins at byte " +
                 std::to_string(extent.begin) + " of the data, expected " +
                 std::to_string(covered) + ": tensors " +
                 (extent.begin < covered ? "overlap" : "leave a gap"));
    }
    covered = extent.end;
  }
  if (covered != data_bytes) {
    input.fail("the tensors cover " + std::to_string(covered) + " of the file's " +
               std::to_string(data_bytes) + " bytes of data");
  }
  return extents;
}

void require_consistent(const std::string& name, const FloatTensor& tensor) {
  const std::int64_t count = element_count(tensor.shape);
  if (count < 0 || static_cast<std::uint64_t>(count) != tensor.values.size()) {
    throw std::invalid_argument("[core::save_safetensors] tensor \"" + name + "\": its shape has " +
                                std::to_string(count) + " elements, its values are " +
                                std::to_string(tensor.values.size()));
  }
  if (name == kMetadataKey) {
    throw std::invalid_argument("[core::save_safetensors] a tensor can't be named __metadata__");
  }
}

}  // namespace

std::string content_hash(const TensorMap& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    text += std::to_string(name.size()) + ":" + name;
    for (const std::int64_t size : tensor.shape) {
      text += " " + std::to_string(size);
    }
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.values.data()),
                                 tensor.values.size() * sizeof(float));
    text += "=" + std::to_string(fnv1a(bytes)) + "\n";
  }
  std::string digits;
  for (std::uint64_t hash = fnv1a(text); digits.size() < 16; hash <<= 4) {
    digits += "0123456789abcdef"[hash >> 60];
  }
  return digits;
}

const std::string& metadata_text(const Metadata& metadata, const std::string& key,
                                 const std::string& where) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw Error(where + ": metadata \"" + key + "\" is missing");
  }
  return found->second;
}

void require_metadata(const Metadata& metadata, const std::string& key, const std::string& expected,
                      const std::string& where) {
  const std::string& text = metadata_text(metadata, key, where);
  if (text != expected) {
    throw Error(where + ": metadata \"" + key + "\" must be \"" + expected + "\", got \"" +
                text.substr(0, 60) + "\"");
  }
}

SafetensorsFile load_safetensors(const fs::path& path) {
  Input input(path);
  std::uint64_t data_bytes = 0;
  const json header = read_header(input, data_bytes);
  SafetensorsFile file;
  if (const auto metadata = header.find(kMetadataKey); metadata != header.end()) {
    if (!metadata->is_object()) input.fail("safetensors metadata is not a JSON object");
    for (const auto& [key, value] : metadata->items()) {
      if (!value.is_string())
        input.fail("safetensors metadata " + quoted(key) + " is not a string");
      file.metadata[key] = value.get<std::string>();
    }
  }
  for (Extent& extent : read_extents(input, header, data_bytes)) {
    FloatTensor& tensor = file.tensors[extent.name];
    tensor.shape = std::move(extent.shape);
    tensor.values.resize((extent.end - extent.begin) / sizeof(float));
    input.read(reinterpret_cast<char*>(tensor.values.data()), extent.end - extent.begin);
  }
  return file;
}

void save_safetensors(const fs::path& path, const SafetensorsFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header[kMetadataKey] = file.metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    require_consistent(name, tensor);
    const std::uint64_t end = offset + tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw std::invalid_argument("[core::save_safetensors] a name or metadata is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned when mapped
  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes + length + offset, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  std::memcpy(bytes.data() + kLengthBytes, text.data(), length);
  char* data = bytes.data() + kLengthBytes + length;
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.values.empty()) continue;
    std::memcpy(data, tensor.values.data(), tensor.values.size() * sizeof(float));
    data += tensor.values.size() * sizeof(float);
  }
  write_file_atomic(path, bytes);
}

}  // namespace lathe
