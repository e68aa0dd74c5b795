// The options visitor: one VisitFields per options struct serves every purpose.
//
// A component owns a plain struct with default member initialisers and one method
//
//   struct NMMaskOptions {
//     int64_t n = 2;
//     int64_t m = 4;
//     void VisitFields(OptionVisitor& v) {
//       v.Field("n", n, {.min = 1}, "weights kept in every group");
//       v.Field("m", m, {.min = 2}, "group size along the input channels");
//     }
//   };
//
// The same visit reads YAML (options_yaml.h), finds unknown keys with line, column and
// the nearest known key, prints --help-config, writes the resolved configuration and
// generates docs/config.md.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sparsify {

/// Inclusive bounds of a number (each element of a list); *_open excludes the bound.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_open = false;
  bool max_open = false;
};

/// Where a value lives. Null (`None`, `~`) is accepted for the optional kinds only.
using OptionTarget =
    std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*,
                 std::vector<double>*, std::vector<std::string>*, std::optional<bool>*,
                 std::optional<int64_t>*, std::optional<double>*, std::optional<std::string>*>;

/// One leaf key, as a visitor sees it. The target holds the default (or current) value.
struct OptionField {
  std::string_view key;
  OptionTarget target;
  Range range;
  std::vector<std::string_view> choices;  // not empty: the only strings allowed
  std::string_view help;
};

class OptionVisitor {
 public:
  using Body = std::function<void(OptionVisitor&)>;
  /// One alternative of a `type:` + `kwargs:` pair.
  struct Variant {
    std::string_view type;
    Body fields;
    std::string_view help;
  };

  virtual ~OptionVisitor() = default;

  /// A leaf. T is one of the pointees of OptionTarget.
  template <class T>
  void Field(std::string_view key, T& value, std::string_view help) {
    OnField({key, OptionTarget(&value), {}, {}, help});
  }
  template <class T>
  void Field(std::string_view key, T& value, Range range, std::string_view help) {
    OnField({key, OptionTarget(&value), range, {}, help});
  }
  /// A string that must be one of `choices`.
  void Choice(std::string_view key, std::string& value, std::vector<std::string_view> choices,
              std::string_view help) {
    OnField({key, OptionTarget(&value), {}, std::move(choices), help});
  }
  /// A nested map; absent means every default.
  template <class T>
  void Section(std::string_view key, T& value, std::string_view help) {
    OnSection(key, help, nullptr, [&value](OptionVisitor& v) { value.VisitFields(v); });
  }
  /// A nested map that may be absent or null; then `value` stays empty.
  template <class T>
  void OptionalSection(std::string_view key, std::optional<T>& value, std::string_view help) {
    bool present = value.has_value();
    T inner = value.value_or(T{});
    OnSection(key, help, &present, [&inner](OptionVisitor& v) { inner.VisitFields(v); });
    if (present) {
      value = std::move(inner);
    } else {
      value.reset();
    }
  }
  /// `type: NAME` beside `kwargs: {…}` of that type; `type` must name one of `variants`.
  void Typed(std::string& type, std::vector<Variant> variants, std::string_view help) {
    OnTyped(type, std::move(variants), help);
  }

 protected:
  virtual void OnField(const OptionField& field) = 0;
  /// `present` is null for a plain section; otherwise the visitor may set it from the input.
  virtual void OnSection(std::string_view key, std::string_view help, bool* present,
                         const Body& fields) = 0;
  virtual void OnTyped(std::string& type, std::vector<Variant> variants, std::string_view help) = 0;
};

}  // namespace sparsify
