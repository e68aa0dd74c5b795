#include "sparsity/training/training_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sparsity/base/random.h"
#include "sparsity/io/hdf5_file.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::Numbers;
using testing::SameBits;
using ::testing::StartsWith;

TrainingState Example() {
  TrainingState state;
  state.origin = "0123abcd";
  state.step = 7;
  state.position = int64_t{1} << 40;
  state.parameters["conv.weight"] = Numbers(1, {4, 2, 3, 3});
  state.parameters["a/b: ü \"quoted\""] = Numbers(2, {5});
  state.parameters["scalar"] = Tensor(Shape(std::vector<int64_t>{}), {3.5F});
  state.parameters["empty"] = Tensor(Shape{0});
  state.optimizer["conv.weight/momentum"] = Numbers(3, {4, 2, 3, 3});
  state.rule["z"] = Numbers(4, {2, 2});
  Mask mask({4, 2, 3, 3});
  for (int64_t i = 0; i < mask.size(); i += 3) mask.Set(i, false);
  state.masks["conv.weight"] = mask;
  state.masks["odd"] = Mask({3}, false);
  state.rows = {{3, 0.5, 1.25, 33.3, 0.1, 50, 1000}, {6, 1, 0.5, 66.6, 0.05, 50, 999}};
  state.since_row = {0.75, 1, 4, 3, 0.125};
  return state;
}

class TrainingStateTest : public ::testing::Test {
 protected:
  // What loading says of a file that `write` fills instead of SaveTrainingState.
  std::string MessageFor(const std::function<void(Hdf5File&)>& write) {
    Hdf5File file = Hdf5File::Create(path_);
    write(file);
    file.Commit();
    return Without(MessageOf([&] { LoadTrainingState(path_); }));
  }
  std::string Without(std::string message) const {
    const size_t at = message.find(path_);
    return at == std::string::npos ? message : message.replace(at, path_.size(), "FILE");
  }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.path() / "state.h5";
};

TEST_F(TrainingStateTest, ComesBackAsItWas) {
  const TrainingState state = Example();
  SaveTrainingState(state, path_);
  const TrainingState loaded = LoadTrainingState(path_);
  EXPECT_EQ(loaded.origin, "0123abcd");
  EXPECT_EQ(loaded.step, 7);
  EXPECT_EQ(loaded.position, int64_t{1} << 40);
  EXPECT_TRUE(SameBits(loaded.parameters, state.parameters));
  EXPECT_TRUE(SameBits(loaded.optimizer, state.optimizer));
  EXPECT_TRUE(SameBits(loaded.rule, state.rule));
  EXPECT_EQ(loaded.masks, state.masks);
  ASSERT_EQ(loaded.rows.size(), 2U);
  EXPECT_EQ(loaded.rows[1].step, 6);
  EXPECT_EQ(loaded.rows[0].epoch, 0.5);
  EXPECT_EQ(loaded.rows[0].loss, 1.25);
  EXPECT_EQ(loaded.rows[0].top1, 33.3);
  EXPECT_EQ(loaded.rows[0].learning_rate, 0.1);
  EXPECT_EQ(loaded.rows[0].sparsity, 50);
  EXPECT_EQ(loaded.rows[1].images_per_second, 999);
  EXPECT_EQ(loaded.since_row.loss, 0.75);
  EXPECT_EQ(loaded.since_row.steps, 1);
  EXPECT_EQ(loaded.since_row.images, 4);
  EXPECT_EQ(loaded.since_row.correct, 3);
  EXPECT_EQ(loaded.since_row.seconds, 0.125);
  SaveTrainingState({}, path_);
  EXPECT_TRUE(LoadTrainingState(path_).parameters.empty());
  EXPECT_TRUE(LoadTrainingState(path_).rows.empty());
}

TEST_F(TrainingStateTest, IsReadByH5py) {
  SaveTrainingState(Example(), path_);
  const auto result = testing::RunOracle("read_training_state.py", {path_});
  if (result == testing::OracleResult::kUnavailable) {
    GTEST_SKIP() << "no Python with h5py; set SPARSIFY_PYTHON to one that has it";
  }
  EXPECT_EQ(result, testing::OracleResult::kDone);
}

