#include "core/template/text_functions.h"

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cwctype>
#include <limits>
#include <optional>
#include <vector>

#include <re2/re2.h>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

using Args = std::span<const Value>;

// Letters of all scripts, whatever the environment's locale: glibc has C.UTF-8 built in. Owned for ever.
locale_t Utf8Locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

char32_t Upper(char32_t rune) {
  if (rune < 0x80 || Utf8Locale() == nullptr) return rune >= 'a' && rune <= 'z' ? rune - 32 : rune;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(rune), Utf8Locale()));
}
char32_t Lower(char32_t rune) {
  if (rune < 0x80 || Utf8Locale() == nullptr) return rune >= 'A' && rune <= 'Z' ? rune + 32 : rune;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(rune), Utf8Locale()));
}
bool IsLetterOrDigit(char32_t rune) {
  if (rune < 0x80) return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
  return Utf8Locale() != nullptr && iswalnum_l(static_cast<wint_t>(rune), Utf8Locale()) != 0;
}

template <class Map>
std::string EachRune(std::string_view text, Map map) {
  std::string out;
  while (!text.empty()) AppendUtf8(out, map(TakeUtf8(text)));
  return out;
}

// $1, ${1}, $name, ${name}, $$; an unknown group is empty. As Go reads it, $1x is the group "1x".
std::string Expand(std::string_view replacement, const re2::RE2& regex, const std::vector<re2::StringPiece>& groups) {
  std::string out;
  while (!replacement.empty()) {
    const std::size_t dollar = replacement.find('$');
    out += replacement.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    replacement.remove_prefix(dollar + 1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braces = replacement.starts_with('{');
    std::size_t end = braces ? 1 : 0;
    while (end < replacement.size() &&
           (std::isalnum(static_cast<unsigned char>(replacement[end])) != 0 || replacement[end] == '_'))
      ++end;
    const std::string name(replacement.substr(braces ? 1 : 0, end - (braces ? 1 : 0)));
    if (name.empty() || (braces && (end >= replacement.size() || replacement[end] != '}'))) {
      out += '$';
      continue;
    }
    replacement.remove_prefix(end + (braces ? 1 : 0));
    std::size_t group = groups.size();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      group = name.size() < 6 ? static_cast<std::size_t>(std::atoi(name.c_str())) : groups.size();
    } else if (const auto found = regex.NamedCapturingGroups().find(name);
               found != regex.NamedCapturingGroups().end()) {
      group = static_cast<std::size_t>(found->second);
    }
    if (group < groups.size() && groups[group].data() != nullptr)
      out.append(groups[group].data(), groups[group].size());
  }
  return out;
}

// As Go words it.
Error BadPattern(const std::string& pattern, const re2::RE2& regex) {
  std::string why;
  std::string where(regex.error_arg());
  switch (regex.error_code()) {
    case re2::RE2::ErrorMissingParen:
      why = "missing closing )";
      where = pattern;
      break;
    case re2::RE2::ErrorMissingBracket:
      why = "missing closing ]";
      break;
    case re2::RE2::ErrorRepeatArgument:
      why = "missing argument to repetition operator";
      break;
    case re2::RE2::ErrorRepeatOp:
      why = "invalid nested repetition operator";
      break;
    case re2::RE2::ErrorRepeatSize:
      why = "invalid repeat count";
      break;
    case re2::RE2::ErrorBadNamedCapture:
      why = "invalid named capture";
      break;
    case re2::RE2::ErrorTrailingBackslash:
      why = "trailing backslash at end of expression";
      where.clear();
      break;
    case re2::RE2::ErrorBadCharRange:
      why = "invalid character class range";
      break;
    case re2::RE2::ErrorBadPerlOp:
      why = "invalid or unsupported Perl syntax";
      break;
    case re2::RE2::ErrorBadEscape:
      why = "invalid escape sequence";
      break;
    default:
      why = regex.error();
      where = pattern;
  }
  return {ErrorCode::kInvalid, "error parsing regexp: " + why + ": `" + where + "`"};
}

}  // namespace

std::string ToUpper(std::string_view text) { return EachRune(text, Upper); }
std::string ToLower(std::string_view text) { return EachRune(text, Lower); }

std::string TitleCase(std::string_view text, bool lower_rest) {
  std::string out;
  bool inside = false;   // a word
  bool capital = false;  // its first letter has been seen; digits before it do not count
  while (!text.empty()) {
    const char32_t rune = TakeUtf8(text);
    const bool word = IsLetterOrDigit(rune);
    if (word) {
      capital = capital && inside;
      const bool letter = Upper(rune) != rune || Lower(rune) != rune;
      AppendUtf8(out, !letter ? rune : !capital ? Upper(rune) : lower_rest ? Lower(rune) : rune);
      capital = capital || letter;
      inside = true;
      continue;
    }
    AppendUtf8(out, rune);
    // "it's", "e.g", "a:b" and "a_b" are one word each (Unicode's word boundaries).
    std::string_view next = text;
    const bool followed = !next.empty() && IsLetterOrDigit(TakeUtf8(next));
    const bool joins = rune == '_' || rune == '.' || rune == '\'' || rune == ':' || rune == 0x2019;
    inside = (inside && joins && followed) || (rune == '_' && inside);
  }
  return out;
}

