// Literals that a pattern needs, and a quick search for them: most lines match no pattern, and a line without the
// literal cannot. Searching a whole block for the literal costs a tenth of asking RE2 about each line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipewarden::exporters {

struct RequiredLiteral {
  std::string text;            // every match holds it; "" where none of at least three bytes is known
  bool is_prefix = false;      // and begins with it
  bool at_line_start = false;  // the pattern begins with ^
};

// Reads an RE2 pattern's text. Knows concatenations, groups, classes and quantifiers; of alternations, (?i) and \Q it
// says nothing. What it says is compared with RE2 on generated patterns in its test.
RequiredLiteral FindRequiredLiteral(std::string_view pattern);

// The first position of `literal` (not empty) in `text` at or after `from`, or npos. By AVX2 where the machine has it.
std::size_t FindLiteral(std::string_view text, std::string_view literal, std::size_t from);

}  // namespace pipewarden::exporters
