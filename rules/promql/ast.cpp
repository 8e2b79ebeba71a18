#include "rules/promql/ast.h"

#include "rules/promql/functions/function.h"

namespace pipewarden::rules::promql {

std::string_view ValueTypeName(ValueType type) {
  switch (type) {
    case ValueType::kNone:
      return "none";
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "instant vector";
    case ValueType::kMatrix:
      return "range vector";
    case ValueType::kString:
      return "string";
  }
  return "none";
}

std::string_view ValueTypeJsonName(ValueType type) {
  switch (type) {
    case ValueType::kNone:
      return "none";
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "vector";
    case ValueType::kMatrix:
      return "matrix";
    case ValueType::kString:
      return "string";
  }
  return "none";
}

std::string_view BinaryOpText(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSub:
      return "-";
    case BinaryOp::kMul:
      return "*";
    case BinaryOp::kDiv:
      return "/";
    case BinaryOp::kMod:
      return "%";
    case BinaryOp::kPow:
      return "^";
    case BinaryOp::kAtan2:
      return "atan2";
    case BinaryOp::kEqual:
      return "==";
    case BinaryOp::kNotEqual:
      return "!=";
    case BinaryOp::kGreater:
      return ">";
    case BinaryOp::kLess:
      return "<";
    case BinaryOp::kGreaterEqual:
      return ">=";
    case BinaryOp::kLessEqual:
      return "<=";
    case BinaryOp::kTrimUpper:
      return "</";
    case BinaryOp::kTrimLower:
      return ">/";
    case BinaryOp::kAnd:
      return "and";
    case BinaryOp::kOr:
      return "or";
    case BinaryOp::kUnless:
      return "unless";
  }
  return "";
}

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kLessEqual; }
bool IsSetOperator(BinaryOp op) { return op >= BinaryOp::kAnd; }

std::string_view AggregateOpText(AggregateOp op) {
  switch (op) {
    case AggregateOp::kSum:
      return "sum";
    case AggregateOp::kAvg:
      return "avg";
    case AggregateOp::kMin:
      return "min";
    case AggregateOp::kMax:
      return "max";
    case AggregateOp::kCount:
      return "count";
    case AggregateOp::kGroup:
      return "group";
    case AggregateOp::kStddev:
      return "stddev";
    case AggregateOp::kStdvar:
      return "stdvar";
    case AggregateOp::kTopk:
      return "topk";
    case AggregateOp::kBottomk:
      return "bottomk";
    case AggregateOp::kQuantile:
      return "quantile";
    case AggregateOp::kCountValues:
      return "count_values";
    case AggregateOp::kLimitk:
      return "limitk";
    case AggregateOp::kLimitRatio:
      return "limit_ratio";
  }
  return "";
}

bool TakesParameter(AggregateOp op) { return op >= AggregateOp::kTopk; }

ValueType TypeOf(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      return ValueType::kScalar;
    case Expr::Kind::kString:
      return ValueType::kString;
    case Expr::Kind::kVectorSelector:
    case Expr::Kind::kAggregate:
      return ValueType::kVector;
    case Expr::Kind::kMatrixSelector:
    case Expr::Kind::kSubquery:
      return ValueType::kMatrix;
    case Expr::Kind::kCall: {
      const Function* function = static_cast<const Call&>(expr).function;
      return function != nullptr ? function->result : ValueType::kNone;
    }
    case Expr::Kind::kBinary: {
      const auto& binary = static_cast<const BinaryExpr&>(expr);
      const bool scalars = TypeOf(*binary.lhs) == ValueType::kScalar && TypeOf(*binary.rhs) == ValueType::kScalar;
      return scalars ? ValueType::kScalar : ValueType::kVector;
    }
    case Expr::Kind::kUnary:
      return TypeOf(*static_cast<const UnaryExpr&>(expr).expr);
    case Expr::Kind::kParen:
      return TypeOf(*static_cast<const ParenExpr&>(expr).expr);
  }
  return ValueType::kNone;
}

const Expr& Unwrap(const Expr& expr) {
  const Expr* at = &expr;
  while (at->kind == Expr::Kind::kParen) at = static_cast<const ParenExpr&>(*at).expr.get();
  return *at;
}

std::vector<const Expr*> ChildrenOf(const Expr& expr) {
  std::vector<const Expr*> children;
  const auto add = [&](const Expr* child) {
    if (child != nullptr) children.push_back(child);
  };
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
    case Expr::Kind::kVectorSelector:
      break;
    case Expr::Kind::kMatrixSelector:
      add(static_cast<const MatrixSelector&>(expr).vector.get());
      break;
    case Expr::Kind::kSubquery:
      add(static_cast<const SubqueryExpr&>(expr).expr.get());
      break;
    case Expr::Kind::kCall:
      for (const ExprPtr& arg : static_cast<const Call&>(expr).args) add(arg.get());
      break;
    case Expr::Kind::kAggregate:
      add(static_cast<const AggregateExpr&>(expr).param.get());
      add(static_cast<const AggregateExpr&>(expr).expr.get());
      break;
    case Expr::Kind::kBinary:
      add(static_cast<const BinaryExpr&>(expr).lhs.get());
      add(static_cast<const BinaryExpr&>(expr).rhs.get());
      break;
    case Expr::Kind::kUnary:
      add(static_cast<const UnaryExpr&>(expr).expr.get());
      break;
    case Expr::Kind::kParen:
      add(static_cast<const ParenExpr&>(expr).expr.get());
      break;
  }
  return children;
}

}  // namespace pipewarden::rules::promql