Result<std::string> RegexReplaceAll(const std::string& pattern, std::string_view replacement, const std::string& text) {
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  if (!regex.ok()) {  // regexp.MustCompile's words
    const std::string shown = pattern.find('`') == std::string::npos ? "`" + pattern + "`" : GoQuote(pattern);
    return Fail(ErrorCode::kInvalid, "regexp: Compile(" + shown + "): " + BadPattern(pattern, regex).message);
  }
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1);
  std::string out;
  const re2::StringPiece input(text);
  std::size_t copied = 0;               // of the text
  std::size_t at = 0;                   // where the search goes on
  std::optional<std::size_t> last_end;  // of a match: an empty one right there does not count, as in Go
  while (at <= text.size() &&
         regex.Match(input, at, text.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    if (end > begin || last_end != begin) {
      out.append(text, copied, begin - copied);
      out += Expand(replacement, regex, groups);
      copied = end;
      last_end = end;
    }
    at = end;
    if (end == begin) {
      if (end >= text.size()) break;
      std::string_view rest = std::string_view(text).substr(end);
      TakeUtf8(rest);
      at = text.size() - rest.size();
    }
  }
  out.append(text, copied, std::string::npos);
  return out;
}

Result<double> ToFloat(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kFloat:
      return value.number();
    case Value::Kind::kInt:
      return value.IsType(kDurationType) ? ToSeconds(value.duration()) : static_cast<double>(value.integer());
    case Value::Kind::kString: {
      char* end = nullptr;
      const std::string& text = value.string();
      const double number = std::strtod(text.c_str(), &end);
      if (!text.empty() && !std::isspace(static_cast<unsigned char>(text[0])) && end == text.c_str() + text.size())
        return number;
      return Fail(ErrorCode::kInvalid, "strconv.ParseFloat: parsing " + GoQuote(text) + ": invalid syntax");
    }
    default:
      return Fail(ErrorCode::kInvalid, "can't convert " + value.TypeName() + " to float");
  }
}

std::string HumanizeDuration(double seconds) {
  if (std::isnan(seconds) || std::isinf(seconds)) return FormatGoFloat(seconds, 'g', 4);
  if (seconds == 0) return "0s";
  if (std::abs(seconds) >= 1) {
    const std::string sign = seconds < 0 ? "-" : "";
    const double size = std::abs(seconds);
    const auto whole = size < 9.2e18 ? static_cast<std::int64_t>(size) : std::numeric_limits<std::int64_t>::max();
    const auto part = [](std::int64_t value, const char* unit) { return std::to_string(value) + unit; };
    const std::string tail = part(whole / 60 % 60, "m ") + part(whole % 60, "s");
    if (whole >= 86'400) return sign + part(whole / 86'400, "d ") + part(whole / 3600 % 24, "h ") + tail;
    if (whole >= 3600) return sign + part(whole / 3600, "h ") + tail;
    if (whole >= 60) return sign + tail;
    return sign + FormatGoFloat(size, 'g', 4) + "s";
  }
  std::string prefix;
  for (const char* next : {"m", "u", "n", "p", "f", "a", "z", "y"}) {
    if (std::abs(seconds) >= 1) break;
    prefix = next;
    seconds *= 1000;
  }
  return FormatGoFloat(seconds, 'g', 4) + prefix + "s";
}

void AddTextFunctions(FunctionTable& table) {
  constexpr Param kText = Param::kString;
  table["toUpper"] = {
      {kText}, false, [](Args args) -> Result<Value> { return Value::String(ToUpper(args[0].string())); }};
  table["toLower"] = {
      {kText}, false, [](Args args) -> Result<Value> { return Value::String(ToLower(args[0].string())); }};
  table["safeHtml"] = {{kText}, false, [](Args args) -> Result<Value> { return args[0].As(kHtmlType); }};
  table["match"] = {{kText, kText}, false, [](Args args) -> Result<Value> {
                      const re2::RE2 regex(args[0].string(), re2::RE2::Quiet);
                      if (!regex.ok()) return Fail(BadPattern(args[0].string(), regex));
                      return Value::Bool(re2::RE2::PartialMatch(args[1].string(), regex));
                    }};
  table["reReplaceAll"] = {{kText, kText, kText}, false, [](Args args) -> Result<Value> {
                             auto replaced = RegexReplaceAll(args[0].string(), args[1].string(), args[2].string());
                             if (!replaced) return std::unexpected(replaced.error());
                             return Value::String(std::move(*replaced));
                           }};
  table["humanizeDuration"] = {{Param::kAny}, false, [](Args args) -> Result<Value> {
                                 const auto seconds = ToFloat(args[0]);
                                 if (!seconds) return std::unexpected(seconds.error());
                                 return Value::String(HumanizeDuration(*seconds));
                               }};
}

}  // namespace pipewarden::core
