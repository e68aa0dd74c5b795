#include "sparsity/allocation/energy_curves.h"

#include "sparsity/mask/nm_mask_generator.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(EnergyCurves, AreTheShareOfTheSquaresThatGo) {
  testing::TestNetwork net;
  net.AddWeight("a", Tensor({2, 5}, {1, -2, 3, -4, 5, -6, 7, -8, 9, -10}));  // squares: 385
  net.AddWeight("b", Tensor({1, 4}, {1, 1, 1, 1}));
  const auto curves = EnergyCurves(net.graph, net.layers, {"", "stays"}, NormalMaskGenerator({}),
                                   {0.2, 0.5, 0.9}, 0);
  ASSERT_EQ(curves.size(), 1U);
  EXPECT_EQ(curves[0].layer, "a");
  EXPECT_EQ(curves[0].parameters, 10);
  EXPECT_THAT(curves[0].sparsity, ElementsAre(0.2, 0.5, 0.9));
  EXPECT_THAT(curves[0].loss,
              ElementsAre(DoubleNear(5 / 385.0, 1e-12), DoubleNear(55 / 385.0, 1e-12),
                          DoubleNear(285 / 385.0, 1e-12)));
}

TEST(EnergyCurves, APatternHasOnePoint) {
  testing::TestNetwork net;
  net.AddWeight("a", Tensor({1, 4}, {1, 2, 3, 4}));
  net.AddWeight("odd", Tensor({3, 1, 1, 1}, {1, 2, 3}));  // no four input channels
  const NMMaskGenerator generator(NMMaskOptions{.n = 2, .m = 4});
  const auto curves =
      EnergyCurves(net.graph, net.layers, net.NoneSkipped(), generator, {0.2, 0.5, 0.9}, 0);
  EXPECT_THAT(curves[0].sparsity, ElementsAre(0.5));
  EXPECT_THAT(curves[0].loss, ElementsAre(DoubleNear(5 / 30.0, 1e-12)));
  EXPECT_THAT(curves[1].sparsity, ElementsAre(0));
  EXPECT_THAT(curves[1].loss, ElementsAre(0));
}

}  // namespace
}  // namespace sparsify
