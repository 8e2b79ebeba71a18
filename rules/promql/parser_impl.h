// The recursive-descent parser behind parser.h. One object a query. Internal to rules/promql.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/promql/lexer.h"
#include "rules/promql/parser.h"

namespace pipewarden::rules::promql {

// A failed parse unwinds by null results; the first error is kept.
class Parser {
 public:
  Parser(std::string_view query, const ParseOptions& options);

  ExprPtr ParseWhole();
  std::optional<std::vector<core::Matcher>> ParseSelectorOnly();
  std::optional<core::Labels> ParseMetricOnly();
  core::Error error() const;

 private:
  struct Failure {
    PositionRange at;
    std::string text;
  };

  // parser.cpp: expressions
  ExprPtr ParseBinary(int min_precedence);
  ExprPtr ParseUnary();
  ExprPtr ParsePostfix();
  ExprPtr ParsePrimary();
  ExprPtr ParseParen();
  ExprPtr ParseNumberLiteral();
  ExprPtr ParseStringLiteral();
  ExprPtr ParseAggregate();
  bool ParseGrouping(AggregateExpr& expr);
  ExprPtr ParseCall(const LexItem& name);
  bool ParseArguments(std::vector<ExprPtr>& args);
  bool ParseBinaryModifiers(BinaryExpr& expr);
  bool FillModifier(PositionRange at);  // refuses fill(), which is experimental upstream
  std::optional<std::vector<std::string>> ParseLabelList();

  // parse_selector.cpp: selectors, their modifiers, durations
  std::unique_ptr<VectorSelector> ParseSelector(const LexItem* name);
  bool ParseMatchers(std::vector<core::Matcher>& matchers);
  bool ParseMatcher(std::vector<core::Matcher>& matchers);
  ExprPtr ParseBracket(ExprPtr expr);
  ExprPtr ParseOffset(ExprPtr expr);
  ExprPtr ParseAt(ExprPtr expr);
  TimeShift* ShiftOf(Expr& expr);
  bool ToSelectorDuration(DurationPtr parsed, bool positive, SelectorDuration& out);
  DurationPtr ParseDuration(int min_precedence);
  DurationPtr ParseDurationUnary();
  DurationPtr ParseDurationPrimary();
  DurationPtr ParseDurationOfOffset();
  DurationPtr ParseDurationMinMax();

  const LexItem& Peek(std::size_t ahead = 0) const { return items_[std::min(at_ + ahead, items_.size() - 1)]; }
  const LexItem& Take();
  bool Is(Token token) const { return Peek().token == token; }
  bool IsOp(BinaryOp op) const { return Is(Token::kOperator) && Peek().op == op; }
  bool Accept(Token token);
  // `unexpected X in <context>, expected <expected>` at the next token; a lexer's error speaks for itself.
  std::nullptr_t Unexpected(std::string_view context, std::string_view expected);
  std::nullptr_t FailAt(PositionRange at, std::string text);
  bool TooDeep();

  std::string_view query_;
  ParseOptions options_;
  std::vector<LexItem> items_;
  std::size_t at_ = 0;
  int last_end_ = 0;    // end of the last token taken
  int aggregates_ = 0;  // open aggregations: errors without a nearer context are theirs
  int depth_ = 0;
  std::optional<Failure> failure_;
};

// True for what may stand as a label in by(), on(), ignoring(), group_left().
bool IsLabelToken(const LexItem& item);
// True for words that name a metric where no operator or modifier is meant.
bool IsMetricToken(const LexItem& item);

// The first error in types, arguments and matchers, or nothing. Sets set operators to many-to-many. type_checker.cpp
struct TypeError {
  PositionRange at;
  std::string text;
};
std::optional<TypeError> CheckTypes(Expr& expr, std::string_view query);

// "1:5: parse error: …"
core::Error ParseError(std::string_view query, PositionRange at, std::string_view text);

}  // namespace pipewarden::rules::promql
