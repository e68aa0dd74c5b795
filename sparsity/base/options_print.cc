#include "sparsity/base/options_print.h"

#include <fmt/ranges.h>

#include "sparsity/base/options_values.h"

namespace sparsify {
namespace {

/// Type with range or choices: "integer ≥ 1", "one of a, b".
std::string Constraint(const OptionField& field) {
  if (!field.choices.empty()) return fmt::format("one of {}", fmt::join(field.choices, ", "));
  const std::string range = FormatRange(field.range);
  const std::string type = OptionTypeName(field);
  return range.empty() ? type : fmt::format("{}, {}", type, range);
}

class YamlWriter : public OptionVisitor {
 public:
  explicit YamlWriter(int depth) : indent_(static_cast<size_t>(depth) * 2, ' '), depth_(depth) {}

  std::string Run(const Body& fields) {
    fields(*this);
    return std::move(text_);
  }

 protected:
  void OnField(const OptionField& field) override {
    text_ += fmt::format("{}{}: {}\n", indent_, field.key, FormatOption(field));
  }

  void OnSection(std::string_view key, std::string_view, bool* present,
                 const Body& fields) override {
    if (present != nullptr && !*present) {
      text_ += fmt::format("{}{}: None\n", indent_, key);
      return;
    }
    const std::string inner = YamlWriter(depth_ + 1).Run(fields);
    text_ += inner.empty() ? fmt::format("{}{}: {{}}\n", indent_, key)
                           : fmt::format("{}{}:\n{}", indent_, key, inner);
  }

  void OnTyped(std::string& type, std::vector<Variant> variants, std::string_view) override {
    text_ += fmt::format("{}type: {}\n", indent_, QuoteYaml(type));
    for (const Variant& variant : variants) {
      if (variant.type == type) OnSection("kwargs", {}, nullptr, variant.fields);
    }
  }

 private:
  const std::string indent_;
  const int depth_;
  std::string text_;
};

class HelpWriter : public OptionVisitor {
 public:
  explicit HelpWriter(int depth) : indent_(static_cast<size_t>(depth) * 2, ' '), depth_(depth) {}

  std::string Run(const Body& fields) {
    fields(*this);
    return std::move(text_);
  }

 protected:
  void OnField(const OptionField& field) override {
    text_ += fmt::format("{}{}: {}\n{}    {} ({})\n", indent_, field.key, FormatOption(field),
                         indent_, field.help, Constraint(field));
  }

  void OnSection(std::string_view key, std::string_view help, bool* present,
                 const Body& fields) override {
    const std::string_view note = present != nullptr && !*present ? " (absent by default)" : "";
    text_ += fmt::format("{}{}:  # {}{}\n", indent_, key, help, note);
    text_ += HelpWriter(depth_ + 1).Run(fields);
  }

  void OnTyped(std::string& type, std::vector<Variant> variants, std::string_view help) override {
    text_ += fmt::format("{}type: {}\n{}    {}; one of:\n", indent_, type, indent_, help);
    for (const Variant& variant : variants) {
      text_ += fmt::format("{}type: {}  # {}\n", indent_, variant.type, variant.help);
      const std::string inner = HelpWriter(depth_ + 1).Run(variant.fields);
      if (!inner.empty()) text_ += fmt::format("{}kwargs:\n{}", indent_, inner);
    }
  }

 private:
  const std::string indent_;
  const int depth_;
  std::string text_;
};

std::string EscapeCell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string Sentence(std::string_view text) {
  std::string sentence(text);
  if (!sentence.empty() && sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] -= 'a' - 'A';
  return sentence + ".";
}

/// Collects a table of the level's own keys and, after it, the sections below.
class MarkdownWriter : public OptionVisitor {
 public:
  explicit MarkdownWriter(std::string path) : path_(std::move(path)) {}

  std::string Run(const Body& fields) {
    fields(*this);
    std::string text;
    if (!rows_.empty()) {
      text = "| key | default | value | meaning |\n|---|---|---|---|\n" + rows_ + "\n";
    }
    return text + below_;
  }

 protected:
  void OnField(const OptionField& field) override {
    AddRow(field.key, FormatOption(field), Constraint(field), field.help);
  }

  void OnSection(std::string_view key, std::string_view help, bool* present,
                 const Body& fields) override {
    const std::string path = path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
    const std::string_view note = present != nullptr && !*present ? " Absent by default." : "";
    below_ += fmt::format("## `{}:`\n\n{}{}\n\n", path, Sentence(help), note);
    below_ += MarkdownWriter(path).Run(fields);
  }

  void OnTyped(std::string& type, std::vector<Variant> variants, std::string_view help) override {
    AddRow("type", type, "a name from below", help);
    std::string list;
    std::string details;
    for (const Variant& variant : variants) {
      list += fmt::format("* `{}`: {}\n", variant.type, variant.help);
      const std::string inner = MarkdownWriter(path_ + ".kwargs").Run(variant.fields);
      if (inner.empty()) continue;
      details += fmt::format("### `{}.kwargs:` of `{}`\n\n{}", path_, variant.type, inner);
    }
    below_ += list + "\n" + details;
  }

 private:
  void AddRow(std::string_view key, std::string_view value, std::string_view constraint,
              std::string_view help) {
    rows_ += fmt::format("| `{}` | `{}` | {} | {} |\n", key, EscapeCell(value),
                         EscapeCell(constraint), EscapeCell(help));
  }

  const std::string path_;
  std::string rows_;
  std::string below_;
};

}  // namespace

std::string ResolvedYaml(const OptionVisitor::Body& fields) { return YamlWriter(0).Run(fields); }

std::string OptionsHelp(const OptionVisitor::Body& fields) { return HelpWriter(0).Run(fields); }

std::string OptionsMarkdown(const OptionVisitor::Body& fields) {
  return MarkdownWriter("").Run(fields);
}

}  // namespace sparsify
