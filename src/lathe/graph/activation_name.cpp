#include "lathe/graph/activation_name.h"

namespace lathe::graph {

const char* activation_name(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kRelu6:
      return "relu6";
    case Activation::kHSwish:
      return "h_swish";
    case Activation::kHSigmoid:
      return "h_sigmoid";
  }
  return "";
}

}  // namespace lathe::graph
