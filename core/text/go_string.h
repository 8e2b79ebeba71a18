// Strings as Go writes and reads them in source text (package strconv): what rule files, templates and matchers quote
// alike, and what messages that Go programs word the same way show. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipewarden::core {

// strconv.Quote: "a\n", with \x for bytes that are no UTF-8 and \u for what cannot be seen.
std::string GoQuote(std::string_view text);
// strconv.QuoteRune: 'a'.
std::string GoQuoteRune(char32_t rune);
// strconv.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
bool IsGoPrintable(char32_t rune);

// strconv.Unquote: of "…", `…` and '…' (one character); nothing where the text is none of them.
std::optional<std::string> GoUnquote(std::string_view quoted);
// What stands between two quotes (" or '), of any length: nothing where an escape is malformed, or a line end or the
// quote itself stands there bare. An invalid byte becomes U+FFFD, as in Go.
std::optional<std::string> GoUnescape(std::string_view body, char quote);

// strconv.UnquoteChar.
struct GoChar {
  char32_t value = 0;
  bool is_byte = false;  // from \x or octal digits: a byte of the string rather than a code point
};
// Takes one character or escape off the front of `rest`, which changes only where it is well formed.
std::optional<GoChar> TakeGoChar(std::string_view& rest, char quote);

}  // namespace pipewarden::core
