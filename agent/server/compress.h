// gzip (RFC 1952) of a whole text, for responses. Pure.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::agent {

std::string Gzip(std::string_view text);

}  // namespace pipewarden::agent
