// onnx_seeds DIR: writes small models for fuzz_onnx to start from.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "onnx_builder.h"

namespace sparsify {
namespace {

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {RichModel()};
  for (const int64_t opset : {9, 10, 11, 13, 18, 19}) {
    for (const char* op : {"Softmax", "Relu", "Dropout", "Flatten", "HardSigmoid"}) {
      seeds.push_back(OneNode(op, opset).Bytes());
    }
    OnnxBuilder pool = OneNode("AveragePool", opset);
    FirstNode(pool).Ints("kernel_shape", {3, 3}).String("auto_pad", "SAME_LOWER");
    seeds.push_back(pool.Bytes());
    OnnxBuilder resize = OneNode("Resize", opset, {"", "", "s"});
    resize.Ints("s", {1, 4, 5, 7});
    seeds.push_back(resize.Bytes());
    OnnxBuilder pad = OneNode("Pad", opset, {"p", "", "a"});
    pad.Ints("p", {1, 2});
    pad.Ints("a", {-1});
    seeds.push_back(pad.Bytes());
    OnnxBuilder split = OneNode("Split", opset);
    FirstNode(split).Int("axis", 1).Int("num_outputs", 2).proto().add_output("z");
    seeds.push_back(split.Bytes());
  }
  return seeds;
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: onnx_seeds DIR\n", stderr);
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  int index = 0;
  for (const std::string& seed : sparsify::Seeds()) {
    const auto path = std::filesystem::path(argv[1]) / (std::to_string(index++) + ".onnx");
    std::ofstream(path, std::ios::binary) << seed;
  }
  return 0;
}
