#include "sparsity/report/markup.h"

#include <gtest/gtest.h>

namespace sparsify {
namespace {

TEST(EscapeMarkup, EscapesWhatMarkupGivesMeaning) {
  EXPECT_EQ(EscapeMarkup("<a href=\"x\" b='y'>&amp;"),
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
  EXPECT_EQ(EscapeMarkup("größer 90 % ≥ 漢 😀\n\t"), "größer 90 % ≥ 漢 😀\n\t");
}

TEST(EscapeMarkup, ReplacesWhatXmlCannotCarry) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(EscapeMarkup(std::string("a\0b\x1b", 4)), "a" + bad + "b" + bad);
  EXPECT_EQ(EscapeMarkup("\xc3"), bad);                                // cut off
  EXPECT_EQ(EscapeMarkup("\xc0\xbc"), bad + bad);                      // overlong '<'
  EXPECT_EQ(EscapeMarkup("\xe0\x80\xbc"), bad + bad + bad);            // overlong '<'
  EXPECT_EQ(EscapeMarkup("\xed\xa0\x80"), bad + bad + bad);            // surrogate
  EXPECT_EQ(EscapeMarkup("\xef\xbf\xbf"), bad + bad + bad);            // U+FFFF
  EXPECT_EQ(EscapeMarkup("\xf4\x90\x80\x80"), bad + bad + bad + bad);  // above U+10FFFF
  EXPECT_EQ(EscapeMarkup("\xff<"), bad + "&lt;");
}

TEST(Shorten, CutsTheMiddleBetweenCodePoints) {
  EXPECT_EQ(Shorten("conv1", 5), "conv1");
  EXPECT_EQ(Shorten("0123456789", 7), "01…6789");
  EXPECT_EQ(Shorten("äöüäöüäöüß", 7), "äö…äöüß");
  EXPECT_EQ(Shorten("abc", 1), "…");
  EXPECT_EQ(Shorten("abc", 0), "");
  EXPECT_EQ(CodePoints("äö…"), 3U);
}

}  // namespace
}  // namespace sparsify
