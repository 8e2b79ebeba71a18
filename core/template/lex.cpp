#include "core/template/lex.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "core/text/go_string.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::pair<std::string_view, TokenType>, 11> kKeywords = {{{"block", TokenType::kBlock},
                                                                               {"break", TokenType::kBreak},
                                                                               {"continue", TokenType::kContinue},
                                                                               {"define", TokenType::kDefine},
                                                                               {"else", TokenType::kElse},
                                                                               {"end", TokenType::kEnd},
                                                                               {"if", TokenType::kIf},
                                                                               {"nil", TokenType::kNil},
                                                                               {"range", TokenType::kRange},
                                                                               {"template", TokenType::kTemplate},
                                                                               {"with", TokenType::kWith}}};

bool HasLeftTrim(std::string_view text) { return text.size() >= 2 && text[0] == '-' && IsSpace(text[1]); }
bool HasRightTrim(std::string_view text) { return text.size() >= 2 && IsSpace(text[0]) && text[1] == '-'; }

// Go's %#U: U+0021 '!'.
std::string RuneName(std::string_view at) {
  if (at.empty()) return "U+FFFFFFFFFFFFFFFF";
  const char32_t rune = TakeUtf8(at);
  std::array<char, 16> code{};
  std::snprintf(code.data(), code.size(), "U+%04X", static_cast<unsigned>(rune));
  std::string name = code.data();
  const std::string quoted = GoQuoteRune(rune);
  if (quoted.size() > 2 && (quoted[1] != '\\' || rune == '\\' || rune == '\'')) {
    name += " '";
    AppendUtf8(name, rune);
    name += '\'';
  }
  return name;
}

}  // namespace

std::string Token::ToString() const {
  if (type == TokenType::kEof) return "EOF";
  if (type == TokenType::kError) return text;
  if (type >= TokenType::kBlock || type == TokenType::kNil || type == TokenType::kDot) return "<" + text + ">";
  std::string_view rest = text;
  for (int i = 0; i < 10 && !rest.empty(); ++i) TakeUtf8(rest);
  if (text.size() > 10) return GoQuote(std::string_view(text).substr(0, text.size() - rest.size())) + "...";
  return GoQuote(text);
}

Token Lexer::Make(TokenType type) {
  Token token{
      .type = type, .pos = start_, .text = std::string(input_.substr(start_, at_ - start_)), .line = start_line_};
  Ignore();
  return token;
}

void Lexer::Ignore() {
  start_line_ += static_cast<int>(std::ranges::count(input_.substr(start_, at_ - start_), '\n'));
  start_ = at_;
}

Token Lexer::Error(std::string message) {
  has_failed_ = true;
  failed_ = {.type = TokenType::kError, .pos = start_, .text = std::move(message), .line = start_line_};
  return failed_;
}

Token Lexer::Next() {
  if (has_failed_) return failed_;
  return inside_ ? Inside() : Text();
}

Token Lexer::Text() {
  const std::size_t delim = input_.find("{{", at_);
  if (delim == std::string_view::npos) {
    at_ = input_.size();
    return Make(at_ > start_ ? TokenType::kText : TokenType::kEof);
  }
  if (delim > at_) {
    std::size_t end = delim;
    if (HasLeftTrim(input_.substr(delim + 2))) {
      while (end > start_ && IsSpace(input_[end - 1])) --end;
    }
    at_ = end;
    Token text = Make(TokenType::kText);
    at_ = delim;
    Ignore();
    if (!text.text.empty()) return text;
  }
  return LeftDelim();
}

Token Lexer::LeftDelim() {
  at_ += 2;
  const std::size_t marker = HasLeftTrim(input_.substr(at_)) ? 2 : 0;
  if (input_.substr(at_ + marker).starts_with("/*")) {
    at_ += marker;
    Ignore();
    return Comment();
  }
  Token delim = Make(TokenType::kLeftDelim);
  inside_ = true;
  parens_ = 0;
  at_ += marker;
  Ignore();
  return delim;
}

Token Lexer::Comment() {
  const std::size_t end = input_.find("*/", at_ + 2);
  if (end == std::string_view::npos) return Error("unclosed comment");
  at_ = end + 2;
  bool trims = false;
  if (!AtRightDelim(trims)) return Error("comment ends before closing delimiter");
  at_ += trims ? 4 : 2;
  while (trims && !AtEnd() && IsSpace(Peek())) ++at_;
  Ignore();
  return Text();
}

bool Lexer::AtRightDelim(bool& trims) const {
  trims = HasRightTrim(input_.substr(at_)) && input_.substr(at_ + 2).starts_with("}}");
  return trims || Starts("}}");
}

Token Lexer::RightDelim() {
  bool trims = false;
  AtRightDelim(trims);
  if (trims) {
    at_ += 2;
    Ignore();
  }
  at_ += 2;
  Token delim = Make(TokenType::kRightDelim);
  while (trims && !AtEnd() && IsSpace(Peek())) ++at_;
  Ignore();
  inside_ = false;
  return delim;
}

bool Lexer::AtWord() const {
  const char c = Peek();
  if (AtEnd()) return false;
  if (static_cast<unsigned char>(c) < 0x80)
    return c == '_' || IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  std::string_view rest = input_.substr(at_);
  const char32_t rune = TakeUtf8(rest);
  // Letters, roughly: what lies in the blocks of punctuation and symbols is none.
  if (rune == 0xFFFD || rune < 0xC0 || rune == 0xD7 || rune == 0xF7)
    return rune == 0xAA || rune == 0xB5 || rune == 0xBA;
  return !(rune >= 0x2000 && rune <= 0x2BFF) && !(rune >= 0x3000 && rune <= 0x3004) &&
         !(rune >= 0xD800 && rune <= 0xF8FF) && !(rune >= 0xFE00 && rune <= 0xFE6F) &&
         !(rune >= 0x1F000 && rune <= 0x1FAFF);
}

