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
// strconv.FormatFloat(value, format, precision, 64) with format e, f or g; precision -1 is the shortest that reads
// back.
std::string FormatGoFloat(double value, char format, int precision);
// strconv.QuoteRune and the text of one code point.
std::string GoQuoteRune(char32_t rune);
void AppendUtf8(std::string& out, char32_t rune);
// Takes the first code point off `text`; an invalid byte gives U+FFFD and is taken alone.
char32_t TakeUtf8(std::string_view& text);

}  // namespace pipewarden::core
