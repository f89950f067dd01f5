#include "lathe/data/augment/resize.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>
#include <string>

namespace lathe::data {

void resize_region(const PixelView& image, const Region& region, int size,
                   std::span<std::uint8_t> out) {
  if (region.top < 0 || region.left < 0 || region.height < 1 || region.width < 1 ||
      region.top > image.height - region.height || region.left > image.width - region.width) {
    throw std::invalid_argument("[data::resize_region] region must be within " +
                                std::to_string(image.height) + "x" + std::to_string(image.width) +
                                ", got " + std::to_string(region.height) + "x" +
                                std::to_string(region.width) + " at " + std::to_string(region.top) +
                                ", " + std::to_string(region.left));
  }
  if (size < 1) {
    throw std::invalid_argument("[data::resize_region] size must be > 0, got " +
                                std::to_string(size));
  }
  const int type = CV_8UC(image.channels);
  // OpenCV has no read-only matrix; the source is not written to.
  const cv::Mat whole(image.height, image.width, type, const_cast<std::uint8_t*>(image.pixels));
  const cv::Mat part = whole(cv::Rect(region.left, region.top, region.width, region.height));
  cv::Mat result(size, size, type, out.data());
  const bool smaller = region.height > size || region.width > size;
  cv::resize(part, result, result.size(), 0, 0, smaller ? cv::INTER_AREA : cv::INTER_LINEAR);
}

}  // namespace lathe::data
