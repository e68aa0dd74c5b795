#include "sparsity/cli/run_identity.h"

#include <gtest/gtest.h>

#include "sparsity/base/file.h"
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

// Samples with these labels.
class Labelled : public Dataset {
 public:
  explicit Labelled(std::vector<int64_t> labels) : labels_(std::move(labels)) {}
  int64_t size() const override { return std::ssize(labels_); }
  Shape image_shape() const override { return {1, 1, 1}; }
  int64_t Load(int64_t /*i*/, float* /*image*/) const override { return -1; }
  int64_t LabelOf(int64_t i) const override { return labels_[static_cast<size_t>(i)]; }
  std::string NameOf(int64_t i) const override { return fmt::format("{}.png", i); }

 private:
  std::vector<int64_t> labels_;
};

TEST(RunIdentity, OtherLabelsAreOtherData) {
  const Graph graph = SmallGraph(1, 1);
  const Labelled first({1, 2, 3});
  const Labelled same({1, 2, 3});
  const Labelled other({1, 2, 4});
  const Labelled more({1, 2, 3, 3});
  const auto identity = [&](const Dataset* evaluation, const Dataset* calibration) {
    return IdentityOf(Config(""), graph, {evaluation, calibration});
  };
  const RunIdentity before = identity(&first, nullptr);
  EXPECT_EQ(DescribeDifference(before, identity(&same, nullptr)), "");
  for (const RunIdentity& now : {identity(&other, nullptr), identity(&more, nullptr),
                                 identity(nullptr, &first), identity(&first, &first)}) {
    EXPECT_EQ(DescribeDifference(before, now), "the images or labels of a dataset have changed");
  }
  // A folder of a version that did not record them.
  EXPECT_EQ(DescribeDifference(IdentityOf(Config(""), graph), before), "");
}

TEST(RunIdentity, StagesMayGoOnButNotChange) {
  const Graph graph = SmallGraph(1, 1);
  const auto difference = [&](const std::vector<double>& before, const std::vector<double>& now) {
    return DescribeDifference(IdentityOf(Config(""), graph, {}, before),
                              IdentityOf(Config(""), graph, {}, now));
  };
  EXPECT_EQ(difference({50, 60}, {50, 60}), "");
  EXPECT_EQ(difference({50, 60}, {50, 60, 70}), "");
  EXPECT_EQ(difference({50, 60}, {50}), "");
  EXPECT_EQ(difference({}, {50, 60}), "");  // not recorded
  EXPECT_EQ(difference({50, 60}, {10, 50, 60}),
            "each sparsity starts from the one before, and it had 50, 60 %, now 10, 50, 60 %");
}

TEST(RunIdentity, ATableOfTheAllocationIsItsContents) {
  const TestFolder folder;
  const std::string path = folder.Path("curves.csv");
  const Graph graph = SmallGraph(1, 1);
  const auto identity = [&](const std::string& contents) {
    WriteFileAtomically(path, contents);
    return IdentityOf(
        Config("sparsity: {allocation: {type: Sensitivity, curves_file: " + path + "}}\n"), graph);
  };
  const RunIdentity before = identity("a");
  EXPECT_EQ(DescribeDifference(before, identity("a")), "");
  EXPECT_EQ(DescribeDifference(before, identity("b")),
            "a file of sparsity.allocation (table_file, curves_file or times_file) has changed");
}

TEST(RunIdentity, RemediesMayBeTaken) {
  const Graph graph = SmallGraph(1, 1);
  const auto config = [&](const std::string& limit, const std::string& on_error) {
    return IdentityOf(
        Config("sparsity: {reconstruction: {method: obs, memory_limit: " + limit +
               "}}\ndata: {calibration: {type: images, path: p, on_error: " + on_error + "}}\n"),
        graph);
  };
  EXPECT_EQ(DescribeDifference(config("20", "stop"), config("2000", "skip")), "");
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
