#include "sparsity/allocation/sensitivity.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "sparsity/allocation/sensitivity_allocation.h"
#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using testing::MessageOf;
using testing::TestNetwork;

constexpr char kHeader[] = "layer,parameters,macs,sparsity,loss\n";

class Sensitivity : public ::testing::Test {
 protected:
  ~Sensitivity() override { std::remove(path_.c_str()); }

  const std::string& Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  std::string Message(const std::string& rows, const std::string& header = kHeader) {
    Write(header + rows);
    return Named(MessageOf([&] { ReadSensitivity(path_); }));
  }
  std::string Named(std::string message) const {
    const size_t at = message.find(path_);
    return at == std::string::npos ? message : message.replace(at, path_.size(), "FILE");
  }

  std::string path_ = ::testing::TempDir() + "sensitivity_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
};

TEST_F(Sensitivity, ReadsBackWhatWasWritten) {
  std::vector<SensitivityCurve> curves = {
      {"conv1", 27, 1000, {0.2, 0.55, 0.9}, {1e-7, 0.123456789012345678, 3}},
      {"a \"b\", c", 864, 0, {}, {}},
      {"one", 1, 5, {0.5}, {2}},
      {"none", 7, 5, {0}, {0}}};
  for (int k = 1; k < 864; ++k) {  // what masks reach: no round percentages
    curves[1].sparsity.push_back(k / 864.0);
    curves[1].loss.push_back(std::sqrt(k));
  }
  WriteSensitivity(curves, path_);
  const auto read = ReadSensitivity(path_);
  ASSERT_EQ(read.size(), curves.size());
  for (size_t i = 0; i < curves.size(); ++i) {
    EXPECT_EQ(read[i].layer, curves[i].layer);
    EXPECT_EQ(read[i].parameters, curves[i].parameters);
    EXPECT_EQ(read[i].macs, curves[i].macs);
    EXPECT_EQ(read[i].loss, curves[i].loss);
    EXPECT_THAT(read[i].sparsity,
                ::testing::Pointwise(::testing::DoubleNear(1e-10), curves[i].sparsity));
  }
  WriteSensitivity(read, path_);
  EXPECT_EQ(ReadSensitivity(path_), read);
}

TEST_F(Sensitivity, TheFileIsForPeopleToo) {
  WriteSensitivity({{"conv1", 27, 1000, {0.2, 0.57}, {0.001, 0.25}}}, path_);
  std::ifstream in(path_);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), std::string(kHeader) + "conv1,27,1000,20,0.001\nconv1,27,1000,57,0.25\n");
}

TEST_F(Sensitivity, ReadsOtherColumnsCommentsAndRowsOfLayersInTurn) {
  Write(
      "# by hand\nloss,note,layer,sparsity,macs,parameters\n"
      "0.1,x,a,50,7,4\n0.2,,b,50,8,5\n0.3,,a,60,7,4\n");
  const auto curves = ReadSensitivity(path_);
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_EQ(curves[0], (SensitivityCurve{"a", 4, 7, {0.5, 0.6}, {0.1, 0.3}}));
  EXPECT_EQ(curves[1], (SensitivityCurve{"b", 5, 8, {0.5}, {0.2}}));
}

TEST_F(Sensitivity, RefusesBrokenFilesWithTheirLine) {
  EXPECT_EQ(Message("", ""),
            "FILE: is empty; its first line must name layer, parameters, macs, sparsity and loss");
  EXPECT_EQ(
      Message("", "layer,parameters,sparsity,loss\n"),
      "FILE:1: no column \"macs\"; the header must name layer, parameters, macs, sparsity and "
      "loss");
  EXPECT_EQ(Message("a,1,1,50\n"), "FILE:2: has 4 cells, the header has 5");
  EXPECT_EQ(Message("a,1,1,50,0.1\na,1,1,50,0.2\n"),
            "FILE:3: layer \"a\": sparsity 50 after 50; the points must increase");
  EXPECT_EQ(Message("a,1,1,60,0.1\na,1,1,50,0.2\n"),
            "FILE:3: layer \"a\": sparsity 50 after 60; the points must increase");
  EXPECT_EQ(Message("a,10,1,50,0.1\na,11,1,60,0.2\n"),
            "FILE:3: layer \"a\" has 11 parameters and 1 macs, 10 and 1 before");
  for (const char* loss : {"nan", "inf", "-0.1", "", "x", "1 2", "1e31"}) {
    EXPECT_EQ(Message(std::string("a,1,1,50,") + loss + "\n"),
              std::string("FILE:2: loss \"") + loss + "\" is no number in 0 … 1e+30");
  }
  EXPECT_EQ(Message("a,1,1,101,0\n"), "FILE:2: sparsity \"101\" is no number in 0 … 100");
  EXPECT_EQ(Message("a,0,1,50,0\n"), "FILE:2: parameters \"0\" is no number in 1 … 1e+15");
  EXPECT_EQ(Message("a,1,-1,50,0\n"), "FILE:2: macs \"-1\" is no number in 0 … 1e+15");
  EXPECT_EQ(Message("a,1,1,0.5,0\nb,1,1,0.9,0\n"),
            "FILE: no sparsity is above 0.9: these are fractions, the file is in percent");
  EXPECT_THAT(
      MessageOf([] { ReadSensitivity("no/such.csv"); }),
      HasSubstr("no/such.csv: cannot be opened; sensitivity of the layers is read from it"));
}

