#include "lathe/core/tensor_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;
using testing::text_thrown;

SafetensorsFile example() {
  SafetensorsFile file;
  file.tensors["conv.weight"] = {{2, 3}, {1, -2, 3, 4.5F, -0.0F, 1e-40F}};
  file.tensors["scalar"] = {{}, {7}};
  file.tensors["empty"] = {{0, 4}, {}};
  file.tensors["bias"] = {{2}, {0.25F, HUGE_VALF}};
  file.metadata = {{"space", "mbv3_28"}, {"step", "12"}};
  return file;
}

/// A file from a header and data, both as given.
std::string with_header(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

/// The error for a file of these bytes, less its path.
std::string error_for(const std::string& bytes) {
  const TemporaryFolder folder;
  const fs::path path = folder / "w.safetensors";
  write_file_atomic(path, bytes);
  const std::string text = text_thrown<Error>([&] { load_safetensors(path); });
  EXPECT_EQ(text.find(path.string() + ": "), 0u) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  return text.substr(std::min(text.size(), path.string().size() + 2));
}

TEST(ContentHash, TellsNamesShapesAndValuesApart) {
  const TensorMap tensors = example().tensors;
  // A golden value: files that hold one must be recognised by later versions.
  EXPECT_EQ(content_hash(tensors), "3cb0209d3f05d874");
  EXPECT_EQ(content_hash({}), "cbf29ce484222325");
  TensorMap renamed = tensors;
  renamed["other"] = renamed.extract("bias").mapped();
  TensorMap reshaped = tensors;
  reshaped["conv.weight"].shape = {3, 2};
  TensorMap changed = tensors;
  changed["conv.weight"].values[4] = 0.0F;  // from -0
  for (const TensorMap& other : {renamed, reshaped, changed}) {
    EXPECT_NE(content_hash(other), content_hash(tensors));
  }
}

TEST(Safetensors, RoundTrips) {
  const TemporaryFolder folder;
  const SafetensorsFile file = example();
  save_safetensors(folder / "w", file);
  const SafetensorsFile loaded = load_safetensors(folder / "w");
  EXPECT_EQ(loaded.tensors, file.tensors);
  EXPECT_EQ(loaded.metadata, file.metadata);
  EXPECT_TRUE(std::signbit(loaded.tensors.at("conv.weight").values[4]));
  save_safetensors(folder / "none", {});
  EXPECT_TRUE(load_safetensors(folder / "none").tensors.empty());
}

// Written out by hand from the format's description.
TEST(Safetensors, WritesTheDocumentedBytes) {
  const TemporaryFolder folder;
  SafetensorsFile file;
  file.tensors["a"] = {{1}, {1.0F}};
  save_safetensors(folder / "w", file);
  const std::string header = R"({"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(read_file(folder / "w"), with_header(padded, std::string("\0\0\x80\x3f", 4)));
}

TEST(Safetensors, ReadsAnyOrderOfData) {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  write_file_atomic(folder / "w", with_header(header, data));
  const SafetensorsFile loaded = load_safetensors(folder / "w");
  EXPECT_EQ(loaded.tensors.at("a").values, std::vector<float>{2.0F});
  EXPECT_EQ(loaded.tensors.at("b").values, std::vector<float>{1.0F});
}

TEST(Safetensors, RejectsInconsistentTensors) {
  const TemporaryFolder folder;
  SafetensorsFile file;
  file.tensors["a"] = {{2, 2}, {1}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { save_safetensors(folder / "w", file); }),
            "[core::save_safetensors] tensor \"a\": its shape has 4 elements, its values are 1");
  file.tensors = {{"__metadata__", {{1}, {1}}}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { save_safetensors(folder / "w", file); }),
            "[core::save_safetensors] a tensor can't be named __metadata__");
  file.tensors = {{"\xff", {{1}, {1}}}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { save_safetensors(folder / "w", file); }),
            "[core::save_safetensors] a name or metadata is not UTF-8");
  EXPECT_EQ(folder.count(), 0);
}

