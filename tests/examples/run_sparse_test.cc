// examples/run_sparse against the command line: the same checkpoint and picture, the same answer,
// the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "image_files.h"
#include "sparsity/base/file.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

const std::string kSource = SPARSIFY_SOURCE_DIR;
const std::string kPicture = kSource + "/examples/fashion_mnist/ankle_boot.png";
const std::string kDense = kSource + "/examples/fashion_mnist/fashion_mnist_resnet14.onnx";
constexpr int64_t kMaxBytes = 1'000'000;
constexpr int kBoot = 9;

struct Outcome {
  std::string text;  // standard output and error
  int status = -1;
};

Outcome Run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> bytes;
  while (const size_t count = fread(bytes.data(), 1, bytes.size(), pipe)) {
    outcome.text.append(bytes.data(), count);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

Outcome Sparsify(const std::string& arguments) {
  return Run(std::string(SPARSIFY_PROGRAM) + " " + arguments + " --config " + kSource +
             "/configs/quickstart.yaml");
}

Outcome RunSparse(const std::string& arguments) {
  return Run(std::string(RUN_SPARSE_PROGRAM) + " " + arguments);
}

/// Probability of each class that run_sparse prints, and the number after `word`.
std::map<int, double> Probabilities(const std::string& text) {
  std::map<int, double> probabilities;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, HasSubstr("class  score"));
  int number = 0;
  double score = 0;
  double probability = 0;
  while (std::getline(lines, line) &&
         std::sscanf(line.c_str(), " %d %lf %lf", &number, &score, &probability) == 3) {
    probabilities[number] = probability;
  }
  return probabilities;
}

double NumberAfter(const std::string& text, const std::string& word) {
  const size_t at = text.find(word);
  if (at == std::string::npos) return std::nan("");
  return std::strtod(text.c_str() + at + word.size(), nullptr);
}

/// The columns of the last row of a CSV file without quotes.
std::map<std::string, std::string> LastRow(const std::string& path) {
  std::istringstream lines(ReadFile(path, kMaxBytes));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  std::map<std::string, std::string> row;
  for (size_t i = 0; i < rows.back().size(); ++i) row[rows.front()[i]] = rows.back()[i];
  return row;
}

/// A checkpoint that the command line has made and timed.
class RunSparse50 : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    run_ = folder_->path() + "/run";
    const Outcome made = Sparsify("--set model.path=" + kDense +
                                  " --set data.evaluation=None --set sweep=[50] --set "
                                  "sparsity.allocation.type=L2Normalized --output " +
                                  run_ + " --set benchmark=\"{batch: [8], repetitions: 100}\"");
    ASSERT_EQ(made.status, 0) << made.text;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static std::string Checkpoint() { return run_ + "/checkpoints/sparsity_50.h5"; }
  static const TemporaryFolder& folder() { return *folder_; }
  static std::string run() { return run_; }

 private:
  static inline TemporaryFolder* folder_ = nullptr;
  static inline std::string run_;
};

TEST_F(RunSparse50, AnswersAsTheCommandLine) {
  const Outcome outcome = RunSparse(Checkpoint() + " " + kPicture);
  ASSERT_EQ(outcome.status, 0) << outcome.text;
  const auto probabilities = Probabilities(outcome.text);
  ASSERT_EQ(probabilities.size(), 5U) << outcome.text;
  ASSERT_TRUE(probabilities.contains(kBoot)) << outcome.text;

  // The cross-entropy that `evaluate` prints is −ln p of the label.
  folder().Add("labels.csv", "file,label\nboot.png," + std::to_string(kBoot) + "\n");
  folder().Add("boot.png", ReadFile(kPicture, kMaxBytes));
  const Outcome evaluated =
      Sparsify("evaluate --set model.path=" + Checkpoint() +
               " --set data.evaluation=\"{type: images, path: " + folder().path() + "}\"");
  ASSERT_EQ(evaluated.status, 0) << evaluated.text;
  double top1 = 0;
  double top5 = 0;
  double loss = 0;
  const size_t row = evaluated.text.find("fashion_mnist_resnet14");
  ASSERT_NE(row, std::string::npos) << evaluated.text;
  ASSERT_EQ(std::sscanf(evaluated.text.c_str() + row, "%*s %lf %lf %lf", &top1, &top5, &loss), 3);
  EXPECT_NEAR(-std::log(probabilities.at(kBoot)), loss, 2e-4) << outcome.text << evaluated.text;
  EXPECT_EQ(top1, 100) << "the picture is one that the network knows";
  EXPECT_THAT(outcome.text, HasSubstr("probability\n    9 "));
}

