#include "sparsity/io/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "sparsity/base/random.h"
#include "sparsity/io/checkpoint_format.h"
#include "tests/io/file_size_limit.h"
#include "tests/io/sample_checkpoint.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

void ExpectSameBits(const Tensor& a, const Tensor& b, const std::string& name) {
  ASSERT_EQ(a.shape(), b.shape()) << name;
  if (a.empty()) return;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.values().size_bytes()), 0) << name;
}

void ExpectSamePorts(const std::vector<Port>& a, const std::vector<Port>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].value, b[i].value);
    EXPECT_EQ(a[i].shape, b[i].shape);
  }
}

void ExpectSameGraph(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name, b.name);
  ASSERT_EQ(a.values().size(), b.values().size());
  for (size_t i = 0; i < a.values().size(); ++i) {
    EXPECT_EQ(a.values()[i].name, b.values()[i].name);
    EXPECT_EQ(a.values()[i].is_parameter, b.values()[i].is_parameter);
    ExpectSameBits(a.values()[i].data, b.values()[i].data, a.values()[i].name);
  }
  ASSERT_EQ(a.nodes().size(), b.nodes().size());
  for (size_t i = 0; i < a.nodes().size(); ++i) {
    EXPECT_EQ(a.nodes()[i].name, b.nodes()[i].name);
    EXPECT_EQ(a.nodes()[i].type, b.nodes()[i].type);
    EXPECT_EQ(a.nodes()[i].inputs, b.nodes()[i].inputs);
    EXPECT_EQ(a.nodes()[i].outputs, b.nodes()[i].outputs);
    EXPECT_EQ(a.nodes()[i].attributes, b.nodes()[i].attributes);
  }
  ExpectSamePorts(a.inputs, b.inputs);
  ExpectSamePorts(a.outputs, b.outputs);
}

// One layer "fc" of 512×2048 weights.
Checkpoint OneLayer(double zeros) {
  Checkpoint c;
  const ValueId x = c.graph.AddActivation("x");
  const ValueId w = c.graph.AddParameter("fc.weight", SparseTensor({512, 2048}, zeros, 7));
  const ValueId y = c.graph.AddActivation("y");
  c.graph.AddNode({"fc", OpType::kGemm, {x, w}, {y}, {}});
  c.graph.inputs = {{x, {-1, 2048}}};
  c.graph.outputs = {{y, {-1, 512}}};
  if (zeros > 0) c.masks.emplace("fc.weight", MaskOfNonZeros(c.graph.value(w).data));
  c.layers = {{"fc", zeros, zeros, ""}};
  return c;
}

class CheckpointTest : public testing::Test {
 protected:
  std::string Path(const std::string& name = "net.h5") const { return directory_.Path(name); }

  TemporaryDirectory directory_;
};

TEST_F(CheckpointTest, RoundTripIsBitExact) {
  const Checkpoint saved = SampleCheckpoint();
  SaveCheckpoint(saved, Path());
  const Checkpoint loaded = LoadCheckpoint(Path());

  ExpectSameGraph(saved.graph, loaded.graph);
  EXPECT_EQ(saved.masks, loaded.masks);
  EXPECT_EQ(saved.requested_sparsity, loaded.requested_sparsity);
  EXPECT_EQ(saved.achieved_sparsity, loaded.achieved_sparsity);
  EXPECT_EQ(saved.configuration, loaded.configuration);
  EXPECT_EQ(saved.metrics, loaded.metrics);
  ASSERT_EQ(loaded.layers.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(saved.layers[i].name, loaded.layers[i].name);
    EXPECT_EQ(saved.layers[i].requested, loaded.layers[i].requested);
    EXPECT_EQ(saved.layers[i].achieved, loaded.layers[i].achieved);
    EXPECT_EQ(saved.layers[i].skipped, loaded.layers[i].skipped);
  }
  ASSERT_EQ(loaded.history.size(), 2U);
  EXPECT_EQ(loaded.history[1].time, "2026-01-02T03:05:05Z");
  EXPECT_EQ(loaded.history[1].version, "0.1.0");
  EXPECT_EQ(loaded.history[1].action, "pruned 50 %");
}

TEST_F(CheckpointTest, TheBareGraphIsEnough) {
  Checkpoint saved;
  const ValueId x = saved.graph.AddActivation("x");
  saved.graph.inputs = {{x, {-1}}};
  saved.graph.outputs = {{x, {-1}}};
  SaveCheckpoint(saved, Path());
  const Checkpoint loaded = LoadCheckpoint(Path());
  ExpectSameGraph(saved.graph, loaded.graph);
  EXPECT_TRUE(loaded.masks.empty());
  EXPECT_TRUE(loaded.layers.empty());
  EXPECT_TRUE(loaded.history.empty());
  EXPECT_EQ(loaded.configuration, "");
}

