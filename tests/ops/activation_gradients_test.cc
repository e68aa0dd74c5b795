#include "sparsity/ops/activation_gradients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparsify {
namespace {

using ::testing::ElementsAre;

Tensor Row(std::vector<float> values) {
  return {Shape{1, static_cast<int64_t>(values.size())}, values};
}

class ActivationGradientsTest : public ::testing::Test {
 protected:
  void Start(ValueId id, const Tensor& value) { gradients_.Start(id, value.shape()) = value; }
  std::span<const float> Values(ValueId id) const { return gradients_.Get(id)->values(); }

  SpareTensors spare_;
  ActivationGradients gradients_{4, spare_};
};

TEST_F(ActivationGradientsTest, SharesMemoryUntilSomethingIsAdded) {
  Start(0, Row({1, 2}));
  gradients_.PassOn(0, 1, {1, 2});
  gradients_.PassOn(0, 2, {1, 2});
  EXPECT_EQ(gradients_.Get(1), gradients_.Get(2));
  gradients_.Drop(0);
  EXPECT_FALSE(gradients_.Has(0));
  EXPECT_TRUE(spare_.empty());  // two still look at it
  gradients_.Add(1, Row({10, 20}));
  EXPECT_THAT(Values(1), ElementsAre(11, 22));
  EXPECT_THAT(Values(2), ElementsAre(1, 2));
  const Tensor* memory = gradients_.Get(2);
  gradients_.Add(2, Row({5, 5}));  // alone now: in place
  EXPECT_EQ(gradients_.Get(2), memory);
  EXPECT_THAT(Values(2), ElementsAre(6, 7));
}

TEST_F(ActivationGradientsTest, AddsWhatIsPassedTwice) {
  Start(0, Row({1, 2}));
  gradients_.PassOn(0, 1, {1, 2});  // y = x + x
  gradients_.PassOn(0, 1, {1, 2});
  gradients_.Drop(0);
  EXPECT_THAT(Values(1), ElementsAre(2, 4));
}

TEST_F(ActivationGradientsTest, OnlyReadsWhatTheCallerLends) {
  const Tensor lent = Row({1, 2});
  gradients_.Lend(0, lent);
  EXPECT_EQ(gradients_.HandOver(0, 1), nullptr);
  gradients_.PassOn(0, 1, {1, 2});
  EXPECT_EQ(gradients_.Get(1), &lent);
  gradients_.Add(1, Row({1, 1}));
  gradients_.Add(0, Row({2, 2}));
  EXPECT_THAT(Values(1), ElementsAre(2, 3));
  EXPECT_THAT(Values(0), ElementsAre(3, 4));
  EXPECT_THAT(lent.values(), ElementsAre(1, 2));
}

TEST_F(ActivationGradientsTest, WritesToWhatIsWanted) {
  Tensor wanted;
  gradients_.Want(1, wanted);
  EXPECT_FALSE(gradients_.Has(1));
  Start(0, Row({1, 2}));
  EXPECT_EQ(gradients_.HandOver(0, 1), nullptr);
  gradients_.PassOn(0, 1, {2, 1});
  gradients_.Add(1, Row({1, 1}));
  EXPECT_EQ(wanted.shape(), Shape({2, 1}));
  EXPECT_THAT(wanted.values(), ElementsAre(2, 3));
  EXPECT_THAT(Values(0), ElementsAre(1, 2));
}

TEST_F(ActivationGradientsTest, HandsMemoryOverOnlyWhereNobodyElseLooks) {
  Start(0, Row({1, 2}));
  const Tensor* memory = gradients_.Get(0);
  EXPECT_EQ(gradients_.HandOver(0, 1), memory);
  EXPECT_FALSE(gradients_.Has(0));
  gradients_.PassOn(1, 2, {1, 2});
  EXPECT_EQ(gradients_.HandOver(1, 3), nullptr);  // shared with 2
  gradients_.Drop(2);
  Start(3, Row({0, 0}));
  EXPECT_EQ(gradients_.HandOver(1, 3), nullptr);  // has one already
  EXPECT_THAT(Values(1), ElementsAre(1, 2));
}

TEST_F(ActivationGradientsTest, UsesMemoryAgain) {
  Start(0, Row({1, 2, 3, 4}));
  const float* memory = Values(0).data();
  gradients_.Drop(0);
  EXPECT_EQ(spare_.size(), 1);
  EXPECT_EQ(gradients_.Start(1, {2, 2}).data(), memory);
  EXPECT_NE(gradients_.Start(2, {2, 2}).data(), memory);
  gradients_.GiveBack(gradients_.Take({7}));
  EXPECT_EQ(spare_.count(7), 1);
}

}  // namespace
}  // namespace sparsify
