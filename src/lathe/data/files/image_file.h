// JPEG and PNG files. Nothing else is handed to a decoder, whatever a file's name says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/data/image_source.h"

namespace lathe::data {

/// A file that is no image, or a damaged one.
class UnreadableImage : public Error {
 public:
  using Error::Error;
};

/// Of a file's header, which is all that is read.
struct ImageHeader {
  enum class Format { kJpeg, kPng };
  Format format = Format::kJpeg;
  ImageSize size;  ///< as stored, before any rotation that the file asks for
};

/// Accepts up to 2^27 pixels, sides up to 65,535 and files up to 256 MiB.
/// @throws UnreadableImage naming the file and what is wrong; Error if it can't be opened.
ImageHeader read_image_header(const std::filesystem::path& path);

/// Rows of RGB bytes: [size.height, size.width, 3].
struct RgbImage {
  ImageSize size;
  std::vector<std::uint8_t> pixels;
};

/// Decodes the file, turned upright as its EXIF orientation says. `shrink` is 1, 2, 4 or 8: sides
/// are divided by it (rounded up), which a JPEG file decodes that much faster; a PNG file is
/// decoded whole whatever is asked.
/// @throws UnreadableImage naming the file: not an image, cut short, or another size than `header`.
/// A JPEG file whose damage the decoder can hide is not found out.
RgbImage read_image(const std::filesystem::path& path, const ImageHeader& header, int shrink);

}  // namespace lathe::data
