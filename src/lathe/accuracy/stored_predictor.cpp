#include "lathe/accuracy/stored_predictor.h"

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"

namespace lathe::accuracy {

std::unique_ptr<AccuracyPredictor> load_predictor(const space::Space& space,
                                                  const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  if (begins_like_json(bytes)) {
    return std::make_unique<WidthScores>(
        WidthScores::from_json(space, parse_json(bytes, path.string()), path.string()));
  }
  return std::make_unique<PerceptronPredictor>(PerceptronPredictor::load(space, path));
}

std::string space_of_predictor(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  if (begins_like_json(bytes)) {
    return json_member<std::string>(parse_json(bytes, path.string()), "space", path.string());
  }
  return metadata_text(load_safetensors(path).metadata, "space", path.string());
}

}  // namespace lathe::accuracy
