#include "sparsity/base/options_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sparsity/base/file.h"
#include "tests/base/options_sample.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SampleOptions Read(const std::string& text, const std::vector<std::string>& sets = {}) {
  OptionsDocument document = OptionsDocument::FromText(text, "f.yaml");
  for (const std::string& set : sets) document.Set(set);
  SampleOptions options;
  document.Read(options);
  return options;
}

std::string ErrorFor(const std::string& text, const std::vector<std::string>& sets = {}) {
  return ErrorOf([&] { Read(text, sets); });
}

TEST(OptionsDocument, ReadsEveryKindOfField) {
  const SampleOptions o = Read(
      "flag: True\ncount: 16.0\nscale: 1e-3\nname: ''\ncolor: bgr\nsizes: [3, +4]\n"
      "levels: [0.5, 99]\nwords: [1, 'two']\n"
      "note: hello\ninner: {rounds: 9}\nextra: {}\nkind: {type: Grouped, kwargs: {n: 4}}\n",
      {"limit=12"});
  EXPECT_TRUE(o.flag);
  EXPECT_EQ(o.count, 16);
  EXPECT_EQ(o.scale, 1e-3);
  EXPECT_EQ(o.name, "");
  EXPECT_EQ(o.color, "bgr");
  EXPECT_THAT(o.sizes, ElementsAre(3, 4));
  EXPECT_THAT(o.levels, ElementsAre(0.5, 99));
  EXPECT_THAT(o.words, ElementsAre("1", "two"));
  EXPECT_EQ(o.limit, 12);
  EXPECT_EQ(o.note, "hello");
  EXPECT_EQ(o.inner.rounds, 9);
  EXPECT_EQ(o.inner.rate, 0.5);
  ASSERT_TRUE(o.extra.has_value());
  EXPECT_EQ(o.extra->rounds, 3);
  EXPECT_EQ(o.kind.type, "Grouped");
  EXPECT_EQ(o.kind.n, 4);
}

TEST(OptionsDocument, AbsentAndNullKeepDefaultsOrClearOptionals) {
  const SampleOptions o = Read("limit: None\nextra: None\ninner:\nkind:\n  kwargs:\n");
  EXPECT_EQ(o.limit, std::nullopt);
  EXPECT_FALSE(o.extra.has_value());
  EXPECT_EQ(o.inner.rounds, 3);
  EXPECT_EQ(o.count, 7);
  EXPECT_THAT(Read("").levels, IsEmpty());
}

TEST(OptionsDocument, UnknownKeysNameTheNearest) {
  EXPECT_EQ(ErrorFor("count: 1\ninner:\n  ruonds: 2\n"),
            "f.yaml:3:3: inner: unknown key \"ruonds\"; nearest known key: \"rounds\"; known keys: "
            "rounds, rate");
  EXPECT_EQ(ErrorFor("kind: {type: Bare, kwargs: {n: 1}}"),
            "f.yaml:1:29: kind.kwargs: unknown key \"n\"; no keys belong here");
  EXPECT_THAT(ErrorFor("banana: 1"), HasSubstr("f.yaml:1:1: unknown key \"banana\"; known keys: "));
  EXPECT_THAT(ErrorFor("flag: true\nflag: true"),
              HasSubstr("f.yaml:2:1: key \"flag\" given twice"));
}

TEST(OptionsDocument, UnknownTypesAndChoicesListTheKnown) {
  EXPECT_EQ(ErrorFor("kind:\n  type: Groupd\n"),
            "f.yaml:2:9: kind.type: unknown \"Groupd\"; did you mean \"Grouped\"; known: Plain, "
            "Grouped, Bare");
  EXPECT_EQ(ErrorFor("color: cmyk"), "f.yaml:1:8: color: unknown \"cmyk\"; known: rgb, bgr, gray");
}

