// With the implementation that is built without MPI, whatever CMake has found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/base/mpi_session.h"

namespace sparsify {
namespace {

using Environment = std::map<std::string, std::string>;

std::optional<Launch> Find(const Environment& environment) {
  return FindLaunch([&](const char* name) {
    const auto it = environment.find(name);
    return it == environment.end() ? nullptr : it->second.c_str();
  });
}

TEST(FindLaunch, ByTheLaunchersVariables) {
  EXPECT_FALSE(Find({{"PATH", "/bin"}}));
  EXPECT_FALSE(Find({{"OMPI_COMM_WORLD_SIZE", "2"}}));
  const auto open_mpi = Find({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}});
  ASSERT_TRUE(open_mpi);
  EXPECT_EQ(open_mpi->rank, 1);
  EXPECT_EQ(open_mpi->size, 4);
  EXPECT_EQ(open_mpi->launcher, "Open MPI");
  const auto pmi = Find({{"PMI_RANK", "0"}, {"PMI_SIZE", "3"}});
  ASSERT_TRUE(pmi);
  EXPECT_EQ(pmi->size, 3);
  const auto pmix = Find({{"PMIX_RANK", "5"}});
  ASSERT_TRUE(pmix);
  EXPECT_EQ(pmix->rank, 5);
  EXPECT_EQ(pmix->size, 0);
}

class NoMpiSession : public ::testing::Test {
 protected:
  NoMpiSession() {
    for (const char* name :
         {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK"}) {
      unsetenv(name);
    }
  }
};

TEST_F(NoMpiSession, AloneItWorks) {
  MpiSession session;
  EXPECT_FALSE(MpiSession::IsBuilt());
  EXPECT_EQ(session.ranks().Size(), 1);
  std::string said;
  session.Fail("broken", 1, [&](const std::string& message) { said += message; });
  EXPECT_EQ(said, "broken");
}

TEST_F(NoMpiSession, SeveralProcessesAreRefused) {
  setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
  EXPECT_NO_THROW(MpiSession());
  setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  try {
    const MpiSession session;
    FAIL() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.ExitCode(), 2);
    EXPECT_STREQ(error.what(),
                 "mpirun: Open MPI has started 2 processes, but this program is built without MPI, "
                 "and they would all write the same files; install libopenmpi-dev and build again, "
                 "or start it once");
  }
}

}  // namespace
}  // namespace sparsify
