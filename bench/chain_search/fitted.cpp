#include "fitted.h"

#include <fmt/format.h>

#include <algorithm>

#include "lagrangian_loss.h"
#include "lathe/core/error.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/search/models.h"
#include "lathe/search/problem.h"
#include "lathe/space/min_sum.h"

namespace lathe::bench {
namespace {

bool print_line(const std::filesystem::path& latency, const std::filesystem::path& scores) {
  const latency::Fingerprint of = latency::fingerprint_of_model(latency);
  const search::Models models = search::load_models(
      of.space,
      {.in_channels = of.in_channels, .num_classes = of.num_classes, .input_size = of.input_size},
      {.latency = latency, .accuracy = scores});
  const search::Problem problem(*models.space, *models.latency, *models.accuracy);
  if (problem.chain() == nullptr || models.accuracy->error_costs() == nullptr) {
    throw Error(
        fmt::format("{}, {}: expected models that are sums over the net, such as ridge and "
                    "width scores",
                    latency.string(), scores.string()));
  }
  const space::Trellis& trellis = problem.chain()->trellis();
  const std::vector<double> latency_ms = problem.transition_latency_ms();
  const std::vector<double> error = problem.chain()->costs(*models.accuracy->error_costs());
  const search::ParetoFront front(trellis, error, latency_ms);
  if (front.points().size() < 2) {
    throw Error(scores.string() + ": the best net is the fastest too: there is nothing to compare");
  }
  const LagrangianLoss loss = lagrangian_loss(trellis, error, latency_ms, front);
  const double range = front.points().front().error - front.points().back().error;
  fmt::print("{:>3} | {:.3f}%, {:.3f}% ({:.2f}%) | {:.4f} ({:.4f}), {:.2f}% ({:.2f}%) of {:.3f} | ",
             loss.exact, 100 * mean(loss.unused_by_optimum), 100 * mean(loss.unused),
             100 * std::ranges::max(loss.unused), mean(loss.above), std::ranges::max(loss.above),
             100 * mean(loss.above) / range, 100 * std::ranges::max(loss.above) / range, range);
  fmt::print("{:.2f} us | {:.2f} ms ({} labels, {} points{}) | {} | {}\n",
             1e3 * median_ms(500, [&] { space::min_sum(trellis, latency_ms); }),
             median_ms(5, [&] { search::ParetoFront(trellis, error, latency_ms); }),
             front.num_labels(), front.points().size(), front.exact() ? "" : ", in bins",
             loss.consistent ? "yes" : "NO", scores.string());
  return loss.consistent;
}

}  // namespace

bool print_fitted(const std::filesystem::path& latency,
                  const std::vector<std::filesystem::path>& scores) {
  fmt::print(
      "Lagrangian beside the exact front, {} targets over the front's latencies\n"
      "exact answers | budget unused: optimum, Lagrangian (most) | error above the optimum in "
      "nats, "
      "mean (most), of the front's range | Viterbi | exact front | answers agree | scores\n",
      kTargets);
  bool agree = true;
  for (const std::filesystem::path& file : scores) {
    agree = print_line(latency, file) && agree;
  }
  return agree;
}

}  // namespace lathe::bench