TEST(OptionsDocument, WrongTypesSayWhatWasExpected) {
  EXPECT_EQ(ErrorFor("flag: 1"), "f.yaml:1:7: flag: \"1\", expected True or False");
  EXPECT_EQ(ErrorFor("flag: 'True'"), "f.yaml:1:7: flag: \"True\", expected True or False");
  EXPECT_EQ(ErrorFor("count: 1.5"), "f.yaml:1:8: count: \"1.5\", expected an integer");
  EXPECT_EQ(ErrorFor("count: 99999999999999999999"),
            "f.yaml:1:8: count: \"99999999999999999999\", expected an integer");
  EXPECT_EQ(ErrorFor("count: None"), "f.yaml:1:8: count: None, expected an integer");
  EXPECT_EQ(ErrorFor("scale: .nan"), "f.yaml:1:8: scale: \".nan\", expected a number");
  EXPECT_EQ(ErrorFor("scale: 1e999"), "f.yaml:1:8: scale: \"1e999\", expected a number");
  EXPECT_EQ(ErrorFor("scale: {}"), "f.yaml:1:8: scale: a map, expected a number");
  EXPECT_THAT(ErrorFor("name:"),
              HasSubstr(": name: nothing, expected text; write '' for an empty one"));
  EXPECT_EQ(ErrorFor("sizes: 8"), "f.yaml:1:8: sizes: \"8\", expected a list, such as [8]");
  EXPECT_EQ(ErrorFor("sizes: 8 16, 9"),
            "f.yaml:1:8: sizes: \"8 16, 9\", expected a list, such as [8, 16, 9]");
  EXPECT_EQ(ErrorFor("sizes: [1, x]"), "f.yaml:1:12: sizes: \"x\", expected an integer");
  EXPECT_EQ(ErrorFor("inner: 3"), "f.yaml:1:8: inner: \"3\", expected a map of keys and values");
  EXPECT_EQ(ErrorFor("- 1"), "f.yaml:1:1: a list, expected a map of keys and values");
}

TEST(OptionsDocument, RangesAreChecked) {
  EXPECT_EQ(ErrorFor("inner: {rounds: 10}"),
            "f.yaml:1:17: inner.rounds: 10 is out of range, expected 1 … 9");
  EXPECT_EQ(ErrorFor("inner: {rate: 1}"),
            "f.yaml:1:15: inner.rate: 1 is out of range, expected 0 … below 1");
  EXPECT_EQ(ErrorFor("count: -1"), "f.yaml:1:8: count: -1 is out of range, expected ≥ 0");
  EXPECT_EQ(ErrorFor("levels: [50, 100]"),
            "f.yaml:1:14: levels: 100 is out of range, expected above 0 … below 100");
}

TEST(OptionsDocument, PercentWhereAFractionBelongsIsExplained) {
  EXPECT_EQ(ErrorFor("kind: {kwargs: {sparsity: 50}}"),
            "f.yaml:1:27: kind.kwargs.sparsity: 50 is out of range, expected 0 … 1; this key is a "
            "fraction: write 0.5 for 50 %");
}

TEST(OptionsDocument, SetReplacesAndAdds) {
  const SampleOptions o =
      Read("inner: {rounds: 2, rate: 0.1}\n",
           {"inner={rounds: 5}", "extra.rate=0.25", "sizes=[9]", "name=x=y", "note=None"});
  EXPECT_EQ(o.inner.rounds, 5);
  EXPECT_EQ(o.inner.rate, 0.5);
  ASSERT_TRUE(o.extra.has_value());
  EXPECT_EQ(o.extra->rate, 0.25);
  EXPECT_THAT(o.sizes, ElementsAre(9));
  EXPECT_EQ(o.name, "x=y");
  EXPECT_EQ(o.note, std::nullopt);
}

TEST(OptionsDocument, ErrorsPointAtTheAssignment) {
  EXPECT_EQ(ErrorFor("", {"inner.rounds=0"}),
            "--set inner.rounds=0: inner.rounds: 0 is out of range, expected 1 … 9");
  EXPECT_THAT(ErrorFor("inner: {rate: 0}", {"inner.round=1"}),
              HasSubstr("--set inner.round=1: inner: unknown key \"round\"; nearest known key"));
  EXPECT_EQ(ErrorFor("", {"count"}), "--set count: expected KEY=VALUE, found no \"=\"");
  EXPECT_EQ(ErrorFor("", {"a..b=1"}),
            "--set a..b=1: \"a..b\" is not a key; keys look like sparsity.scheduler.type");
  EXPECT_EQ(ErrorFor("count: 5", {"count.x=1"}),
            "--set count.x=1: \"x\" lies inside \"5\", which is not a map of keys");
  EXPECT_THAT(ErrorFor("", {"sizes=[1"}), HasSubstr("--set sizes=[1: not valid YAML: "));
}

TEST(OptionsDocument, WhereFindsTheValueOrItsSection) {
  OptionsDocument document = OptionsDocument::FromText("inner:\n  rate: 0.1\n", "f.yaml");
  document.Set("count=3");
  EXPECT_EQ(document.Where("inner.rate"), "f.yaml:2:9: inner.rate");
  EXPECT_EQ(document.Where("inner.rounds"), "f.yaml:2:3: inner.rounds");
  EXPECT_EQ(document.Where("count"), "--set count=3: count");
  EXPECT_EQ(document.Where("scale"), "f.yaml: scale");
  EXPECT_TRUE(document.Has("inner.rate"));
  EXPECT_FALSE(document.Has("inner.rounds"));
}

