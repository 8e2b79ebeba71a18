// Structured logging on spdlog: one line an event, logfmt or JSON, to standard error. Safe from any thread. A Logger is
// a cheap handle to a shared output; `agent` makes the first and hands it on, With() adds fields for one's own part.
// The caller gives values as text (fmt or std::to_string); secrets are of type core::Secret and do not convert.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pipewarden::core {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

std::optional<LogLevel> ParseLogLevel(std::string_view text);  // debug info warn error

struct LogField {
  std::string_view key;
  std::string value;
};

class Logger {
 public:
  // To standard error.
  Logger(LogLevel level, LogFormat format);
  // To a callback, one line a call without its newline; for tests.
  Logger(LogLevel level, LogFormat format, void (*write)(void* context, std::string_view line), void* context);

  Logger With(std::initializer_list<LogField> fields) const;
  void SetLevel(LogLevel level) const;  // for this logger and all that share its output

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) const;

  void Flush() const;

 private:
  struct Output;
  void Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const;

  std::shared_ptr<Output> output_;
  std::string context_;  // fields of With(), already rendered in the output's format
};

}  // namespace pipewarden::core
