// What the grammar lets pass and the language does not: types of operands and arguments, matchers that select
// everything. The order of checks is Prometheus', because only the first error is shown.
#include <cctype>

#include "core/text/go_string.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/parser_impl.h"

namespace pipewarden::rules::promql {
namespace {

class TypeChecker {
 public:
  explicit TypeChecker(std::string_view query) : query_(query) {}

  ValueType Check(Expr& expr);
  std::optional<TypeError> TakeError() { return std::move(error_); }

 private:
  void Fail(PositionRange at, std::string text) {
    if (!error_) error_ = TypeError{at, std::move(text)};
  }
  void Expect(Expr& expr, ValueType wanted, const std::string& context) {
    const ValueType got = Check(expr);
    if (got != wanted)
      Fail(expr.pos, "expected type " + std::string(ValueTypeName(wanted)) + " in " + context + ", got " +
                         std::string(ValueTypeName(got)));
  }
  PositionRange OperatorRange(const BinaryExpr& expr) const;
  void CheckBinary(BinaryExpr& expr);
  void CheckMatching(BinaryExpr& expr, ValueType lhs, ValueType rhs);
  void CheckCall(Call& call);
  void CheckLabelSelector(const Call& call);
  void CheckSelector(const VectorSelector& selector);
  void CheckAggregate(AggregateExpr& aggregate);

