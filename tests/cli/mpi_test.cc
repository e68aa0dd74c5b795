// The program itself under mpirun: processes that share a run, fail, die and go on.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/cli/pipeline_fixture.h"
#include "tests/support/compare.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Contents(const std::string& path) { return ReadFile(path, 1 << 26); }

int64_t Count(const std::string& text, const std::string& part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// A command that runs beside the test; what it prints goes to a file.
class Job {
 public:
  Job(std::vector<std::string> arguments, std::string log) : log_(std::move(log)) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    const int file = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  ~Job() {
    if (!waited_) Wait();
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// The exit status, or 128 and the signal.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    waited_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string Said() const { return Contents(log_); }

  /// Sends `signal` to the process that mpirun has started as `rank`.
  void Signal(int rank, int signal) const {
    const std::string wanted = fmt::format("OMPI_COMM_WORLD_RANK={}", rank);
    const std::string parent = fmt::format("PPid:\t{}\n", pid_);
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string folder = entry.path().string();
      std::ifstream status(folder + "/status");
      std::ifstream environment(folder + "/environ");
      const std::string lines(std::istreambuf_iterator<char>(status), {});
      if (lines.find(parent) == std::string::npos) continue;
      std::string variable;
      while (std::getline(environment, variable, '\0')) {
        if (variable != wanted) continue;
        kill(static_cast<pid_t>(std::stol(entry.path().filename())), signal);
        return;
      }
    }
    ADD_FAILURE() << "mpirun has no rank " << rank;
  }

 private:
  std::string log_;
  pid_t pid_ = -1;
  bool waited_ = false;
};

class MpiTest : public PipelineTest {
 protected:
  MpiTest() {
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 1);
  }

  static std::vector<std::string> Launcher(int ranks) {
    if (ranks == 1) return {};
    return {SPARSIFY_MPIEXEC, "--oversubscribe", "--bind-to", "none", "-np", std::to_string(ranks)};
  }

  std::vector<std::string> Program(const std::string& folder,
                                   const std::vector<std::string>& sets) const {
    const std::string config = folder_.Path("config.yaml");
    WriteFileAtomically(config, fmt::format("model: {{path: {0}}}\n"
                                            "data:\n"
                                            "  transform: {{color: gray}}\n"
                                            "  evaluation: {{type: idx, path: {1}, labels: {2}}}\n"
                                            "  training: {{type: idx, path: {1}, labels: {2}}}\n"
                                            "sparsity: {{layers: {{no_prune_layer: fc}}}}\n"
                                            "evaluation: {{batch: 8}}\n"
                                            "benchmark: None\n",
                                            folder_.Path("tiny.h5"), folder_.Path("images.idx"),
                                            folder_.Path("labels.idx")));
    std::vector<std::string> words = {
        SPARSIFY_PROGRAM, "--threads", "1", "--config", config, "--output", folder_.Path(folder)};
    for (const std::string& set : sets) words.insert(words.end(), {"--set", set});
    return words;
  }

  Job Start(int ranks, const std::string& folder, const std::vector<std::string>& sets,
            bool resume = false) const {
    std::vector<std::string> words = Launcher(ranks);
    for (const std::string& word : Program(folder, sets)) words.push_back(word);
    if (resume) words.emplace_back("--resume");
    return {words, folder_.Path(folder + ".log")};
  }

  /// Two stages of level pruning, `steps` each; the state is saved every `save_interval` seconds.
  static std::vector<std::string> LevelPrune(int64_t steps, double save_interval = 0) {
    return {fmt::format("training={{iterations: {}, batch: 5, lr: 0.02, save_interval: {}}}",
                        2 * steps, save_interval),
            "sparsity.fake_sparse={type: FakeSparse, kwargs: {mask_is_static: True}}",
            "sparsity.scheduler={type: AmbaLevelPruneScheduler, kwargs: {sparsity_table: [50, 75], "
            "prun_algo: 0, no_prune_layer: fc}}"};
  }

  static void AwaitFile(const std::string& path) {
    for (int i = 0; i < 10000 && !fs::exists(path); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  void ExpectNear(const std::string& folder, const std::string& other, double percent,
                  double tolerance) const {
    const Checkpoint a = LoadModelFile(RunFiles(folder_.Path(folder)).Checkpoint(percent));
    const Checkpoint b = LoadModelFile(RunFiles(folder_.Path(other)).Checkpoint(percent));
    EXPECT_EQ(a.masks, b.masks);
    for (const Value& value : a.graph.values()) {
      if (!value.is_parameter) continue;
      const Tensor& data = b.graph.value(b.graph.FindValue(value.name)).data;
      EXPECT_LE(testing::RelativeError(value.data, data), tolerance) << value.name;
    }
  }
};

TEST_F(MpiTest, TwoProcessesTrainAsOne) {
  ASSERT_EQ(Start(1, "one", LevelPrune(6)).Wait(), 0);
  Job two = Start(2, "two", LevelPrune(6));
  ASSERT_EQ(two.Wait(), 0) << two.Said();
  for (const double percent : {50, 75}) ExpectNear("two", "one", percent, 1e-4);
  const std::string said = two.Said();
  EXPECT_THAT(said, HasSubstr("2 ranks, each computes its part of every batch\n"));
  EXPECT_EQ(Count(said, "results in "), 1);
  EXPECT_EQ(Count(said, "train 50 %: 6 steps in "), 1);
}

TEST_F(MpiTest, ARankThatIsKilledLeavesARunThatGoesOn) {
  constexpr int64_t kSteps = 25;
  ASSERT_EQ(Start(2, "whole", LevelPrune(kSteps, 1000)).Wait(), 0);
  Job killed = Start(2, "killed", LevelPrune(kSteps));
  const RunFiles files(folder_.Path("killed"));
  AwaitFile(files.TrainingState(50));
  killed.Signal(1, SIGKILL);
  EXPECT_NE(killed.Wait(), 0);
  EXPECT_THAT(killed.Said(), HasSubstr("rank 1"));  // mpirun's message
  EXPECT_THAT(killed.Said(), HasSubstr("signal 9"));
  ASSERT_TRUE(fs::exists(files.TrainingState(50)));
  ASSERT_FALSE(fs::exists(files.Report()));
  fs::copy(folder_.Path("killed"), folder_.Path("alone"), fs::copy_options::recursive);
  // As many ranks: the same bits. Another number: to rounding.
  Job resumed = Start(2, "killed", LevelPrune(kSteps), true);
  ASSERT_EQ(resumed.Wait(), 0) << resumed.Said();
  EXPECT_THAT(resumed.Said(), HasSubstr(": goes on behind step "));
  ASSERT_EQ(Start(1, "alone", LevelPrune(kSteps), true).Wait(), 0);
  for (const double percent : {50, 75}) {
    ExpectNear("killed", "whole", percent, 0);
    ExpectNear("alone", "whole", percent, 1e-2);
  }
}

TEST_F(MpiTest, ASignalToOneRankStopsAll) {
  Job stopped = Start(2, "run", LevelPrune(2000));
  const RunFiles files(folder_.Path("run"));
  AwaitFile(files.TrainingState(50));
  stopped.Signal(1, SIGTERM);
  EXPECT_EQ(stopped.Wait(), 130);
  EXPECT_EQ(Count(stopped.Said(),
                  "sparsify: error: stopped on request; what is finished is saved, "
                  "continue with --resume\n"),
            1);
  EXPECT_TRUE(fs::exists(files.TrainingState(50)));
}

TEST_F(MpiTest, ARankThatFailsEndsTheJobWithItsName) {
  // The second process is given another configuration, which is not there.
  std::vector<std::string> words = Launcher(2);
  words.back() = "1";
  for (const std::string& word : Program("run", LevelPrune(6))) words.push_back(word);
  words.insert(words.end(), {":", "-np", "1", SPARSIFY_PROGRAM, "--config", "missing.yaml"});
  Job job(words, folder_.Path("log"));
  EXPECT_EQ(job.Wait(), 2);
  EXPECT_THAT(job.Said(), HasSubstr("sparsify: error: rank 1: missing.yaml: "));
}

TEST_F(MpiTest, AMistakeOfAllIsSaidOnce) {
  Job job = Start(2, "run", {"sweep=[0.5]"});
  EXPECT_EQ(job.Wait(), 2);
  EXPECT_EQ(Count(job.Said(), "sparsify: error: "), 1);
  EXPECT_THAT(job.Said(), AllOf(HasSubstr("sparsify: error: --set sweep=[0.5]: sweep: 0.5 means"),
                                Not(HasSubstr("MPI_ABORT"))));
}

TEST_F(MpiTest, SparsitiesAreDealtOut) {
  const std::vector<std::string> sets = {"sweep=[30, 50, 75]",
                                         "benchmark={batch: [2], repetitions: 3}"};
  ASSERT_EQ(Start(1, "one", sets).Wait(), 0);
  Job two = Start(2, "two", sets);
  ASSERT_EQ(two.Wait(), 0) << two.Said();
  for (const double percent : {30, 50, 75}) ExpectNear("two", "one", percent, 0);
  const RunFiles files(folder_.Path("two"));
  EXPECT_THAT(Column(files.Speedup(), "sparsity"), ::testing::ElementsAre("0", "30", "50", "75"));
  EXPECT_EQ(Column(files.Accuracy(), "loss"),
            Column(RunFiles(folder_.Path("one")).Accuracy(), "loss"));
}

TEST_F(MpiTest, WhatIsNoRunIsDoneOnce) {
  std::vector<std::string> words = Launcher(2);
  words.insert(words.end(), {SPARSIFY_PROGRAM, "--version"});
  Job job(words, folder_.Path("log"));
  EXPECT_EQ(job.Wait(), 0);
  EXPECT_EQ(Count(job.Said(), "sparsify "), 1);
}

}  // namespace
}  // namespace sparsify
