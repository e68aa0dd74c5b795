#include <gtest/gtest.h>

#include "sparsity/report/csv.h"

namespace sparsify {
namespace {

TEST(ConsoleTable, AlignsNumbersRightAndTextLeft) {
  const CsvTable table{{"layer", "top1", "note"},
                       {{"conv1", "9.5", ""}, {"größer", "100.0", "kept dense"}, {"x", "-", "a"}}};
  EXPECT_EQ(FormatConsoleTable(table),
            "layer    top1  note\n"
            "------  -----  ----------\n"
            "conv1     9.5\n"
            "größer  100.0  kept dense\n"
            "x           -  a\n");
}

TEST(ConsoleTable, ControlCharactersCannotReachTheTerminal) {
  EXPECT_EQ(FormatConsoleTable({{"a"}, {{"\x1b[2J\nx"}}}), "a\n------\n?[2J?x\n");
}

TEST(ConsoleTable, ShortRowsAndNoRowsAreFine) {
  EXPECT_EQ(FormatConsoleTable({{"a", "b"}, {}}), "a  b\n-  -\n");
  EXPECT_EQ(FormatConsoleTable({{"a", "b"}, {{"1"}}}), "a  b\n-  -\n1\n");
}

TEST(IsNumericColumn, LooksAtFilledCells) {
  const CsvTable table{{"a", "b", "c", "d"},
                       {{"1", "", "x", "1e-3"}, {"-2.5", "-", "3", ""}, {"7x", "", "", "5"}}};
  EXPECT_FALSE(IsNumericColumn(table, 0));
  EXPECT_FALSE(IsNumericColumn(table, 1));
  EXPECT_FALSE(IsNumericColumn(table, 2));
  EXPECT_TRUE(IsNumericColumn(table, 3));
}

}  // namespace
}  // namespace sparsify
