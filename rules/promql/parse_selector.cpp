// Selectors with their matchers, ranges, subqueries, offset, @, and duration expressions.
#include <algorithm>
#include <cmath>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/time/duration.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/literal.h"
#include "rules/promql/parser_impl.h"
#include "rules/promql/text.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::string_view kDurationStart = "number, duration, step(), or range()";
constexpr double kMaxSeconds = 9223372036.0;  // what nanoseconds in 64 bits hold
constexpr double kMaxTimestampSeconds = 9223372036854774.0;

int DurationPrecedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kSub:
      return 1;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
      return 2;
    case BinaryOp::kPow:
      return 3;
    default:
      return 0;
  }
}

DurationExpr::Op DurationOp(BinaryOp op) {
  switch (op) {
    case BinaryOp::kSub:
      return DurationExpr::Op::kSub;
    case BinaryOp::kMul:
      return DurationExpr::Op::kMul;
    case BinaryOp::kDiv:
      return DurationExpr::Op::kDiv;
    case BinaryOp::kMod:
      return DurationExpr::Op::kMod;
    case BinaryOp::kPow:
      return DurationExpr::Op::kPow;
    default:
      return DurationExpr::Op::kAdd;
  }
}

// RE2's message in the words of Go's regexp.
std::string GoRegexError(std::string_view message) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"missing )", "missing closing )"},
      {"missing ]", "missing closing ]"},
      {"no argument for repetition operator", "missing argument to repetition operator"},
      {"bad repetition operator", "invalid nested repetition operator"},
      {"invalid repetition size", "invalid repeat count"},
      {"invalid perl operator", "invalid or unsupported Perl syntax"},
      {"invalid named capture group", "invalid named capture"},
  };
  constexpr std::string_view kPrefix = "bad regular expression: ";
  if (!message.starts_with(kPrefix)) return std::string(message);
  message.remove_prefix(kPrefix.size());
  if (message.starts_with("trailing \\")) return "error parsing regexp: trailing backslash at end of expression: ``";
  const std::size_t colon = message.find(": ");
  std::string_view what = message.substr(0, colon);
  for (const auto& [ours, theirs] : kWords)
    if (what == ours) what = theirs;
  const std::string_view where = colon == std::string_view::npos ? std::string_view{} : message.substr(colon + 2);
  return "error parsing regexp: " + std::string(what) + ": `" + std::string(where) + "`";
}

// A number takes the sign itself, anything else becomes an expression over it.
DurationPtr Signed(const LexItem& sign, DurationPtr operand) {
  if (operand == nullptr) return nullptr;
  if (operand->op == DurationExpr::Op::kNumber && !operand->in_parens) {
    if (sign.op == BinaryOp::kSub) operand->seconds = -operand->seconds;
    operand->pos.start = sign.pos;
    return operand;
  }
  auto unary = std::make_unique<DurationExpr>();
  unary->op = sign.op == BinaryOp::kSub ? DurationExpr::Op::kNegate : DurationExpr::Op::kPlus;
  unary->pos = {sign.pos, operand->pos.end};
  unary->lhs = std::move(operand);
  return unary;
}

}  // namespace

std::unique_ptr<VectorSelector> Parser::ParseSelector(const LexItem* name) {
  auto selector = std::make_unique<VectorSelector>();
  selector->pos.start = name != nullptr ? name->pos : Peek().pos;
  if (Is(Token::kLeftBrace) && !ParseMatchers(selector->matchers)) return nullptr;
  selector->pos.end = last_end_;
  if (name != nullptr) {
    selector->name = name->text;
    selector->matchers.push_back(
        *core::Matcher::Make(std::string(core::kMetricName), core::MatchOp::kEqual, selector->name));
  }
  return selector;
}

bool Parser::ParseMatchers(std::vector<core::Matcher>& matchers) {
  Take();
  while (!Is(Token::kRightBrace)) {
    if (!ParseMatcher(matchers)) return false;
    if (Is(Token::kRightBrace)) break;
    if (!Accept(Token::kComma)) {
      Unexpected("label matching", "\",\" or \"}\"");
      return false;
    }
  }
  Take();
  return true;
}

