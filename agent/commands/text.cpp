#include "agent/commands/text.h"

#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

const nlohmann::json* Field(const nlohmann::json& object, const char* field) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

std::string Text(const nlohmann::json& object, const char* field) {
  const auto* value = Field(object, field);
  if (value == nullptr) return {};
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string Ago(const nlohmann::json& object, const char* field) {
  const auto* value = Field(object, field);
  if (value == nullptr || !value->is_number()) return {};
  // Wall time of this process: the agent runs on the same machine, or near enough for a "3m".
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double age = std::max(0.0, now - value->get<double>());
  if (age < 120) return std::to_string(static_cast<long>(age)) + "s";
  if (age < 7200) return std::to_string(static_cast<long>(age / 60)) + "m";
  if (age < 172800) return std::to_string(static_cast<long>(age / 3600)) + "h";
  return std::to_string(static_cast<long>(age / 86400)) + "d";
}

std::string When(const nlohmann::json& object, const char* field) {
  const auto* value = Field(object, field);
  if (value == nullptr || !value->is_number()) return {};
  const auto seconds = static_cast<std::time_t>(value->get<double>());
  std::tm parts{};
  char text[32];
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string Seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 10) return std::to_string(std::lround(seconds * 1000)) + "ms";
  return core::FormatDuration(std::chrono::seconds(std::lround(seconds)));
}

}  // namespace pipewarden::agent
