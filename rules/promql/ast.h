// The syntax tree of a PromQL expression. Built by ParseExpr, immutable afterwards: any number of evaluations may share
// it, from any threads. Children are owned by their parents. What depends on the evaluation (start(), end(), step(),
// duration expressions) stays symbolic here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/matcher.h"
#include "core/model/sample.h"

namespace pipewarden::rules::promql {

using core::TimestampMs;

enum class ValueType { kNone, kScalar, kVector, kMatrix, kString };
std::string_view ValueTypeName(ValueType type);      // "scalar", "instant vector", … as error messages say
std::string_view ValueTypeJsonName(ValueType type);  // "scalar", "vector", "matrix", "string" as the HTTP API says

// Byte offsets into the query, end exclusive. `line` and `column` (from 1) are those of the start; 0 in a query of one
// line, where the column is start + 1.
struct PositionRange {
  int start = 0;
  int end = 0;
  int line = 0;
  int column = 0;
};

enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kGreater,
  kLess,
  kGreaterEqual,
  kLessEqual,
  kTrimUpper,
  kTrimLower,  // </ and >/ of native histograms
  kAnd,
  kOr,
  kUnless
};
std::string_view BinaryOpText(BinaryOp op);
bool IsComparison(BinaryOp op);   // == != > < >= <=
bool IsSetOperator(BinaryOp op);  // and or unless

enum class AggregateOp {
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kQuantile,
  kCountValues,
  kLimitk,
  kLimitRatio
};
std::string_view AggregateOpText(AggregateOp op);
bool TakesParameter(AggregateOp op);  // topk bottomk quantile count_values limitk limit_ratio

struct Function;  // a row of functions/function.h

struct Expr {
  enum class Kind {
    kNumber,
    kString,
    kVectorSelector,
    kMatrixSelector,
    kSubquery,
    kCall,
    kAggregate,
    kBinary,
    kUnary,
    kParen
  };

  explicit Expr(Kind expr_kind) : kind(expr_kind) {}
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;

  const Kind kind;
  PositionRange pos;
};
using ExprPtr = std::unique_ptr<Expr>;

// The value that the expression yields.
ValueType TypeOf(const Expr& expr);

struct NumberLiteral final : Expr {
  NumberLiteral() : Expr(Kind::kNumber) {}
  double value = 0;
  bool is_duration = false;  // written as 5m: prints as one
};

struct StringLiteral final : Expr {
  StringLiteral() : Expr(Kind::kString) {}
  std::string value;
};

// A duration written as an expression: 5m*2, step(), max(1m, range()/4). Leaves are numbers of seconds.
struct DurationExpr {
  enum class Op { kNumber, kAdd, kSub, kMul, kDiv, kMod, kPow, kNegate, kPlus, kStep, kRange, kMin, kMax };
  Op op = Op::kNumber;
  double seconds = 0;        // kNumber
  bool is_duration = false;  // kNumber: written with a unit
  bool in_parens = false;
  std::unique_ptr<DurationExpr> lhs;  // the operand of kNegate and kPlus too
  std::unique_ptr<DurationExpr> rhs;
  PositionRange pos;
};
using DurationPtr = std::unique_ptr<DurationExpr>;

// A duration in a selector: constant milliseconds, or an expression that the evaluation resolves.
struct SelectorDuration {
  std::int64_t ms = 0;
  DurationPtr expr;  // null: ms holds
};

// The modifiers `offset` and `@`, of selectors and subqueries.
struct TimeShift {
  enum class At { kNone, kTimestamp, kStart, kEnd };
  SelectorDuration offset;
  At at = At::kNone;
  TimestampMs at_time = 0;  // kTimestamp
};

struct VectorSelector final : Expr {
  VectorSelector() : Expr(Kind::kVectorSelector) {}
  std::string name;                     // the metric as written in front of the braces or quoted inside; may be empty
  std::vector<core::Matcher> matchers;  // all, __name__ among them, in the order written
  TimeShift shift;
};

struct MatrixSelector final : Expr {
  MatrixSelector() : Expr(Kind::kMatrixSelector) {}
  std::unique_ptr<VectorSelector> vector;  // its shift is the matrix's
  SelectorDuration range;
};

struct SubqueryExpr final : Expr {
  SubqueryExpr() : Expr(Kind::kSubquery) {}
  ExprPtr expr;
  SelectorDuration range;
  std::optional<SelectorDuration> step;  // absent: the engine's default
  TimeShift shift;
};

struct Call final : Expr {
  Call() : Expr(Kind::kCall) {}
  const Function* function = nullptr;
  std::vector<ExprPtr> args;
};

struct AggregateExpr final : Expr {
  AggregateExpr() : Expr(Kind::kAggregate) {}
  AggregateOp op = AggregateOp::kSum;
  ExprPtr expr;
  ExprPtr param;                      // null where the operator takes none
  std::vector<std::string> grouping;  // in the order written
  bool without = false;
  bool has_grouping = false;  // by () or without () was written, even if empty
};

struct VectorMatching {
  enum class Card { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
  Card card = Card::kOneToOne;
  bool on = false;                   // on(...): else ignoring(...) or nothing
  std::vector<std::string> labels;   // of on or ignoring
  std::vector<std::string> include;  // of group_left or group_right
};

struct BinaryExpr final : Expr {
  BinaryExpr() : Expr(Kind::kBinary) {}
  BinaryOp op = BinaryOp::kAdd;
  ExprPtr lhs;
  ExprPtr rhs;
  std::optional<VectorMatching> matching;  // where both sides are vectors
  bool return_bool = false;
};

struct UnaryExpr final : Expr {
  UnaryExpr() : Expr(Kind::kUnary) {}
  bool negate = false;
  ExprPtr expr;
};

struct ParenExpr final : Expr {
  ParenExpr() : Expr(Kind::kParen) {}
  ExprPtr expr;
};

// The expression inside any number of parentheses.
const Expr& Unwrap(const Expr& expr);

// Calls visit(const Expr&) for the expression and everything below it, parents first.
template <class Visit>
void Walk(const Expr& expr, Visit&& visit);

// The direct children in the order written, null entries left out.
std::vector<const Expr*> ChildrenOf(const Expr& expr);

template <class Visit>
void Walk(const Expr& expr, Visit&& visit) {
  visit(expr);
  for (const Expr* child : ChildrenOf(expr)) Walk(*child, visit);
}

}  // namespace pipewarden::rules::promql
