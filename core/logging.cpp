#include "core/logging.h"

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

// logfmt quotes a value that holds a space, a quote, an equals sign or a control character.
void AppendLogfmt(std::string& out, std::string_view key, std::string_view value) {
  out += ' ';
  out += key;
  out += '=';
  const bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '=' && c != 0x7F;
  });
  if (plain && IsValidUtf8(value)) {
    out += value;
    return;
  }
  out += nlohmann::json(ToValidUtf8(value)).dump();
}

void AppendJson(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":";
  out += nlohmann::json(ToValidUtf8(value)).dump();
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Hands each line to a callback; spdlog 1.10 has no sink for that yet.
class CallbackSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  CallbackSink(void (*write)(void*, std::string_view), void* context) : write_(write), context_(context) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(context_, {message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

 private:
  void (*write_)(void*, std::string_view);
  void* context_;
};

}  // namespace

struct Logger::Output {
  LogFormat format;
  spdlog::logger logger;
};

std::optional<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return std::nullopt;
}

Logger::Logger(LogLevel level, LogFormat format)
    : output_(std::make_shared<Output>(
          format, spdlog::logger("pipewarden", std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
                                                   spdlog::color_mode::never)))) {
  output_->logger.set_pattern(
      format == LogFormat::kJson ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "ts=%Y-%m-%dT%H:%M:%S.%eZ %v",
      spdlog::pattern_time_type::utc);
  output_->logger.flush_on(spdlog::level::debug);
  SetLevel(level);
}

Logger::Logger(LogLevel level, LogFormat format, void (*write)(void*, std::string_view), void* context)
    : output_(std::make_shared<Output>(format,
                                       spdlog::logger("pipewarden", std::make_shared<CallbackSink>(write, context)))) {
  SetLevel(level);
}

void Logger::SetLevel(LogLevel level) const { output_->logger.set_level(SpdlogLevel(level)); }

Logger Logger::With(std::initializer_list<LogField> fields) const {
  Logger derived = *this;
  for (const LogField& field : fields)
    output_->format == LogFormat::kJson ? AppendJson(derived.context_, field.key, field.value)
                                        : AppendLogfmt(derived.context_, field.key, field.value);
  return derived;
}

void Logger::Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  const spdlog::level::level_enum spdlog_level = SpdlogLevel(level);
  if (!output_->logger.should_log(spdlog_level)) return;
  const std::string_view name = kNames[static_cast<int>(level)];
  std::string line;
  if (output_->format == LogFormat::kJson) {
    line = "\"level\":\"" + std::string(name) + "\"";
    AppendJson(line, "msg", message);
  } else {
    line = "level=" + std::string(name);
    AppendLogfmt(line, "msg", message);
  }
  line += context_;
  for (const LogField& field : fields)
    output_->format == LogFormat::kJson ? AppendJson(line, field.key, field.value)
                                        : AppendLogfmt(line, field.key, field.value);
  output_->logger.log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

void Logger::Debug(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kDebug, message, fields);
}
void Logger::Info(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kInfo, message, fields);
}
void Logger::Warn(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kWarn, message, fields);
}
void Logger::Error(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kError, message, fields);
}

void Logger::Flush() const { output_->logger.flush(); }

}  // namespace pipewarden::core
