// Small readers and formats that the client commands share; none throws, whatever the agent answered.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pipewarden::agent {

// The field as text: a string as it is, a number or boolean as JSON writes it, "" where absent or null.
std::string Text(const nlohmann::json& object, const char* field);
// A field with Unix seconds as "3m", "2h", "5d" before now; "" where absent.
std::string Ago(const nlohmann::json& object, const char* field);
// A field with Unix seconds as "2026-11-21 12:00:07" in UTC; "" where absent.
std::string When(const nlohmann::json& object, const char* field);
// 0.0123 -> "12ms", 75.2 -> "1m15s".
std::string Seconds(double seconds);

}  // namespace pipewarden::agent
