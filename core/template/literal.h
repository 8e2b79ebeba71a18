// Literals of templates: numbers and quoted strings as Go's strconv reads them. Used by parse.cpp alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/template/node.h"

namespace pipewarden::core {

// Fills is_int, is_float, integer and number. "" or Go's complaint.
std::string ReadNumber(std::string_view text, Node& number);

}  // namespace pipewarden::core
