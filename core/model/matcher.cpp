#include "core/model/matcher.h"

#include <re2/re2.h>

namespace pipewarden::core {

std::string_view MatchOpText(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual:
      return "=";
    case MatchOp::kNotEqual:
      return "!=";
    case MatchOp::kRegex:
      return "=~";
    case MatchOp::kNotRegex:
      return "!~";
  }
  return "=";
}

namespace {

Result<std::shared_ptr<const re2::RE2>> Compile(std::string_view pattern, bool dot_is_newline_too) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(dot_is_newline_too);
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) return Fail(ErrorCode::kInvalid, "bad regular expression: " + regex->error());
  return regex;
}

}  // namespace

Matcher::Matcher(std::string name, MatchOp op, std::string value)
    : name_(std::move(name)), op_(op), value_(std::move(value)) {}

Result<Matcher> Matcher::Make(std::string name, MatchOp op, std::string value, bool dot_is_newline_too) {
  Matcher matcher(std::move(name), op, std::move(value));
  if (op == MatchOp::kRegex || op == MatchOp::kNotRegex) {
    auto regex = Compile(matcher.value_, dot_is_newline_too);
    if (!regex) return Fail(regex.error());
    matcher.regex_ = std::move(*regex);
  }
  return matcher;
}

bool Matcher::Matches(std::string_view value) const {
  switch (op_) {
    case MatchOp::kEqual:
      return value == value_;
    case MatchOp::kNotEqual:
      return value != value_;
    case MatchOp::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
    case MatchOp::kNotRegex:
      return !re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
  }
  return false;
}

std::string Matcher::ToString() const {
  std::string out = name_;
  out += MatchOpText(op_);
  out += '"';
  for (const char c : value_) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

Result<std::shared_ptr<const re2::RE2>> CompileRegex(std::string_view pattern) { return Compile(pattern, false); }

}  // namespace pipewarden::core
