#include "rules/promql/parser.h"

#include <algorithm>
#include <cmath>

#include "core/text/go_string.h"
#include "core/text/utf8.h"
#include "core/time/duration.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/literal.h"
#include "rules/promql/parser_impl.h"
#include "rules/promql/text.h"

namespace pipewarden::rules::promql {
namespace {

constexpr int kOrLevel = 1;
constexpr int kMulLevel = 5;
constexpr int kPowLevel = 6;

int Precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr:
      return kOrLevel;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless:
      return 2;
    case BinaryOp::kAdd:
    case BinaryOp::kSub:
      return 4;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kAtan2:
      return kMulLevel;
    case BinaryOp::kPow:
      return kPowLevel;
    default:
      return 3;
  }
}

struct Place {
  int line;
  int column;
};
Place PlaceOf(std::string_view query, int start) {
  const std::string_view before = query.substr(0, static_cast<std::size_t>(start));
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return {static_cast<int>(1 + std::ranges::count(before, '\n')), static_cast<int>(column)};
}

// As Prometheus words it.
std::string DurationError(std::string_view text, std::string_view why) {
  if (text.find('.') != std::string_view::npos) return "unknown unit \".\" in duration " + core::GoQuote(text);
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    if (text[i] != 'm' && text[i] >= 'a' && text[i] <= 'z' && text[i + 1] == 's')
      return "unknown unit " + core::GoQuote(text.substr(i, 2)) + " in duration " + core::GoQuote(text);
  if (why.ends_with("too long")) return "duration out of range";
  return "not a valid duration string: " + core::GoQuote(text);
}

// Annotations name the line; the text itself is not kept.
void PlaceLines(Expr& expr, std::string_view query) {
  Walk(expr, [&](const Expr& node) {
    const Place place = PlaceOf(query, node.pos.start);
    auto& pos = const_cast<Expr&>(node).pos;  // the tree is still ours
    pos.line = place.line;
    pos.column = place.column;
  });
}

}  // namespace

bool IsMetricToken(const LexItem& item) {
  switch (item.token) {
    case Token::kIdentifier:
    case Token::kMetricIdentifier:
    case Token::kAggregate:
    case Token::kBy:
    case Token::kWithout:
    case Token::kOffset:
    case Token::kStart:
    case Token::kEnd:
    case Token::kStep:
    case Token::kRange:
      return true;
    case Token::kOperator:
      return item.op == BinaryOp::kAnd || item.op == BinaryOp::kOr || item.op == BinaryOp::kUnless;
    default:
      return false;
  }
}

namespace {

// Whether an expression may begin so. What the lexer refuses is told by whoever reads on.
bool BeginsExpr(const LexItem& item) {
  switch (item.token) {
    case Token::kError:
    case Token::kLeftParen:
    case Token::kLeftBrace:
    case Token::kNumber:
    case Token::kDuration:
    case Token::kString:
      return true;
    case Token::kOperator:
      return item.op == BinaryOp::kAdd || item.op == BinaryOp::kSub || IsMetricToken(item);
    default:
      return IsMetricToken(item);
  }
}

}  // namespace

bool IsLabelToken(const LexItem& item) {
  switch (item.token) {
    case Token::kBool:
    case Token::kOn:
    case Token::kIgnoring:
    case Token::kGroupLeft:
    case Token::kGroupRight:
      return true;
    case Token::kOperator:
      return item.op == BinaryOp::kAtan2 || IsMetricToken(item);
    default:
      return IsMetricToken(item);
  }
}

core::Error ParseError(std::string_view query, PositionRange at, std::string_view text) {
  std::string place = query.empty() ? "unknown position" : "invalid position";
  if (!query.empty() && at.start >= 0 && static_cast<std::size_t>(at.start) <= query.size()) {
    const Place at_start = PlaceOf(query, at.start);
    place = std::to_string(at_start.line) + ":" + std::to_string(at_start.column);
  }
  return core::Error{core::ErrorCode::kInvalid, place + ": parse error: " + std::string(text)};
}

Parser::Parser(std::string_view query, const ParseOptions& options)
    : query_(query), options_(options), items_(Lex(query)) {}

core::Error Parser::error() const {
  return failure_ ? ParseError(query_, failure_->at, failure_->text)
                  : core::Error{core::ErrorCode::kInternal, "the query did not parse, and no reason is known"};
}

const LexItem& Parser::Take() {
  const LexItem& item = Peek();
  if (item.token != Token::kEof && item.token != Token::kError) {
    ++at_;
    last_end_ = item.end();
  }
  return item;
}

