#include "reconstruction/activation_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::MessageOf;

class Walk : public ::testing::Test {
 protected:
  Walk() {
    SetThreads(1);  // small networks gain nothing from more
    LoadBatch(RandomImages(7, {3, 16, 16}), 0, 7, images_);
    for (int64_t k = 0; k < blocks_.count(); ++k) {
      Tensor rows({blocks_.size(k), 3, 16, 16});
      std::copy_n(images_.images.data() + blocks_.begin(k) * 768, rows.size(), rows.data());
      store_->Write(blocks_.begin(k), rows);
    }
  }

  // What the interpreter computes for a value.
  Tensor Reference(ValueId id) const {
    Tensor result;
    Interpreter(graph_).Run({&images_.images},
                            [&](int node, const std::vector<const Tensor*>& outputs) {
                              if (graph_.node(node).outputs[0] == id) result = *outputs[0];
                            });
    return result;
  }

  Tensor All(const ActivationStore& store) const {
    std::vector<int64_t> images = {0, 1, 2, 3, 4, 5, 6};
    Tensor rows;
    store.Gather(images, rows);
    return rows;
  }

  ValueId Id(const std::string& name) const { return graph_.FindValue(name); }

  const Graph graph_ = testing::SmallResidualNet();
  const ImageBlocks blocks_ = ImageBlocks::Make(7, 2, 4);  // 2 | 4 | 1
  MemoryBudget budget_{1 << 30};
  Batch images_;
  std::shared_ptr<ActivationStore> store_ =
      std::make_shared<ActivationStore>(blocks_, Shape{3, 16, 16}, budget_);
};

// Single images are computed with other vector code than batches: rounding differs.
constexpr double kRounding = 1e-5;

TEST_F(Walk, ComputesWhatTheInterpreterDoes) {
  ActivationWalk walk(graph_, store_, blocks_, budget_, {3, ""});
  for (const char* name :
       {"stem.relu.out", "block.conv1.out", "block.down.out", "block.relu2.out", "fc.out"}) {
    walk.Advance({Id(name)});
    EXPECT_LE(testing::RelativeError(All(walk.Store(Id(name))), Reference(Id(name))), kRounding)
        << name;
  }
}

TEST_F(Walk, KeepsWhatIsStillReadAndNothingElse) {
  const int64_t images = budget_.used();
  const int64_t stem = 7 * 16 * 16 * 16 * 4;
  const int64_t block = 7 * 32 * 8 * 8 * 4;
  ActivationWalk walk(graph_, std::move(store_), blocks_, budget_, {4, ""});
  EXPECT_EQ(budget_.used(), images);
  walk.Advance({Id("stem.relu.out")});
  EXPECT_EQ(budget_.used(), stem);
  walk.Advance({Id("block.bn1.out")});  // the projection still reads the stem
  EXPECT_EQ(budget_.used(), stem + block);
  walk.Advance({Id("block.bn2.out"), Id("stem.relu.out")});
  EXPECT_EQ(budget_.used(), stem + block);
  walk.Advance({Id("block.relu2.out")});
  EXPECT_EQ(budget_.used(), block);
  walk.Advance({Id("fc.out")});
  EXPECT_EQ(budget_.used(), 7 * 10 * 4);
}

TEST_F(Walk, TwoWalksShareTheImages) {
  const int64_t images = budget_.used();
  const int64_t block = 7 * 32 * 8 * 8 * 4;
  ActivationWalk first(graph_, store_, blocks_, budget_, {4, ""});
  ActivationWalk second(graph_, std::move(store_), blocks_, budget_, {4, ""});
  first.Advance({Id("block.relu2.out")});
  EXPECT_EQ(budget_.used(), images + block);
  second.Advance({Id("block.relu2.out")});
  EXPECT_EQ(budget_.used(), 2 * block);
}

TEST_F(Walk, ComputesNoNodeTwiceAndShowsWhatIsObserved) {
  ActivationWalk walk(graph_, store_, blocks_, budget_, {4, ""});
  const ValueId inner = Id("block.conv1.out");
  std::vector<std::pair<int64_t, int64_t>> seen;  // first image and their number
  const auto observer = [&](ValueId id, int64_t first, const Tensor& rows) {
    EXPECT_EQ(id, inner);
    seen.emplace_back(first, rows.shape()[0]);
  };
  walk.Advance({Id("stem.relu.out")}, {inner}, observer);
  EXPECT_TRUE(seen.empty());
  walk.Advance({Id("block.relu2.out")}, {inner}, observer);
  EXPECT_THAT(seen, ::testing::ElementsAre(std::pair(0, 2), std::pair(2, 4), std::pair(6, 1)));
  walk.Advance({Id("fc.out")}, {inner}, observer);
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(MessageOf([&] { walk.Advance({Id("stem.out")}); }),
            "small_residual: activation \"stem.out\" is no longer kept");
}

TEST_F(Walk, UsesAScratchFileWhereMemoryDoesNotSuffice) {
  budget_.set_limit(0);
  ActivationWalk walk(graph_, store_, blocks_, budget_, {4, ""});
  walk.Advance({Id("block.relu2.out")});
  EXPECT_EQ(walk.bytes_on_disk(), 7 * 32 * 8 * 8 * 4);
  EXPECT_LE(testing::RelativeError(All(walk.Store(Id("block.relu2.out"))),
                                   Reference(Id("block.relu2.out"))),
            kRounding);
}

TEST(WalkMistakes, AnActivationWithoutBatchDimensionCannotBeKept) {
  testing::GraphBuilder b("folded");
  const ValueId x = b.Input({4});
  const ValueId flat =
      b.Op(OpType::kReshape, "flat", {x}, {{"shape", std::vector<int64_t>{-1, 2}}});
  const Graph graph = b.Finish({flat});
  const ImageBlocks blocks = ImageBlocks::Make(3, 0, 3);
  MemoryBudget budget(1000);
  auto images = std::make_shared<ActivationStore>(blocks, Shape{4}, budget);
  images->Write(0, Tensor({3, 4}));
  ActivationWalk walk(graph, images, blocks, budget, {3, ""});
  EXPECT_EQ(MessageOf([&] { walk.Advance({flat}); }),
            "folded: activation \"flat.out\" of 3 images has shape [6,2], it cannot be kept image "
            "by image; repair with pattern: network");
}

}  // namespace
}  // namespace sparsify
