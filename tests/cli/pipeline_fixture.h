// A small network, images and configuration in a folder of the test's own, and runs over them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/random.h"
#include "sparsity/cli/pipeline.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/io/model_file.h"
#include "sparsity/report/csv.h"
#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {

namespace fs = std::filesystem;

constexpr int kImages = 21;  // not a multiple of the batch
constexpr int kSide = 8;

inline std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

/// Square random images and labels below `classes` in IDX files.
inline void WriteIdx(const TestFolder& folder, uint32_t count, uint32_t side, uint64_t classes) {
  Random random(5);
  std::string images = BigEndian(0x803) + BigEndian(count) + BigEndian(side) + BigEndian(side);
  std::string labels = BigEndian(0x801) + BigEndian(count);
  for (uint32_t i = 0; i < count * side * side; ++i) {
    images += static_cast<char>(random.Below(256));
  }
  for (uint32_t i = 0; i < count; ++i) labels += static_cast<char>(random.Below(classes));
  WriteFileAtomically(folder.Path("images.idx"), images);
  WriteFileAtomically(folder.Path("labels.idx"), labels);
}

inline void WriteModel(const TestFolder& folder) {
  testing::GraphBuilder builder("tiny");
  ValueId x = builder.Input({1, kSide, kSide});
  x = builder.Conv("conv1", x, 1, 16, 3);
  x = builder.Relu("relu1", builder.BatchNorm("norm1", x, 16));
  x = builder.Relu("relu2", builder.Conv("conv2", x, 16, 16, 3));
  x = builder.Op(OpType::kGlobalAveragePool, "pool", {x});
  x = builder.Op(OpType::kFlatten, "flat", {x});
  Checkpoint checkpoint;
  checkpoint.graph = builder.Finish({builder.Linear("fc", x, 16, 4)});
  SaveModelFile(checkpoint, folder.Path("tiny.h5"));
}

inline std::vector<std::string> Column(const std::string& path, const std::string& name) {
  const CsvTable table = ReadCsv(path);
  std::vector<std::string> cells;
  for (const auto& row : table.rows) cells.push_back(row[table.Column(name)]);
  return cells;
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : files_(folder_.Path("run")) {
    WriteIdx(folder_, kImages, kSide, 4);
    WriteModel(folder_);
  }

  OptionsDocument Document(const std::vector<std::string>& sets) const {
    OptionsDocument document =
        OptionsDocument::FromText(fmt::format("model: {{path: {}}}\n"
                                              "data:\n"
                                              "  transform: {{color: gray}}\n"
                                              "  evaluation: {{type: idx, path: {}, labels: {}}}\n"
                                              "sparsity: {{layers: {{no_prune_layer: fc}}}}\n"
                                              "sweep: [50, 75]\n"
                                              "evaluation: {{batch: 8}}\n"
                                              "benchmark: {{batch: [2], repetitions: 3}}\n"
                                              "output: {{dir: {}}}\n",
                                              folder_.Path("tiny.h5"), folder_.Path("images.idx"),
                                              folder_.Path("labels.idx"), files_.folder()),
                                  "f.yaml");
    for (const std::string& set : sets) document.Set(set);
    return document;
  }

  /// Runs and returns what went to standard output.
  std::string Run(const std::vector<std::string>& sets = {}, RunRequest request = {}) {
    const OptionsDocument document = Document(sets);
    ::testing::internal::CaptureStdout();
    try {
      RunPipeline(ReadRunConfig(document), document, request);
    } catch (...) {
      output_ = ::testing::internal::GetCapturedStdout();
      throw;
    }
    output_ = ::testing::internal::GetCapturedStdout();
    return output_;
  }

  std::string Calibration() const {
    return fmt::format("data.calibration={{type: idx, path: {}, labels: {}}}",
                       folder_.Path("images.idx"), folder_.Path("labels.idx"));
  }

  /// The weight and the bits of its mask in the checkpoint of a level.
  std::pair<Tensor, Mask> Weight(double percent, const std::string& name) const {
    const Checkpoint checkpoint = LoadModelFile(files_.Checkpoint(percent));
    return {checkpoint.graph.value(checkpoint.graph.FindValue(name)).data,
            checkpoint.masks.at(name)};
  }

  const TestFolder folder_;
  const RunFiles files_;
  std::string output_;
  const LogCapture log_;
};

}  // namespace sparsify