bool Parser::Accept(Token token) {
  if (!Is(token)) return false;
  Take();
  return true;
}

std::nullptr_t Parser::FailAt(PositionRange at, std::string text) {
  if (!failure_) failure_ = Failure{at, std::move(text)};
  return nullptr;
}

std::nullptr_t Parser::Unexpected(std::string_view context, std::string_view expected) {
  const LexItem& item = Peek();
  if (item.token == Token::kError) return FailAt({item.pos, item.end()}, item.error);
  std::string text = "unexpected " + item.Description();
  if (context.empty() && aggregates_ > 0) context = "aggregation";
  if (!context.empty()) text.append(" in ").append(context);
  if (!expected.empty()) text.append(", expected ").append(expected);
  return FailAt({item.pos, item.end()}, std::move(text));
}

bool Parser::TooDeep() {
  if (depth_ <= kMaxExprDepth) return false;
  FailAt({Peek().pos, Peek().end()}, "expression is nested too deeply (at most " + std::to_string(kMaxExprDepth) + ")");
  return true;
}

ExprPtr Parser::ParseWhole() {
  if (Is(Token::kEof)) return FailAt({}, "no expression found in input");
  ExprPtr expr = ParseBinary(0);
  if (expr == nullptr) return nullptr;
  if (!Is(Token::kEof)) return Unexpected("", "");
  if (auto wrong = CheckTypes(*expr, query_)) return FailAt(wrong->at, std::move(wrong->text));
  if (query_.find('\n') != std::string_view::npos) PlaceLines(*expr, query_);
  return expr;
}

ExprPtr Parser::ParseBinary(int min_precedence) {
  ++depth_;
  ExprPtr lhs = TooDeep() ? nullptr : ParseUnary();
  // A chain a+b+c leans left without recursion here, but its tree is as deep as it is long.
  int chain = 0;
  while (lhs != nullptr && Is(Token::kOperator)) {
    const BinaryOp op = Peek().op;
    const int precedence = Precedence(op);
    if (precedence < min_precedence) break;
    auto binary = std::make_unique<BinaryExpr>();
    binary->op = op;
    Take();
    if (++chain > 5 * kMaxExprDepth) {
      lhs = FailAt({Peek().pos, Peek().end()}, "too many operators in one expression");
      break;
    }
    if (!ParseBinaryModifiers(*binary) || FillModifier(lhs->pos)) {
      lhs = nullptr;
      break;
    }
    binary->rhs = ParseBinary(op == BinaryOp::kPow ? precedence : precedence + 1);
    if (binary->rhs == nullptr) {
      lhs = nullptr;
      break;
    }
    binary->pos = {lhs->pos.start, binary->rhs->pos.end};
    binary->lhs = std::move(lhs);
    lhs = std::move(binary);
  }
  --depth_;
  return lhs;
}

bool Parser::FillModifier(PositionRange at) {
  if (!Is(Token::kIdentifier) || Peek(1).token != Token::kLeftParen) return false;
  const std::string word = ToLowerAscii(Peek().text);
  if (word != "fill" && word != "fill_left" && word != "fill_right") return false;
  FailAt(at, "binop fill modifiers are experimental and not enabled");
  return true;
}

bool Parser::ParseBinaryModifiers(BinaryExpr& expr) {
  expr.matching.emplace();
  if (Accept(Token::kBool)) expr.return_bool = true;
  if (!Is(Token::kOn) && !Is(Token::kIgnoring)) return true;
  VectorMatching& matching = *expr.matching;
  matching.on = Take().token == Token::kOn;
  auto labels = ParseLabelList();
  if (!labels) return false;
  matching.labels = std::move(*labels);
  if (!Is(Token::kGroupLeft) && !Is(Token::kGroupRight)) return true;
  matching.card =
      Take().token == Token::kGroupLeft ? VectorMatching::Card::kManyToOne : VectorMatching::Card::kOneToMany;
  if (!BeginsExpr(Peek())) {
    Unexpected("grouping opts", "\"(\"");
    return false;
  }
  if (!Is(Token::kLeftParen)) return true;
  // group_left (a) b: a parenthesis here is always the list of labels.
  auto include = ParseLabelList();
  if (!include) return false;
  matching.include = std::move(*include);
  return true;
}

