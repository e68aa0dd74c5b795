#include "sparsity/graph/attributes.h"

#include <fmt/ranges.h>

#include <type_traits>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

template <class T>
T Expect(std::string_view name, const Attributes::Value* value, T fallback) {
  if (value == nullptr) return fallback;
  if (const T* typed = std::get_if<T>(value)) return *typed;
  Fail("attribute", "\"{}\" has another type than its operator expects", name);
}

}  // namespace

void Attributes::Set(std::string_view name, Value value) {
  values_.insert_or_assign(std::string(name), std::move(value));
}

void Attributes::Erase(std::string_view name) {
  if (const auto it = values_.find(name); it != values_.end()) values_.erase(it);
}

bool Attributes::Has(std::string_view name) const { return Find(name) != nullptr; }

int64_t Attributes::Int(std::string_view name, int64_t fallback) const {
  return Expect(name, Find(name), fallback);
}

double Attributes::Float(std::string_view name, double fallback) const {
  const Value* value = Find(name);
  if (value != nullptr && std::holds_alternative<int64_t>(*value)) {
    return static_cast<double>(std::get<int64_t>(*value));
  }
  return Expect(name, value, fallback);
}

std::string Attributes::String(std::string_view name, std::string fallback) const {
  return Expect(name, Find(name), std::move(fallback));
}

std::vector<int64_t> Attributes::Ints(std::string_view name, std::vector<int64_t> fallback) const {
  return Expect(name, Find(name), std::move(fallback));
}

std::vector<double> Attributes::Floats(std::string_view name, std::vector<double> fallback) const {
  return Expect(name, Find(name), std::move(fallback));
}

const Attributes::Value* Attributes::Find(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

std::string FormatAttribute(const Attributes::Value& value) {
  return std::visit(
      [](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
          return fmt::format("{}", v);
        } else {
          return fmt::format("[{}]", fmt::join(v, ","));
        }
      },
      value);
}

}  // namespace sparsify
