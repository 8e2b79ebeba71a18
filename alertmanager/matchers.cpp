#include "alertmanager/matchers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <tuple>

#include "core/text/escape.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Matcher;
using core::MatchOp;
using core::Result;

bool IsSpace(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsReserved(char32_t c) {
  return IsSpace(c) ||
         (c < 0x80 && std::string_view("{}!=~,\\\"'`").find(static_cast<char>(c)) != std::string_view::npos);
}

// The UTF-8 grammar: a reader over the text with one token of look-ahead by peeking.
class Utf8Parser {
 public:
  explicit Utf8Parser(std::string_view text) : text_(text) {}

  Result<Matchers> Parse() {
    Matchers matchers;
    const bool open = Take("{");
    for (;;) {
      if (AtEnd() || Peek('}')) break;
      auto matcher = One();
      if (!matcher) return Fail(matcher.error());
      matchers.push_back(std::move(*matcher));
      if (Take(",")) continue;
      if (!AtEnd() && !Peek('}')) return Wrong("expected a comma or the end");
      break;
    }
    const bool closed = Take("}");
    if (open && !closed) return Wrong("expected a closing brace");
    if (!open && closed) return Wrong("a closing brace without an opening one");
    if (!AtEnd()) return Wrong("expected the end");
    if (!open && matchers.empty()) return Wrong("expected a matcher");
    return matchers;
  }

 private:
  Result<Matcher> One() {
    auto name = Word("a label name");
    if (!name) return Fail(name.error());
    if (name->empty()) return Wrong("an empty label name");
    MatchOp op = MatchOp::kEqual;
    if (Take("=~"))
      op = MatchOp::kRegex;
    else if (Take("!~"))
      op = MatchOp::kNotRegex;
    else if (Take("!="))
      op = MatchOp::kNotEqual;
    else if (!Take("="))
      return Wrong("expected an operator (= != =~ !~)");
    auto value = Word("a value");
    if (!value) return Fail(value.error());
    return Matcher::Make(std::move(*name), op, std::move(*value), false);
  }

  // A bare or quoted word.
  Result<std::string> Word(std::string_view what) {
    Skip();
    if (Take("\"")) {
      const std::size_t start = at_;
      bool escaped = false;
      for (; at_ < text_.size(); ++at_) {
        const char c = text_[at_];
        if (escaped) {
          escaped = false;
        } else if (c == '\\') {
          escaped = true;
        } else if (c == '"') {
          const std::string_view body = text_.substr(start, at_ - start);
          auto word = core::GoUnescape(body, '"');
          ++at_;
          if (!word || !core::IsValidUtf8(body) || !core::IsValidUtf8(*word)) return Wrong("a badly quoted word");
          return std::move(*word);
        }
      }
      return Wrong("a missing end \"");
    }
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      std::string_view rest = text_.substr(at_);
      bool valid = true;
      const char32_t rune = core::TakeUtf8(rest, &valid);
      if (!valid) return Wrong("invalid UTF-8");
      if (IsReserved(rune)) break;
      at_ = text_.size() - rest.size();
    }
    if (at_ == start) return Wrong("expected " + std::string(what));
    return std::string(text_.substr(start, at_ - start));
  }

  void Skip() {
    while (at_ < text_.size()) {
      std::string_view rest = text_.substr(at_);
      if (!IsSpace(core::TakeUtf8(rest))) return;
      at_ = text_.size() - rest.size();
    }
  }
  bool AtEnd() {
    Skip();
    return at_ >= text_.size();
  }
  bool Peek(char c) {
    Skip();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool Take(std::string_view token) {
    Skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::unexpected<core::Error> Wrong(const std::string& what) const {
    return Fail(ErrorCode::kInvalid,
                "bad matcher '" + std::string(text_) + "': " + what + " at position " + std::to_string(at_ + 1));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string_view TrimSpace(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// The classic grammar's value: quotes optional, \n \" \\ are escapes, any other backslash is itself.
Result<std::string> UnescapeClassic(std::string_view raw, std::string_view whole) {
  const auto wrong = [&](std::string_view what) {
    return Fail(ErrorCode::kInvalid, "bad matcher '" + std::string(whole) + "': " + std::string(what));
  };
  bool expect_quote = false;
  if (raw.starts_with('"')) {
    raw.remove_prefix(1);
    expect_quote = true;
  }
  if (!core::IsValidUtf8(raw)) return wrong("the value is not valid UTF-8");
  std::string value;
  bool escaped = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    const bool last = i + 1 == raw.size();
    if (escaped) {
      escaped = false;
      if (c == 'n') {
        value += '\n';
        continue;
      }
      if (c != '"' && c != '\\') value += '\\';
      value += c;
    } else if (c == '\\' && !last) {
      escaped = true;
    } else if (c == '"') {
      if (!expect_quote || !last) return wrong("the value holds an unescaped double quote");
      expect_quote = false;
    } else {
      value += c;
    }
  }
  if (expect_quote) return wrong("the value's closing double quote is missing");
  return value;
}

Result<Matcher> ParseClassicMatcher(std::string_view text) {
  const std::string_view whole = text;
  text = TrimSpace(text);
  std::size_t name_end = 0;
  while (name_end < text.size() && core::IsValidMetricName(text.substr(0, name_end + 1))) ++name_end;
  const std::string_view name = text.substr(0, name_end);
  std::string_view rest = TrimSpace(text.substr(name_end));
  constexpr std::array<std::pair<std::string_view, MatchOp>, 4> kOps = {
      {{"=~", MatchOp::kRegex}, {"!~", MatchOp::kNotRegex}, {"!=", MatchOp::kNotEqual}, {"=", MatchOp::kEqual}}};
  const auto* op = std::ranges::find_if(kOps, [&](const auto& candidate) { return rest.starts_with(candidate.first); });
  if (name.empty() || op == kOps.end())
    return Fail(ErrorCode::kInvalid,
                "bad matcher '" + std::string(whole) + "': expected name, operator (= != =~ !~) and value");
  auto value = UnescapeClassic(TrimSpace(rest.substr(op->first.size())), whole);
  if (!value) return Fail(value.error());
  return Matcher::Make(std::string(name), op->second, std::move(*value), false);
}

bool AnyReserved(std::string_view text) {
  while (!text.empty()) {
    if (IsReserved(core::TakeUtf8(text))) return true;
  }
  return false;
}

}  // namespace

Result<Matchers> ParseUtf8Matchers(std::string_view text) { return Utf8Parser(text).Parse(); }

Result<Matchers> ParseClassicMatchers(std::string_view text) {
  if (text.starts_with('{')) text.remove_prefix(1);
  if (text.ends_with('}')) text.remove_suffix(1);
  Matchers matchers;
  bool quoted = false;
  bool escaped = false;
  std::size_t start = 0;
  std::vector<std::string_view> tokens;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ',' && !quoted) {
      tokens.push_back(text.substr(start, i - start));
      start = i + 1;
      continue;
    }
    if (c == '"' && !escaped) quoted = !quoted;
    escaped = c == '\\' ? !escaped : false;
  }
  if (const std::string_view last = TrimSpace(text.substr(start)); !last.empty()) tokens.push_back(last);
  for (const std::string_view token : tokens) {
    auto matcher = ParseClassicMatcher(token);
    if (!matcher) return Fail(matcher.error());
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

Result<Matchers> ParseMatchers(std::string_view text) {
  auto modern = ParseUtf8Matchers(text);
  auto classic = ParseClassicMatchers(text);
  if (!classic) return modern;
  return classic;
}

Result<Matcher> ParseMatcher(std::string_view text) {
  auto matchers = ParseMatchers(text);
  if (!matchers) return Fail(matchers.error());
  if (matchers->size() != 1)
    return Fail(ErrorCode::kInvalid, "bad matcher '" + std::string(text) + "': expected one matcher, found " +
                                         std::to_string(matchers->size()));
  return std::move(matchers->front());
}

void SortMatchers(Matchers& matchers) {
  std::ranges::stable_sort(matchers, [](const Matcher& a, const Matcher& b) {
    return std::tie(a.name(), a.value()) < std::tie(b.name(), b.value()) ||
           (a.name() == b.name() && a.value() == b.value() && a.op() < b.op());
  });
}

bool MatchesAll(const Matchers& matchers, const core::Labels& labels) {
  return std::ranges::all_of(matchers, [&](const Matcher& matcher) { return matcher.Matches(labels); });
}

std::string MatcherText(const Matcher& matcher) {
  std::string out;
  if (AnyReserved(matcher.name())) {
    out = core::GoQuote(matcher.name());
    out += core::MatchOpText(matcher.op());
    return out += core::GoQuote(matcher.value());
  }
  out = matcher.name();
  out += core::MatchOpText(matcher.op());
  core::AppendLabelValue(out, matcher.value());
  return out;
}

std::string MatchersText(const Matchers& matchers) {
  std::string out = "{";
  for (const Matcher& matcher : matchers) {
    if (out.size() > 1) out += ',';
    out += MatcherText(matcher);
  }
  return out += '}';
}

std::string LabelSetText(const core::Labels& labels) {
  std::string out = "{";
  for (const core::LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    out += label.name;
    out += '=';
    out += core::GoQuote(label.value);
  }
  return out += '}';
}

}  // namespace pipewarden::alertmanager
