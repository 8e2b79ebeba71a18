// Go's package fmt over template values: Sprint, Sprintln, Sprintf with its verbs, flags and complaints
// (https://pkg.go.dev/fmt). What %v prints is what a template's {{.}} shows.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/template/value.h"

namespace pipewarden::core {

std::string FormatValue(const Value& value);          // %v
std::string GoSprint(std::span<const Value> values);  // spaces only between two operands that are no strings
std::string GoSprintln(std::span<const Value> values);
// Kind of what it prints is bounded: a width or precision above 1,000,000 is refused as Go does, %!(BADWIDTH).
std::string GoSprintf(std::string_view format, std::span<const Value> values);

}  // namespace pipewarden::core
