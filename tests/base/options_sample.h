// Options structs that exercise every kind of field, for the tests of options_*.
#pragma once

#include "sparsity/base/error.h"
#include "sparsity/base/options.h"

namespace sparsify {

struct InnerOptions {
  int64_t rounds = 3;
  double rate = 0.5;
  void VisitFields(OptionVisitor& v) {
    v.Field("rounds", rounds, {.min = 1, .max = 9}, "how often");
    v.Field("rate", rate, {.min = 0, .max = 1, .max_open = true}, "how fast");
  }
};

struct KindOptions {
  std::string type = "Plain";
  std::optional<double> sparsity;
  int64_t n = 2;
  void VisitFields(OptionVisitor& v) {
    v.Typed(type,
            {{"Plain",
              [this](OptionVisitor& k) {
                k.Field("sparsity", sparsity, {.min = 0, .max = 1}, "share that goes");
              },
              "nothing special"},
             {"Grouped",
              [this](OptionVisitor& k) { k.Field("n", n, {.min = 1}, "kept of each | group"); },
              "by groups"},
             {"Bare", [](OptionVisitor&) {}, "no kwargs"}},
            "which one");
  }
};

struct SampleOptions {
  bool flag = false;
  int64_t count = 7;
  double scale = 1.0 / 255;
  std::string name = "a: b";
  std::string color = "rgb";
  std::vector<int64_t> sizes = {1, 2};
  std::vector<double> levels;
  std::vector<std::string> words = {"x", "y z"};
  std::optional<int64_t> limit;
  std::optional<std::string> note;
  InnerOptions inner;
  std::optional<InnerOptions> extra;
  KindOptions kind;
  void VisitFields(OptionVisitor& v) {
    v.Field("flag", flag, "a switch");
    v.Field("count", count, {.min = 0}, "a count");
    v.Field("scale", scale, "a factor");
    v.Field("name", name, "some text");
    v.Choice("color", color, {"rgb", "bgr", "gray"}, "channel order");
    v.Field("sizes", sizes, {.min = 1}, "sizes");
    v.Field("levels", levels, {.min = 0, .max = 100, .min_open = true, .max_open = true},
            "percent");
    v.Field("words", words, "words");
    v.Field("limit", limit, "at most");
    v.Field("note", note, "a remark");
    v.Section("inner", inner, "always there");
    v.OptionalSection("extra", extra, "only if asked");
    v.Section("kind", kind, "a choice with its own keys");
  }
};

/// The message of the Error that `body` throws.
template <class Body>
std::string ErrorOf(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify
