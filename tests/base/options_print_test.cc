#include "sparsity/base/options_print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/options_values.h"
#include "sparsity/base/options_yaml.h"
#include "tests/base/options_sample.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ResolvedYaml, HoldsEveryKey) {
  SampleOptions options;
  EXPECT_EQ(ResolvedYaml(Fields(options)),
            "flag: False\ncount: 7\nscale: 0.00392156862745098\nname: \"a: b\"\ncolor: rgb\n"
            "sizes: [1, 2]\nlevels: []\nwords: [x, \"y z\"]\nlimit: None\nnote: None\n"
            "inner:\n  rounds: 3\n  rate: 0.5\nextra: None\n"
            "kind:\n  type: Plain\n  kwargs:\n    sparsity: None\n");
}

TEST(ResolvedYaml, ReadsBackToTheSameOptions) {
  SampleOptions options;
  options.scale = 0.1 + 0.2;
  options.name = "tab\t \"quoted\" \\ \n line, # [x]: ü";
  options.note = "None";
  options.words = {"True", "1e3", "", "~", "-", "- a", "*x", "null", "a'b", "{", "no"};
  options.levels = {1e-300, 33.333333333333336};
  options.extra.emplace().rounds = 8;
  options.kind.type = "Bare";
  const std::string text = ResolvedYaml(Fields(options));
  SampleOptions copy;
  OptionsDocument::FromText(text, "resolved").Read(copy);
  EXPECT_EQ(ResolvedYaml(Fields(copy)), text);
  EXPECT_EQ(copy.scale, options.scale);
  EXPECT_EQ(copy.name, options.name);
  EXPECT_EQ(copy.note, options.note);
  EXPECT_EQ(copy.words, options.words);
  EXPECT_EQ(copy.levels, options.levels);
  ASSERT_TRUE(copy.extra.has_value());
  EXPECT_EQ(copy.extra->rounds, 8);
}

TEST(OptionsHelp, ListsKeysDefaultsRangesAndEveryType) {
  SampleOptions options;
  const std::string help = OptionsHelp(Fields(options));
  EXPECT_THAT(help, HasSubstr("count: 7\n    a count (an integer, ≥ 0)\n"));
  EXPECT_THAT(help, HasSubstr("color: rgb\n    channel order (one of rgb, bgr, gray)\n"));
  EXPECT_THAT(help, HasSubstr("extra:  # only if asked (absent by default)\n  rounds: 3\n"));
  EXPECT_THAT(help, HasSubstr("  type: Grouped  # by groups\n  kwargs:\n    n: 2\n"));
  EXPECT_THAT(help, HasSubstr("  type: Bare  # no kwargs\n"));
  EXPECT_THAT(help, HasSubstr("sizes: [1, 2]\n    sizes (list of integers, ≥ 1)\n"));
  EXPECT_FALSE(options.extra.has_value());
}

TEST(OptionsMarkdown, HasATablePerSection) {
  SampleOptions options;
  const std::string page = OptionsMarkdown(Fields(options));
  EXPECT_THAT(page, HasSubstr("| `flag` | `False` | True or False | a switch |\n"));
  EXPECT_THAT(page, HasSubstr("## `inner:`\n\nAlways there.\n\n| key |"));
  EXPECT_THAT(page, HasSubstr("## `extra:`\n\nOnly if asked. Absent by default.\n"));
  EXPECT_THAT(page, HasSubstr("### `kind.kwargs:` of `Grouped`"));
  EXPECT_THAT(page, HasSubstr("kept of each \\| group"));
  EXPECT_THAT(page, Not(HasSubstr("kwargs:` of `Bare`")));
}

TEST(FormatRange, ShowsBounds) {
  EXPECT_EQ(FormatRange({}), "");
  EXPECT_EQ(FormatRange({.min = 1}), "≥ 1");
  EXPECT_EQ(FormatRange({.min = 0, .min_open = true}), "> 0");
  EXPECT_EQ(FormatRange({.max = 5}), "≤ 5");
  EXPECT_EQ(FormatRange({.min = 0, .max = 100, .min_open = true, .max_open = true}),
            "above 0 … below 100");
}

}  // namespace
}  // namespace sparsify
