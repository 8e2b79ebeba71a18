#include "core/template/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

constexpr int kMaxWidth = 1'000'000;
constexpr int kMaxDepth = 50;  // of nested lists and maps

// One verb with its flags, and the printing of a value by it.
struct Verb {
  bool minus = false;
  bool plus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  int width = -1;
  int precision = -1;
  char32_t verb = 'v';
  bool names_fields = false;
};

void Pad(std::string& out, const Verb& verb, std::string_view text, bool zero = false) {
  const std::size_t length = CountUtf8(text);
  const std::size_t width = verb.width > 0 ? static_cast<std::size_t>(verb.width) : 0;
  const std::size_t padding = width > length ? width - length : 0;
  if (verb.minus) {
    out += text;
    out.append(padding, ' ');
  } else {
    out.append(padding, zero ? '0' : ' ');
    out += text;
  }
}

std::string Digits(std::uint64_t value, unsigned base, bool upper) {
  constexpr std::string_view kLower = "0123456789abcdef";
  constexpr std::string_view kUpper = "0123456789ABCDEF";
  std::string digits;
  do {
    digits.insert(digits.begin(), (upper ? kUpper : kLower)[value % base]);
    value /= base;
  } while (value != 0);
  return digits;
}

void Integer(std::string& out, const Verb& verb, std::int64_t value, unsigned base, bool upper = false,
             std::string_view prefix = "") {
  const bool negative = value < 0;
  const std::uint64_t size = negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  std::string digits = verb.precision == 0 && value == 0 ? "" : Digits(size, base, upper);
  const std::string sign = negative ? "-" : verb.plus ? "+" : verb.space ? " " : "";
  std::size_t wanted = 0;
  if (verb.precision >= 0) {
    wanted = static_cast<std::size_t>(verb.precision);
  } else if (verb.zero && !verb.minus && verb.width > 0) {
    wanted = static_cast<std::size_t>(verb.width) - std::min(static_cast<std::size_t>(verb.width), sign.size());
  }
  if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
  std::string text = sign;
  text += prefix;
  text += digits;
  Pad(out, verb, text);
}

void Float(std::string& out, const Verb& verb, double value, char format, int precision) {
  if (verb.precision >= 0) precision = verb.precision;
  std::string number = FormatGoFloat(value, format, precision);
  if (std::isnan(value)) return Pad(out, verb, verb.plus ? "+NaN" : verb.space ? " NaN" : "NaN");
  if (number[0] != '-' && number[0] != '+') number.insert(0, 1, '+');
  if (verb.space && number[0] == '+' && !verb.plus) number[0] = ' ';
  if (std::isinf(value)) return Pad(out, verb, number);
  if (verb.plus || number[0] != '+') {
    if (verb.zero && !verb.minus && verb.width > static_cast<int>(number.size())) {
      out += number[0];
      out.append(static_cast<std::size_t>(verb.width) - number.size(), '0');
      out += number.substr(1);
      return;
    }
    return Pad(out, verb, number);
  }
  Pad(out, verb, std::string_view(number).substr(1), verb.zero && !verb.minus);
}

std::string HexOfText(const Verb& verb, std::string_view text, bool upper) {
  std::string out;
  if (verb.precision >= 0) text = text.substr(0, static_cast<std::size_t>(verb.precision));
  if (text.empty()) return out;
  const std::string prefix = upper ? "0X" : "0x";
  if (verb.sharp) out += prefix;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (verb.space && i > 0) {
      out += ' ';
      if (verb.sharp) out += prefix;
    }
    const std::string digits = Digits(static_cast<unsigned char>(text[i]), 16, upper);
    out += digits.size() < 2 ? "0" + digits : digits;
  }
  return out;
}

std::string_view Truncate(std::string_view text, int precision) {
  return precision < 0 ? text : Utf8Prefix(text, static_cast<std::size_t>(precision));
}

