// What a training method decides: which nets a step trains, and on what. Methods differ in their
// plans; one trainer executes them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/accuracy/width_scores.h"
#include "lathe/space/arch.h"

namespace lathe::train {

/// What a pass's output is compared with.
enum class Target {
  kLabels,     ///< cross-entropy with the labels, smoothed
  kFirstPass,  ///< soft cross-entropy with the step's first pass's logits, detached
  kTeacher,    ///< soft cross-entropy with the fixed teacher's logits
};

struct LossTerm {
  Target target = Target::kLabels;
  double weight = 1.0;  ///< scales the gradient
};

/// One forward and backward of one net on the step's batch. Gradients of a step's passes add up,
/// and so do those of a pass's losses.
struct Pass {
  space::Arch arch;
  std::vector<LossTerm> losses{{}};
  bool dropout = false;
  double drop_path = 0;  ///< rate at which paths are dropped for whole images, in [0, 1)
  bool observe = false;  ///< its losses, image by image, come back by Strategy::observe()
  int image_size = 0;    ///< height and width that the net sees images at; 0: its input's
};

/// Everything about one step. What is asked for besides passes happens before them, in the order
/// of the members.
struct StepPlan {
  std::vector<Pass> passes;
  double learning_rate = 0;
  /// The largest net as it is now becomes the fixed teacher, in place of an earlier one.
  bool keep_teacher = false;
  /// Sorts channels by importance, within the widths of these nets, which are trained already
  /// (nn::sort_channels).
  struct ChannelSort {
    std::vector<space::Arch> trained;
  };
  std::optional<ChannelSort> sort_channels;
  /// Larger nets begin as this one, which is trained already (nn::grow).
  std::optional<space::Arch> grow_from;
  bool restart_optimizer = false;  ///< its buffers become zero
};

/// A pass that was asked to be observed: cross-entropy with the labels, unsmoothed, of each image
/// of the batch in order.
struct Observation {
  std::size_t pass = 0;
  std::vector<float> losses;
};

/// A method. Plans follow from the step and from state() alone, so that a resumed run needs nothing
/// else; most methods have no state.
class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual std::int64_t total_steps() const = 0;
  /// Does the rest of the plan, from `step` on, in `steps_left` steps: total_steps() changes, and
  /// state() says so. False where the method can't, which then goes on as planned.
  virtual bool shorten(std::int64_t /*step*/, std::int64_t /*steps_left*/) { return false; }
  /// Which step of the plan as it first was a step does: another one after shorten().
  virtual std::int64_t planned(std::int64_t step) const { return step; }
  /// Called once a step, for steps in [0, total_steps()) in order.
  virtual StepPlan plan(std::int64_t step) const = 0;
  /// Height and width that a step's images are read at; 0: the data set's. It follows from the step
  /// alone, whatever the state, and any thread may ask at any time: images are read ahead.
  virtual int image_size(std::int64_t /*step*/) const { return 0; }
  /// Called after each step that had passes to observe.
  virtual void observe(std::int64_t /*step*/, const std::vector<Observation>& /*observations*/) {}
  /// What was accumulated from observations; null where nothing is.
  virtual nlohmann::json state() const { return nullptr; }
  /// Goes on from a state() of the same settings; where there is nothing to accumulate, from null.
  virtual void restore(const nlohmann::json& /*state*/) {}
  /// The settings, which a resumed run must agree on.
  virtual nlohmann::json to_json() const = 0;

  /// A net whose accuracy is worth reporting as training goes on, and what to call it.
  struct Reported {
    std::string name;  ///< kOnlyNet where a method trains one net and no other
    space::Arch arch;
    int image_size = 0;  ///< that it has seen of late, as in Pass
  };
  static constexpr const char* kOnlyNet = "validation";
  /// After `steps_done` > 0 steps. Reports take time, so that nets which the method has not trained
  /// by then, or trains no more, are left out where that is known.
  virtual std::vector<Reported> reported(std::int64_t steps_done) const = 0;

  /// Numbers of the method's own that are recorded at an epoch's end, beside loss and accuracies.
  virtual nlohmann::ordered_json figures() const { return nlohmann::ordered_json::object(); }
  /// What each width costs in error, of methods that find it out.
  virtual std::optional<accuracy::WidthScores> width_scores() const { return std::nullopt; }
};

}  // namespace lathe::train
