// A small network learns 64 real pictures by heart, dense and pruned.
#include <gtest/gtest.h>

#include <filesystem>

#include "sparsity/base/parallel.h"
#include "sparsity/data/idx.h"
#include "sparsity/ops/interpreter.h"
#include "sparsity/training/evaluate.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using testing::GraphBuilder;
using testing::TinyRun;

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";
constexpr int64_t kImages = 64;

/// The first images, scaled to a mean of about 0 and a deviation of about 1.
class FirstImages : public Dataset {
 public:
  FirstImages() : idx_(std::string(kFashionMnist) + "/t10k-images-idx3-ubyte.gz", "") {}
  int64_t size() const override { return kImages; }
  Shape image_shape() const override { return {1, 28, 28}; }
  int64_t Load(int64_t i, float* image) const override {
    for (const uint8_t pixel : idx_.Read(i).pixels) *image++ = (pixel / 255.0F - 0.29F) / 0.35F;
    return idx_.LabelOf(i);
  }
  std::string NameOf(int64_t i) const override { return idx_.NameOf(i); }

 private:
  IdxImages idx_;
};

Graph SmallNet() {
  GraphBuilder b("small");
  ValueId x = b.Input({1, 28, 28});
  x = b.Relu("relu1", b.BatchNorm("bn1", b.Conv("conv1", x, 1, 8, 3, 2), 8));
  x = b.Relu("relu2", b.BatchNorm("bn2", b.Conv("conv2", x, 8, 16, 3, 2), 16));
  return b.Finish(
      {b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {x}, {{"axis", int64_t{1}}}), 784, 10)});
}

TEST(TrainerFashionMnist, Learns64PicturesByHeart) {
  if (!std::filesystem::exists(kFashionMnist)) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  SetThreads(1);  // too little work to share
  const FirstImages data;
  for (const double sparsity : {-1.0, 0.8}) {
    TinyRun run(sparsity, true, SmallNet());
    run.options.batch = 32;
    run.options.lr = 0.05;
    run.options.weight_decay = 1e-4;
    run.options.label_smoothing = 0;
    const TrainingResult result = Train({.graph = run.graph,
                                         .layers = run.layers,
                                         .data = data,
                                         .seed = 3,
                                         .steps = 150,
                                         .rule = run.rule.get(),
                                         .sparsity = run.per_layer,
                                         .title = {}},
                                        run.options);
    EXPECT_LT(result.state.rows.back().loss, 0.05 * result.state.rows.front().loss);
    EXPECT_EQ(result.state.rows.back().top1, 100);
    // And with the running statistics that inference uses.
    Interpreter network(run.graph);
    const auto forward = [&](const Tensor& images, Tensor& logits) {
      logits = network.Run({&images})[0];
    };
    const Evaluation evaluation = Evaluate(data, forward, {});
    EXPECT_EQ(evaluation.top1, 100) << "sparsity " << sparsity;
    for (const auto& [name, mask] : result.masks) {
      EXPECT_EQ(CountZeros(run[name]), mask.CountPruned());
    }
  }
  SetThreads(0);
}

}  // namespace
}  // namespace sparsify