void Lexer::SkipWord() {
  while (AtWord()) {
    std::string_view rest = input_.substr(at_);
    TakeUtf8(rest);
    at_ = input_.size() - rest.size();
  }
}

bool Lexer::AtTerminator() const {
  if (AtEnd() || IsSpace(Peek())) return true;
  return std::string_view(".,|:)(").find(Peek()) != std::string_view::npos || Starts("}}");
}

Token Lexer::Inside() {
  bool trims = false;
  if (AtRightDelim(trims)) return parens_ == 0 ? RightDelim() : Error("unclosed left paren");
  if (AtEnd()) return Error("unclosed action");
  const char c = Peek();
  if (IsSpace(c)) return Space();
  if (c == '+' || c == '-' || IsDigit(c)) return Number();
  if (c == '.' && (at_ + 1 == input_.size() || IsDigit(Peek(1)))) return Number();
  if (AtWord()) return Word();
  if (c == '"') return Quote('"', TokenType::kString, "unterminated quoted string");
  if (c == '\'') return Quote('\'', TokenType::kCharConstant, "unterminated character constant");
  if (c == '`') return RawQuote();
  ++at_;
  switch (c) {
    case '=':
      return Make(TokenType::kAssign);
    case ':':
      if (Peek() != '=') return Error("expected :=");
      ++at_;
      return Make(TokenType::kDeclare);
    case '|':
      return Make(TokenType::kPipe);
    case '$':
      return AtTerminator() ? Make(TokenType::kVariable) : FieldOrVariable(TokenType::kVariable);
    case '.':
      return FieldOrVariable(TokenType::kField);
    case '(':
      ++parens_;
      return Make(TokenType::kLeftParen);
    case ')':
      if (--parens_ < 0) return Error("unexpected right paren");
      return Make(TokenType::kRightParen);
    default:
      if (c > 0x20 && c < 0x7F) return Make(TokenType::kChar);
      return Error("unrecognized character in action: " + RuneName(input_.substr(at_ - 1)));
  }
}

Token Lexer::Space() {
  while (!AtEnd() && IsSpace(Peek())) ++at_;
  // The last space may belong to " -}}".
  if (HasRightTrim(input_.substr(at_ - 1)) && input_.substr(at_ + 1).starts_with("}}")) {
    --at_;
    if (at_ == start_) return RightDelim();
  }
  return Make(TokenType::kSpace);
}

Token Lexer::Word() {
  SkipWord();
  if (!AtTerminator()) return Error("bad character " + RuneName(input_.substr(at_)));
  const std::string_view word = input_.substr(start_, at_ - start_);
  for (const auto& [name, type] : kKeywords) {
    if (word == name) return Make(type);
  }
  return Make(word == "true" || word == "false" ? TokenType::kBool : TokenType::kIdentifier);
}

Token Lexer::FieldOrVariable(TokenType type) {
  if (AtTerminator()) return Make(type == TokenType::kVariable ? type : TokenType::kDot);
  SkipWord();
  if (!AtTerminator()) return Error("bad character " + RuneName(input_.substr(at_)));
  return Make(type);
}

bool Lexer::ScanNumber() {
  const auto accept = [&](std::string_view set) {
    if (AtEnd() || set.find(Peek()) == std::string_view::npos) return false;
    ++at_;
    return true;
  };
  accept("+-");
  std::string_view digits = "0123456789_";
  if (accept("0")) {
    if (accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
    } else if (accept("oO")) {
      digits = "01234567_";
    } else if (accept("bB")) {
      digits = "01_";
    }
  }
  while (accept(digits)) {
  }
  if (accept(".")) {
    while (accept(digits)) {
    }
  }
  if ((digits.size() == 11 && accept("eE")) || (digits.size() == 23 && accept("pP"))) {
    accept("+-");
    while (accept("0123456789_")) {
    }
  }
  accept("i");
  if (!AtWord()) return true;
  std::string_view rest = input_.substr(at_);
  TakeUtf8(rest);
  at_ = input_.size() - rest.size();
  return false;
}

Token Lexer::Number() {
  const auto bad = [&] { return Error("bad number syntax: " + GoQuote(input_.substr(start_, at_ - start_))); };
  if (!ScanNumber()) return bad();
  if (Peek() == '+' || Peek() == '-') {
    ScanNumber();  // 1+2i; complex numbers are not for templates of ours
    return bad();
  }
  return Make(TokenType::kNumber);
}

Token Lexer::Quote(char quote, TokenType type, std::string_view unterminated) {
  ++at_;
  for (;;) {
    if (AtEnd() || Peek() == '\n') return Error(std::string(unterminated));
    const char c = input_[at_++];
    if (c == quote) return Make(type);
    if (c == '\\') {
      if (AtEnd() || Peek() == '\n') return Error(std::string(unterminated));
      ++at_;
    }
  }
}

Token Lexer::RawQuote() {
  const std::size_t end = input_.find('`', at_ + 1);
  if (end == std::string_view::npos) return Error("unterminated raw quoted string");
  at_ = end + 1;
  return Make(TokenType::kRawString);
}

}  // namespace pipewarden::core