void PrintValue(std::string& out, const Verb& verb, const Value& value, int depth);

void BadVerb(std::string& out, const Verb& verb, const Value& value) {
  out += "%!";
  AppendUtf8(out, verb.verb);
  out += '(';
  if (value.is_nil()) {
    out += "<nil>";
  } else {
    out += value.TypeName();
    out += '=';
    Verb plain = verb;  // its width and flags go on holding
    plain.verb = 'v';
    plain.sharp = false;
    PrintValue(out, plain, value, 0);
  }
  out += ')';
}

void PrintInt(std::string& out, const Verb& verb, const Value& value) {
  const std::int64_t number = value.integer();
  const auto sharp = [&](std::string_view prefix) { return verb.sharp ? prefix : std::string_view(); };
  switch (verb.verb) {
    case 'v':
    case 'd':
      return Integer(out, verb, number, 10);
    case 'b':
      return Integer(out, verb, number, 2, false, sharp("0b"));
    case 'o':
      return Integer(out, verb, number, 8, false, sharp("0"));
    case 'O':
      return Integer(out, verb, number, 8, false, "0o");
    case 'x':
      return Integer(out, verb, number, 16, false, sharp("0x"));
    case 'X':
      return Integer(out, verb, number, 16, true, sharp("0X"));
    case 'c': {
      std::string text;
      AppendUtf8(text, number < 0 || number > 0x10FFFF ? 0xFFFD : static_cast<char32_t>(number));
      return Pad(out, verb, text);
    }
    case 'q':
      return Pad(out, verb, GoQuoteRune(number < 0 || number > 0x10FFFF ? 0xFFFD : static_cast<char32_t>(number)));
    case 'U': {
      std::string digits = Digits(static_cast<std::uint64_t>(number), 16, true);
      if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
      std::string text = "U+" + digits;
      return Pad(out, verb, text);
    }
    default:
      return BadVerb(out, verb, value);
  }
}

void PrintFloat(std::string& out, const Verb& verb, const Value& value) {
  switch (verb.verb) {
    case 'v':
      return Float(out, verb, value.number(), 'g', -1);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
      return Float(out, verb, value.number(), verb.verb == 'F' ? 'f' : static_cast<char>(verb.verb), 6);
    case 'g':
    case 'G':
      return Float(out, verb, value.number(), static_cast<char>(verb.verb), -1);
    default:
      return BadVerb(out, verb, value);
  }
}

void PrintString(std::string& out, const Verb& verb, const Value& value, const std::string& text) {
  switch (verb.verb) {
    case 'v':
      if (verb.sharp) return Pad(out, verb, GoQuote(text));
      [[fallthrough]];
    case 's':
      return Pad(out, verb, Truncate(text, verb.precision), verb.zero && !verb.minus);
    case 'q': {
      const std::string_view cut = Truncate(text, verb.precision);
      return Pad(out, verb,
                 verb.sharp && cut.find('`') == std::string_view::npos ? "`" + std::string(cut) + "`" : GoQuote(cut));
    }
    case 'x':
      return Pad(out, verb, HexOfText(verb, text, false));
    case 'X':
      return Pad(out, verb, HexOfText(verb, text, true));
    default:
      return BadVerb(out, verb, value);
  }
}

void PrintComposite(std::string& out, const Verb& verb, const Value& value, int depth) {
  if (depth > kMaxDepth) return void(out += "...");
  bool first = true;
  const auto separate = [&] {
    if (!first) out += verb.sharp && verb.verb == 'v' ? ", " : " ";
    first = false;
  };
  const bool syntax = verb.sharp && verb.verb == 'v';
  if (syntax) out += value.TypeName();
  if (value.is(Value::Kind::kList)) {
    out += syntax ? '{' : '[';
    for (const Value& item : value.list()) {
      separate();
      PrintValue(out, verb, item, depth + 1);
    }
    out += syntax ? '}' : ']';
  } else if (value.is(Value::Kind::kMap)) {
    out += syntax ? "{" : "map[";
    for (const auto& [key, item] : value.map().entries) {
      separate();
      PrintValue(out, verb, Value::String(key), depth + 1);
      out += ':';
      PrintValue(out, verb, item, depth + 1);
    }
    out += syntax ? '}' : ']';
  } else {
    out += '{';
    for (const auto& [name, item] : value.fields().fields) {
      separate();
      if (verb.names_fields || syntax) {
        out += name;
        out += ':';
      }
      PrintValue(out, verb, item, depth + 1);
    }
    out += '}';
  }
}

