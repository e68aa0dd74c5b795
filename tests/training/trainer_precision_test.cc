// Training with layers that multiply bfloat16 numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <filesystem>

#include "sparsity/base/parallel.h"
#include "sparsity/data/idx.h"
#include "sparsity/ops/interpreter.h"
#include "sparsity/training/evaluate.h"
#include "sparsity/training/training_checks.h"
#include "tests/support/compare.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using testing::FormulaImages;
using testing::GraphBuilder;
using testing::SameBits;
using testing::TinyRun;

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";

// conv2 takes bf16; conv1 and fc are too small.
Graph WideNet(int64_t channels, int64_t side) {
  GraphBuilder b("wide");
  ValueId x = b.Input({channels, side, side});
  x = b.Relu("relu1", b.BatchNorm("bn1", b.Conv("conv1", x, channels, 16, 3, 2), 16));
  x = b.Relu("relu2", b.BatchNorm("bn2", b.Conv("conv2", x, 16, 64, 3, 2), 64));
  x = b.Op(OpType::kFlatten, "flat", {x});
  return b.Finish({b.Linear("fc", x, 4 * side * side, 10)});
}

TinyRun WideRun(const std::string& precision, double sparsity = -1) {
  TinyRun run(sparsity, true, WideNet(2, 20));
  run.data = FormulaImages(20, {2, 20, 20});
  run.options.batch = 8;
  run.options.lr = 0.05;
  run.options.precision = precision;
  return run;
}

TEST(TrainerPrecision, LayersThatStayInF32AreSaid) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  const LogCapture log;
  TinyRun run = WideRun("bf16");
  run.Train(1);
  EXPECT_TRUE(
      log.Contains("wide: 1 of 3 layers compute in bf16; f32: 1 (fewer than 16 input channels a "
                   "group), 1 (too few multiply-adds to win by bf16)"));
  const size_t lines = log.lines().size();
  WideRun("f32").Train(1);
  EXPECT_EQ(log.lines().size(), lines);
}

TEST(TrainerPrecision, WeightsAreF32AndTheRunIsTheSameAgainAndContinued) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  SetThreads(1);
  TinyRun f32 = WideRun("f32", 0.5);
  TinyRun run = WideRun("bf16", 0.5);
  TinyRun again = WideRun("bf16", 0.5);
  const TrainingResult result = run.Train(6);
  f32.Train(6);
  again.Train(6);
  EXPECT_TRUE(SameBits(run.graph, again.graph));
  EXPECT_FALSE(SameBits(run.graph, f32.graph));
  EXPECT_LT(testing::RelativeError(run["conv2.weight"], f32["conv2.weight"]), 0.01);
  int64_t finer = 0;  // than bf16 can hold
  for (const float value : run["conv2.weight"].values()) {
    finer += (std::bit_cast<uint32_t>(value) & 0xFFFF) != 0;
  }
  EXPECT_GT(finer, run["conv2.weight"].size() / 3);
  EXPECT_EQ(CountZeros(run["conv2.weight"]), result.masks.at("conv2.weight").CountPruned());
  const testing::TemporaryFolder folder;
  TinyRun begun = WideRun("bf16", 0.5);
  begun.options.save_interval = 0;
  begun.state_path = folder.path() / "state.h5";
  begun.on_row = [](const auto& rows) {
    if (rows.size() == 4) throw std::runtime_error("killed");
  };
  EXPECT_THROW(begun.Train(6), std::runtime_error);
  TinyRun continued = WideRun("bf16", 0.5);
  continued.start = LoadTrainingState(begun.state_path);
  EXPECT_EQ(continued.start->step, 3);
  continued.Train(6);
  EXPECT_TRUE(SameBits(run.graph, continued.graph));
  SetThreads(0);
}

TEST(TrainerPrecision, ATeacherIsLearnedFromWithinRounding) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  SetThreads(1);
  Graph teacher = WideNet(2, 20);
  for (float& weight : teacher.mutable_value(teacher.FindValue("fc.weight")).data.values()) {
    weight *= -3;
  }
  const auto losses = [&](const std::string& precision) {
    TinyRun run = WideRun(precision);
    run.teacher = &teacher;
    run.options.distillation = {.weight = 5, .temperature = 1};
    run.options.lr = 1e-6;
    return run.Train(2).state.rows;
  };
  const auto f32 = losses("f32");
  const auto bf16 = losses("bf16");
  for (size_t i = 0; i < f32.size(); ++i) {
    EXPECT_NE(bf16[i].loss, f32[i].loss);
    EXPECT_NEAR(bf16[i].loss / f32[i].loss, 1, 0.02);  // scores differ by about 2^-8
  }
  SetThreads(0);
}

// Real pictures: those from `first` on.
class Pictures : public Dataset {
 public:
  Pictures(int64_t first, int64_t count)
      : idx_(std::string(kFashionMnist) + "/t10k-images-idx3-ubyte.gz", ""),
        first_(first),
        count_(count) {}
  int64_t size() const override { return count_; }
  Shape image_shape() const override { return {1, 28, 28}; }
  int64_t Load(int64_t i, float* image) const override {
    for (const uint8_t pixel : idx_.Read(first_ + i).pixels) {
      *image++ = (pixel / 255.0F - 0.29F) / 0.35F;
    }
    return idx_.LabelOf(first_ + i);
  }
  std::string NameOf(int64_t i) const override { return idx_.NameOf(first_ + i); }

 private:
  IdxImages idx_;
  int64_t first_;
  int64_t count_;
};

double TestAccuracy(const std::string& precision) {
  const Pictures learned(0, 2000);
  const Pictures others(2000, 2000);
  TinyRun run(-1, true, WideNet(1, 28));
  run.options = TrainingOptions();
  run.options.batch = 50;
  run.options.lr = 0.05;
  run.options.augment.crop = false;
  run.options.precision = precision;
  Train({.graph = run.graph,
         .layers = run.layers,
         .data = learned,
         .seed = 3,
         .steps = 160,
         .sparsity = {},
         .title = {}},
        run.options);
  Interpreter network(run.graph);
  const auto forward = [&](const Tensor& images, Tensor& logits) {
    logits = network.Run({&images})[0];
  };
  return Evaluate(others, forward, {.batch = 100, .progress = {}}).top1;
}

// Two networks of 80 % on 2000 pictures differ by √(2 · 0.8 · 0.2 / 2000) = 1.3 points by chance
// if they err independently.
TEST(TrainerPrecision, LearnsAsWellAsInF32) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  if (!std::filesystem::exists(kFashionMnist)) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  SetThreads(1);  // too little work to share
  const double f32 = TestAccuracy("f32");
  EXPECT_GT(f32, 70);
  EXPECT_NEAR(TestAccuracy("bf16"), f32, 3);
  SetThreads(0);
}

[[noreturn]] void WithoutBf16() {
  setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", 1);
  setenv("DNNL_MAX_CPU_ISA", "AVX512_CORE", 1);
  bool is_refused = false;
  try {
    WideRun("bf16").Train(1);
  } catch (const Error& error) {
    is_refused =
        error.kind() == ErrorKind::kUsage &&
        error.what() == std::string(
                            "training.precision: bf16 would be slower than f32 here: the "
                            "processor has neither AVX512_BF16 nor AMX, or oneDNN may not use "
                            "them; use f32");
  }
  std::exit(is_refused ? 0 : 1);
}

// oneDNN takes its limit once, so this needs a process of its own.
TEST(TrainerPrecision, AMachineWithoutBf16RefusesIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(WithoutBf16(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sparsify
