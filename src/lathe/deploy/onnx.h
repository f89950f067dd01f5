// A net as an ONNX file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lathe/deploy/quantize.h"
#include "lathe/graph/fold.h"

namespace lathe::deploy {

struct OnnxOptions {
  int opset = 17;                  ///< version of the operator set, 11 to 17
  bool dynamic_batch = true;       ///< the first dimension is the symbol "N"; otherwise it is 1
  std::string producer = "lathe";  ///< the file's producer_name
  std::string doc;                 ///< the file's doc_string
  Metadata metadata;               ///< the file's metadata_props
};

/// Writes `net` as an ONNX model with the input "input" [N, C, H, W] float32 and the output
/// "logits": [N, classes] for a net that ends in a vector, [N, C, H, W] for one that ends in a map.
/// Initializers carry the parameters' names; dropout is left out; batch norm is written as it is,
/// so fold it before (graph::fold_batch_norm) for the fastest file.
///
/// Before anything is written, every shape that ONNX's strict shape inference finds is compared
/// with the graph's, and ONNX's checker goes over the model. Written atomically. Takes about twice
/// the file's size in memory.
///
/// @throws std::invalid_argument if `options.opset` is outside [11, 17], or a parameter is missing
/// or doesn't fit (as graph::check_weights).
/// @throws Error naming `path` if the checker or shape inference rejects the model, a shape differs
/// from the graph's, the model passes the format's 2 GiB, or the file can't be written.
/// @see https://onnx.ai/onnx/operators for the operators' meaning in each set.
void export_onnx(const graph::Net& net, const std::filesystem::path& path,
                 const OnnxOptions& options = {});

/// The size of the file that export_onnx() would write. @throws as this, naming no file.
std::int64_t onnx_size_bytes(const graph::Net& net, const OnnxOptions& options = {});

/// Writes a quantized net in the same way, with 8-bit integers between QuantizeLinear and
/// DequantizeLinear (the QDQ format), from which ONNX Runtime and others make operators on
/// integers: uint8 activations, int8 weights with a scale for each output channel, int32 biases.
/// Input and output are float32 as those of the float net.
///
/// Initializers carry the parameters' names, beside them `<parameter>.scale` and
/// `<parameter>.zero_point`. ONNX Runtime's kernels for x86 without VNNI add pairs of products in
/// 16 bits, which saturate where large weights meet large activations.
///
/// @throws std::invalid_argument, Error as above; the opset must be in [13, 17], the first with
/// scales per channel.
void export_quantized_onnx(const QuantizedNet& net, const std::filesystem::path& path,
                           const OnnxOptions& options = {});

}  // namespace lathe::deploy
