#include "sparsity/io/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace sparsify {
namespace {

// RFC 3720, appendix B.4, where the bytes of the checksum stand least significant first.
TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string up;
  std::string down;
  for (int i = 0; i < 32; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(31 - i);
  }
  EXPECT_EQ(Crc32c(up), 0x46DD794EU);
  EXPECT_EQ(Crc32c(down), 0x113FDB5CU);
  std::string read(48, '\0');  // an iSCSI SCSI Read (10) command
  for (const auto& [at, byte] : {std::pair<size_t, int>{0, 0x01},
                                 {1, 0xC0},
                                 {16, 0x14},
                                 {22, 0x04},
                                 {27, 0x14},
                                 {31, 0x18},
                                 {32, 0x28},
                                 {40, 0x02}}) {
    read[at] = static_cast<char>(byte);
  }
  EXPECT_EQ(Crc32c(read), 0xD9963A56U);
}

TEST(Crc32c, OfTheUsualCheckStringAndOfNothing) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(Crc32c(""), 0U);
}

}  // namespace
}  // namespace sparsify
