#include "sparsity/base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sparsify {
namespace {

std::string HashOf(std::string_view bytes) {
  Fnv1a hash;
  hash.Bytes(bytes.data(), bytes.size());
  return hash.Hex();
}

// Test vectors of the authors (Fowler, Noll, Vo).
TEST(Fnv1a, AgreesWithThePublishedVectors) {
  EXPECT_EQ(HashOf(""), "cbf29ce484222325");
  EXPECT_EQ(HashOf("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(HashOf("foobar"), "85944171f73967e8");
}

TEST(Fnv1a, TextsDoNotRunIntoEachOther) {
  Fnv1a first;
  first.Text("ab");
  first.Text("c");
  Fnv1a second;
  second.Text("a");
  second.Text("bc");
  EXPECT_NE(first.value(), second.value());
}

TEST(Fnv1a, FloatsSeeEveryValueAndItsPlace) {
  const auto hash_of = [](std::vector<float> values) {
    Fnv1a hash;
    hash.Floats(values);
    return hash.value();
  };
  std::vector<float> values(11);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  std::set<uint64_t> seen = {hash_of(values)};
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<float> other = values;
    other[i] = -1;
    seen.insert(hash_of(other));
    other = values;
    std::swap(other[i], other[(i + 1) % other.size()]);
    seen.insert(hash_of(other));
  }
  EXPECT_EQ(seen.size(), 1 + 2 * values.size());
  EXPECT_NE(hash_of({0.0F}), hash_of({-0.0F}));
  EXPECT_NE(hash_of({}), hash_of({0.0F}));
}

}  // namespace
}  // namespace sparsify