TEST_F(CheckpointTest, EqualCheckpointsGiveEqualBytes) {
  SaveCheckpoint(SampleCheckpoint(), Path("a.h5"));
  SaveCheckpoint(LoadCheckpoint(Path("a.h5")), Path("b.h5"));
  EXPECT_EQ(FileBytes(Path("a.h5")), FileBytes(Path("b.h5")));
  EXPECT_THAT(directory_.Names(), ElementsAre("a.h5", "b.h5"));
}

TEST_F(CheckpointTest, NinetyPercentSparseIsLessThanAThird) {
  SaveCheckpoint(OneLayer(0), Path("dense.h5"));
  SaveCheckpoint(OneLayer(0.9), Path("sparse.h5"));
  const size_t dense = FileBytes(Path("dense.h5")).size();
  const size_t sparse = FileBytes(Path("sparse.h5")).size();
  EXPECT_LT(sparse * 3, dense) << sparse << " and " << dense << " bytes";
}

TEST_F(CheckpointTest, ALargeGraphIsFastAndSmall) {
  Checkpoint c;
  ValueId last = c.graph.AddActivation("x");
  c.graph.inputs = {{last, {-1, 8}}};
  for (int i = 0; i < 2000; ++i) {
    const ValueId next = c.graph.AddActivation(fmt::format("stage/block/activation_{}", i));
    Node node{fmt::format("node_{}", i), OpType::kClip, {last}, {next}, {}};
    node.attributes.Set("min", 0.0);
    node.attributes.Set("max", 6.0);
    c.graph.AddNode(std::move(node));
    last = next;
  }
  c.graph.outputs = {{last, {-1, 8}}};
  SaveCheckpoint(c, Path());
  ExpectSameGraph(c.graph, LoadCheckpoint(Path()).graph);
  EXPECT_LT(FileBytes(Path()).size(), 2'000'000U);
}

TEST_F(CheckpointTest, EveryChangedByteIsNoticed) {
  SaveCheckpoint(SampleCheckpoint(), Path());
  const std::vector<char> whole = FileBytes(Path());
  Random random(3);
  for (size_t at = 0; at < whole.size(); at += at < 40 ? 1 : 113) {
    std::vector<char> changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (random.NextBits() % 8)));
    WriteBytes(Path("changed.h5"), changed);
    ASSERT_THAT(MessageOf([&] { LoadCheckpoint(Path("changed.h5")); }),
                StartsWith(Path("changed.h5") + ": "))
        << "byte " << at;
  }
}

