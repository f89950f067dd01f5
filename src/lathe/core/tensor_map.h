// Named float arrays without LibTorch: the weights of a static net, of a regressor, of a
// checkpoint; and the safetensors format that stores them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lathe {

/// A dense row-major float32 array.
struct FloatTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< as many as the product of `shape`
  bool operator==(const FloatTensor&) const = default;
};

/// Ordered by name, so that equal maps give equal bytes.
using TensorMap = std::map<std::string, FloatTensor>;

/// 16 hexadecimal digits that tell maps with other names, shapes or values apart, the same on every
/// machine (fnv1a()).
std::string content_hash(const TensorMap& tensors);

/// What a safetensors file says of itself, by name.
using Metadata = std::map<std::string, std::string>;

/// @throws Error `<where>: metadata "<key>" is missing`.
const std::string& metadata_text(const Metadata& metadata, const std::string& key,
                                 const std::string& where);
/// @throws Error as above, or if it is not `expected`.
void require_metadata(const Metadata& metadata, const std::string& key, const std::string& expected,
                      const std::string& where);

struct SafetensorsFile {
  TensorMap tensors;
  Metadata metadata;
};

/// Reads the F32 tensors of a safetensors file. The input is treated as hostile: sizes, offsets
/// and overlaps are checked before anything is allocated from them.
/// @throws Error naming the file and what is wrong (unreadable, truncated, header not JSON, another
/// dtype, offsets outside the file, overlapping or not covering it).
/// @see https://github.com/huggingface/safetensors for the format.
SafetensorsFile load_safetensors(const std::filesystem::path& path);

/// Writes atomically. @throws std::invalid_argument if a tensor's shape and values disagree;
/// Error as write_file_atomic.
void save_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

}  // namespace lathe
