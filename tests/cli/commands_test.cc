#include "sparsity/cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/file.h"
#include "sparsity/io/model_file.h"
#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"
#include "tests/support/thread_ranks.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string ConvertError(const std::string& in, const std::string& out) {
  CommandLine line;
  line.command = Command::kConvert;
  line.input_file = in;
  line.output_file = out;
  std::string message;
  testing::RunRanks(
      1, [&](Communicator& ranks) { message = ErrorOf([&] { RunCommand(line, ranks); }); });
  return message;
}

TEST(Convert, DoesNotReplaceWhatItReads) {
  const TestFolder folder;
  testing::GraphBuilder b("net");
  Checkpoint checkpoint;
  checkpoint.graph = b.Finish({b.Conv("conv", b.Input({3, 4, 4}), 3, 2, 3)});
  SaveModelFile(checkpoint, folder.Path("a.onnx"));
  fs::create_symlink(folder.Path("a.onnx"), folder.Path("link.onnx"));
  const std::string before = ReadFile(folder.Path("a.onnx"), 1 << 20);
  for (const char* out : {"a.onnx", "link.onnx"}) {
    EXPECT_THAT(ConvertError(folder.Path("a.onnx"), folder.Path(out)),
                HasSubstr("the file that it reads; name another"));
  }
  EXPECT_EQ(ReadFile(folder.Path("a.onnx"), 1 << 20), before);
  EXPECT_EQ(ConvertError(folder.Path("a.onnx"), folder.Path("b.h5")), "no error");
  EXPECT_GT(FileSize(folder.Path("b.h5")), 0);
}

}  // namespace
}  // namespace sparsify
