#include "sparsity/report/machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <regex>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

std::map<std::string, std::string> Rows() {
  std::map<std::string, std::string> rows;
  for (const auto& row : MachineTable().rows) rows[row.at(0)] = row.at(1);
  return rows;
}

TEST(MachineTable, SaysWhatWasMeasuredOn) {
  SetThreads(1);
  std::map<std::string, std::string> rows = Rows();
  SetThreads(0);
  EXPECT_EQ(rows["threads"], "1");
  EXPECT_GE(std::stoi(rows["processors usable"]), 1);
  EXPECT_TRUE(std::regex_match(rows["memory"], std::regex("[0-9]+\\.[0-9] GB")));
  EXPECT_TRUE(std::regex_match(rows["compiler"], std::regex("(GCC|Clang) [0-9.]+, \\w+")));
  EXPECT_TRUE(std::regex_search(rows["libraries"], std::regex("oneDNN [0-9]+\\.[0-9]+")));
  EXPECT_TRUE(std::regex_search(rows["libraries"], std::regex("HDF5 1\\.[0-9]+")));
  EXPECT_TRUE(std::regex_match(rows["sparsify"], std::regex("[0-9]+\\.[0-9]+\\.[0-9]+")));
  for (const auto& [name, value] : rows) EXPECT_FALSE(value.empty()) << name;
}

TEST(MachineTable, NamesNoHostUserOrPath) {
  char host[256] = {};
  ASSERT_EQ(gethostname(host, sizeof host - 1), 0);
  for (const auto& [name, value] : Rows()) {
    if (std::string(host).size() >= 4) {
      EXPECT_EQ(value.find(host), std::string::npos) << name;
    }
    EXPECT_FALSE(std::regex_search(value, std::regex("(^| )/\\w"))) << name << ": " << value;
  }
}

}  // namespace
}  // namespace sparsify
