// Tokens of a template: text, and what stands between {{ and }}. Used by parse.cpp alone. The rules (trim markers,
// comments, what ends an identifier) are those of Go's text/template, with its messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipewarden::core {

enum class TokenType : std::uint8_t {
  kError,  // text is the message
  kEof,
  kText,
  kLeftDelim,
  kRightDelim,
  kSpace,
  kBool,
  kChar,          // one character such as ','
  kCharConstant,  // 'x'
  kNumber,
  kString,
  kRawString,
  kIdentifier,
  kField,     // .Name
  kVariable,  // $ or $name
  kDot,
  kNil,
  kAssign,
  kDeclare,
  kPipe,
  kLeftParen,
  kRightParen,
  // Keywords.
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEnd,
  kIf,
  kRange,
  kTemplate,
  kWith,
};

struct Token {
  TokenType type = TokenType::kEof;
  std::size_t pos = 0;
  std::string text{};
  int line = 1;

  // As Go words it: "EOF", <if>, "some text"...
  std::string ToString() const;
};

class Lexer {
 public:
  explicit Lexer(std::string_view input) : input_(input) {}
  // After an error or the end it gives the same for ever.
  Token Next();

 private:
  Token Make(TokenType type);
  Token Error(std::string message);
  void Ignore();
  bool Starts(std::string_view what) const { return input_.substr(at_).starts_with(what); }
  char Peek(std::size_t ahead = 0) const { return at_ + ahead < input_.size() ? input_[at_ + ahead] : '\0'; }
  bool AtEnd() const { return at_ >= input_.size(); }
  bool AtRightDelim(bool& trims) const;
  bool AtTerminator() const;
  bool AtWord() const;  // a letter, digit or underscore; any non-ASCII letter
  void SkipWord();

  Token Text();
  Token LeftDelim();
  Token Comment();
  Token RightDelim();
  Token Inside();
  Token Space();
  Token Word();
  Token FieldOrVariable(TokenType type);
  Token Number();
  Token Quote(char quote, TokenType type, std::string_view unterminated);
  Token RawQuote();
  bool ScanNumber();

  std::string_view input_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  int start_line_ = 1;
  bool inside_ = false;
  int parens_ = 0;
  Token failed_{};
  bool has_failed_ = false;
};

}  // namespace pipewarden::core
