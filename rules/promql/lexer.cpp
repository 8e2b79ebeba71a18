#include "rules/promql/lexer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/text/go_string.h"
#include "core/text/utf8.h"
#include "rules/promql/text.h"

namespace pipewarden::rules::promql {
namespace {

struct Keyword {
  std::string_view word;
  Token token;
  BinaryOp op = BinaryOp::kAdd;
  AggregateOp aggregate = AggregateOp::kSum;
};
constexpr auto kKeywords = std::to_array<Keyword>({
    {"and", Token::kOperator, BinaryOp::kAnd},
    {"or", Token::kOperator, BinaryOp::kOr},
    {"unless", Token::kOperator, BinaryOp::kUnless},
    {"atan2", Token::kOperator, BinaryOp::kAtan2},
    {"sum", Token::kAggregate, {}, AggregateOp::kSum},
    {"avg", Token::kAggregate, {}, AggregateOp::kAvg},
    {"count", Token::kAggregate, {}, AggregateOp::kCount},
    {"min", Token::kAggregate, {}, AggregateOp::kMin},
    {"max", Token::kAggregate, {}, AggregateOp::kMax},
    {"group", Token::kAggregate, {}, AggregateOp::kGroup},
    {"stddev", Token::kAggregate, {}, AggregateOp::kStddev},
    {"stdvar", Token::kAggregate, {}, AggregateOp::kStdvar},
    {"topk", Token::kAggregate, {}, AggregateOp::kTopk},
    {"bottomk", Token::kAggregate, {}, AggregateOp::kBottomk},
    {"count_values", Token::kAggregate, {}, AggregateOp::kCountValues},
    {"quantile", Token::kAggregate, {}, AggregateOp::kQuantile},
    {"limitk", Token::kAggregate, {}, AggregateOp::kLimitk},
    {"limit_ratio", Token::kAggregate, {}, AggregateOp::kLimitRatio},
    {"offset", Token::kOffset},
    {"by", Token::kBy},
    {"without", Token::kWithout},
    {"on", Token::kOn},
    {"ignoring", Token::kIgnoring},
    {"group_left", Token::kGroupLeft},
    {"group_right", Token::kGroupRight},
    {"bool", Token::kBool},
    {"start", Token::kStart},
    {"end", Token::kEnd},
    {"step", Token::kStep},
    {"range", Token::kRange},
    {"inf", Token::kNumber},
    {"nan", Token::kNumber},
});

bool IsSpace(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(int c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsAlpha(int c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsAlphaNumeric(int c) { return IsAlpha(c) || IsDigit(c); }

constexpr int kEnd = -1;

class Lexer {
 public:
  explicit Lexer(std::string_view query) : text_(query) {}

  std::vector<LexItem> Run() {
    while (!done_) {
      if (brace_open_)
        LexInsideBraces();
      else if (duration_start_)
        LexDurationStart();
      else
        LexStatement();
    }
    return std::move(items_);
  }

 private:
  int Peek(std::size_t ahead = 0) const {
    return pos_ + ahead < text_.size() ? static_cast<unsigned char>(text_[pos_ + ahead]) : kEnd;
  }
  int Next() {
    const int c = Peek();
    if (c != kEnd) ++pos_;
    return c;
  }
  // The whole UTF-8 character at `at`, for messages: 'é'.
  std::string CharAt(std::size_t at) const;

  void Emit(Token token) {
    LexItem item;
    item.token = token;
    item.pos = static_cast<int>(start_);
    item.text = text_.substr(start_, pos_ - start_);
    items_.push_back(std::move(item));
    start_ = pos_;
    done_ = token == Token::kEof;
  }
  void EmitOp(BinaryOp op) {
    Emit(Token::kOperator);
    items_.back().op = op;
  }
  void Fail(std::string message) {
    LexItem item;
    item.token = Token::kError;
    item.pos = static_cast<int>(start_);
    item.text = text_.substr(start_, pos_ - start_);
    item.error = std::move(message);
    items_.push_back(std::move(item));
    done_ = true;
  }
  bool SkipBlank();

  void LexStatement();
  void LexDurationStart();
  bool LexDurationWord();
  void LexComparison(int c);
  void LexBracketOrParen(int c);
  void LexInsideBraces();
  void LexWord();
  void LexNumberOrDuration();
  enum class Scanned { kNumber, kDigits, kBad };
  Scanned ScanNumber();
  bool ScanDecimal();
  bool ScanDigits(bool hex);
  bool ScanDuration();
  void LexString(int quote);
  bool LexEscape(int quote);
  void LexRawString();

  std::string_view text_;
  std::size_t pos_ = 0;
  std::size_t start_ = 0;
  int paren_depth_ = 0;
  bool brace_open_ = false;
  bool bracket_open_ = false;
  bool got_colon_ = false;
  bool duration_start_ = false;  // behind '[' and before the first number of the duration
  bool done_ = false;
  std::vector<LexItem> items_;
};

std::string Lexer::CharAt(std::size_t at) const {
  if (at >= text_.size()) return "'\\x00'";
  return QuotedChar(text_.substr(at));
}

// Spaces and comments in front of the next token.
bool Lexer::SkipBlank() {
  const std::size_t before = pos_;
  for (;;) {
    if (IsSpace(Peek())) {
      ++pos_;
    } else if (Peek() == '#') {
      while (Peek() != kEnd && Peek() != '\n' && Peek() != '\r') ++pos_;
    } else {
      break;
    }
  }
  start_ = pos_;
  return pos_ != before;
}

void Lexer::LexStatement() {
  SkipBlank();
  const int c = Next();
  switch (c) {
    case kEnd:
      if (paren_depth_ != 0) return Fail("unclosed left parenthesis");
      if (bracket_open_) return Fail("unclosed left bracket");
      return Emit(Token::kEof);
    case ',':
      return Emit(Token::kComma);
    case '*':
      return EmitOp(BinaryOp::kMul);
    case '/':
      return EmitOp(BinaryOp::kDiv);
    case '%':
      return EmitOp(BinaryOp::kMod);
    case '+':
      return EmitOp(BinaryOp::kAdd);
    case '-':
      return EmitOp(BinaryOp::kSub);
    case '^':
      return EmitOp(BinaryOp::kPow);
    case '=':
    case '!':
    case '<':
    case '>':
      return LexComparison(c);
    case '@':
      return Emit(Token::kAt);
    case '"':
    case '\'':
      return LexString(c);
    case '`':
      return LexRawString();
    case '(':
    case ')':
    case '{':
    case '[':
    case ']':
      return LexBracketOrParen(c);
    case ':':
      if (bracket_open_) {
        if (got_colon_) return Fail("unexpected colon ':'");
        got_colon_ = true;
        return Emit(Token::kColon);
      }
      return LexWord();
    default:
      break;
  }
  if (IsDigit(c) || (c == '.' && IsDigit(Peek()))) {
    --pos_;
    return LexNumberOrDuration();
  }
  if (IsAlpha(c)) {
    if (!bracket_open_) return LexWord();
    if (!LexDurationWord()) Fail("unexpected character: " + CharAt(start_) + ", expected ':'");
    return;
  }
  Fail("unexpected character: " + CharAt(start_));
}

// Inside brackets only these words exist.
bool Lexer::LexDurationWord() {
  std::size_t end = start_;
  while (end < text_.size() && IsAlphaNumeric(static_cast<unsigned char>(text_[end]))) ++end;
  const std::string word = ToLowerAscii(text_.substr(start_, end - start_));
  if (word != "step" && word != "range" && word != "min_of" && word != "max_of") return false;
  pos_ = end;
  Emit(word == "step" ? Token::kStep : word == "range" ? Token::kRange : Token::kIdentifier);
  return true;
}

void Lexer::LexDurationStart() {
  while (IsSpace(Peek())) ++pos_;  // no comment here
  start_ = pos_;
  const int c = Peek();
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
    duration_start_ = false;
    return LexNumberOrDuration();
  }
  if (c == kEnd) return Fail("unexpected end of input in duration expression");
  if (c == ':') {
    start_ = ++pos_;
    return Fail("unexpected colon before duration in duration expression");
  }
  ++pos_;
  switch (c) {
    case ']':
      duration_start_ = false;
      bracket_open_ = false;
      return Emit(Token::kRightBracket);
    case '(':
    case ')':
      return LexBracketOrParen(c);
    case ',':
      return Emit(Token::kComma);
    case '+':
      return EmitOp(BinaryOp::kAdd);
    case '-':
      return EmitOp(BinaryOp::kSub);
    case '*':
      return EmitOp(BinaryOp::kMul);
    case '/':
      return EmitOp(BinaryOp::kDiv);
    case '%':
      return EmitOp(BinaryOp::kMod);
    case '^':
      return EmitOp(BinaryOp::kPow);
    default:
      break;
  }
  if (IsAlpha(c) && LexDurationWord()) return;
  Fail("unexpected character in duration expression: " + CharAt(start_));
}

void Lexer::LexComparison(int c) {
  const int next = Peek();
  if (c == '=') {
    if (next == '=') {
      ++pos_;
      return EmitOp(BinaryOp::kEqual);
    }
    if (next == '~') return Fail("unexpected character after '=': '~'");
    return Emit(Token::kAssign);
  }
  if (c == '!') {
    if (next == '=') {
      ++pos_;
      return EmitOp(BinaryOp::kNotEqual);
    }
    const std::string shown = next == kEnd ? "'\xEF\xBF\xBD'" : CharAt(pos_);
    if (next != kEnd) ++pos_;
    return Fail("unexpected character after '!': " + shown);
  }
  const bool less = c == '<';
  if (next == '=' || next == '/') ++pos_;
  if (next == '=') return EmitOp(less ? BinaryOp::kLessEqual : BinaryOp::kGreaterEqual);
  if (next == '/') return EmitOp(less ? BinaryOp::kTrimUpper : BinaryOp::kTrimLower);
  EmitOp(less ? BinaryOp::kLess : BinaryOp::kGreater);
}

void Lexer::LexBracketOrParen(int c) {
  switch (c) {
    case '(':
      ++paren_depth_;
      return Emit(Token::kLeftParen);
    case ')':
      if (--paren_depth_ < 0) {
        start_ = pos_;
        return Fail("unexpected right parenthesis ')'");
      }
      return Emit(Token::kRightParen);
    case '{':
      brace_open_ = true;
      return Emit(Token::kLeftBrace);
    case '[':
      if (bracket_open_) return Fail("unexpected left bracket '['");
      bracket_open_ = true;
      got_colon_ = false;
      duration_start_ = true;
      return Emit(Token::kLeftBracket);
    default:
      if (!bracket_open_) return Fail("unexpected right bracket ']'");
      bracket_open_ = false;
      return Emit(Token::kRightBracket);
  }
}

void Lexer::LexInsideBraces() {
  SkipBlank();
  const int c = Next();
  if (IsAlpha(c)) {
    while (IsAlphaNumeric(Peek())) ++pos_;
    return Emit(Token::kIdentifier);
  }
  switch (c) {
    case kEnd:
      return Fail("unexpected end of input inside braces");
    case ',':
      return Emit(Token::kComma);
    case '"':
    case '\'':
      return LexString(c);
    case '`':
      return LexRawString();
    case '=':
      if (Peek() == '~') {
        ++pos_;
        return Emit(Token::kRegexMatch);
      }
      return Emit(Token::kAssign);
    case '!':
      if (Peek() == '~') {
        ++pos_;
        return Emit(Token::kRegexNoMatch);
      }
      if (Peek() == '=') {
        ++pos_;
        return EmitOp(BinaryOp::kNotEqual);
      }
      return Fail("unexpected character after '!' inside braces: " +
                  (pos_ < text_.size() ? CharAt(pos_) : "'\xEF\xBF\xBD'"));
    case '{':
      return Fail("unexpected left brace '{'");
    case '}':
      brace_open_ = false;
      return Emit(Token::kRightBrace);
    default:
      return Fail("unexpected character inside braces: " + CharAt(start_));
  }
}

void Lexer::LexWord() {
  while (IsAlphaNumeric(Peek()) || (Peek() == ':' && !bracket_open_)) ++pos_;
  const std::string_view word = text_.substr(start_, pos_ - start_);
  const std::string lower = ToLowerAscii(word);
  const auto keyword = std::ranges::find(kKeywords, std::string_view(lower), &Keyword::word);
  if (keyword != kKeywords.end()) {
    Emit(keyword->token);
    items_.back().op = keyword->op;
    items_.back().aggregate = keyword->aggregate;
  } else {
    Emit(word.find(':') == std::string_view::npos ? Token::kIdentifier : Token::kMetricIdentifier);
  }
}

void Lexer::LexNumberOrDuration() {
  switch (ScanNumber()) {
    case Scanned::kNumber:
      return Emit(Token::kNumber);
    case Scanned::kDigits:
      if (ScanDuration()) return Emit(Token::kDuration);
      break;
    case Scanned::kBad:
      break;
  }
  Fail("bad number or duration syntax: " + core::GoQuote(text_.substr(start_, pos_ - start_)));
}

// Digits with single underscores between them; false where an underscore stands wrong (it is taken then).
bool Lexer::ScanDigits(bool hex) {
  const auto digit = [&](int c) { return IsDigit(c) || (hex && IsHexDigit(c)); };
  while (digit(Peek())) {
    ++pos_;
    if (Peek() != '_') continue;
    ++pos_;
    if (digit(Peek())) continue;
    if (Peek() == '_') ++pos_;
    return false;
  }
  return true;
}

// What Prometheus' scanner takes for one, some of it (0..1, 1e5.3) for the parser to refuse; false where a dot, an
// exponent or an underscore stands wrong (it is taken then).
bool Lexer::ScanDecimal() {
  if (Peek() == '0') ++pos_;
  if (Peek() == '.') ++pos_;
  bool dot = false;
  bool exponent = false;
  for (;;) {
    const int c = Peek();
    if (IsDigit(c)) {
      ++pos_;
      continue;
    }
    const bool is_exponent = c == 'e' || c == 'E';
    if (c != '.' && c != '_' && !is_exponent) return true;
    ++pos_;
    if ((c == '.' && dot) || (is_exponent && exponent)) return false;
    dot |= c == '.';
    exponent |= is_exponent;
    if (is_exponent && (Peek() == '+' || Peek() == '-')) ++pos_;
    if (c != '.' && Peek() == kEnd) return false;
    if (Peek() == '.' || Peek() == '_' || (c != '.' && (Peek() == 'e' || Peek() == 'E'))) {
      ++pos_;
      return false;
    }
  }
}

// Leaves pos_ behind what looks like a number; kDigits where a letter follows, which a duration may have.
Lexer::Scanned Lexer::ScanNumber() {
  const bool hex = Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X');
  if (hex) {
    pos_ += 2;
    if (Peek() == '_') ++pos_;
    if (!IsHexDigit(Peek())) return Scanned::kBad;
  }
  if (hex ? !ScanDigits(true) : !ScanDecimal()) return Scanned::kBad;
  if (Peek() == '.') {
    ++pos_;
    return Scanned::kBad;
  }
  return IsAlphaNumeric(Peek()) ? Scanned::kDigits : Scanned::kNumber;
}

bool Lexer::ScanDuration() {
  // From the unit on: ScanNumber stands behind the first digits. An `e` it took cannot be part of a duration.
  const auto unit = [&] {
    const int c = Peek();
    if (c != 's' && c != 'm' && c != 'h' && c != 'd' && c != 'w' && c != 'y') return false;
    pos_ += Peek(1) == 's' ? 2 : 1;  // of ms; what is no unit with it (hs) the parser tells
    return true;
  };
  if (!unit()) return false;
  while (IsDigit(Peek())) {
    while (IsDigit(Peek())) ++pos_;
    if (!unit()) {
      if (IsAlphaNumeric(Peek())) ++pos_;
      return false;
    }
  }
  if (IsAlphaNumeric(Peek())) {
    ++pos_;
    return false;
  }
  return true;
}

void Lexer::LexString(int quote) {
  for (;;) {
    const int c = Peek();
    if (c == kEnd || c == '\n') return Fail("unterminated quoted string");
    const std::size_t length = core::Utf8Length(text_.substr(pos_));
    if (length == 0) return Fail("invalid UTF-8 rune");
    pos_ += length;
    if (c == quote) return Emit(Token::kString);
    if (c == '\\' && !LexEscape(quote)) return;
  }
}

bool Lexer::LexEscape(int quote) {
  const int c = Peek();
  int digits = 0;
  unsigned base = 8;
  std::uint32_t highest = 255;
  switch (c) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
      ++pos_;
      return true;
    case 'x':
      digits = 2;
      base = 16;
      break;
    case 'u':
    case 'U':
      digits = c == 'u' ? 4 : 8;
      base = 16;
      highest = 0x10FFFF;
      break;
    case kEnd:
      Fail("escape sequence not terminated");
      return false;
    default:
      if (c == quote) {
        ++pos_;
        return true;
      }
      if (c < '0' || c > '7') {
        Fail("unknown escape sequence " + UnicodeName(text_.substr(pos_)));
        return false;
      }
      digits = 3;
  }
  if (digits != 3) ++pos_;
  std::uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const int digit = Peek();
    const bool good = base == 16 ? IsHexDigit(digit) : digit >= '0' && digit <= '7';
    if (!good) {
      Fail(digit == kEnd ? "escape sequence not terminated"
                         : "illegal character " + UnicodeName(text_.substr(pos_)) + " in escape sequence");
      return false;
    }
    const int low = digit | 0x20;
    value = value * base + static_cast<std::uint32_t>(IsDigit(digit) ? digit - '0' : low - 'a' + 10);
    ++pos_;
  }
  if (value > highest || (value >= 0xD800 && value < 0xE000)) {
    Fail("escape sequence is an invalid Unicode code point");
    return false;
  }
  return true;
}

void Lexer::LexRawString() {
  for (;;) {
    const int c = Peek();
    if (c == kEnd) return Fail("unterminated raw string");
    const std::size_t length = core::Utf8Length(text_.substr(pos_));
    if (length == 0) return Fail("invalid UTF-8 rune");
    pos_ += length;
    if (c == '`') return Emit(Token::kString);
  }
}

}  // namespace

std::vector<LexItem> Lex(std::string_view query) { return Lexer(query).Run(); }

std::string LexItem::Description() const {
  const auto with = [&](std::string_view kind) {
    return std::string(kind) + " " +
           (text.size() > 10 ? core::GoQuote(core::Utf8Prefix(text, 10)) + "..." : core::GoQuote(text));
  };
  switch (token) {
    case Token::kEof:
      return "end of input";
    case Token::kError:
      return error;
    case Token::kIdentifier:
      return "identifier " + core::GoQuote(text);
    case Token::kMetricIdentifier:
      return "metric identifier " + core::GoQuote(text);
    case Token::kString:
      return with("string");
    case Token::kNumber:
      return with("number");
    case Token::kDuration:
      return with("duration");
    case Token::kOperator:
      return "<op:" + std::string(text) + ">";
    case Token::kAggregate:
      return "<aggr:" + std::string(text) + ">";
    case Token::kOffset:
    case Token::kBy:
    case Token::kWithout:
    case Token::kOn:
    case Token::kIgnoring:
    case Token::kGroupLeft:
    case Token::kGroupRight:
    case Token::kBool:
      return "<" + std::string(text) + ">";
    case Token::kRegexMatch:
    case Token::kRegexNoMatch:
    case Token::kAt:
      return "<op:" + std::string(text) + ">";
    default:
      return core::GoQuote(text);
  }
}

}  // namespace pipewarden::rules::promql