class SensitivityAllocation : public Sensitivity {
 protected:
  SensitivityAllocation() {
    net_.Add("conv1", {10, 10});
    net_.Add("conv2", {20, 10});
    net_.Add("fc", {10, 30});
    for (Layer& layer : net_.layers) layer.macs = 1000;
    for (const Layer& layer : net_.layers) {
      curves_.push_back({layer.name, layer.parameters, layer.macs, {0.5, 0.9}, {0.1, 1}});
    }
    options_.type = "Sensitivity";
  }

  std::string Problem() {
    WriteSensitivity(curves_, path_);
    options_.curves_file = path_;
    return Named(MessageOf([&] { net_.Sparsities(0.5, options_); }));
  }

  TestNetwork net_;
  std::vector<SensitivityCurve> curves_;
  AllocationOptions options_;
};

TEST_F(SensitivityAllocation, ReachesTheSparsityOverTheSelectedLayers) {
  WriteSensitivity(curves_, path_);
  options_.curves_file = path_;
  EXPECT_NEAR(testing::Overall(net_, net_.Sparsities(0.63, options_)), 0.63, 1e-12);
  const auto targets = Allocate(net_.graph, net_.layers, {"", "kept", ""}, 0.63, options_);
  EXPECT_EQ(targets[1].skipped, "kept");
  EXPECT_EQ(targets[1].sparsity, 0);
  EXPECT_NEAR((100 * targets[0].sparsity + 300 * targets[2].sparsity) / 400, 0.63, 1e-12);
  const auto given =
      Allocate(net_.graph, net_.layers, {"", "kept", ""}, 0.63, options_, curves_, "curves");
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(given[i].sparsity, targets[i].sparsity);
  for (const double s : net_.Sparsities(0, options_)) EXPECT_EQ(s, 0);
}

// Skipped layers and biases count among what stays.
TEST_F(SensitivityAllocation, SizeAndMacsAreTheWholeNetworks) {
  net_.graph.AddParameter("bias", Tensor(Shape{40}));
  options_.budget = "size";
  auto targets =
      Allocate(net_.graph, net_.layers, {"", "kept", ""}, 0.25, options_, curves_, "curves");
  double bytes = 4 * (40 + 200);
  for (const size_t i : {size_t{0}, size_t{2}}) {
    bytes +=
        static_cast<double>(net_.layers[i].parameters) * (4 * (1 - targets[i].sparsity) + 1.0 / 8);
  }
  EXPECT_NEAR(bytes, 0.75 * 4 * 640, 1e-9);
  options_.budget = "macs";
  targets = Allocate(net_.graph, net_.layers, {"", "kept", ""}, 0.25, options_, curves_, "curves");
  EXPECT_NEAR(1000 * (targets[0].sparsity + targets[2].sparsity), 0.25 * 3000, 1e-9);
}

TEST_F(SensitivityAllocation, RefusesAnotherNetworksCurves) {
  EXPECT_EQ(Problem(), "no error");
  curves_[1].layer = "conv3";
  EXPECT_THAT(Problem(), HasSubstr("FILE: the network has no layer \"conv3\"; did you mean"));
  curves_.erase(curves_.begin() + 1);
  EXPECT_EQ(Problem(),
            "FILE: no curve for 1 of 3 layers that may be pruned: conv2; measure them, or exclude "
            "them with sparsity.layers");
  curves_[0].parameters = 99;
  EXPECT_EQ(Problem(),
            "FILE: layer \"conv1\" was measured with 99 parameters and 1000 macs, the network's "
            "has 100 and 1000; measure the curves of this network");
  options_.curves_file = "";
  EXPECT_EQ(MessageOf([&] { net_.Sparsities(0.5, options_); }),
            "allocation.curves_file: is empty, and no sensitivity has been measured");
}

}  // namespace
}  // namespace sparsify
