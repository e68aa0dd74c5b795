#include "sparsity/training/training_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using testing::FormulaImages;
using testing::GraphBuilder;
using testing::MessageOf;
using testing::TinyNet;
using testing::TinyRun;

ErrorKind KindOf(TinyRun& run) {
  try {
    run.Train(3);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInterrupted;
}

TEST(TrainingChecks, StepsAndTheSet) {
  TinyRun run;
  EXPECT_EQ(run.Message(0), "training: 0 steps, expected at least 1");
  EXPECT_EQ(run.Message(-3), "training: -3 steps, expected at least 1");
  run.data = FormulaImages(0);
  EXPECT_EQ(run.Message(), "data.training: holds no images");
}

TEST(TrainingChecks, OptionsThatContradictEachOther) {
  TinyRun run;
  run.options.lr_milestones = {70, 20};
  EXPECT_EQ(run.Message(), "training.lr_milestones: 20 comes after 70; they must increase");
  EXPECT_EQ(KindOf(run), ErrorKind::kUsage);
}

TEST(TrainingChecks, AFixedBatchSizeMustBeTheRuns) {
  TinyRun run(-1, true, TinyNet(0, true, false, 8));
  EXPECT_EQ(run.Message(), "training.batch: 4, but tiny fixes the batch size to 8; use 8");
  EXPECT_EQ(KindOf(run), ErrorKind::kUsage);
  run.options.batch = 8;
  EXPECT_EQ(run.Message(), "no error");
}

TEST(TrainingChecks, ImagesAndScoresMustFit) {
  TinyRun run;
  run.data = FormulaImages(10, {3, 5, 5});
  EXPECT_NE(run.Message().find("conv"), std::string::npos) << run.Message();
  GraphBuilder b("map");
  const ValueId x = b.Input({2, 5, 5});
  TinyRun map(-1, true, b.Finish({b.Conv("conv", x, 2, 4, 3)}));
  EXPECT_EQ(map.Message(),
            "map: gives [4,4,5,5] for 4 images; training needs one row of class scores each");
  GraphBuilder two("two");
  const ValueId y = two.Input({2, 5, 5});
  const ValueId z = two.Conv("conv", y, 2, 4, 3);
  TinyRun outputs(-1, true, two.Finish({z, two.Relu("relu", z)}));
  EXPECT_EQ(outputs.Message(),
            "two: has 1 inputs and 2 outputs; training needs one image input and one output of "
            "class scores");
}

// Whether the network can be trained at a resolution, and why not.
std::string Resolution(const Graph& graph, int64_t side) {
  return MessageOf([&] {
    try {
      CheckResolution(graph, {2, side, side});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      throw;
    }
  });
}

TEST(TrainingChecks, GlobalPoolingTakesAnyResolution) {
  for (const int64_t side : {1, 3, 5, 8, 64}) EXPECT_EQ(Resolution(TinyNet(), side), "no error");
  EXPECT_EQ(Resolution(TinyNet(0, true, true, 8), 3), "no error") << "a fixed batch size";
  TinyRun run;
  run.data = FormulaImages(10, {2, 8, 8});
  EXPECT_EQ(run.Message(), "no error");
}

TEST(TrainingChecks, TheNodeThatStopsAnotherResolutionIsNamed) {
  const auto network = [](const auto& add) {
    GraphBuilder b("rigid");
    const ValueId x = b.Conv("conv", b.Input({2, 8, 8}), 2, 4, 3);
    return b.Finish({add(b, x)});
  };
  constexpr const char* kRemedy =
      "; leave the key out, or use a network that ends in global pooling";
  const Graph flat = network([](GraphBuilder& b, ValueId x) {
    return b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {x}, {{"axis", int64_t{1}}}), 256, 3);
  });
  EXPECT_EQ(Resolution(flat, 8), "no error");
  EXPECT_EQ(Resolution(flat, 6),
            std::string("training.resolution: rigid does not take images of 6×6: Gemm \"fc\": "
                        "input [1,144] offers 144 features, weight [3,256] expects 256") +
                kRemedy);
  // A window as large as the image leaves one position; of 16 pixels it leaves 81.
  const Graph window = network([](GraphBuilder& b, ValueId x) {
    const ValueId pooled =
        b.Op(OpType::kAveragePool, "pool", {x}, {{"kernel_shape", std::vector<int64_t>{8, 8}}});
    return b.Linear(
        "fc", b.Op(OpType::kReshape, "view", {pooled}, {{"shape", std::vector<int64_t>{-1, 4}}}), 4,
        3);
  });
  EXPECT_THAT(Resolution(window, 6), ::testing::HasSubstr("AveragePool \"pool\""));
  EXPECT_EQ(Resolution(window, 16),
            std::string("training.resolution: rigid does not take images of 16×16: node \"view\" "
                        "gives [81,4] then instead of [1,4]") +
                kRemedy);
  const Graph map = network([](GraphBuilder& b, ValueId x) { return b.Conv("head", x, 4, 3, 8); });
  EXPECT_THAT(Resolution(map, 16),
              ::testing::HasSubstr("node \"head\" gives [1,3,17,17] then instead of [1,3,9,9]"));
}

TEST(TrainingChecks, ATeacherAndDistillationGoTogether) {
  const Graph teacher = TinyNet(20);
  TinyRun run;
  run.teacher = &teacher;
  EXPECT_EQ(run.Message(), "training.distillation: is not set, but there is a teacher; set it");
  run.teacher = nullptr;
  run.options.distillation.emplace();
  EXPECT_EQ(run.Message(), "training.distillation: is set, but there is no teacher to learn from");
  GraphBuilder b("other");
  const ValueId x = b.Input({2, 5, 5});
  const Graph other = b.Finish(
      {b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {x}, {{"axis", int64_t{1}}}), 50, 7)});
  run.teacher = &other;
  EXPECT_EQ(run.Message(),
            "training.distillation: the teacher other gives [4,7], the network [4,3]");
}

TEST(TrainingChecks, ARuleNeedsASparsityForEachLayer) {
  TinyRun run(0.5);
  run.per_layer = {};
  EXPECT_EQ(run.Message(), "training: 0 sparsities given for 2 layers");
  run.per_layer = {0.5, 0.5, 0.5};
  EXPECT_EQ(run.Message(), "training: 3 sparsities given for 2 layers");
}

TEST(TrainingChecks, FiniteIsNeitherNanNorInfinite) {
  Tensor tensor({40000});
  tensor[7] = std::numeric_limits<float>::max();
  tensor[8] = std::numeric_limits<float>::lowest();
  tensor[9] = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(AllFinite(tensor));
  EXPECT_TRUE(AllFinite(Tensor()));
  for (const int64_t at : {0, 16383, 16384, 39999}) {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
          std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
      Tensor broken = tensor;
      broken[at] = bad;
      EXPECT_FALSE(AllFinite(broken)) << at << " " << bad;
    }
  }
}

}  // namespace
}  // namespace sparsify
