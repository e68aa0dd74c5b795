#include "sparsity/base/options_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/base/options_sample.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Repeat(std::string_view text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(ParseYaml, KnowsWhereEachValueIs) {
  const YamlNode root = ParseYaml("a: 1\nb:\n  - x\n  - 'y'\n", "f.yaml");
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  EXPECT_EQ(root.Find("a")->where, "f.yaml:1:4");
  EXPECT_EQ(root.Find("b")->items[1].where, "f.yaml:4:5");
  EXPECT_EQ(root.keys[1].where, "f.yaml:2:1");
  EXPECT_TRUE(root.Find("b")->items[0].plain);
  EXPECT_FALSE(root.Find("b")->items[1].plain);
  EXPECT_EQ(root.Find("c"), nullptr);
}

TEST(ParseYaml, PythonsNoneIsNullUnlessQuoted) {
  const YamlNode root = ParseYaml("{a: None, b: 'None', c: , d: ~, e: ''}", "f");
  EXPECT_EQ(root.Find("a")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.Find("b")->kind, YamlNode::Kind::kScalar);
  EXPECT_EQ(root.Find("c")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.Find("d")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.Find("e")->kind, YamlNode::Kind::kScalar);
  EXPECT_EQ(ParseYaml("", "f").kind, YamlNode::Kind::kNull);
}

TEST(ParseYaml, AliasesAreCopies) {
  const YamlNode root = ParseYaml("a: &x {k: 1}\nb: *x\n", "f");
  EXPECT_EQ(root.Find("b")->Find("k")->text, "1");
}

TEST(ParseYaml, RefusesWhatIsNotOneDocument) {
  EXPECT_EQ(ErrorOf([] { ParseYaml("a: 1\na: 2\n", "f"); }),
            "f:2:1: key \"a\" given twice, first at f:1:1");
  EXPECT_THAT(ErrorOf([] { ParseYaml("a: [1\n", "f"); }), HasSubstr("not valid YAML: "));
  EXPECT_EQ(ErrorOf([] { ParseYaml("a: 1\n---\nb: 2\n", "f"); }),
            "f: more than one YAML document; keep one");
  EXPECT_EQ(ErrorOf([] { ParseYaml("? [1]\n: 2\n", "f"); }), "f:1:3: expected a key, found a list");
  EXPECT_THAT(ErrorOf([] { ParseYaml("a: *nobody\n", "f"); }), StartsWith("f:1:"));
  EXPECT_THAT(ErrorOf([] { ParseYaml("a: &x [*x]\n", "f"); }), StartsWith("f:1:"));
}

TEST(ParseYaml, DeepNestingEndsInAnError) {
  EXPECT_THAT(ErrorOf([] { ParseYaml(Repeat("[", 100) + Repeat("]", 100), "f"); }),
              HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(ErrorOf([] { ParseYaml(Repeat("[", 100000), "f"); }), StartsWith("f"));
  EXPECT_THAT(ErrorOf([] { ParseYaml(Repeat("- ", 100000), "f"); }), StartsWith("f"));
  EXPECT_THAT(ErrorOf([] { ParseYaml(Repeat("{a: ", 100000), "f"); }), StartsWith("f"));
}

TEST(ParseYaml, AliasBombsEndInAnError) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i) + Repeat(fmt::format("*a{}, ", i - 1), 10) + "]\n";
  }
  EXPECT_THAT(ErrorOf([&] { ParseYaml(bomb, "f"); }), HasSubstr("the document grows beyond"));
  const std::string deep = "a: &a " + Repeat("[", 40) + Repeat("]", 40) +
                           "\nb: " + Repeat("[", 40) + "*a" + Repeat("]", 40) + "\n";
  EXPECT_THAT(ErrorOf([&] { ParseYaml(deep, "f"); }), HasSubstr("nested more than 64 deep"));
}

TEST(ParseYaml, HugeTextIsRefused) {
  EXPECT_EQ(ErrorOf([] { ParseYaml(std::string(size_t{2} << 20, 'x'), "f"); }),
            "f: 2.10 MB of YAML, more than the 1.05 MB that a configuration may have");
}

}  // namespace
}  // namespace sparsify
