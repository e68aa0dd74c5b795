// The project's one exception type and the helpers that throw it.
//
// Every message reads "where: fact, actual and expected; remedy". `main` catches
// once, prints "sparsify: error: <what>" and exits with ExitCode().
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace sparsify {

enum class ErrorKind {
  kUsage,        // wrong command line or configuration: exit status 2
  kRun,          // the run itself failed: exit status 1
  kInterrupted,  // Ctrl-C or SIGTERM: exit status 130, everything finished is kept
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }
  int ExitCode() const;

 private:
  ErrorKind kind_;
};

/// Throws a kRun error "where: message". `where` names a file, layer or key.
template <class... Args>
[[noreturn]] void Fail(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kRun,
              fmt::format("{}: {}", where, fmt::format(format, std::forward<Args>(args)...)));
}

/// Throws a kUsage error "where: message" for command lines and configurations.
template <class... Args>
[[noreturn]] void FailUsage(std::string_view where, fmt::format_string<Args...> format,
                            Args&&... args) {
  throw Error(ErrorKind::kUsage,
              fmt::format("{}: {}", where, fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace sparsify