void PrintValue(std::string& out, const Verb& verb, const Value& value, int depth) {
  const bool text_verb =
      verb.verb == 'v' || verb.verb == 's' || verb.verb == 'q' || verb.verb == 'x' || verb.verb == 'X';
  if (text_verb && !(verb.sharp && verb.verb == 'v')) {
    if (value.is(Value::Kind::kTime)) return PrintString(out, verb, value, GoTimeString(value.time()));
    if (value.type() != nullptr && value.type()->to_string != nullptr) {
      return PrintString(out, verb, value, value.type()->to_string(value));
    }
  }
  switch (value.kind()) {
    case Value::Kind::kNil:
      if (verb.verb == 'v') return Pad(out, verb, "<nil>");
      return BadVerb(out, verb, value);
    case Value::Kind::kBool:
      if (verb.verb != 'v' && verb.verb != 't') return BadVerb(out, verb, value);
      return Pad(out, verb, value.boolean() ? "true" : "false");
    case Value::Kind::kInt:
      return PrintInt(out, verb, value);
    case Value::Kind::kFloat:
      return PrintFloat(out, verb, value);
    case Value::Kind::kString:
      return PrintString(out, verb, value, value.string());
    case Value::Kind::kTime:
      return BadVerb(out, verb, Value::String(GoTimeString(value.time())));
    case Value::Kind::kList:
    case Value::Kind::kMap:
    case Value::Kind::kStruct:
      return PrintComposite(out, verb, value, depth);
  }
}

// Reads a format string and prints its arguments.
class Printer {
 public:
  Printer(std::string_view format, std::span<const Value> values) : format_(format), values_(values) {}

  std::string Print() {
    while (at_ < format_.size()) {
      const std::size_t percent = format_.find('%', at_);
      out_ += format_.substr(at_, percent == std::string_view::npos ? percent : percent - at_);
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      One();
    }
    if (!reordered_ && next_ < values_.size()) Extra();
    return std::move(out_);
  }

 private:
  char Here() const { return at_ < format_.size() ? format_[at_] : '\0'; }

  void Flags(Verb& verb) {
    for (;; ++at_) {
      switch (Here()) {
        case '#':
          verb.sharp = true;
          break;
        case '0':
          verb.zero = true;
          break;
        case '+':
          verb.plus = true;
          break;
        case '-':
          verb.minus = true;
          break;
        case ' ':
          verb.space = true;
          break;
        default:
          return;
      }
    }
  }