  std::string_view query_;
  std::optional<TypeError> error_;
};

PositionRange TypeChecker::OperatorRange(const BinaryExpr& expr) const {
  PositionRange range{expr.lhs->pos.end, expr.rhs->pos.start - 1};
  const auto space = [&](int at) {
    return at >= 0 && static_cast<std::size_t>(at) < query_.size() &&
           std::isspace(static_cast<unsigned char>(query_[static_cast<std::size_t>(at)])) != 0;
  };
  while (space(range.start)) ++range.start;
  while (space(range.end)) --range.end;
  return range;
}

void TypeChecker::CheckBinary(BinaryExpr& expr) {
  const ValueType lhs = Check(*expr.lhs);
  const ValueType rhs = Check(*expr.rhs);
  if (expr.return_bool && !IsComparison(expr.op))
    Fail(OperatorRange(expr), "bool modifier can only be used on comparison operators");
  if (IsComparison(expr.op) && !expr.return_bool && lhs == ValueType::kScalar && rhs == ValueType::kScalar)
    Fail(OperatorRange(expr), "comparisons between scalars must use BOOL modifier");
  CheckMatching(expr, lhs, rhs);
}

void TypeChecker::CheckMatching(BinaryExpr& expr, ValueType lhs, ValueType rhs) {
  using Card = VectorMatching::Card;
  VectorMatching& matching = *expr.matching;
  const bool set = IsSetOperator(expr.op);
  if (set && matching.card == Card::kOneToOne) matching.card = Card::kManyToMany;
  if (matching.on)
    for (const std::string& label : matching.labels)
      for (const std::string& included : matching.include)
        if (label == included)
          Fail(OperatorRange(expr), "label " + core::GoQuote(label) + " must not occur in ON and GROUP clause at once");
  const auto plain = [](ValueType type) { return type == ValueType::kScalar || type == ValueType::kVector; };
  if (!plain(lhs)) Fail(expr.lhs->pos, "binary expression must contain only scalar and instant vector types");
  if (!plain(rhs)) Fail(expr.rhs->pos, "binary expression must contain only scalar and instant vector types");
  if (lhs != ValueType::kVector || rhs != ValueType::kVector) {
    if (!matching.labels.empty()) Fail(expr.pos, "vector matching only allowed between instant vectors");
    expr.matching.reset();
  } else if (set && (matching.card == Card::kOneToMany || matching.card == Card::kManyToOne)) {
    Fail(expr.pos, "no grouping allowed for " + core::GoQuote(BinaryOpText(expr.op)) + " operation");
  }
  if (set && (lhs == ValueType::kScalar || rhs == ValueType::kScalar))
    Fail(expr.pos, "set operator " + core::GoQuote(BinaryOpText(expr.op)) + " not allowed in binary scalar expression");
}

void TypeChecker::CheckCall(Call& call) {
  const Function& function = *call.function;
  const auto given = static_cast<int>(call.args.size());
  const auto declared = static_cast<int>(function.args.size());
  const auto count = [&](std::string_view how, int wanted) {
    Fail(call.pos, "expected " + std::string(how) + std::to_string(wanted) + " argument(s) in call to " +
                       core::GoQuote(function.name) + ", got " + std::to_string(given));
  };
  // With n > 0 the last may be given up to n times or left out, as Prometheus counts.
  if (function.variadic == 0) {
    if (given != declared) count("", declared);
  } else if (given < declared - 1) {
    count("at least ", declared - 1);
  } else if (function.variadic > 0 && given > declared - 1 + function.variadic) {
    count("at most ", declared - 1 + function.variadic);
  }
  const bool labels_only = function.name == "info" && given > 1;
  if (labels_only) CheckLabelSelector(call);
  for (int i = 0; i < given; ++i) {
    if (i >= declared && function.variadic == 0) break;
    // It may match anything.
    if (labels_only && i == 1 && call.args[1]->kind == Expr::Kind::kVectorSelector) continue;
    const int type = std::min(i, declared - 1);
    Expect(*call.args[static_cast<std::size_t>(i)], function.args[static_cast<std::size_t>(type)],
           "call to function " + core::GoQuote(function.name));
  }
}

// The second argument of info(): the matchers of a selector without a metric.
void TypeChecker::CheckLabelSelector(const Call& call) {
  const Expr& selector = *call.args[1];
  if (TypeOf(selector) != ValueType::kVector)
    Fail(call.pos, "expected type instant vector in call to function \"info\", got " +
                       std::string(ValueTypeName(TypeOf(selector))));
  if (selector.kind != Expr::Kind::kVectorSelector)
    Fail(selector.pos, "expected label selectors only");
  else if (!static_cast<const VectorSelector&>(selector).name.empty())
    Fail(selector.pos, "expected label selectors only, got vector selector instead");
}

void TypeChecker::CheckSelector(const VectorSelector& selector) {
  if (!selector.name.empty()) {
    for (std::size_t i = 0; i + 1 < selector.matchers.size(); ++i)
      if (selector.matchers[i].name() == core::kMetricName)
        Fail(selector.pos, "metric name must not be set twice: " + core::GoQuote(selector.name) + " or " +
                               core::GoQuote(selector.matchers[i].value()));
    return;
  }
  for (const core::Matcher& matcher : selector.matchers)
    if (!matcher.MatchesEmpty()) return;
  Fail(selector.pos, "vector selector must contain at least one non-empty matcher");
}

void TypeChecker::CheckAggregate(AggregateExpr& aggregate) {
  Expect(*aggregate.expr, ValueType::kVector, "aggregation expression");
  if (aggregate.param == nullptr) return;
  const bool string = aggregate.op == AggregateOp::kCountValues;
  Expect(*aggregate.param, string ? ValueType::kString : ValueType::kScalar, "aggregation parameter");
}

ValueType TypeChecker::Check(Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kAggregate:
      CheckAggregate(static_cast<AggregateExpr&>(expr));
      break;
    case Expr::Kind::kBinary:
      CheckBinary(static_cast<BinaryExpr&>(expr));
      break;
    case Expr::Kind::kCall:
      CheckCall(static_cast<Call&>(expr));
      break;
    case Expr::Kind::kParen:
      Check(*static_cast<ParenExpr&>(expr).expr);
      break;
    case Expr::Kind::kUnary: {
      const ValueType type = Check(*static_cast<UnaryExpr&>(expr).expr);
      if (type != ValueType::kScalar && type != ValueType::kVector)
        Fail(expr.pos, "unary expression only allowed on expressions of type scalar or instant vector, got " +
                           core::GoQuote(ValueTypeName(type)));
      break;
    }
    case Expr::Kind::kSubquery: {
      const ValueType type = Check(*static_cast<SubqueryExpr&>(expr).expr);
      if (type != ValueType::kVector)
        Fail(expr.pos,
             "subquery is only allowed on instant vector, got " + std::string(ValueTypeJsonName(type)) + " instead");
      break;
    }
    case Expr::Kind::kMatrixSelector:
      CheckSelector(*static_cast<MatrixSelector&>(expr).vector);
      break;
    case Expr::Kind::kVectorSelector:
      CheckSelector(static_cast<VectorSelector&>(expr));
      break;
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
      break;
  }
  return TypeOf(expr);
}

}  // namespace

std::optional<TypeError> CheckTypes(Expr& expr, std::string_view query) {
  TypeChecker checker(query);
  checker.Check(expr);
  return checker.TakeError();
}

}  // namespace pipewarden::rules::promql