bool Parser::ParseMatcher(std::vector<core::Matcher>& matchers) {
  const LexItem& label = Peek();
  const bool quoted = label.token == Token::kString;
  if (!quoted && label.token != Token::kIdentifier) {
    Unexpected("label matching", "identifier or \"}\"");
    return false;
  }
  Take();
  std::string name(label.text);
  if (quoted) {
    auto text = Unquote(label.text);
    if (!text) {
      FailAt({label.pos, label.end()}, "error unquoting string: " + text.error().message);
      return false;
    }
    name = std::move(*text);
  }
  core::MatchOp op = core::MatchOp::kEqual;
  if (Is(Token::kRegexMatch))
    op = core::MatchOp::kRegex;
  else if (Is(Token::kRegexNoMatch))
    op = core::MatchOp::kNotRegex;
  else if (IsOp(BinaryOp::kNotEqual))
    op = core::MatchOp::kNotEqual;
  else if (!Is(Token::kAssign)) {
    if (quoted && (Is(Token::kComma) || Is(Token::kRightBrace))) {
      // {"metric.name"}: the name of the metric.
      matchers.push_back(*core::Matcher::Make(std::string(core::kMetricName), core::MatchOp::kEqual, std::move(name)));
      return true;
    }
    Unexpected("label matching", quoted ? "\",\" or \"}\"" : "label matching operator");
    return false;
  }
  Take();
  if (!Is(Token::kString)) {
    Unexpected("label matching", "string");
    return false;
  }
  const LexItem& value_item = Take();
  auto value = Unquote(value_item.text);
  auto matcher = value ? core::Matcher::Make(std::move(name), op, std::move(*value)) : core::Fail(value.error());
  if (!matcher) {
    FailAt({label.pos, value_item.end()}, GoRegexError(matcher.error().message));
    return false;
  }
  matchers.push_back(std::move(*matcher));
  return true;
}

std::optional<std::vector<core::Matcher>> Parser::ParseSelectorOnly() {
  const LexItem* name = nullptr;
  if (IsMetricToken(Peek())) name = &Take();
  if (name == nullptr && !Is(Token::kLeftBrace)) {
    Unexpected("", "");
    return std::nullopt;
  }
  auto selector = ParseSelector(name);
  if (selector == nullptr) return std::nullopt;
  if (!Is(Token::kEof)) {
    Unexpected("", "");
    return std::nullopt;
  }
  return std::move(selector->matchers);
}

std::optional<core::Labels> Parser::ParseMetricOnly() {
  std::string name;
  if (IsMetricToken(Peek())) name = Take().text;
  std::vector<core::Matcher> matchers;
  if (name.empty() && !Is(Token::kLeftBrace)) {
    Unexpected("metric", "identifier or \"{\"");
    return std::nullopt;
  }
  if (Is(Token::kLeftBrace) && !ParseMatchers(matchers)) return std::nullopt;
  if (!Is(Token::kEof)) {
    Unexpected("", "");
    return std::nullopt;
  }
  std::vector<core::Label> labels;
  for (const core::Matcher& matcher : matchers) {
    if (matcher.op() != core::MatchOp::kEqual) {
      FailAt({}, "a series is written with = only, not with " + std::string(core::MatchOpText(matcher.op())));
      return std::nullopt;
    }
    if (std::ranges::find(labels, matcher.name(), &core::Label::name) != labels.end()) {
      FailAt({}, "label name " + core::GoQuote(matcher.name()) + " is not unique: invalid sample");
      return std::nullopt;
    }
    labels.push_back({matcher.name(), matcher.value()});
  }
  if (!name.empty()) labels.push_back({std::string(core::kMetricName), std::move(name)});
  return core::Labels(labels);
}

bool Parser::ToSelectorDuration(DurationPtr parsed, bool positive, SelectorDuration& out) {
  if (parsed->op != DurationExpr::Op::kNumber || parsed->in_parens) {
    out.expr = std::move(parsed);
    return true;
  }
  const double seconds = parsed->seconds;
  if (positive && seconds <= 0) {
    FailAt(parsed->pos, "duration must be greater than 0");
    return false;
  }
  if (!(std::fabs(seconds) < kMaxSeconds)) {
    FailAt(parsed->pos, "duration out of range");
    return false;
  }
  out.ms = static_cast<std::int64_t>(std::round(seconds * 1000));
  return true;
}

