// The training loop against PyTorch: losses of every step, weights and running statistics at the
// end. The constants are what trainer_pytorch.py prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/training/epoch_order.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using testing::Numbers;
using testing::TinyNet;
using testing::TinyRun;

// Of a tensor: its first number, and Σ Numbers(99) · number.
struct Figures {
  double first;
  double mix;
};

// Float against double over six steps of numbers of about 1.
constexpr double kClose = 3e-6;

void ExpectRun(TinyRun& run, const std::vector<double>& losses,
               const std::map<std::string, Figures>& expected) {
  const TrainingResult result = run.Train(6);
  ASSERT_EQ(result.state.rows.size(), losses.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(result.state.rows[i].loss, losses[i], kClose) << "step " << i + 1;
  }
  for (const auto& [name, figures] : expected) {
    const Tensor& tensor = run[name];
    const Tensor mix = Numbers(99, {tensor.size()});
    double sum = 0;
    for (int64_t i = 0; i < tensor.size(); ++i) sum += static_cast<double>(mix[i]) * tensor[i];
    EXPECT_NEAR(tensor[0], figures.first, kClose) << name;
    EXPECT_NEAR(sum, figures.mix, kClose) << name;
  }
}

TEST(TrainerPyTorch, TheOrderIsTheScripts) {
  EpochOrder order(10, 5);
  std::vector<int64_t> places;
  for (int64_t i = 0; i < 24; ++i) places.push_back(order.At(i));
  EXPECT_THAT(places, ::testing::ElementsAre(1, 6, 7, 4, 8, 3, 2, 0, 9, 5, 6, 8, 1, 4, 7, 0, 5, 3,
                                             9, 2, 1, 6, 9, 7));
}

TEST(TrainerPyTorch, SgdWithBatchNorm) {
  TinyRun run;
  ExpectRun(run, {1.19145501, 1.2184782, 1.16241825, 1.13082158, 1.08404114, 1.04220178},
            {{"conv.bias", {-0.0335976214, 0.0156410934}},
             {"conv.weight", {0.0692155535, -0.358456778}},
             {"bn.bias", {-0.10139051, -0.0942360969}},
             {"bn.running_mean", {0.0108140818, 0.0198413133}},
             {"bn.running_var", {0.97330424, 0.990999344}},
             {"bn.weight", {0.929797121, 1.12573748}},
             {"fc.bias", {0.203730756, 0.0270144602}},
             {"fc.weight", {-0.442519832, -0.189540546}}});
}

TEST(TrainerPyTorch, Distillation) {
  const Graph teacher = TinyNet(20);
  TinyRun run;
  run.teacher = &teacher;
  run.options.label_smoothing = 0;
  run.options.distillation = DistillationOptions{.weight = 0.7, .temperature = 2};
  ExpectRun(run, {1.2332559, 1.25994062, 1.15010305, 1.15618316, 1.0709488, 1.00582819},
            {{"conv.weight", {0.0695145627, -0.36098409}},
             {"bn.bias", {-0.113442367, -0.11029025}},
             {"bn.running_mean", {0.0108941811, 0.0199414014}},
             {"bn.running_var", {0.973173489, 0.99098693}},
             {"bn.weight", {0.917652323, 1.11190247}},
             {"fc.bias", {0.299247096, 0.0400314847}},
             {"fc.weight", {-0.406890927, -0.133669836}}});
  EXPECT_TRUE(testing::SameBits(teacher, TinyNet(20)));
}

TEST(TrainerPyTorch, WithoutBatchNorm) {
  TinyRun run(-1, true, TinyNet(0, false));
  ExpectRun(run, {1.21795311, 1.21704636, 1.16765686, 1.11089696, 1.10394635, 1.03474637},
            {{"conv.bias", {-0.0603791032, -0.026259668}},
             {"conv.weight", {0.0757214399, -0.340684241}},
             {"fc.bias", {0.210207465, 0.0275005551}},
             {"fc.weight", {-0.432525738, -0.181728989}}});
}

TEST(TrainerPyTorch, ClippedGradients) {
  TinyRun run;
  run.options.clip_norm = 0.3;
  ExpectRun(run, {1.19145501, 1.17188188, 1.1573192, 1.1464747, 1.08119513, 1.09836392},
            {{"conv.weight", {0.074632655, -0.348463409}},
             {"bn.bias", {-0.090581012, -0.0773099243}},
             {"bn.running_mean", {0.00956564873, 0.0189081324}},
             {"bn.running_var", {0.973592323, 0.99110348}},
             {"bn.weight", {0.947154132, 1.14547897}},
             {"fc.bias", {0.151926364, 0.0164996168}},
             {"fc.weight", {-0.492978421, -0.25960632}}});
}

TEST(TrainerPyTorch, AdamW) {
  TinyRun run(-1, true, TinyNet(0, false));
  run.options.optimizer = "adamw";
  run.options.lr = 0.05;
  ExpectRun(run, {1.21795311, 1.15249621, 1.14074816, 1.07726219, 1.09300638, 1.04805615},
            {{"conv.bias", {-0.192294911, -0.158316353}},
             {"conv.weight", {0.0761939542, -0.271860181}},
             {"fc.bias", {0.181510008, 0.050577768}},
             {"fc.weight", {-0.531785354, -0.225990619}}});
}

}  // namespace
}  // namespace sparsify
