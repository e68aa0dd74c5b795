// Named constants of a node (kernel shape, strides, axis …), kept sorted by name.
//
// Integer inputs that ONNX passes as tensors (Reshape's shape, Slice's starts, Clip's
// bounds …) are folded into attributes when a file is read, so every activation and
// parameter of a Graph is a float tensor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sparsify {

class Attributes {
 public:
  using Value =
      std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;

  void Set(std::string_view name, Value value);
  void Erase(std::string_view name);
  bool Has(std::string_view name) const;

  // Getters return `fallback` when absent and throw when the kind differs
  // (an integer is accepted where a real number is asked for).
  int64_t Int(std::string_view name, int64_t fallback) const;
  double Float(std::string_view name, double fallback) const;
  std::string String(std::string_view name, std::string fallback) const;
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback) const;
  std::vector<double> Floats(std::string_view name, std::vector<double> fallback) const;

  const std::map<std::string, Value, std::less<>>& all() const { return values_; }
  bool operator==(const Attributes&) const = default;

 private:
  const Value* Find(std::string_view name) const;

  std::map<std::string, Value, std::less<>> values_;
};

/// "3", "text", "[1,2]".
std::string FormatAttribute(const Attributes::Value& value);

}  // namespace sparsify
