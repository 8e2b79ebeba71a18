#include "rules/promql/printer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/time/duration.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/print_options.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::size_t kMaxLine = 100;

std::string DurationText(std::int64_t ms) { return core::FormatDuration(std::chrono::milliseconds(ms)); }

std::string SecondsText(double seconds, bool is_duration) {
  if (!is_duration) return core::FormatGoFloat(seconds, 'f', -1);
  return DurationText(static_cast<std::int64_t>(std::round(seconds * 1000)));
}

std::string Print(const DurationExpr& expr) {
  using Op = DurationExpr::Op;
  const auto binary = [&](std::string_view op) {
    return Print(*expr.lhs) + " " + std::string(op) + " " + Print(*expr.rhs);
  };
  std::string out;
  switch (expr.op) {
    case Op::kNumber:
      out = SecondsText(expr.seconds, expr.is_duration);
      break;
    case Op::kAdd:
      out = binary("+");
      break;
    case Op::kSub:
      out = binary("-");
      break;
    case Op::kMul:
      out = binary("*");
      break;
    case Op::kDiv:
      out = binary("/");
      break;
    case Op::kMod:
      out = binary("%");
      break;
    case Op::kPow:
      out = binary("^");
      break;
    case Op::kNegate:
      out = "-" + Print(*expr.lhs);
      break;
    case Op::kPlus:
      out = "+" + Print(*expr.lhs);
      break;
    case Op::kStep:
      out = "step()";
      break;
    case Op::kRange:
      out = "range()";
      break;
    case Op::kMin:
      out = "min_of(" + Print(*expr.lhs) + ", " + Print(*expr.rhs) + ")";
      break;
    case Op::kMax:
      out = "max_of(" + Print(*expr.lhs) + ", " + Print(*expr.rhs) + ")";
      break;
  }
  return expr.in_parens ? "(" + out + ")" : out;
}

std::string Print(const SelectorDuration& duration) {
  return duration.expr != nullptr ? Print(*duration.expr) : DurationText(duration.ms);
}

std::string OffsetText(const SelectorDuration& offset) {
  using Op = DurationExpr::Op;
  if (offset.expr == nullptr) return offset.ms == 0 ? "" : " offset " + DurationText(offset.ms);
  // Only an operand may follow bare; an operation needs parentheses.
  const DurationExpr& expr = *offset.expr;
  const bool operation = expr.op >= Op::kAdd && expr.op <= Op::kPow;
  const std::string text = Print(expr);
  return " offset " + (operation && !expr.in_parens ? "(" + text + ")" : text);
}

std::string LabelText(const std::string& label) { return core::IsValidLabelName(label) ? label : core::GoQuote(label); }

std::string LabelList(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) {
    if (!out.empty()) out += ", ";
    out += LabelText(label);
  }
  return out;
}

class Printer {
 public:
  explicit Printer(PrintOptions options) : options_(options) {}

  std::string Text(const Expr& expr) const;
  std::string Pretty(const Expr& expr, int level) const;

 private:
  std::string Shift(const TimeShift& shift) const;
  std::string Selector(const VectorSelector& selector) const;
  std::string Subquery(const SubqueryExpr& expr) const;
  std::string SubqueryTail(const SubqueryExpr& expr) const;
  std::string CallText(const Call& call) const;
  static std::string AggregateHead(const AggregateExpr& expr);
  static std::string BinaryHead(const BinaryExpr& expr);

  PrintOptions options_;
};

std::string Printer::Shift(const TimeShift& shift) const {
  std::string at;
  const auto timestamp = [&](TimestampMs ms) {
    char text[64];
    std::snprintf(text, sizeof text, " @ %.3f", static_cast<double>(ms) / 1000);
    at = text;
  };
  switch (shift.at) {
    case TimeShift::At::kNone:
      if (options_.pin_at) timestamp(*options_.pin_at);
      break;
    case TimeShift::At::kTimestamp:
      timestamp(shift.at_time);
      break;
    case TimeShift::At::kStart:
      at = " @ start()";
      break;
    case TimeShift::At::kEnd:
      at = " @ end()";
      break;
  }
  return at + OffsetText(shift.offset);
}

std::string Printer::Selector(const VectorSelector& selector) const {
  std::vector<std::string> matchers;
  for (const core::Matcher& matcher : selector.matchers) {
    const bool is_name = matcher.name() == core::kMetricName && matcher.op() == core::MatchOp::kEqual;
    if (is_name && matcher.value() == selector.name && !selector.name.empty()) continue;
    matchers.push_back(LabelText(matcher.name()) + std::string(core::MatchOpText(matcher.op())) +
                       core::GoQuote(matcher.value()));
  }
  if (matchers.empty() && !selector.name.empty()) return selector.name;
  std::ranges::sort(matchers);
  return fmt::format("{}{{{}}}", selector.name, fmt::join(matchers, ","));
}

std::string Printer::SubqueryTail(const SubqueryExpr& expr) const {
  return "[" + Print(expr.range) + ":" + (expr.step ? Print(*expr.step) : "") + "]" + Shift(expr.shift);
}

std::string Printer::Subquery(const SubqueryExpr& expr) const {
  // A subquery that is pinned carries what is inside it.
  return Printer(PrintOptions{}).Text(*expr.expr) + SubqueryTail(expr);
}

std::string Printer::CallText(const Call& call) const {
  std::string args;
  for (const ExprPtr& arg : call.args) {
    if (!args.empty()) args += ", ";
    args += Text(*arg);
  }
  return std::string(call.function->name) + "(" + args + ")";
}

