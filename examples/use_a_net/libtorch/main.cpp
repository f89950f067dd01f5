// Runs a TorchScript net on a test set's files with LibTorch alone, without Lathe.
//
//   apt-get install --no-install-recommends g++ cmake libtorch-dev libprotobuf-dev \
//     protobuf-compiler zlib1g-dev
//   cmake -S examples/use_a_net/libtorch -B build/use_a_net -DCMAKE_BUILD_TYPE=Release
//   cmake --build build/use_a_net
//   build/use_a_net/classify runs/quickstart/nets/0.751ms/model.pt [FOLDER WITH t10k-images-...]
//
// Pixels go in as they are, divided by 255: what else a net has to be told is in the module itself,
// as the extra file input.json. The accuracy is the one that result.json has for the net.
#include <torch/script.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// The values of an idx file, compressed or plain, in its shape.
torch::Tensor read_idx(const std::string& path) {
  const std::string compressed = path + ".gz";
  const bool is_compressed = std::filesystem::exists(compressed);
  const gzFile file = gzopen(is_compressed ? compressed.c_str() : path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot read " + path);
  std::string bytes;
  std::array<char, 1 << 16> part{};
  for (int count; (count = gzread(file, part.data(), part.size())) > 0;) {
    bytes.append(part.data(), static_cast<std::size_t>(count));
  }
  gzclose(file);
  if (bytes.size() < 8) throw std::runtime_error(path + " is cut short");
  std::vector<std::int64_t> shape;
  std::int64_t values = 1;
  std::size_t at = 4;
  for (const std::size_t header = 4 + 4 * std::size_t(bytes[3]); at < header; at += 4) {
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | std::uint8_t(bytes.at(at + i));
    shape.push_back(size);
    values *= size;
  }
  if (std::int64_t(bytes.size() - at) != values) throw std::runtime_error(path + " is cut short");
  return torch::from_blob(&bytes[at], shape, torch::kUInt8).clone();
}

/// A whole number out of the JSON of what the net expects.
int number(const std::string& json, const std::string& member) {
  std::smatch found;
  if (!std::regex_search(json, found, std::regex('"' + member + "\": *([0-9]+)"))) {
    throw std::runtime_error("the module doesn't say its " + member);
  }
  return std::stoi(found[1]);
}

void classify(const std::string& model, const std::string& folder) {
  torch::jit::ExtraFilesMap files{{"input.json", ""}};
  torch::jit::Module net = torch::jit::load(model, torch::kCPU, files);
  const torch::Tensor images = read_idx(folder + "/t10k-images-idx3-ubyte").unsqueeze(1);
  const torch::Tensor labels = read_idx(folder + "/t10k-labels-idx1-ubyte").to(torch::kLong);
  const int size = number(files["input.json"], "input_size");
  if (images.size(2) != size || images.size(3) != size) {
    throw std::runtime_error("these images have to be resized: the net takes " +
                             std::to_string(size) + " by " + std::to_string(size) + " pixels");
  }
  const torch::NoGradGuard no_gradients;
  constexpr std::int64_t kBatch = 500;
  std::int64_t right = 0;
  for (std::int64_t first = 0; first < images.size(0); first += kBatch) {
    const std::int64_t count = std::min(kBatch, images.size(0) - first);
    const torch::Tensor pixels = images.narrow(0, first, count).to(torch::kFloat) / 255;
    const torch::Tensor logits = net.forward({pixels}).toTensor();
    right += logits.argmax(1).eq(labels.narrow(0, first, count)).sum().item<std::int64_t>();
  }
  std::cout << model << ": " << right << " of " << images.size(0) << " test images right, "
            << 100.0 * double(right) / double(images.size(0)) << "%\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: classify MODEL.pt [FOLDER]\n";
    return 2;
  }
  try {
    classify(argv[1], argc > 2 ? argv[2] : "/usr/share/datasets/fashion-mnist");
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "classify: " << error.what() << '\n';
    return 1;
  }
}
