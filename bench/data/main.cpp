// How many photographs a second the loader makes ready for training.
// usage: lathe_data_bench [THREADS [SECONDS]]    2 threads and 5 seconds a case by default
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "lathe/data/folder_source.h"
#include "lathe/data/loader.h"

namespace {

using namespace lathe;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBatch = 32;
constexpr int kPhotographs = 64;

struct Case {
  const char* name;
  int height, width, image_size;
  bool training;
};

/// Something like a photograph: smooth colours with edges and a little noise, 30 to 60 KB as a JPEG
/// file of 500x375 pixels.
cv::Mat photograph(int height, int width, std::uint64_t seed) {
  Rng rng(seed);
  cv::Mat coarse(12, 16, CV_8UC3);
  for (int i = 0; i < 12 * 16 * 3; ++i) coarse.data[i] = static_cast<std::uint8_t>(rng.below(256));
  cv::Mat image;
  cv::resize(coarse, image, {width, height}, 0, 0, cv::INTER_CUBIC);
  for (int i = 0; i < 12; ++i) {
    const auto at = [&](int bound) {
      return static_cast<int>(rng.below(static_cast<std::uint32_t>(bound)));
    };
    cv::rectangle(image, {at(width), at(height)}, {at(width), at(height)},
                  cv::Scalar(at(256), at(256), at(256)), 1 + at(3));
  }
  for (int y = 0; y < height; ++y) {
    std::uint8_t* row = image.ptr(y);
    for (int i = 0; i < 3 * width; ++i)
      row[i] = cv::saturate_cast<std::uint8_t>(row[i] + static_cast<int>(rng.below(17)) - 8);
  }
  return image;
}

data::ImageSet photographs(const fs::path& folder, const Case& of) {
  std::vector<data::ImageFile> files;
  std::uintmax_t bytes = 0;
  for (int i = 0; i < kPhotographs; ++i) {
    files.push_back(
        {folder / (std::to_string(of.height) + "_" + std::to_string(i) + ".jpg"), i % 2});
    if (!fs::exists(files.back().path)) {
      cv::imwrite(files.back().path.string(),
                  photograph(of.height, of.width, static_cast<std::uint64_t>(i)));
    }
    bytes += fs::file_size(files.back().path);
  }
  std::printf("%-34s %3llu KB a file ", of.name,
              static_cast<unsigned long long>(bytes / kPhotographs / 1024));
  return {std::make_shared<data::FolderSource>(files, std::vector<std::string>{"a", "b"}, true),
          of.image_size};
}

data::BatchPlan plan_of(const Case& of) {
  return [training = of.training](std::int64_t number) -> std::optional<data::BatchRequest> {
    data::BatchRequest request;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      request.indices.push_back((number * kBatch + i) % kPhotographs);
    }
    if (training) request.augmentation = data::Augmentation{{}, 1, number, 0};
    return request;
  };
}

const data::Normalization kNormalization{{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}};

/// Whether threads give what one call after the other does.
bool agrees(const data::ImageSet& set, const Case& of, int threads) {
  data::Loader alone(set, kNormalization, plan_of(of), {});
  data::Loader together(set, kNormalization, plan_of(of), {.threads = threads});
  for (std::int64_t number = 0; number < 4; ++number) {
    const data::ImageBatch a = alone.take(number), b = together.take(number);
    const auto values = static_cast<std::ptrdiff_t>(kBatch) * a.size * a.size * a.channels;
    if (!std::equal(a.pixels.get(), a.pixels.get() + values, b.pixels.get())) return false;
  }
  return true;
}

double images_per_s(const data::ImageSet& set, const Case& of, int threads, double seconds) {
  data::Loader loader(set, kNormalization, plan_of(of), {.threads = threads, .ahead = 2 * threads});
  std::int64_t number = 0;
  while (number < 4) loader.take(number++);
  const Clock::time_point begin = Clock::now();
  const std::int64_t first = number;
  double passed = 0;
  do {
    loader.take(number++);
    passed = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (passed < seconds);
  return static_cast<double>((number - first) * kBatch) / passed;
}

int run(int threads, double seconds) {
  const fs::path folder =
      fs::temp_directory_path() / ("lathe_data_bench_" + std::to_string(getpid()));
  fs::create_directories(folder);
  int result = 0;
  for (const Case& of : {Case{"64x64 for training", 64, 64, 64, true},
                         Case{"500x375 to 224 for training", 375, 500, 224, true},
                         Case{"500x375 to 224 for testing", 375, 500, 224, false},
                         Case{"2000x1500 to 224 for training", 1500, 2000, 224, true}}) {
    const data::ImageSet set = photographs(folder, of);
    if (!agrees(set, of, threads)) {
      std::printf("threads change the images\n");
      result = 1;
      continue;
    }
    std::printf("%8.0f images/s with %d threads\n", images_per_s(set, of, threads, seconds),
                threads);
    std::fflush(stdout);
  }
  fs::remove_all(folder);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
    if (threads < 1 || !(seconds > 0)) {
      std::fprintf(stderr, "usage: lathe_data_bench [THREADS [SECONDS]]\n");
      return 2;
    }
    return run(threads, seconds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lathe_data_bench: %s\n", error.what());
    return 1;
  }
}
