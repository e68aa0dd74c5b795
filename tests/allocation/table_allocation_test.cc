#include "sparsity/allocation/table_allocation.h"

#include <cstdio>
#include <fstream>

#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;
using ::testing::Pair;
using testing::TestNetwork;

class Table : public ::testing::Test {
 protected:
  ~Table() override { std::remove(path_.c_str()); }

  const std::string& Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  std::string Message(const std::string& text) {
    Write(text);
    std::string message = MessageOf([&] { ReadSparsityTable(path_); });
    const size_t at = message.find(path_);
    return at == std::string::npos ? message : message.replace(at, path_.size(), "FILE");
  }

  std::string path_ = ::testing::TempDir() + "sparsity_table_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
};

TEST_F(Table, ReadsQuotesCommentsAndOtherColumns) {
  EXPECT_THAT(ReadSparsityTable(Write("# a comment\r\nlayer,shape,sparsity\r\n\r\n"
                                      "conv1,\"[4,3,3,3]\", 50 \r\n\"a \"\"b\"\"\",[1],12.5\n")),
              ElementsAre(Pair("a \"b\"", 12.5), Pair("conv1", 50)));
}

TEST_F(Table, RefusesBrokenFilesWithTheirLine) {
  EXPECT_EQ(Message(""), "FILE: is empty; its first line must name layer and sparsity");
  EXPECT_EQ(Message("layer,percent\n"),
            "FILE:1: no column \"sparsity\"; the header must name layer and sparsity");
  EXPECT_EQ(Message("layer,sparsity\na,1,2\n"), "FILE:2: has 3 cells, the header has 2");
  EXPECT_EQ(Message("layer,sparsity\n\n\"a,1\n"), "FILE:3: a quote is not closed");
  EXPECT_EQ(Message("layer,sparsity\n\"a\nb\",\"\n"), "FILE:2: a quote is not closed");
  for (const char* value : {"x", "", "nan", "101", "-1", "5%", "1e400"}) {
    EXPECT_EQ(Message(std::string("layer,sparsity\na,") + value + "\n"),
              std::string("FILE:2: sparsity \"") + value + "\" is no percentage in 0 … 100");
  }
  EXPECT_EQ(Message("layer,sparsity\na,10\nb,20\na,10\n"), "FILE:4: layer \"a\" is given twice");
  EXPECT_EQ(Message("layer,sparsity\na,0.5\nb,0.9\n"),
            "FILE: no sparsity is above 0.9: these are fractions, the table is in percent");
  EXPECT_THAT(MessageOf([] { ReadSparsityTable("no/such/file.csv"); }),
              HasSubstr("no/such/file.csv: cannot be opened"));
  EXPECT_THAT(MessageOf([] { ReadSparsityTable(""); }),
              HasSubstr("allocation.table_file: is empty"));
}

TEST_F(Table, SetsTargetsListsTheMissingAndRefusesTheUnknown) {
  TestNetwork net;
  for (const char* name : {"conv1", "conv2", "conv3", "fc"}) net.Add(name, {10, 10});
  AllocationOptions options{.type = "table"};
  options.table_file = Write("layer,sparsity\nconv1,50\nconv2,25\nfc,90\n");
  LogCapture log;
  const auto targets =
      Allocate(net.graph, net.layers, {"", "", "", "named in no_prune_layer"}, 0.4, options);
  EXPECT_EQ(targets[0].sparsity, 0.5);
  EXPECT_EQ(targets[1].sparsity, 0.25);
  EXPECT_EQ(targets[2].skipped, "not in the allocation table");
  EXPECT_EQ(targets[3].sparsity, 0);
  EXPECT_TRUE(log.Contains("layer \"fc\" stays dense, named in no_prune_layer"));
  EXPECT_TRUE(log.Contains("the table gives 25.00 %; the requested 40.00 % is not used"));

  options.table_file = Write("layer,sparsity\nconv4,50\n");
  EXPECT_THAT(MessageOf([&] { net.Sparsities(0.5, options); }),
              HasSubstr("the network has no layer \"conv4\"; did you mean \"conv"));
}

}  // namespace
}  // namespace sparsify