  // [n]: the argument's number, from 1.
  void Index(bool& good) {
    if (Here() != '[') return;
    reordered_ = true;
    const std::size_t close = format_.find(']', at_);
    if (close == std::string_view::npos) {
      ++at_;
      good = false;
      return;
    }
    int number = 0;
    const std::string_view digits = format_.substr(at_ + 1, close - at_ - 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    at_ = close + 1;
    after_index_ = true;
    if (error != std::errc() || end != digits.data() + digits.size() || number < 1 ||
        static_cast<std::size_t>(number) > values_.size()) {
      good = false;
      return;
    }
    next_ = static_cast<std::size_t>(number) - 1;
  }

  // A number, or * for the next argument. Nothing where neither stands.
  std::optional<int> Number(std::string_view bad) {
    if (Here() == '*') {
      ++at_;
      after_index_ = false;
      if (next_ < values_.size() && values_[next_].is(Value::Kind::kInt) &&
          std::abs(static_cast<double>(values_[next_].integer())) <= kMaxWidth) {
        return static_cast<int>(values_[next_++].integer());
      }
      if (next_ < values_.size()) ++next_;
      out_ += bad;
      return std::nullopt;
    }
    if (Here() < '0' || Here() > '9') return std::nullopt;
    int number = 0;
    bool too_large = false;
    while (Here() >= '0' && Here() <= '9') {
      number = number * 10 + (Here() - '0');
      too_large = too_large || number > kMaxWidth;
      if (too_large) number = 0;
      ++at_;
    }
    return too_large ? std::nullopt : std::optional(number);
  }

  void One() {
    Verb verb;
    bool good_index = true;
    after_index_ = false;
    Flags(verb);
    Index(good_index);
    if (const auto width = Number("%!(BADWIDTH)")) {
      verb.width = *width;
      if (verb.width < 0) {
        verb.width = -verb.width;
        verb.minus = true;
        verb.zero = false;
      }
      if (after_index_) good_index = false;  // "%[3]2d"
    }
    if (Here() == '.') {
      ++at_;
      if (after_index_) good_index = false;  // "%[3].2d"
      Index(good_index);
      const bool star = Here() == '*';
      const auto precision = Number("%!(BADPREC)");
      verb.precision = precision ? *precision : star ? -1 : 0;
      if (star && precision && *precision < 0) {
        verb.precision = -1;
        out_ += "%!(BADPREC)";
      }
    }
    if (!after_index_) Index(good_index);
    if (at_ >= format_.size()) return void(out_ += "%!(NOVERB)");
    std::string_view rest = format_.substr(at_);
    verb.verb = TakeUtf8(rest);
    at_ = format_.size() - rest.size();
    if (verb.verb == '%') return void(out_ += '%');
    if (!good_index) return Complain(verb.verb, "(BADINDEX)");
    if (next_ >= values_.size()) return Complain(verb.verb, "(MISSING)");
    const Value& value = values_[next_++];
    if (verb.verb == 'v' && verb.plus) {  // %+v names the fields of structs, it does not sign numbers
      verb.plus = false;
      verb.names_fields = true;
    }
    if (verb.verb == 'T') {
      Verb text = verb;
      text.verb = 's';
      return PrintString(out_, text, value, value.TypeName());
    }
    PrintValue(out_, verb, value, 0);
  }

  void Complain(char32_t verb, std::string_view what) {
    out_ += "%!";
    AppendUtf8(out_, verb);
    out_ += what;
  }

  void Extra() {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < values_.size(); ++i) {
      if (i > next_) out_ += ", ";
      if (values_[i].is_nil()) {
        out_ += "<nil>";
        continue;
      }
      out_ += values_[i].TypeName();
      out_ += '=';
      PrintValue(out_, Verb{}, values_[i], 0);
    }
    out_ += ')';
  }

  std::string_view format_;
  std::span<const Value> values_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  bool reordered_ = false;
  bool after_index_ = false;
};

}  // namespace

std::string FormatValue(const Value& value) {
  std::string out;
  PrintValue(out, Verb{}, value, 0);
  return out;
}

std::string GoSprint(std::span<const Value> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool text = values[i].is(Value::Kind::kString);
    if (i > 0 && !text && !values[i - 1].is(Value::Kind::kString)) out += ' ';
    PrintValue(out, Verb{}, values[i], 0);
  }
  return out;
}

std::string GoSprintln(std::span<const Value> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ' ';
    PrintValue(out, Verb{}, values[i], 0);
  }
  return out + '\n';
}

std::string GoSprintf(std::string_view format, std::span<const Value> values) {
  return Printer(format, values).Print();
}

}  // namespace pipewarden::core