TEST(OptionsDocument, ReadsOneMapAndIgnoresTheRest) {
  const OptionsDocument document =
      OptionsDocument::FromText("a: {b: {rounds: 9}}\nstranger: [1]\n", "f.yaml");
  SampleOptions options;
  document.ReadAt("a.b", options.inner);
  EXPECT_EQ(options.inner.rounds, 9);
  document.ReadAt("a.c", options.inner);  // not there: as it was
  EXPECT_EQ(options.inner.rounds, 9);
  EXPECT_THAT(ErrorOf([&] { document.ReadAt("a", options.inner); }),
              HasSubstr("f.yaml:1:5: a: unknown key \"b\""));
}

/// Of the running test, as tests run at the same time.
std::string OwnFolder() {
  const std::string folder = ::testing::TempDir() + "options_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
  std::filesystem::create_directories(folder);
  return folder;
}

TEST(OptionsDocument, AFileBuildsOnAnother) {
  const std::string folder = OwnFolder();
  std::filesystem::create_directories(folder + "bases");
  WriteFileAtomically(folder + "bases/root.yaml", "a: 1\nm: {x: 1, y: 2, inner: {p: 1, q: 2}}\n");
  WriteFileAtomically(folder + "bases/middle.yaml",
                      "extends: root.yaml\nm: {x: 3}\nlist: [1, 2, 3]\n");
  WriteFileAtomically(folder + "top.yaml",
                      "extends: bases/middle.yaml\nlist: [4]\nm:\n  inner: {q: None}\n");
  const OptionsDocument document = OptionsDocument::FromExtending(folder + "top.yaml");
  EXPECT_FALSE(document.Has("extends"));
  EXPECT_EQ(document.Where("a"), folder + "bases/root.yaml:1:4: a");
  EXPECT_EQ(document.Where("m.x"), folder + "bases/middle.yaml:2:8: m.x");
  EXPECT_EQ(document.Where("m.y"), folder + "bases/root.yaml:2:14: m.y");
  EXPECT_EQ(document.Where("m.inner.p"), folder + "bases/root.yaml:2:28: m.inner.p");
  EXPECT_EQ(document.Where("m.inner.q"), folder + "top.yaml:4:14: m.inner.q");
  EXPECT_EQ(document.Where("list"), folder + "top.yaml:2:7: list");
}

TEST(OptionsDocument, KwargsOfAnotherTypeAreNotTakenOver) {
  const std::string folder = OwnFolder();
  WriteFileAtomically(folder + "base.yaml", "s: {type: A, kwargs: {x: 1}, y: 2}\n");
  const auto extending = [&](const std::string& text) {
    WriteFileAtomically(folder + "own.yaml", "extends: base.yaml\n" + text);
    return OptionsDocument::FromExtending(folder + "own.yaml");
  };
  const OptionsDocument other = extending("s: {type: B, kwargs: {z: 1}}\n");
  EXPECT_FALSE(other.Has("s.kwargs.x"));
  EXPECT_TRUE(other.Has("s.kwargs.z") && other.Has("s.y"));
  EXPECT_FALSE(extending("s: {type: B}\n").Has("s.kwargs"));
  EXPECT_TRUE(extending("s: {type: A, kwargs: {z: 1}}\n").Has("s.kwargs.x"));
  EXPECT_TRUE(extending("s: {y: 3}\n").Has("s.kwargs.x"));
}

TEST(OptionsDocument, WhatIsExtendedMustBeThereAndEnd) {
  const std::string folder = OwnFolder();
  const auto error = [&](const std::string& text) {
    WriteFileAtomically(folder + "own.yaml", text);
    return ErrorOf([&] { OptionsDocument::FromExtending(folder + "own.yaml"); });
  };
  EXPECT_EQ(error("extends: none.yaml\n"),
            folder + "own.yaml:1:10: extends: there is no file " + folder + "none.yaml");
  EXPECT_EQ(error("extends: [a]\n"),
            folder + "own.yaml:1:10: extends: a list, expected the path of a file");
  EXPECT_EQ(error("extends: own.yaml\n"),
            folder +
                "own.yaml:1:10: extends: more than 8 files build on each other, or one on "
                "itself");
  WriteFileAtomically(folder + "bad.yaml", "- 1\n");
  EXPECT_EQ(error("extends: bad.yaml\n"),
            folder + "bad.yaml:1:1: a list, expected a map of keys and values");
}

TEST(OptionsDocument, AMissingFileIsAUsageError) {
  try {
    OptionsDocument::FromFile("no/such.yaml");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no/such.yaml: cannot open: No such file or directory");
    EXPECT_EQ(error.ExitCode(), 2);
  }
}

}  // namespace
}  // namespace sparsify