TEST_F(RunSparse50, TakesTheTimeThatTheBenchmarkMeasured) {
  const auto row = LastRow(run() + "/speedup.csv");
  const Outcome outcome = RunSparse("--batch=8 --runs=100 " + Checkpoint() + " " + kPicture);
  ASSERT_EQ(outcome.status, 0) << outcome.text;
  const double minimum = NumberAfter(outcome.text, "minimum ");
  const double measured = std::stod(row.at("time_min_ms"));
  // Minima of 100 runs each, on a machine that may be busy.
  EXPECT_GT(minimum, measured / 2.5) << outcome.text;
  EXPECT_LT(minimum, measured * 2.5) << outcome.text;
  EXPECT_LE(minimum, NumberAfter(outcome.text, "median "));
  EXPECT_THAT(outcome.text, HasSubstr("of 100 runs; batch 8, threads 1, " + row.at("isa")));
}

TEST_F(RunSparse50, CountsTheLayersThatRunSparse) {
  const Outcome sparse = RunSparse("--batch=8 --runs=1 " + Checkpoint() + " " + kPicture);
  EXPECT_GT(NumberAfter(sparse.text, "layers "), 4) << sparse.text;
  EXPECT_THAT(sparse.text, HasSubstr(" of 16 run sparse"));
  const Outcome dense = RunSparse("--dense --batch=8 --runs=1 " + Checkpoint() + " " + kPicture);
  EXPECT_THAT(dense.text, HasSubstr("layers 0 of 16 run sparse"));
  const auto a = Probabilities(sparse.text);
  const auto b = Probabilities(dense.text);
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [number, probability] : a) EXPECT_NEAR(probability, b.at(number), 2e-6);
}

TEST_F(RunSparse50, ANetworkWithoutConfigurationNeedsTheTransform) {
  const Outcome without = RunSparse(kDense + " " + kPicture);
  EXPECT_EQ(without.status, 2);
  EXPECT_THAT(without.text,
              HasSubstr("does not say how pictures become its input; give --transform=YAML"));
  const Outcome with =
      RunSparse("--transform=\"{color: gray, mean: [0.286], std: [0.353]}\" --runs=1 " + kDense +
                " " + kPicture);
  EXPECT_EQ(with.status, 0) << with.text;
  EXPECT_THAT(with.text, HasSubstr("probability\n    9 "));
  const Outcome wrong = RunSparse("--transform=\"{colour: gray}\" " + kDense + " " + kPicture);
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.text, HasSubstr("--transform:1:2: unknown key \"colour\""));
}

TEST_F(RunSparse50, BadInputIsNamed) {
  const std::string text = folder().Add("notes.h5", "no checkpoint at all");
  const std::string png = ReadFile(kPicture, kMaxBytes);
  const std::string broken = folder().Add("broken.png", png.substr(0, png.size() / 2));
  const std::string wide = folder().Add("wide.png", EncodePng(NoiseImage(28, 30, 1, 1)));
  const std::string half =
      folder().Add("half.h5", ReadFile(Checkpoint(), 10 * kMaxBytes).substr(0, 100'000));
  struct Case {
    std::string arguments;
    int status;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"nosuch.h5 " + kPicture, 1, "run_sparse: error: nosuch.h5: cannot open"},
      {text + " " + kPicture, 1, "notes.h5: "},
      {half + " " + kPicture, 1, "half.h5"},
      {Checkpoint() + " nosuch.png", 1, "nosuch.png: cannot open"},
      {Checkpoint() + " " + broken, 1, "broken.png: "},
      {Checkpoint() + " " + kSource + "/README.md", 1, "README.md: neither JPEG nor PNG"},
      {Checkpoint() + " " + wide, 1, "wide.png: "},
      {Checkpoint(), 2, "1 files, expected a checkpoint and an image"},
      {"--runs=none a b", 2, "--runs=\"none\" is no number in 1 … 1000000"},
      {"--fast a b", 2, "unknown option \"--fast\""},
  };
  for (const Case& bad : cases) {
    const Outcome outcome = RunSparse(bad.arguments);
    EXPECT_EQ(outcome.status, bad.status) << bad.arguments << "\n" << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(bad.message)) << bad.arguments;
  }
}

}  // namespace
}  // namespace sparsify
