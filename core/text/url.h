// Text as a part of a URL (RFC 3986, 2.1). Pure.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::core {

// For a path's segment, a query's name or value, a form's field: every byte but A-Z a-z 0-9 - . _ ~ and those of `also`
// becomes %XX.
std::string UrlEscape(std::string_view text, std::string_view also = {});
// A query's name or value as Go's url.QueryEscape writes it: spaces become +.
std::string UrlQueryEscape(std::string_view text);

}  // namespace pipewarden::core