ExprPtr Parser::ParseBracket(ExprPtr expr) {
  const LexItem& open = Take();
  DurationPtr range = ParseDuration(0);
  if (range == nullptr) return Unexpected("subquery or range selector", kDurationStart);
  if (Is(Token::kColon)) {
    Take();
    auto subquery = std::make_unique<SubqueryExpr>();
    if (!ToSelectorDuration(std::move(range), true, subquery->range)) return nullptr;
    if (!Is(Token::kRightBracket)) {
      DurationPtr step = ParseDuration(0);
      if (step == nullptr) return Unexpected("subquery selector", "number, duration, step(), range(), or \"]\"");
      if (!ToSelectorDuration(std::move(step), true, subquery->step.emplace())) return nullptr;
    }
    if (!Is(Token::kRightBracket)) return Unexpected("subquery selector", "\"]\"");
    Take();
    subquery->pos = {expr->pos.start, last_end_};
    subquery->expr = std::move(expr);
    return subquery;
  }
  if (!Is(Token::kRightBracket)) return Unexpected("subquery or range", "\":\" or \"]\"");
  Take();
  const PositionRange brackets{open.pos, last_end_};
  auto matrix = std::make_unique<MatrixSelector>();
  if (!ToSelectorDuration(std::move(range), true, matrix->range)) return nullptr;
  if (expr->kind != Expr::Kind::kVectorSelector) return FailAt(brackets, "ranges only allowed for vector selectors");
  matrix->vector.reset(static_cast<VectorSelector*>(expr.release()));
  const TimeShift& shift = matrix->vector->shift;
  if (shift.offset.ms != 0 || shift.offset.expr != nullptr)
    return FailAt(brackets, "no offset modifiers allowed before range");
  if (shift.at != TimeShift::At::kNone) return FailAt(brackets, "no @ modifiers allowed before range");
  matrix->pos = {matrix->vector->pos.start, last_end_};
  return matrix;
}

TimeShift* Parser::ShiftOf(Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kVectorSelector:
      return &static_cast<VectorSelector&>(expr).shift;
    case Expr::Kind::kMatrixSelector:
      return &static_cast<MatrixSelector&>(expr).vector->shift;
    case Expr::Kind::kSubquery:
      return &static_cast<SubqueryExpr&>(expr).shift;
    default:
      return nullptr;
  }
}

ExprPtr Parser::ParseOffset(ExprPtr expr) {
  Take();
  DurationPtr offset = ParseDurationOfOffset();
  if (offset == nullptr) return Unexpected("offset", kDurationStart);
  SelectorDuration parsed;
  if (!ToSelectorDuration(std::move(offset), false, parsed)) return nullptr;
  TimeShift* shift = ShiftOf(*expr);
  if (shift == nullptr)
    return FailAt(expr->pos,
                  "offset modifier must be preceded by an instant vector selector or range vector selector or a "
                  "subquery");
  if (shift->offset.ms != 0 || shift->offset.expr != nullptr)
    return FailAt(expr->pos, "offset may not be set multiple times");
  shift->offset = std::move(parsed);
  expr->pos.end = last_end_;
  return expr;
}

ExprPtr Parser::ParseAt(ExprPtr expr) {
  Take();
  TimeShift parsed;
  double seconds = 0;
  if (Is(Token::kStart) || Is(Token::kEnd)) {
    parsed.at = Take().token == Token::kStart ? TimeShift::At::kStart : TimeShift::At::kEnd;
    if (!Accept(Token::kLeftParen)) return Unexpected("@", "timestamp");
    if (!Accept(Token::kRightParen)) return Unexpected("@", "timestamp");
  } else {
    double sign = 1;
    if (IsOp(BinaryOp::kAdd) || IsOp(BinaryOp::kSub)) sign = Take().op == BinaryOp::kSub ? -1 : 1;
    if (!Is(Token::kNumber) && !Is(Token::kDuration)) return Unexpected("@", "timestamp");
    const ExprPtr number = ParseNumberLiteral();
    if (number == nullptr) return nullptr;
    seconds = sign * static_cast<const NumberLiteral&>(*number).value;
    parsed.at = TimeShift::At::kTimestamp;
  }
  TimeShift* shift = ShiftOf(*expr);
  if (shift == nullptr)
    return FailAt(expr->pos,
                  "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  if (!(std::fabs(seconds) < kMaxTimestampSeconds)) {
    const std::string shown = std::isfinite(seconds) ? core::FormatGoFloat(seconds, 'f', -1) + ".000000"
                                                     : core::FormatGoFloat(seconds, 'f', -1);
    return FailAt(expr->pos, "timestamp out of bounds for @ modifier: " + shown);
  }
  if (shift->at != TimeShift::At::kNone) return FailAt(expr->pos, "@ <timestamp> may not be set multiple times");
  shift->at = parsed.at;
  shift->at_time = static_cast<TimestampMs>(std::round(seconds * 1000));
  expr->pos.end = last_end_;
  return expr;
}

