#include "sparsity/report/csv.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sparsity/base/error.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

class CsvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sparsify-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& contents) const {
    std::ofstream(folder_ / "t.csv", std::ios::binary) << contents;
    return (folder_ / "t.csv").string();
  }

  std::string MessageOf(const std::string& contents) const {
    try {
      ReadCsv(Write(contents));
    } catch (const Error& error) {
      return std::string(error.what()).substr(folder_.string().size() + 1);
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

TEST(FormatCsv, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(
      FormatCsv({{"name", "value"}, {{"plain text", "1.5"}, {"a,b", "say \"x\""}, {"l1\nl2", ""}}}),
      "name,value\nplain text,1.5\n\"a,b\",\"say \"\"x\"\"\"\n\"l1\nl2\",\n");
  EXPECT_EQ(FormatCsv({{"only"}, {{""}}}), "only\n\"\"\n");
}

TEST(SelectColumns, KeepsOrderAndRefusesUnknown) {
  const CsvTable table = {{"a", "b", "c"}, {{"1", "2", "3"}, {"4", "5", "6"}}};
  const CsvTable selected = SelectColumns(table, {"c", "a"});
  EXPECT_EQ(FormatCsv(selected), "c,a\n3,1\n6,4\n");
  EXPECT_THROW(SelectColumns(table, {"d"}), Error);
}

TEST(FormatCsv, RaggedRowsAreRefused) {
  try {
    FormatCsv({{"a", "b"}, {{"1"}}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "table: a row of 1 fields under 2 columns (a, b)");
  }
}

TEST_F(CsvTest, RandomTablesRoundTrip) {
  const std::string alphabet = "ab,\"\n\r 0é";
  Random random(4);
  for (int k = 0; k < 60; ++k) {
    CsvTable table;
    const size_t columns = 1 + random.Below(4);
    const auto random_row = [&] {
      std::vector<std::string> row(columns);
      for (std::string& field : row) {
        for (uint64_t n = random.Below(6); n > 0; --n)
          field += alphabet[random.Below(alphabet.size())];
      }
      return row;
    };
    table.header = random_row();
    for (uint64_t n = random.Below(5); n > 0; --n) table.rows.push_back(random_row());
    const std::string path = (folder_ / "t.csv").string();
    WriteCsv(table, path);
    const CsvTable read = ReadCsv(path);
    ASSERT_EQ(read.header, table.header);
    ASSERT_EQ(read.rows, table.rows);
  }
}

TEST_F(CsvTest, ReadsWhatSpreadsheetsWrite) {
  const CsvTable table =
      ReadCsv(Write("\xef\xbb\xbf"
                    "a,b\r\n1,\"x, y\"\r\n\r\n2,z"));
  EXPECT_EQ(table.header, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.rows, (std::vector<std::vector<std::string>>{{"1", "x, y"}, {"2", "z"}}));
}

TEST_F(CsvTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(MessageOf(""), "t.csv: empty; expected a header line");
  EXPECT_EQ(MessageOf("a,b\n1,2\n\"x\ny\",2\n3\n"), "t.csv:5: 1 fields, the header has 2");
  EXPECT_EQ(MessageOf("a,b\n1,\"2\n3,4\n"), "t.csv:2: a quote is never closed");
  EXPECT_EQ(MessageOf("a,b\n\"1\"x,2\n"), "t.csv:2: text after a closing quote");
}

TEST_F(CsvTest, ColumnsAreFoundByName) {
  const CsvTable table{{"a", "b"}, {}};
  EXPECT_EQ(table.Column("b"), 1U);
  try {
    table.Column("c");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "table: no column \"c\"; it has a, b");
  }
}

TEST(RowsWhere, KeepsTheRowsOfAValue) {
  const CsvTable table = {{"a", "b"}, {{"1", "x"}, {"2", "y"}, {"1", "z"}}};
  const CsvTable rows = RowsWhere(table, "a", "1");
  EXPECT_EQ(rows.header, table.header);
  EXPECT_EQ(rows.rows, (std::vector<std::vector<std::string>>{{"1", "x"}, {"1", "z"}}));
  EXPECT_TRUE(RowsWhere(table, "a", "3").rows.empty());
  EXPECT_THROW(RowsWhere(table, "c", "1"), Error);
}

}  // namespace
}  // namespace sparsify
