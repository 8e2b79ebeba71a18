// The syntax tree of an expression as JSON: /api/v1/parse_query, as Prometheus shows it (web/api/v1/translate_ast.go).
#include <nlohmann/json.hpp>

#include "agent/server/query.h"
#include "core/text/go_float.h"
#include "rules/promql/ast.h"
#include "rules/promql/functions/function.h"

namespace pipewarden::agent {
namespace {

using namespace rules::promql;
using nlohmann::json;

std::string_view DurationOpText(DurationExpr::Op op) {
  using Op = DurationExpr::Op;
  switch (op) {
    case Op::kNumber:
      return "";
    case Op::kAdd:
    case Op::kPlus:
      return "+";
    case Op::kSub:
    case Op::kNegate:
      return "-";
    case Op::kMul:
      return "*";
    case Op::kDiv:
      return "/";
    case Op::kMod:
      return "%";
    case Op::kPow:
      return "^";
    case Op::kStep:
      return "step";
    case Op::kRange:
      return "range";
    case Op::kMin:
      return "min";
    case Op::kMax:
      return "max";
  }
  return "";
}

std::string_view CardText(VectorMatching::Card card) {
  switch (card) {
    case VectorMatching::Card::kOneToOne:
      return "one-to-one";
    case VectorMatching::Card::kManyToOne:
      return "many-to-one";
    case VectorMatching::Card::kOneToMany:
      return "one-to-many";
    case VectorMatching::Card::kManyToMany:
      return "many-to-many";
  }
  return "";
}

json Tree(const DurationExpr* expr) {
  if (expr == nullptr) return nullptr;
  if (expr->op == DurationExpr::Op::kNumber)
    return {{"type", "numberLiteral"},
            {"val", core::FormatGoFloat(expr->seconds, 'f', -1)},
            {"duration", expr->is_duration}};
  const bool unary = expr->op == DurationExpr::Op::kNegate || expr->op == DurationExpr::Op::kPlus;
  return {{"type", "durationExpr"},
          {"op", DurationOpText(expr->op)},
          {"lhs", unary ? json(nullptr) : Tree(expr->lhs.get())},
          {"rhs", Tree(unary ? expr->lhs.get() : expr->rhs.get())},
          {"wrapped", expr->in_parens}};
}

void AddShift(json& object, const TimeShift& shift) {
  object["offset"] = shift.offset.ms;
  object["offsetExpr"] = Tree(shift.offset.expr.get());
  object["timestamp"] = shift.at == TimeShift::At::kTimestamp ? json(shift.at_time) : json(nullptr);
  object["startOrEnd"] = shift.at == TimeShift::At::kStart ? json("start")
                         : shift.at == TimeShift::At::kEnd ? json("end")
                                                           : json(nullptr);
}

json Selector(const VectorSelector& selector, std::string_view type) {
  json matchers = json::array();
  for (const core::Matcher& matcher : selector.matchers) {
    matchers.push_back(
        {{"name", matcher.name()}, {"value", matcher.value()}, {"type", core::MatchOpText(matcher.op())}});
  }
  json object{{"type", type},
              {"name", selector.name},
              {"matchers", std::move(matchers)},
              {"anchored", false},
              {"smoothed", false}};
  AddShift(object, selector.shift);
  return object;
}

json Tree(const Expr* expr);

json Tree(const BinaryExpr& binary) {
  json matching = nullptr;
  if (binary.matching)
    matching = {{"card", CardText(binary.matching->card)},
                {"labels", binary.matching->labels},
                {"on", binary.matching->on},
                {"include", binary.matching->include},
                {"fillValues", {{"lhs", nullptr}, {"rhs", nullptr}}}};
  return {{"type", "binaryExpr"},          {"op", BinaryOpText(binary.op)},   {"lhs", Tree(binary.lhs.get())},
          {"rhs", Tree(binary.rhs.get())}, {"matching", std::move(matching)}, {"bool", binary.return_bool}};
}

json Tree(const Call& call) {
  json types = json::array();
  for (const ValueType type : call.function->args) types.push_back(ValueTypeJsonName(type));
  json args = json::array();
  for (const ExprPtr& arg : call.args) args.push_back(Tree(arg.get()));
  return {{"type", "call"},
          {"func",
           {{"name", call.function->name},
            {"argTypes", std::move(types)},
            {"variadic", call.function->variadic},
            {"returnType", ValueTypeJsonName(call.function->result)}}},
          {"args", std::move(args)}};
}

json Tree(const SubqueryExpr& subquery) {
  json object{{"type", "subquery"},
              {"expr", Tree(subquery.expr.get())},
              {"range", subquery.range.ms},
              {"rangeExpr", Tree(subquery.range.expr.get())},
              {"step", subquery.step ? subquery.step->ms : 0},
              {"stepExpr", subquery.step ? Tree(subquery.step->expr.get()) : json(nullptr)}};
  AddShift(object, subquery.shift);
  return object;
}

// The parser bounds how deep an expression is.
json Tree(const Expr* expr) {
  if (expr == nullptr) return nullptr;
  switch (expr->kind) {
    case Expr::Kind::kNumber:
      return {{"type", "numberLiteral"},
              {"val", core::FormatGoFloat(static_cast<const NumberLiteral&>(*expr).value, 'f', -1)}};
    case Expr::Kind::kString:
      return {{"type", "stringLiteral"}, {"val", static_cast<const StringLiteral&>(*expr).value}};
    case Expr::Kind::kVectorSelector:
      return Selector(static_cast<const VectorSelector&>(*expr), "vectorSelector");
    case Expr::Kind::kMatrixSelector: {
      const auto& matrix = static_cast<const MatrixSelector&>(*expr);
      json object = Selector(*matrix.vector, "matrixSelector");
      object["range"] = matrix.range.ms;
      object["rangeExpr"] = Tree(matrix.range.expr.get());
      return object;
    }
    case Expr::Kind::kSubquery:
      return Tree(static_cast<const SubqueryExpr&>(*expr));
    case Expr::Kind::kCall:
      return Tree(static_cast<const Call&>(*expr));
    case Expr::Kind::kAggregate: {
      const auto& aggregate = static_cast<const AggregateExpr&>(*expr);
      return {{"type", "aggregation"},
              {"op", AggregateOpText(aggregate.op)},
              {"expr", Tree(aggregate.expr.get())},
              {"param", Tree(aggregate.param.get())},
              {"grouping", aggregate.grouping},
              {"without", aggregate.without}};
    }
    case Expr::Kind::kBinary:
      return Tree(static_cast<const BinaryExpr&>(*expr));
    case Expr::Kind::kUnary: {
      const auto& unary = static_cast<const UnaryExpr&>(*expr);
      return {{"type", "unaryExpr"}, {"op", unary.negate ? "-" : "+"}, {"expr", Tree(unary.expr.get())}};
    }
    case Expr::Kind::kParen:
      return {{"type", "parenExpr"}, {"expr", Tree(static_cast<const ParenExpr&>(*expr).expr.get())}};
  }
  return nullptr;
}

}  // namespace

std::string ExprJson(const Expr& expr) { return Tree(&expr).dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace pipewarden::agent