TEST_F(CheckpointTest, EveryTruncationIsNoticed) {
  SaveCheckpoint(SampleCheckpoint(), Path());
  const std::vector<char> whole = FileBytes(Path());
  for (size_t size = 0; size < whole.size(); size += size < 40 ? 1 : 113) {
    WriteBytes(Path("cut.h5"), {whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
    ASSERT_THAT(MessageOf([&] { LoadCheckpoint(Path("cut.h5")); }),
                StartsWith(Path("cut.h5") + ": "))
        << size << " bytes";
  }
  WriteBytes(Path("cut.h5"), {whole.begin(), whole.begin() + 1000});
  EXPECT_EQ(MessageOf([&] { LoadCheckpoint(Path("cut.h5")); }),
            fmt::format("{}: has 1000 bytes, its seal says {}; cut short or changed since it was "
                        "written",
                        Path("cut.h5"), whole.size()));
}

TEST_F(CheckpointTest, OtherFilesAreNamedForWhatTheyAre) {
  WriteBytes(Path("text.h5"), std::vector<char>(2000, 'x'));
  EXPECT_EQ(
      MessageOf([&] { LoadCheckpoint(Path("text.h5")); }),
      Path("text.h5") + ": is not a sparsify checkpoint: it does not begin with \"SPARSIFY\"");
  EXPECT_THAT(MessageOf([&] { LoadCheckpoint(Path("missing.h5")); }),
              HasSubstr("No such file or directory"));
}

TEST_F(CheckpointTest, SavingRefusesWhatDoesNotFit) {
  Checkpoint c = SampleCheckpoint();
  const ValueId weight = c.graph.FindValue("conv1.weight");
  const auto saving = [&] { return MessageOf([&] { SaveCheckpoint(c, Path()); }); };

  const int64_t pruned = std::distance(c.graph.value(weight).data.values().begin(),
                                       std::find(c.graph.value(weight).data.values().begin(),
                                                 c.graph.value(weight).data.values().end(), 0.0F));
  c.graph.mutable_value(weight).data[pruned] = 0.25F;
  EXPECT_EQ(saving(), fmt::format("{}:/masks/conv1.weight: element {} is pruned but its weight is "
                                  "0.25; apply the mask first",
                                  Path(), pruned));
  c = SampleCheckpoint();
  c.masks["conv1.weight"] = Mask(Shape{8, 27});
  EXPECT_EQ(saving(), Path() +
                          ":/masks/conv1.weight: mask of shape [8,27], the weight has "
                          "[8,3,3,3]");
  c = SampleCheckpoint();
  c.masks.emplace("x", Mask(Shape{1}));
  EXPECT_EQ(saving(), Path() + ":/masks/x: a mask for \"x\", which is no parameter");
  c = SampleCheckpoint();
  c.layers[1].name = "nowhere";
  EXPECT_EQ(saving(), Path() +
                          ":/layers: layer \"nowhere\" has no parameter \"nowhere.weight\" or "
                          "\"nowhere\"");
  c = SampleCheckpoint();
  c.layers[0].requested = 50;
  EXPECT_EQ(saving(), Path() + ":/layers: requested of conv1 is 50, expected 0 to 1");
  c = SampleCheckpoint();
  c.achieved_sparsity = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(saving(), Path() + ":/: achieved_sparsity is nan, expected 0 to 1");
  EXPECT_TRUE(directory_.Names().empty());
}

TEST_F(CheckpointTest, AFullDiskLeavesTheOldFile) {
  SaveCheckpoint(SampleCheckpoint(), Path());
  const std::vector<char> before = FileBytes(Path());
  const Checkpoint large = OneLayer(0);
  std::string message;
  {
    const FileSizeLimit limit(100'000);
    message = MessageOf([&] { SaveCheckpoint(large, Path()); });
  }
  EXPECT_THAT(message, StartsWith(Path() + ": "));
  EXPECT_EQ(FileBytes(Path()), before);
  EXPECT_THAT(directory_.Names(), ElementsAre("net.h5"));
  SaveCheckpoint(large, Path());  // and the program can go on
  EXPECT_EQ(LoadCheckpoint(Path()).layers.size(), 1U);
}

TEST(CheckpointFormatTest, NamesAreEscaped) {
  using checkpoint_format::EscapeName;
  EXPECT_EQ(EscapeName("layer1.0.conv1.weight"), "layer1.0.conv1.weight");
  EXPECT_EQ(EscapeName("a/b%c"), "a%2Fb%25c");
  EXPECT_EQ(EscapeName("."), "%2E");
  EXPECT_EQ(EscapeName(".."), "%2E%2E");
  EXPECT_EQ(EscapeName("..a"), "..a");
  EXPECT_EQ(EscapeName("tab\tdel\x7F"), "tab%09del%7F");
  EXPECT_EQ(EscapeName("größe"), "größe");
}

// Standard output of a command, or nothing when it failed.
std::optional<std::string> OutputOf(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 4096> part{};
  while (const size_t count = fread(part.data(), 1, part.size(), pipe)) {
    output.append(part.data(), count);
  }
  return pclose(pipe) == 0 ? std::optional(output) : std::nullopt;
}

// Runs a script of tests/oracles under a Python that has h5py; skips the test without one.
class CheckpointOracleTest : public CheckpointTest {
 protected:
  void SetUp() override {
    const char* chosen = std::getenv("SPARSIFY_PYTHON");
    if (chosen != nullptr) python_ = chosen;
    if (!OutputOf(python_ + " -c 'import h5py, numpy' 2>/dev/null")) {
      GTEST_SKIP() << python_ << " has no h5py; set SPARSIFY_PYTHON to one that has it";
    }
  }
  std::optional<std::string> Run(const std::string& script, const std::string& arguments) const {
    return OutputOf(fmt::format("{} {}/{} {} 2>&1", python_, SPARSIFY_ORACLES, script, arguments));
  }

 private:
  std::string python_ = "python3";
};

TEST_F(CheckpointOracleTest, AnIndependentReaderAgrees) {
  const Checkpoint saved = SampleCheckpoint();
  SaveCheckpoint(saved, Path());
  const int64_t zeros = CountZeros(saved.graph.value(saved.graph.FindValue("conv1.weight")).data);
  EXPECT_GT(zeros, 0);
  EXPECT_EQ(Run("read_checkpoint.py", Path()),
            fmt::format("conv1 216 {}\nlarge 462 0\ntotal 678 {}\n", zeros, zeros));
}

TEST_F(CheckpointOracleTest, AnIndependentWriterIsUnderstood) {
  const Checkpoint saved = SampleCheckpoint();
  SaveCheckpoint(saved, Path());
  EXPECT_EQ(Run("write_checkpoint.py", Path() + " " + Path("copy.h5")), "");
  const Checkpoint loaded = LoadCheckpoint(Path("copy.h5"));
  ExpectSameGraph(saved.graph, loaded.graph);
  EXPECT_EQ(saved.masks, loaded.masks);
  EXPECT_EQ(saved.configuration, loaded.configuration);
  EXPECT_EQ(saved.metrics, loaded.metrics);
}

}  // namespace
}  // namespace sparsify
