// What supernets of several runs are worth, by the comparison of the DepS paper (section 5.1): nets
// drawn from six equal buckets of MACs, the best of each by validation images, read on test images.
//   lathe_training_methods_bench [nets per bucket] RUN...
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/graph/counts.h"
#include "lathe/nn/threads.h"
#include "lathe/run/trained.h"
#include "lathe/train/evaluator.h"

namespace lathe::bench {
namespace {

constexpr int kBuckets = 6;
constexpr int kMostDraws = 20000;
constexpr std::uint64_t kSeed = 1;

struct Bucket {
  std::vector<space::Arch> archs;
};

/// Nets of a space in equal buckets between its smallest and largest MACs, these two among them;
/// the same each time.
std::vector<Bucket> draw(const space::Space& space, std::size_t per_bucket) {
  const auto macs = [&](const space::Arch& arch) {
    return static_cast<double>(graph::macs(space.graph(arch)));
  };
  const double low = macs(space.smallest()), high = macs(space.largest());
  std::vector<Bucket> buckets(kBuckets);
  buckets.front().archs.push_back(space.smallest());
  buckets.back().archs.push_back(space.largest());
  Rng rng(kSeed);
  for (int i = 0; i < kMostDraws; ++i) {
    // Around the smallest and the largest net uniform draws hardly ever fall.
    const space::Arch& near = i % 3 == 0 ? space.smallest() : space.largest();
    const space::Arch arch =
        i % 3 == 1 ? space.sample(rng) : space.crossover(near, space.sample(rng), rng);
    const double share = (macs(arch) - low) / (high - low);
    Bucket& bucket =
        buckets[static_cast<std::size_t>(std::clamp(static_cast<int>(share * kBuckets), 0, 5))];
    if (bucket.archs.size() < per_bucket &&
        std::find(bucket.archs.begin(), bucket.archs.end(), arch) == bucket.archs.end()) {
      bucket.archs.push_back(arch);
    }
  }
  return buckets;
}

void compare(const std::string& folder, std::size_t per_bucket, nn::Workers& workers) {
  const run::Trained trained = run::open_trained(folder);
  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = trained.augment, .seed = trained.seed});
  const std::vector<Bucket> buckets = draw(*trained.space, per_bucket);
  std::vector<graph::Graph> nets;
  std::vector<std::size_t> ends;
  for (const Bucket& bucket : buckets) {
    for (const space::Arch& arch : bucket.archs) {
      nets.push_back(trained.space->graph(arch));
    }
    ends.push_back(nets.size());
  }
  const std::vector<double> validation =
      evaluator.validation_top1(*trained.weights, nets, -1, &workers);
  std::vector<graph::Graph> best;
  for (std::size_t b = 0, begin = 0; b < ends.size(); begin = ends[b++]) {
    const auto first = validation.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = validation.begin() + static_cast<std::ptrdiff_t>(ends[b]);
    best.push_back(
        nets[static_cast<std::size_t>(std::max_element(first, last) - validation.begin())]);
  }
  best.push_back(nets.front());  // the smallest
  best.push_back(trained.space->graph(trained.space->largest()));
  std::vector<double> test;
  for (const graph::Graph& graph : best) {
    const nn::Executor net(graph);
    test.push_back(
        evaluator.top1(net, evaluator.calibrated(*trained.weights, net), trained.dataset.test));
  }
  fmt::print("{:<24}", folder);
  for (int b = 0; b < kBuckets; ++b) {
    const auto i = static_cast<std::size_t>(b);
    fmt::print(" | {:5.2f} ({:5.2f})", 100 * test[i],
               static_cast<double>(graph::macs(best[i])) / 1e6);
  }
  const double mean = std::accumulate(test.begin(), test.begin() + kBuckets, 0.0) / kBuckets;
  fmt::print(" | {:5.2f} | {:5.2f} | {:5.2f}\n", 100 * mean, 100 * test[kBuckets],
             100 * test[kBuckets + 1]);
  std::fflush(stdout);
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  int first = 1;
  std::size_t per_bucket = 6;
  if (argc > 1 && std::atoi(argv[1]) > 0) {
    per_bucket = static_cast<std::size_t>(std::atoi(argv[first++]));
  }
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  lathe::nn::set_num_threads(1);
  lathe::nn::Workers workers(threads, 1);
  fmt::print(
      "test top-1 in % (MMACs) of the best net by validation in each of six buckets | mean | "
      "smallest | largest\n");
  try {
    for (; first < argc; ++first) {
      lathe::bench::compare(argv[first], per_bucket, workers);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
