// A training's curves, and what happened when.
#pragma once

#include <nlohmann/json.hpp>

#include "lathe/report/run_files.h"

namespace lathe::report {

/// `{"method", "epochs", "steps_per_epoch", "total_steps", "records": [{"step", "epoch", "loss",
/// "learning_rate", "images_per_s", "nets_per_step", "image_size", "top1": {"<net>": 0.9}}],
/// "marks": [{"step", "to_step", "what": "shrinking", "text"}]}` of train.json, metrics.jsonl and
/// the checkpoint's header; empty if the folder has neither of the first two.
///
/// Marks say where one net alone ends and nets that share its weights begin: of "deps" where
/// shrinking starts, of "ofa" where each phase does, of "grow" where the small net grows, of a
/// search of cells where their logits begin to learn. "step" is exact where the checkpoint has the
/// method's plan and how it was shortened; otherwise the mark is the span between two records
/// ("to_step") of which the second trains more nets a step. "images" are where images grow: the
/// span between two records whose accuracies are on images of other sizes.
nlohmann::ordered_json training_record(RunFiles& files);

}  // namespace lathe::report