std::optional<std::vector<std::string>> Parser::ParseLabelList() {
  const auto fail = [&](std::string_view expected) -> std::optional<std::vector<std::string>> {
    Unexpected("grouping opts", expected);
    return std::nullopt;
  };
  if (!Accept(Token::kLeftParen)) return fail("\"(\"");
  std::vector<std::string> labels;
  while (!Is(Token::kRightParen)) {
    const LexItem& item = Peek();
    if (item.token == Token::kString) {
      auto name = Unquote(item.text);
      if (!name || name->empty() || !core::IsValidUtf8(*name)) {
        FailAt({item.pos, item.end()},
               "invalid label name for grouping: " + core::GoQuote(name ? *name : std::string()));
        return std::nullopt;
      }
      labels.push_back(std::move(*name));
    } else if (IsLabelToken(item)) {
      labels.emplace_back(item.text);
    } else {
      return fail("label");
    }
    Take();
    if (Is(Token::kRightParen)) break;
    if (!Accept(Token::kComma)) return fail("\",\" or \")\"");
  }
  Take();
  return labels;
}

ExprPtr Parser::ParseUnary() {
  if (!IsOp(BinaryOp::kAdd) && !IsOp(BinaryOp::kSub)) return ParsePostfix();
  const LexItem sign = Take();
  ++depth_;
  ExprPtr operand = TooDeep() ? nullptr : ParseBinary(kPowLevel);
  --depth_;
  if (operand == nullptr) return nullptr;
  if (operand->kind == Expr::Kind::kNumber) {
    auto& number = static_cast<NumberLiteral&>(*operand);
    if (sign.op == BinaryOp::kSub) number.value = -number.value;
    number.pos.start = sign.pos;
    return operand;
  }
  auto unary = std::make_unique<UnaryExpr>();
  unary->negate = sign.op == BinaryOp::kSub;
  unary->pos = {sign.pos, operand->pos.end};
  unary->expr = std::move(operand);
  return unary;
}

ExprPtr Parser::ParsePostfix() {
  ExprPtr expr = ParsePrimary();
  for (int links = 0; expr != nullptr; ++links) {
    if (links > kMaxExprDepth) return FailAt(expr->pos, "too many modifiers in a row");
    if (Is(Token::kLeftBracket))
      expr = ParseBracket(std::move(expr));
    else if (Is(Token::kOffset))
      expr = ParseOffset(std::move(expr));
    else if (Is(Token::kAt))
      expr = ParseAt(std::move(expr));
    else if (const std::string word = Is(Token::kIdentifier) ? ToLowerAscii(Peek().text) : "";
             word == "anchored" || word == "smoothed")
      return FailAt(expr->pos, word + " modifier is experimental and not enabled");
    else
      break;
  }
  return expr;
}

ExprPtr Parser::ParsePrimary() {
  const LexItem& item = Peek();
  const Token after = Peek(1).token;
  switch (item.token) {
    case Token::kLeftParen:
      return ParseParen();
    case Token::kNumber:
    case Token::kDuration:
      return ParseNumberLiteral();
    case Token::kString:
      return ParseStringLiteral();
    case Token::kLeftBrace:
      return ParseSelector(nullptr);
    case Token::kAggregate:
      if (after == Token::kLeftParen || after == Token::kBy || after == Token::kWithout) return ParseAggregate();
      break;
    case Token::kIdentifier:
    case Token::kStart:
    case Token::kEnd:
    case Token::kStep:
    case Token::kRange:
      if (after == Token::kLeftParen) return ParseCall(Take());
      break;
    default:
      break;
  }
  if (!IsMetricToken(item)) return Unexpected("", "");
  const LexItem& name = Take();
  return ParseSelector(&name);
}

ExprPtr Parser::ParseParen() {
  auto paren = std::make_unique<ParenExpr>();
  paren->pos.start = Take().pos;
  paren->expr = ParseBinary(0);
  if (paren->expr == nullptr) return nullptr;
  if (!Is(Token::kRightParen)) return Unexpected("", "");
  paren->pos.end = Take().end();
  return paren;
}

ExprPtr Parser::ParseNumberLiteral() {
  const LexItem& item = Take();
  auto number = std::make_unique<NumberLiteral>();
  number->pos = {item.pos, item.end()};
  if (item.token == Token::kDuration) {
    const auto duration = core::ParseDuration(item.text);
    if (!duration) return FailAt(number->pos, DurationError(item.text, duration.error().message));
    number->value = core::ToSeconds(*duration);
    number->is_duration = true;
  } else {
    const auto value = ParseNumber(item.text);
    if (!value) return FailAt(number->pos, value.error().message);
    number->value = *value;
  }
  return number;
}

