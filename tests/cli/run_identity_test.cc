#include "sparsity/cli/run_identity.h"

#include <gtest/gtest.h>

#include "tests/cli/cli_test_support.h"
#include "tests/support/one_convolution.h"

namespace sparsify {
namespace {

using testing::SmallGraph;

RunConfig Config(const std::string& text) {
  return ReadRunConfig(MakeDocument("model: {path: a}\n" + text));
}

TEST(RunIdentity, SweepAndFolderDoNotCount) {
  const Graph graph = SmallGraph(1, 1);
  EXPECT_EQ(DescribeDifference(IdentityOf(Config("sweep: [30]\n"), graph),
                               IdentityOf(Config("sweep: [50]\noutput: {dir: b}\n"), graph)),
            "");
}

TEST(RunIdentity, SaysWhatDiffers) {
  const RunIdentity before = IdentityOf(Config("seed: 1\n"), SmallGraph(1, 1));
  EXPECT_EQ(DescribeDifference(before, IdentityOf(Config("seed: 2\n"), SmallGraph(1, 1))),
            "it had \"seed: 1\", now \"seed: 2\"");
  const std::string generator =
      "seed: 1\nsparsity: {mask_generator: {type: RandomMaskGenerator}}\n";
  EXPECT_EQ(DescribeDifference(before, IdentityOf(Config(generator), SmallGraph(1, 1))),
            "it had \"sparsity.mask_generator.type: NormalMaskGenerator\", now "
            "\"sparsity.mask_generator.type: RandomMaskGenerator\"");
  EXPECT_EQ(DescribeDifference(before, IdentityOf(Config("seed: 1\n"), SmallGraph(3, 1))),
            "the network in model.path has changed");
}

}  // namespace
}  // namespace sparsify
