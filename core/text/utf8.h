// UTF-8: what is valid, one code point off a text, one onto it. Valid as in Go's unicode/utf8 (RFC 3629: no overlong
// form, no surrogate, nothing above U+10FFFF). Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipewarden::core {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// Bytes of the sequence at the start of text; 0 where there is none, and for an empty text.
std::size_t Utf8Length(std::string_view text);
bool IsValidUtf8(std::string_view text);
// Each run of invalid bytes becomes one U+FFFD, as Go's strings.ToValidUTF8 makes it.
std::string ToValidUtf8(std::string_view text);

// Takes the first code point off text, which is not empty. An invalid byte is taken alone, gives U+FFFD and clears
// *valid (where given).
char32_t TakeUtf8(std::string_view& text, bool* valid = nullptr);
// What is no code point is written as U+FFFD.
void AppendUtf8(std::string& out, char32_t code_point);
// Code points; each invalid byte counts as one.
std::size_t CountUtf8(std::string_view text);
// The first `count` code points.
std::string_view Utf8Prefix(std::string_view text, std::size_t count);

}  // namespace pipewarden::core