ExprPtr Parser::ParseStringLiteral() {
  const LexItem& item = Take();
  auto text = std::make_unique<StringLiteral>();
  text->pos = {item.pos, item.end()};
  auto value = Unquote(item.text);
  if (!value)
    return FailAt(text->pos, "error unquoting string " + core::GoQuote(item.text) + ": " + value.error().message);
  text->value = std::move(*value);
  return text;
}

bool Parser::ParseGrouping(AggregateExpr& expr) {
  expr.without = Take().token == Token::kWithout;
  expr.has_grouping = true;
  auto labels = ParseLabelList();
  if (!labels) return false;
  expr.grouping = std::move(*labels);
  return true;
}

ExprPtr Parser::ParseAggregate() {
  auto aggregate = std::make_unique<AggregateExpr>();
  const LexItem& op = Take();
  aggregate->op = op.aggregate;
  aggregate->pos.start = op.pos;
  ++aggregates_;
  const auto is_grouping = [&] { return Is(Token::kBy) || Is(Token::kWithout); };
  std::vector<ExprPtr> args;
  if (is_grouping() && !ParseGrouping(*aggregate)) return nullptr;
  if (!Is(Token::kLeftParen)) return Unexpected("aggregation", "");
  if (!ParseArguments(args)) return nullptr;
  --aggregates_;
  if (!aggregate->has_grouping && is_grouping() && !ParseGrouping(*aggregate)) return nullptr;
  aggregate->pos.end = last_end_;
  if (args.empty()) return FailAt(aggregate->pos, "no arguments for aggregate expression provided");
  const bool limits = aggregate->op == AggregateOp::kLimitk || aggregate->op == AggregateOp::kLimitRatio;
  if (limits && !options_.experimental_functions)
    return FailAt(aggregate->pos, std::string(AggregateOpText(aggregate->op)) +
                                      "() is experimental and must be enabled with "
                                      "--enable-feature=promql-experimental-functions");
  const std::size_t wanted = TakesParameter(aggregate->op) ? 2 : 1;
  if (args.size() != wanted)
    return FailAt(aggregate->pos, "wrong number of arguments for aggregate expression provided, expected " +
                                      std::to_string(wanted) + ", got " + std::to_string(args.size()));
  if (wanted == 2) aggregate->param = std::move(args[0]);
  aggregate->expr = std::move(args[wanted - 1]);
  return aggregate;
}

ExprPtr Parser::ParseCall(const LexItem& name) {
  auto call = std::make_unique<Call>();
  call->pos.start = name.pos;
  const PositionRange name_pos{name.pos, name.end()};
  call->function = FindFunction(name.text);
  if (!ParseArguments(call->args)) return nullptr;
  call->pos.end = last_end_;
  if (call->function == nullptr) return FailAt(name_pos, "unknown function with name " + core::GoQuote(name.text));
  if (call->function->experimental && !options_.experimental_functions)
    return FailAt(name_pos, "function " + core::GoQuote(name.text) + " is not enabled");
  return call;
}

bool Parser::ParseArguments(std::vector<ExprPtr>& args) {
  Take();
  if (Accept(Token::kRightParen)) return true;
  for (;;) {
    ExprPtr arg = ParseBinary(0);
    if (arg == nullptr) return false;
    args.push_back(std::move(arg));
    if (Accept(Token::kRightParen)) return true;
    if (!Is(Token::kComma)) {
      Unexpected("", "");
      return false;
    }
    const LexItem comma = Take();
    if (!BeginsExpr(Peek())) {
      FailAt({comma.pos, comma.end()}, "trailing commas not allowed in function call args");
      return false;
    }
  }
}

core::Result<ExprPtr> ParseExpr(std::string_view query, const ParseOptions& options) {
  if (query.size() > kMaxQueryBytes)
    return core::Fail(core::ErrorCode::kInvalid,
                      "the query is longer than " + std::to_string(kMaxQueryBytes) + " bytes");
  Parser parser(query, options);
  ExprPtr expr = parser.ParseWhole();
  if (expr == nullptr) return core::Fail(parser.error());
  return expr;
}

core::Result<std::vector<core::Matcher>> ParseMetricSelector(std::string_view text) {
  Parser parser(text, {});
  auto matchers = parser.ParseSelectorOnly();
  if (!matchers) return core::Fail(parser.error());
  return std::move(*matchers);
}

core::Result<core::Labels> ParseMetric(std::string_view text) {
  Parser parser(text, {});
  auto labels = parser.ParseMetricOnly();
  if (!labels) return core::Fail(parser.error());
  return std::move(*labels);
}

}  // namespace pipewarden::rules::promql