std::string Printer::AggregateHead(const AggregateExpr& expr) {
  std::string out(AggregateOpText(expr.op));
  if (expr.without) return out + " without (" + LabelList(expr.grouping) + ") ";
  if (!expr.grouping.empty()) return out + " by (" + LabelList(expr.grouping) + ") ";
  return out;
}

std::string Printer::BinaryHead(const BinaryExpr& expr) {
  std::string out(BinaryOpText(expr.op));
  if (expr.return_bool) out += " bool";
  if (!expr.matching) return out;
  const VectorMatching& matching = *expr.matching;
  if (matching.on || !matching.labels.empty())
    out += std::string(matching.on ? " on (" : " ignoring (") + LabelList(matching.labels) + ")";
  using Card = VectorMatching::Card;
  if (matching.card == Card::kManyToOne || matching.card == Card::kOneToMany) {
    if (!matching.on && matching.labels.empty()) out += " ignoring ()";  // group_left needs one in front
    out += std::string(matching.card == Card::kManyToOne ? " group_left (" : " group_right (") +
           LabelList(matching.include) + ")";
  }
  return out;
}

std::string Printer::Text(const Expr& expr) const {
  switch (expr.kind) {
    case Expr::Kind::kNumber: {
      const auto& number = static_cast<const NumberLiteral&>(expr);
      return SecondsText(number.value, number.is_duration);
    }
    case Expr::Kind::kString:
      return core::GoQuote(static_cast<const StringLiteral&>(expr).value);
    case Expr::Kind::kVectorSelector: {
      const auto& selector = static_cast<const VectorSelector&>(expr);
      return Selector(selector) + Shift(selector.shift);
    }
    case Expr::Kind::kMatrixSelector: {
      const auto& matrix = static_cast<const MatrixSelector&>(expr);
      return Selector(*matrix.vector) + "[" + Print(matrix.range) + "]" + Shift(matrix.vector->shift);
    }
    case Expr::Kind::kSubquery:
      return Subquery(static_cast<const SubqueryExpr&>(expr));
    case Expr::Kind::kCall:
      return CallText(static_cast<const Call&>(expr));
    case Expr::Kind::kAggregate: {
      const auto& aggregate = static_cast<const AggregateExpr&>(expr);
      const std::string param = aggregate.param != nullptr ? Text(*aggregate.param) + ", " : "";
      return AggregateHead(aggregate) + "(" + param + Text(*aggregate.expr) + ")";
    }
    case Expr::Kind::kBinary: {
      const auto& binary = static_cast<const BinaryExpr&>(expr);
      std::string lhs = Text(*binary.lhs);
      // Read back, the sign of +Inf would be an operator around the whole power.
      if (binary.op == BinaryOp::kPow && lhs == "+Inf") lhs = "Inf";
      return lhs + " " + BinaryHead(binary) + " " + Text(*binary.rhs);
    }
    case Expr::Kind::kUnary: {
      const auto& unary = static_cast<const UnaryExpr&>(expr);
      return (unary.negate ? "-" : "+") + Text(*unary.expr);
    }
    case Expr::Kind::kParen:
      return "(" + Text(*static_cast<const ParenExpr&>(expr).expr) + ")";
  }
  return "";
}

std::string Printer::Pretty(const Expr& expr, int level) const {
  const std::string indent(static_cast<std::size_t>(level) * 2, ' ');
  std::string text = Text(expr);
  if (text.size() <= kMaxLine) return indent + text;
  switch (expr.kind) {
    case Expr::Kind::kAggregate: {
      const auto& aggregate = static_cast<const AggregateExpr&>(expr);
      std::string out = indent + AggregateHead(aggregate) + "(\n";
      if (aggregate.param != nullptr) out += Pretty(*aggregate.param, level + 1) + ",\n";
      return out + Pretty(*aggregate.expr, level + 1) + "\n" + indent + ")";
    }
    case Expr::Kind::kBinary: {
      const auto& binary = static_cast<const BinaryExpr&>(expr);
      return Pretty(*binary.lhs, level + 1) + "\n" + indent + BinaryHead(binary) + "\n" +
             Pretty(*binary.rhs, level + 1);
    }
    case Expr::Kind::kCall: {
      const auto& call = static_cast<const Call&>(expr);
      std::string args;
      for (const ExprPtr& arg : call.args) {
        if (!args.empty()) args += ",\n";
        args += Pretty(*arg, level + 1);
      }
      return indent + std::string(call.function->name) + "(\n" + args + "\n" + indent + ")";
    }
    case Expr::Kind::kParen:
      return indent + "(\n" + Pretty(*static_cast<const ParenExpr&>(expr).expr, level + 1) + "\n" + indent + ")";
    case Expr::Kind::kSubquery: {
      const auto& subquery = static_cast<const SubqueryExpr&>(expr);
      return Pretty(*subquery.expr, level) + SubqueryTail(subquery);
    }
    case Expr::Kind::kUnary: {
      const auto& unary = static_cast<const UnaryExpr&>(expr);
      return indent + (unary.negate ? "-" : "+") + Pretty(*unary.expr, level).substr(indent.size());
    }
    default:
      return indent + text;
  }
}

}  // namespace

std::string Print(const Expr& expr) { return Printer({}).Text(expr); }
std::string PrintPinned(const Expr& expr, const PrintOptions& options) { return Printer(options).Text(expr); }
std::string PrettyPrint(const Expr& expr) { return Printer({}).Pretty(expr, 0); }

}  // namespace pipewarden::rules::promql
