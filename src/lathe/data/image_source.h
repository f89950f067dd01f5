// Where labelled images come from: memory or files. Sets of images are views of a source.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lathe/core/random.h"
#include "lathe/data/augment/augment.h"

namespace lathe::data {

/// In pixels.
struct ImageSize {
  int height = 0;
  int width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// Images with labels, read one by one. Reading changes nothing that another thread could see, so
/// that any number of threads may read at once.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  virtual std::int64_t size() const = 0;
  virtual int channels() const = 0;
  /// What the labels 0, 1, ... stand for.
  virtual std::span<const std::string> class_names() const = 0;
  int num_classes() const { return static_cast<int>(class_names().size()); }

  /// In [0, num_classes()). `index` is in [0, size()), here and below.
  virtual int label(std::int64_t index) const = 0;
  /// The image as it is stored.
  virtual ImageSize native_size(std::int64_t index) const = 0;

  /// Writes the image as bytes: out: [size, size, channels()]. With `augment`, cropped and flipped
  /// as drawn from `rng`; without, as it is (a photograph resized, and its middle cropped), and
  /// nothing is drawn. The bytes follow from the arguments alone.
  /// @throws UnreadableImage (image_file.h) if another image may take its place, Error if none may,
  /// both naming the file; std::invalid_argument if size is not > 0.
  virtual void read(std::int64_t index, int size, const AugmentOptions* augment, Rng& rng,
                    std::span<std::uint8_t> out) const = 0;

  /// Whether reading an image takes a file's decoding, which is worth doing ahead.
  virtual bool reads_files() const { return false; }
  /// The side of the square in the middle that read() without `augment` takes, as a share of the
  /// image's shorter side.
  virtual double center_crop_share() const { return 1; }

  /// How many images turned out to be unreadable until now, each counted once.
  virtual std::int64_t num_unreadable() const { return 0; }
};

}  // namespace lathe::data
