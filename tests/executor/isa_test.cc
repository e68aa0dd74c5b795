#include "sparsity/executor/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

/// Sets SPARSIFY_FORCE_ISA for one test and restores what was there.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* name) {
    const char* old = std::getenv("SPARSIFY_FORCE_ISA");
    had_ = old != nullptr;
    if (had_) old_ = old;
    setenv("SPARSIFY_FORCE_ISA", name, 1);
  }
  ~ForcedIsa() {
    if (had_) {
      setenv("SPARSIFY_FORCE_ISA", old_.c_str(), 1);
    } else {
      unsetenv("SPARSIFY_FORCE_ISA");
    }
  }

 private:
  bool had_ = false;
  std::string old_;
};

TEST(Isa, ForcedScalarIsReturned) {
  ForcedIsa forced("scalar");
  EXPECT_EQ(DetectIsa(), Isa::kScalar);
}

TEST(Isa, ForcedIsReturnedOrRefused) {
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    ForcedIsa forced(IsaName(isa).data());
    if (IsaSupported(isa)) {
      EXPECT_EQ(DetectIsa(), isa);
    } else {
      EXPECT_THROW(DetectIsa(), Error);
    }
  }
}

TEST(Isa, UnknownNameIsAUsageErrorThatListsTheKnown) {
  ForcedIsa forced("sse9");
  try {
    DetectIsa();
    FAIL() << "accepted an unknown instruction set";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_STREQ(e.what(),
                 "SPARSIFY_FORCE_ISA: unknown instruction set \"sse9\"; known: scalar, avx2, "
                 "avx512");
  }
}

TEST(Isa, EmptyMeansBest) {
  ForcedIsa forced("");
  EXPECT_TRUE(IsaSupported(DetectIsa()));
}

}  // namespace
}  // namespace sparsify