// Null at a token that starts no duration; the caller words the error.
DurationPtr Parser::ParseDuration(int min_precedence) {
  ++depth_;
  DurationPtr lhs = TooDeep() ? nullptr : ParseDurationUnary();
  for (int chain = 0; lhs != nullptr && Is(Token::kOperator) && chain < kMaxExprDepth; ++chain) {
    const BinaryOp op = Peek().op;
    const int precedence = DurationPrecedence(op);
    if (precedence == 0 || precedence < min_precedence) break;
    const LexItem& item = Take();
    DurationPtr rhs = ParseDuration(op == BinaryOp::kPow ? precedence : precedence + 1);
    if (rhs == nullptr) {
      lhs = nullptr;
      break;
    }
    if (rhs->op == DurationExpr::Op::kNumber && rhs->seconds == 0 && (op == BinaryOp::kDiv || op == BinaryOp::kMod)) {
      lhs = FailAt({item.pos, item.end()}, op == BinaryOp::kDiv ? "division by zero" : "modulo by zero");
      break;
    }
    auto binary = std::make_unique<DurationExpr>();
    binary->op = DurationOp(op);
    binary->pos = {lhs->pos.start, rhs->pos.end};
    binary->lhs = std::move(lhs);
    binary->rhs = std::move(rhs);
    lhs = std::move(binary);
  }
  --depth_;
  return lhs;
}

DurationPtr Parser::ParseDurationUnary() {
  if (!IsOp(BinaryOp::kAdd) && !IsOp(BinaryOp::kSub)) return ParseDurationPrimary();
  const LexItem sign = Take();
  return Signed(sign, ParseDuration(DurationPrecedence(BinaryOp::kPow)));
}

DurationPtr Parser::ParseDurationPrimary() {
  auto leaf = std::make_unique<DurationExpr>();
  const LexItem& item = Peek();
  leaf->pos = {item.pos, item.end()};
  switch (item.token) {
    case Token::kNumber:
    case Token::kDuration: {
      const ExprPtr number = ParseNumberLiteral();
      if (number == nullptr) return nullptr;
      leaf->seconds = static_cast<const NumberLiteral&>(*number).value;
      leaf->is_duration = static_cast<const NumberLiteral&>(*number).is_duration;
      if (!(std::fabs(leaf->seconds) < kMaxSeconds)) return FailAt(leaf->pos, "duration out of range");
      return leaf;
    }
    case Token::kStep:
    case Token::kRange:
      leaf->op = Take().token == Token::kStep ? DurationExpr::Op::kStep : DurationExpr::Op::kRange;
      if (!Accept(Token::kLeftParen) || !Accept(Token::kRightParen)) return nullptr;
      leaf->pos.end = last_end_;
      return leaf;
    case Token::kLeftParen: {
      Take();
      DurationPtr inner = ParseDuration(0);
      if (inner == nullptr || !Accept(Token::kRightParen)) return nullptr;
      inner->in_parens = true;
      return inner;
    }
    case Token::kIdentifier:
      return ParseDurationMinMax();
    default:
      return nullptr;
  }
}

DurationPtr Parser::ParseDurationMinMax() {
  const std::string name = ToLowerAscii(Peek().text);
  if (name != "min_of" && name != "max_of") return nullptr;
  auto call = std::make_unique<DurationExpr>();
  call->op = name == "min_of" ? DurationExpr::Op::kMin : DurationExpr::Op::kMax;
  call->pos.start = Take().pos;
  if (!Accept(Token::kLeftParen)) return nullptr;
  call->lhs = ParseDuration(0);
  if (call->lhs == nullptr || !Accept(Token::kComma)) return nullptr;
  call->rhs = ParseDuration(0);
  if (call->rhs == nullptr || !Accept(Token::kRightParen)) return nullptr;
  call->pos.end = last_end_;
  return call;
}

// After `offset` only one operand is taken; an expression needs parentheses: `offset 1m*2` multiplies the vector. But
// two signs make an expression of it, as Prometheus' grammar is.
DurationPtr Parser::ParseDurationOfOffset() {
  const auto is_sign = [](const LexItem& item) {
    return item.token == Token::kOperator && (item.op == BinaryOp::kAdd || item.op == BinaryOp::kSub);
  };
  if (!is_sign(Peek())) return ParseDurationPrimary();
  if (is_sign(Peek(1))) return ParseDuration(0);
  const LexItem sign = Take();
  return Signed(sign, ParseDurationOfOffset());
}

}  // namespace pipewarden::rules::promql
