// What the template functions of Prometheus and of Alertmanager have in common: letter case, regular expressions (RE2,
// with Go's $1 in replacements), numbers in a form for people. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/template/value.h"

namespace pipewarden::core {

// toUpper, toLower, match, reReplaceAll, safeHtml, humanizeDuration.
void AddTextFunctions(FunctionTable& table);

std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);
// The first letter of each word as a capital, the others as they are or, with `lower_rest`, small.
std::string TitleCase(std::string_view text, bool lower_rest);
// kInvalid for a bad pattern.
Result<std::string> RegexReplaceAll(const std::string& pattern, std::string_view replacement, const std::string& text);
// A number, a duration in seconds, or a string that is a number.
Result<double> ToFloat(const Value& value);
std::string HumanizeDuration(double seconds);  // 1d 2h 3m 4s; 1.234s; 5ms

}  // namespace pipewarden::core
