// PromQL's lexer: text to tokens, all at once. Its errors are tokens too (kError, the last one), so that the parser
// reports whichever comes first, as Prometheus does. Internal to rules/promql.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

enum class Token {
  kEof,
  kError,
  kIdentifier,
  kMetricIdentifier,  // with a colon
  kString,
  kNumber,
  kDuration,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kComma,
  kColon,
  kAt,
  kAssign,  // =
  kRegexMatch,
  kRegexNoMatch,
  kOperator,   // LexItem::op
  kAggregate,  // LexItem::aggregate
  kOffset,
  kBy,
  kWithout,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kBool,
  kStart,
  kEnd,
  kStep,
  kRange,
};

struct LexItem {
  Token token = Token::kEof;
  int pos = 0;
  std::string_view text;  // of the query; for kError see `error`
  BinaryOp op = BinaryOp::kAdd;
  AggregateOp aggregate = AggregateOp::kSum;
  std::string error;

  int end() const { return pos + static_cast<int>(text.size()); }
  // How error messages show it: `<op:+>`, `identifier "x"`, `end of input`.
  std::string Description() const;
};

// The last item is kEof or kError. The items refer to `query`.
std::vector<LexItem> Lex(std::string_view query);

}  // namespace pipewarden::rules::promql
