#include "sparsity/base/options_values.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "sparsity/base/error.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

using Kind = YamlNode::Kind;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};

struct Context {
  const OptionField& field;
  const std::string& key;

  std::string Where(const YamlNode& node) const { return node.where + ": " + key; }
};

std::string ScalarTypeName(const bool*) { return "True or False"; }
std::string ScalarTypeName(const int64_t*) { return "an integer"; }
std::string ScalarTypeName(const double*) { return "a number"; }
std::string ScalarTypeName(const std::string*) { return "text"; }

[[noreturn]] void FailType(const Context& context, const YamlNode& node,
                           std::string_view expected) {
  FailUsage(context.Where(node), "{}, expected {}", node.Describe(), expected);
}

bool InRange(double value, const Range& range) {
  const bool above = range.min_open ? value > range.min : value >= range.min;
  const bool below = range.max_open ? value < range.max : value <= range.max;
  return above && below;
}

/// A percentage where a fraction belongs is the likeliest slip; say so.
std::string UnitHint(const Context& context, double value) {
  const bool is_fraction = context.field.range.min >= 0 && context.field.range.max == 1;
  const bool is_sparsity = context.field.key.find("sparsity") != std::string_view::npos;
  if (!is_fraction || !is_sparsity || value <= 1 || value > 100) return "";
  return fmt::format("; this key is a fraction: write {} for {} %", value / 100, value);
}

void CheckRange(const Context& context, const YamlNode& node, double value) {
  if (InRange(value, context.field.range)) return;
  FailUsage(context.Where(node), "{} is out of range, expected {}{}", node.text,
            FormatRange(context.field.range), UnitHint(context, value));
}

/// The whole of `text` as a finite number.
std::optional<double> ParseDouble(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && end == digits.data() + digits.size()) return value;
  const std::optional<double> real = ParseDouble(text);
  constexpr double kExactBelow = 9007199254740992.0;  // 2^53
  if (!real || *real != std::floor(*real) || std::abs(*real) > kExactBelow) return std::nullopt;
  return static_cast<int64_t>(*real);
}

void Assign(const Context& context, const YamlNode& node, bool& value) {
  const bool plain = node.kind == Kind::kScalar && node.plain;
  const std::string& text = node.text;
  if (plain && (text == "true" || text == "True" || text == "TRUE")) {
    value = true;
  } else if (plain && (text == "false" || text == "False" || text == "FALSE")) {
    value = false;
  } else {
    FailType(context, node, "True or False");
  }
}

void Assign(const Context& context, const YamlNode& node, int64_t& value) {
  const auto parsed = node.kind == Kind::kScalar ? ParseInteger(node.text) : std::nullopt;
  if (!parsed) FailType(context, node, "an integer");
  CheckRange(context, node, static_cast<double>(*parsed));
  value = *parsed;
}

void Assign(const Context& context, const YamlNode& node, double& value) {
  const auto parsed = node.kind == Kind::kScalar ? ParseDouble(node.text) : std::nullopt;
  if (!parsed) FailType(context, node, "a number");
  CheckRange(context, node, *parsed);
  value = *parsed;
}

void CheckChoice(const Context& context, const YamlNode& node) {
  const auto& choices = context.field.choices;
  if (choices.empty()) return;
  if (std::find(choices.begin(), choices.end(), node.text) != choices.end()) return;
  const std::vector<std::string> known(choices.begin(), choices.end());
  FailUsage(context.Where(node), "unknown {}{}; known: {}", node.Describe(),
            DidYouMean(node.text, known), fmt::join(known, ", "));
}

void Assign(const Context& context, const YamlNode& node, std::string& value) {
  if (node.kind == Kind::kNull) {
    FailType(context, node, "text; write '' for an empty one");
  }
  if (node.kind != Kind::kScalar) FailType(context, node, "text");
  CheckChoice(context, node);
  value = node.text;
}

// "30 50" as it should have been written: "30, 50".
std::string WithCommas(const std::string& text) {
  std::string list;
  bool between = false;
  for (const char c : text) {
    const bool separates = c == ' ' || c == ',';
    if (!separates && between) list += ", ";
    if (!separates) list += c;
    between = separates && !list.empty();
  }
  return list;
}

template <class T>
void Assign(const Context& context, const YamlNode& node, std::vector<T>& value) {
  if (node.kind == Kind::kScalar) {
    FailType(context, node, fmt::format("a list, such as [{}]", WithCommas(node.text)));
  }
  if (node.kind != Kind::kList) FailType(context, node, "a list");
  value.clear();
  for (const YamlNode& item : node.items) Assign(context, item, value.emplace_back());
}

template <class T>
void Assign(const Context& context, const YamlNode& node, std::optional<T>& value) {
  if (node.kind == Kind::kNull) {
    value.reset();
    return;
  }
  T inner = {};
  Assign(context, node, inner);
  value = std::move(inner);
}

std::string Format(bool value) { return value ? "True" : "False"; }
std::string Format(int64_t value) { return fmt::format("{}", value); }
std::string Format(double value) { return fmt::format("{}", value); }
std::string Format(const std::string& value) { return QuoteYaml(value); }

template <class T>
std::string Format(const std::vector<T>& value) {
  std::string text;
  for (const T& item : value) text += (text.empty() ? "" : ", ") + Format(item);
  return "[" + text + "]";
}

template <class T>
std::string Format(const std::optional<T>& value) {
  return value ? Format(*value) : "None";
}

bool IsPlainSafe(std::string_view text) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  constexpr std::string_view kWords[] = {"null", "Null", "NULL", "None",  "true",  "True",
                                         "TRUE", "yes",  "no",   "false", "False", "FALSE"};
  if (text.empty() || text.find_first_not_of(kLetters) != std::string_view::npos) return false;
  if (text.front() == '-' || (text.front() >= '0' && text.front() <= '9')) return false;
  return std::find(std::begin(kWords), std::end(kWords), text) == std::end(kWords) &&
         !ParseDouble(text);
}

}  // namespace

void AssignOption(const OptionField& field, const YamlNode& node, const std::string& key) {
  const Context context = {field, key};
  std::visit([&](auto* target) { Assign(context, node, *target); }, field.target);
}

std::string FormatOption(const OptionField& field) {
  return std::visit([](const auto* target) { return Format(*target); }, field.target);
}

std::string OptionTypeName(const OptionField& field) {
  return std::visit(
      [](const auto* target) -> std::string {
        using T = std::remove_cvref_t<decltype(*target)>;
        if constexpr (IsOptional<T>::value) {
          return ScalarTypeName(static_cast<const typename T::value_type*>(nullptr)) + " or None";
        } else if constexpr (IsList<T>::value) {
          using Item = typename T::value_type;
          if constexpr (std::is_same_v<Item, int64_t>) return "list of integers";
          if constexpr (std::is_same_v<Item, double>) return "list of numbers";
          return "list of text";
        } else {
          return ScalarTypeName(target);
        }
      },
      field.target);
}

std::string FormatRange(const Range& range) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  if (!low && !high) return "";
  if (!high) return fmt::format("{} {}", range.min_open ? ">" : "≥", range.min);
  if (!low) return fmt::format("{} {}", range.max_open ? "<" : "≤", range.max);
  return fmt::format("{}{} … {}{}", range.min_open ? "above " : "", range.min,
                     range.max_open ? "below " : "", range.max);
}

std::string QuoteYaml(std::string_view text) {
  if (IsPlainSafe(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace sparsify