TEST_F(TrainingStateTest, OtherFilesAreRefused) {
  EXPECT_THAT(Without(MessageOf([&] { LoadTrainingState(path_); })), StartsWith("FILE: "));
  EXPECT_EQ(MessageFor([](Hdf5File& file) { file.WriteGroup("/weights"); }),
            "FILE: holds no training state");
  EXPECT_EQ(
      MessageFor([](Hdf5File& file) { file.SetAttribute("/", "training_state", int64_t{2}); }),
      "FILE: training state of version 2, this program reads 1");
  EXPECT_EQ(MessageFor(
                [](Hdf5File& file) { file.SetAttribute("/", "training_state", std::string("1")); }),
            "FILE:/: training_state is no integer; the file is damaged");
}

// The root attributes and the four groups, which one test each replaces.
void WriteRest(Hdf5File& file, const std::string& except = "", int64_t step = 3) {
  file.SetAttribute("/", "training_state", int64_t{1});
  file.SetAttribute("/", "step", step);
  file.SetAttribute("/", "position", int64_t{12});
  for (const char* group : {"/parameters", "/optimizer", "/rule", "/masks"}) {
    if (group != except) file.WriteGroup(group);
  }
  const std::vector<double> sums(5);
  if (except != "/since_row") file.WriteDoubles("/since_row", {5}, sums);
}

TEST_F(TrainingStateTest, WhatIsMissingIsNamed) {
  EXPECT_EQ(MessageFor([](Hdf5File& file) { WriteRest(file); }), "no error");
  for (const std::string object : {"/parameters", "/optimizer", "/rule", "/masks", "/since_row"}) {
    EXPECT_THAT(MessageFor([&](Hdf5File& file) { WriteRest(file, object); }),
                StartsWith("FILE:" + object + ": "));
  }
  EXPECT_THAT(
      MessageFor([](Hdf5File& file) { file.SetAttribute("/", "training_state", int64_t{1}); }),
      AllOf(StartsWith("FILE:/"), HasSubstr("step")));
  EXPECT_EQ(MessageFor([](Hdf5File& file) { WriteRest(file, "", -3); }),
            "FILE:/: step is -3, expected a count; the file is damaged");
}

TEST_F(TrainingStateTest, NamesMustMatchTheEntries) {
  const std::vector<float> values = {1, 2};
  const auto with = [&](const std::vector<std::string>& names, int entries) {
    return MessageFor([&](Hdf5File& file) {
      WriteRest(file, "/parameters");
      file.WriteStrings("/parameters/names", names);
      for (int i = 0; i < entries; ++i) {
        file.WriteFloats(fmt::format("/parameters/{}", i), {2}, values);
      }
    });
  };
  EXPECT_EQ(with({"a", "b"}, 2), "no error");
  EXPECT_EQ(with({"a", "b", "c"}, 2),
            "FILE:/parameters: 3 names for 2 entries; the file is damaged");
  EXPECT_EQ(with({"a"}, 2), "FILE:/parameters: 1 names for 2 entries; the file is damaged");
  EXPECT_EQ(with({"a", "a"}, 2),
            "FILE:/parameters/names: a name occurs twice; the file is damaged");
  EXPECT_THAT(MessageFor([&](Hdf5File& file) {
                WriteRest(file, "/rule");
                file.WriteFloats("/rule/0", {2}, values);
              }),
              StartsWith("FILE:/rule/names: "));
  EXPECT_THAT(MessageFor([&](Hdf5File& file) {
                WriteRest(file, "/rule");
                file.WriteStrings("/rule/names", {"a"});
                file.WriteFloats("/rule/1", {2}, values);
              }),
              StartsWith("FILE:/rule/0: "));
}

