// Text made safe within JSON, HTML and label sets. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::core {

// A JSON string with its quotes, as Go's encoding/json writes it: < > & and U+2028/9 escaped too (harmless within HTML
// and scripts), each invalid byte as \ufffd.
std::string JsonString(std::string_view text);
void AppendJsonString(std::string& out, std::string_view text);

// & < > " ' and NUL as Go's html/template escapes them: safe as text and within a quoted attribute.
std::string EscapeHtml(std::string_view text);

// A label's value with its quotes, as Prometheus writes it: backslash, quote and newline escaped.
void AppendLabelValue(std::string& out, std::string_view text);

}  // namespace pipewarden::core