TEST(Safetensors, SaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(text_thrown<Error>([] { load_safetensors("/no/w"); }),
            "/no/w: cannot read: No such file or directory");
  EXPECT_EQ(text_thrown<Error>([] { load_safetensors("/"); }),
            "/: cannot read: not a regular file");
  EXPECT_EQ(error_for("abc"), "truncated: expected a safetensors file of at least 8 bytes, got 3");
  EXPECT_EQ(error_for(std::string(8, '\xff')),
            "not a safetensors file: a header of 18446744073709551615 bytes, at most 16777216 are "
            "allowed");
  EXPECT_EQ(error_for(with_header("{}   ", "").substr(0, 10)),
            "truncated: a header of 5 bytes, 2 are left in the file");
  EXPECT_EQ(error_for(with_header("{nope", "")),
            "safetensors header: not valid JSON at line 1, column 3");
  EXPECT_EQ(error_for(with_header("[]", "")), "the safetensors header is not a JSON object");
  EXPECT_EQ(error_for(with_header("{}", "1234")),
            "the tensors cover 0 of the file's 4 bytes of data");
  EXPECT_EQ(error_for(with_header(R"({"__metadata__":{"k":1}})", "")),
            "safetensors metadata \"k\" is not a string");
}

/// A header with one tensor "t".
std::string tensor_header(const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(Safetensors, SaysWhatIsWrongWithATensor) {
  const std::string four = "1234";
  const auto error_of = [&](const std::string& dtype, const std::string& shape,
                            const std::string& offsets) {
    return error_for(with_header(tensor_header(dtype, shape, offsets), four));
  };
  EXPECT_EQ(error_of(R"("F16")", "[2]", "[0,4]"), "tensor \"t\": expected dtype F32, got F16");
  EXPECT_EQ(error_of("5", "[1]", "[0,4]"), "tensor \"t\": \"dtype\": expected a string, got 5");
  const std::string disagree = "tensor \"t\": its shape and its 4 bytes of data disagree";
  EXPECT_EQ(error_of(R"("F32")", "[2]", "[0,4]"), disagree);
  EXPECT_EQ(error_of(R"("F32")", "[-1]", "[0,4]"), disagree);
  EXPECT_EQ(error_of(R"("F32")", "[4611686018427387905,4]", "[0,4]"), disagree);
  const std::string outside =
      "tensor \"t\": data_offsets must be [begin, end] within the file's 4 bytes of data "
      "(truncated "
      "or damaged)";
  EXPECT_EQ(error_of(R"("F32")", "[2]", "[0,8]"), outside);
  EXPECT_EQ(error_of(R"("F32")", "[1]", "[4,0]"), outside);
  EXPECT_EQ(error_of(R"("F32")", "[1]", "[0]"), outside);
}

TEST(Safetensors, RefusesOverlapsAndGaps) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(error_for(with_header(two("[0,4]", "[2,6]"), "123456")),
            "tensor \"b\" begins at byte 2 of the data, expected 4: tensors overlap");
  EXPECT_EQ(error_for(with_header(two("[0,4]", "[0,4]"), "1234")),
            "tensor \"b\" begins at byte 0 of the data, expected 4: tensors overlap");
  EXPECT_EQ(error_for(with_header(two("[0,4]", "[6,10]"), "1234567890")),
            "tensor \"b\" begins at byte 6 of the data, expected 4: tensors leave a gap");
}

// Every damaged file loads or throws Error: nothing else, and no access outside (asan preset).
TEST(Safetensors, SurvivesDamage) {
  const TemporaryFolder folder;
  save_safetensors(folder / "good", example());
  const std::string good = read_file(folder / "good");
  const fs::path path = folder / "bad";
  const std::string telling = "{}[]\",:0123456789-\xff";
  int loaded = 0, refused = 0;
  for (std::uint64_t round = 0; round < 4000; ++round) {
    Rng rng = Rng::derived(1, {round});
    std::string bytes = good;
    for (std::uint32_t changes = 1 + rng.below(4); changes > 0; --changes) {
      const std::size_t at = rng.below(static_cast<std::uint32_t>(bytes.size()));
      switch (rng.below(5)) {
        case 0:
          bytes[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          bytes[at] = telling[rng.below(static_cast<std::uint32_t>(telling.size()))];
          break;
        case 2:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
          break;
        case 3:
          bytes.insert(at, 1, telling[rng.below(10)]);
          break;
        default:
          bytes.resize(std::max<std::size_t>(at, 1));
          break;
      }
    }
    if (std::FILE* file = std::fopen(path.c_str(), "wb")) {  // not atomic: a sync each is slow
      std::fwrite(bytes.data(), 1, bytes.size(), file);
      std::fclose(file);
    }
    try {
      load_safetensors(path);
      ++loaded;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find(path.string()), 0u);
      ++refused;
    }
  }
  EXPECT_GT(loaded, 100);  // both ways were taken
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lathe