TEST_F(TrainingStateTest, MasksMustFitTheirShapes) {
  const auto with = [&](const Hdf5Attribute& shape, const std::vector<uint8_t>& bytes) {
    return MessageFor([&](Hdf5File& file) {
      WriteRest(file, "/masks");
      file.WriteStrings("/masks/names", {"w"});
      file.WriteBytes("/masks/0", {std::ssize(bytes)}, bytes);
      file.SetAttribute("/masks/0", "shape", shape);
    });
  };
  using Dims = std::vector<int64_t>;
  EXPECT_EQ(with(Dims{2, 5}, {0xFF, 3}), "no error");
  EXPECT_EQ(with(Dims{2, 5}, {0xFF}),
            "FILE:/masks/0: mask: shape [2,5] does not fit [1] stored bytes; the file is damaged");
  // An allocation of what the shape says would end the process.
  EXPECT_EQ(with(Dims{1 << 20, 1 << 20}, {0xFF}),
            "FILE:/masks/0: mask: shape [1048576,1048576] does not fit [1] stored bytes; the file "
            "is damaged");
  EXPECT_THAT(with(Dims{1 << 30, 1 << 30}, {0xFF}), StartsWith("FILE:/masks/0: shape: ["));
  EXPECT_THAT(with(Dims{-8, -1}, {0xFF}), StartsWith("FILE:/masks/0: shape: [-8,-1] "));
  EXPECT_THAT(with(Dims{2, 3}, {0xFF}), AllOf(StartsWith("FILE:/masks/0: mask: unused bits"),
                                              EndsWith("; the file is damaged")));
  EXPECT_EQ(with(std::string("2x5"), {0xFF, 3}),
            "FILE:/masks/0: its shape is no list of integers; the file is damaged");
}

TEST_F(TrainingStateTest, RowsAndSumsMustBeNumbersThatCanBe) {
  const auto rows = [&](const Shape& shape, const std::vector<double>& numbers) {
    return MessageFor([&](Hdf5File& file) {
      WriteRest(file);
      file.WriteDoubles("/rows", shape, numbers);
    });
  };
  EXPECT_EQ(rows({1, 7}, {3, 0, 0, 0, 0, 0, 0}), "no error");
  EXPECT_EQ(rows({2, 3}, {3, 0, 0, 0, 0, 0}), "FILE:/rows: shape [2,3], 7 columns expected");
  EXPECT_EQ(rows({7}, {3, 0, 0, 0, 0, 0, 0}), "FILE:/rows: shape [7], 7 columns expected");
  for (const double bad : {-1.0, 1.5, 1e300, std::nan(""), HUGE_VAL}) {
    EXPECT_EQ(rows({1, 7}, {bad, 0, 0, 0, 0, 0, 0}),
              fmt::format("FILE:/rows: {} is no count; the file is damaged", bad));
  }
  const std::vector<double> sums = {0, 0, -4, 0, 0};
  EXPECT_EQ(MessageFor([&](Hdf5File& file) {
              WriteRest(file, "/since_row");
              file.WriteDoubles("/since_row", {5}, sums);
            }),
            "FILE:/since_row: -4 is no count; the file is damaged");
  EXPECT_EQ(MessageFor([&](Hdf5File& file) {
              WriteRest(file, "/since_row");
              file.WriteDoubles("/since_row", {5, 1}, sums);
            }),
            "FILE:/since_row: shape [5,1], 5 numbers expected");
}

// Every cut and many flipped bytes: an Error that names the file, or a file that is whole for all
// that can be seen, and never a crash.
TEST_F(TrainingStateTest, DamagedFilesGiveErrors) {
  SaveTrainingState(Example(), path_);
  std::ifstream file(path_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto write = [&](const std::string& damaged) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << damaged;
  };
  for (size_t length = 0; length < bytes.size(); length += 251) {
    write(bytes.substr(0, length));
    EXPECT_THAT(Without(MessageOf([&] { LoadTrainingState(path_); })), StartsWith("FILE"))
        << length;
  }
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    std::string damaged = bytes;
    damaged[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    write(damaged);
    const std::string message = Without(MessageOf([&] { LoadTrainingState(path_); }));
    EXPECT_TRUE(message == "no error" || message.starts_with("FILE")) << message;
  }
}

}  // namespace
}  // namespace sparsify
