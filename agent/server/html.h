// Pieces of the server-rendered pages: escaping, the frame that all share. The frame's HTML and CSS are kept in
// dashboards/pages/ and compiled in.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::agent {

// Escaped: safe as text and within a quoted attribute. Invalid UTF-8 becomes U+FFFD.
std::string Html(std::string_view text);

// A whole page: `body` is HTML already; `title` is text.
std::string Page(std::string_view title, std::string_view body);
std::string ErrorPage(int status, std::string_view message);

// The style sheet, and the Content-Security-Policy that allows it and nothing else: no script, no other origin.
std::string_view StyleSheet();
std::string_view Icon();  // SVG
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

}  // namespace pipewarden::agent
