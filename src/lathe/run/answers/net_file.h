// A trained net in files that say what it is and what it expects: for Lathe, and for those who have
// no Lathe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "lathe/deploy/onnx.h"
#include "lathe/deploy/quantize.h"
#include "lathe/graph/fold.h"
#include "lathe/run/answers/net_input.h"
#include "lathe/space/space.h"

namespace lathe::run {

/// A net that takes normalised input, as it is trained, and what is said of it.
struct DescribedNet {
  const graph::Net& net;
  const space::Space& space;
  const space::Arch& arch;
  const NetInput& input;
};

/// Writes the weights with the space's name, the arch's JSON, the task (input channels, classes,
/// input size) and metadata(input) as the header's metadata: they are the trained weights, so who
/// uses them has to normalise. @throws Error as save_safetensors().
void save_net(const std::filesystem::path& path, const DescribedNet& net);

/// Write a net that takes pixels in [0, 1], batch norm folded, as ONNX and as TorchScript. The
/// former has metadata(input) as metadata_props and the arch's JSON as doc_string, the latter
/// to_json(input) as the extra file `input.json`. @throws Error as deploy::export_onnx,
/// deploy::export_torchscript.
void save_onnx(const std::filesystem::path& path, const DescribedNet& net,
               int opset = deploy::OnnxOptions{}.opset);
void save_torchscript(const std::filesystem::path& path, const DescribedNet& net);

/// The sizes of the two files.
struct Int8File {
  std::int64_t size_bytes = 0;
  std::int64_t float_size_bytes = 0;
};

/// Writes what save_onnx() writes with the integers of `quantized` (run::quantized() of the net),
/// and `precision` ("int8") among the metadata. @throws Error as deploy::export_quantized_onnx.
Int8File save_int8_onnx(const std::filesystem::path& path, const DescribedNet& net,
                        const deploy::QuantizedNet& quantized,
                        int opset = deploy::OnnxOptions{}.opset);

/// Writes arch.json, weights.safetensors, model.onnx and model.pt into `folder`; the last is read
/// back and compared with the net. @throws Error as these, or if it differs.
void save_all_formats(const std::filesystem::path& folder, const DescribedNet& net);

/// A net out of a file of save_net().
struct NetFile {
  std::shared_ptr<const space::Space> space;
  space::Arch arch;
  graph::Net net;
  std::optional<NetInput> input;  ///< unset: the file is of a version that didn't say
};

/// `space_file` opens a space that is not built in; empty where it is. `arch_json` replaces the
/// arch in the file's metadata, for files that have none; null: the file's own.
/// @throws Error naming the file if its metadata or tensors are not those of a net, or the space is
/// unknown.
NetFile load_net(const std::filesystem::path& path, const std::string& space_file = {},
                 const nlohmann::json& arch_json = nullptr);

}  // namespace lathe::run
