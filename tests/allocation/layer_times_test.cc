#include "sparsity/allocation/layer_times.h"

#include <cstdio>

#include "sparsity/base/file.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;

constexpr int64_t kMaxBytes = 1'000'000;

LayerTimes Sample() {
  LayerTimes times;
  times.setting = {8, 2, "avx2", "A \"fast\", new processor", true};
  times.levels = {
      {0, 0.25, {{"a,b", 100, 5000, 0, 1.5, "onednn jit"}, {"fc", 10, 10, 0, 0.1, "x"}}},
      {0.5, 0.3, {{"a,b", 100, 5000, 0.5, 1.0 / 3, "sparse 4x7"}, {"fc", 10, 10, 0.4, 0.1, "x"}}}};
  return times;
}

std::string PathOf(const std::string& name) { return ::testing::TempDir() + "/" + name; }

std::string ErrorOfText(const std::string& text) {
  const std::string path = PathOf("layer_times_bad.csv");
  WriteFileAtomically(path, text);
  return MessageOf([&] { ReadLayerTimes(path); });
}

const std::string kHeader =
    "level,layer,parameters,macs,sparsity,time_ms,kernel,batch,threads,isa,processor,winograd\n";

TEST(LayerTimes, ComeBackAsTheyWereWritten) {
  const std::string path = PathOf("layer_times.csv");
  WriteLayerTimes(Sample(), path);
  const std::string text = ReadFile(path, kMaxBytes);
  EXPECT_THAT(text, HasSubstr("50,\"a,b\",100,5000,50,0.3333333333333333,sparse 4x7,8,2,avx2,"
                              "\"A \"\"fast\"\", new processor\",1\n"));
  const LayerTimes read = ReadLayerTimes(path);
  EXPECT_EQ(read, Sample());
  EXPECT_DOUBLE_EQ(read.levels[0].Total(), 1.85);
  WriteLayerTimes(read, path);
  EXPECT_EQ(ReadFile(path, kMaxBytes), text);
}

TEST(LayerTimes, DamageIsNamedWithItsLine) {
  EXPECT_THAT(ErrorOfText(kHeader), HasSubstr("layer_times_bad.csv: holds no times"));
  EXPECT_THAT(ErrorOfText("level,layer\n"), HasSubstr("no column \"parameters\""));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,soon,k,8,1,x,p,0\n"),
              HasSubstr(".csv:2: time_ms \"soon\" is no number in 0 … 1e+15"));
  EXPECT_THAT(ErrorOfText(kHeader + "30,a,1,1,30,1,k,8,1,x,p,0\n"),
              HasSubstr(":2: level 30; the levels must increase from 0"));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,0\n40,a,1,1,40,1,k,8,1,x,p,0\n"
                                    "30,a,1,1,30,1,k,8,1,x,p,0\n"),
              HasSubstr(":4: level 30; the levels must increase from 0"));
  EXPECT_THAT(
      ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,0\n40,a,1,1,40,1,k,4,1,x,p,0\n"),
      HasSubstr(":3: batch, threads, isa, processor or winograd differ from the first row's"));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,0\n40,b,1,1,40,1,k,8,1,x,p,0\n"),
              HasSubstr("level 40 has other layers than level 0"));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,0\n0,a,1,1,0,1,k,8,1,x,p,0\n"),
              HasSubstr("layer \"a\" is there twice at level 0"));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,0\n40,a,1,1,40,1,k,8,1,x,p,1\n"),
              HasSubstr(":3: batch, threads, isa, processor or winograd differ"));
  EXPECT_THAT(ErrorOfText(kHeader + "0,a,1,1,0,1,k,8,1,x,p,yes\n"),
              HasSubstr(".csv:2: winograd \"yes\" is no number in 0 … 1"));
}

TEST(LayerTimes, MismatchesHaveAReason) {
  testing::TestNetwork net;
  net.Add("a,b", {10, 10}).macs = 5000;
  net.Add("dense", {5, 5});
  net.Add("fc", {2, 5}).macs = 10;
  const std::vector<std::string> skipped = {"", "first layer", ""};
  const LayerTimes times = Sample();
  const auto mismatch = [&](const std::vector<std::string>& reasons, TimingSetting setting) {
    return TimesMismatch(times, net.layers, reasons, setting);
  };
  EXPECT_EQ(mismatch(skipped, times.setting), "");
  EXPECT_EQ(mismatch(skipped, {1, 2, "avx2", times.setting.processor}),
            "measured with batch 8 and 2 threads, this run has 1 and 2");
  EXPECT_EQ(mismatch(skipped, {8, 2, "avx512", "B"}),
            "measured on A \"fast\", new processor (avx2), this is B (avx512)");
  EXPECT_EQ(mismatch(skipped, {8, 2, "avx2", times.setting.processor, false}),
            "measured with benchmark.winograd: True, this run has False");
  EXPECT_EQ(mismatch({"", "", ""}, times.setting), "layer \"dense\" is missing, or another");
  EXPECT_EQ(mismatch({"", "x", "x"}, times.setting), "layer \"fc\" is not pruned here");
  net.layers[0].macs = 1;
  EXPECT_EQ(mismatch(skipped, times.setting), "layer \"a,b\" is missing, or another");
}

TEST(LayerTimeCurve, PoolsWhatRisesAndInterpolates) {
  LayerTimes times;
  // 6, 4, 5, 3, 3.5, 1: (4, 5) and (3, 3.5) are averaged. 0.8 prunes no more than 0.7.
  const std::vector<double> levels = {0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9};
  const std::vector<double> sparsity = {0, 0.3, 0.5, 0.6, 0.7, 0.7, 0.9};
  const std::vector<double> ms = {6, 4, 5, 3, 3.5, 99, 1};
  for (size_t i = 0; i < levels.size(); ++i) {
    times.levels.push_back({levels[i], 0, {{"l", 1, 1, sparsity[i], ms[i], ""}}});
  }
  const LayerTimeCurve curve = CurveOf(times, 0);
  EXPECT_THAT(curve.sparsity, ElementsAre(0, 0.3, 0.5, 0.6, 0.7, 0.9));
  EXPECT_THAT(curve.ms, ElementsAre(6, 4.5, 4.5, 3.25, 3.25, 1));
  EXPECT_DOUBLE_EQ(curve.At(0), 6);
  EXPECT_DOUBLE_EQ(curve.At(0.1), 5.5);
  EXPECT_DOUBLE_EQ(curve.At(0.8), 2.125);
  EXPECT_DOUBLE_EQ(curve.At(1), 1);
}

}  // namespace
}  // namespace sparsify
