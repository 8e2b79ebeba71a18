#include "rules/promql/test_script.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/time/duration.h"
#include "rules/promql/histogram_arithmetic.h"
#include "rules/promql/histogram_literal.h"
#include "rules/promql/literal.h"
#include "rules/promql/parser.h"
#include "rules/promql/text.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::size_t kMaxValues = 10'000'000;  // of one series

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::unexpected<core::Error> Bad(std::string message) {
  return core::Fail(core::ErrorCode::kInvalid, std::move(message));
}

// 5m, 1h30m, -10s, or a number of seconds.
core::Result<TimestampMs> ParseTime(std::string_view text) {
  const bool negative = text.starts_with('-');
  const std::string_view body = negative ? text.substr(1) : text;
  const TimestampMs sign = negative ? -1 : 1;
  if (const auto duration = core::ParseDuration(body))
    return sign * std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  if (const auto seconds = ParseNumber(body); seconds && std::fabs(*seconds) < 9e15)
    return sign * static_cast<TimestampMs>(std::round(*seconds * 1000));
  return Bad("bad time or duration " + core::GoQuote(text));
}

// Where the metric in front of the values ends.
core::Result<std::size_t> MetricEnd(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && text[at] != '{' && text[at] != ' ' && text[at] != '\t') ++at;
  if (at == text.size() || text[at] != '{') return at;
  for (char quote = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\' && quote != '`') ++at;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '}') {
      return at + 1;
    }
  }
  return Bad("the labels are not closed by }");
}

// The values behind a metric, one after another.
class ValueReader {
 public:
  explicit ValueReader(std::string_view text) : text_(text) {}

  core::Result<std::vector<SequenceValue>> Run() {
    for (;;) {
      SkipBlank();
      if (text_.empty()) return std::move(values_);
      if (auto read = ReadOne(); !read) return core::Fail(read.error());
      if (!text_.empty() && text_[0] != ' ' && text_[0] != '\t')
        return Bad("unexpected " + core::GoQuote(text_) + " in values");
    }
  }

 private:
  void SkipBlank() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size())); }
  bool Accept(std::string_view token) {
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  // xN, or `otherwise` where there is none.
  core::Result<std::size_t> ReadRepeat(std::size_t otherwise) {
    if (text_.empty() || text_[0] != 'x') return otherwise;
    text_.remove_prefix(1);
    std::size_t count = 0;
    bool any = false;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1)) {
      count = count * 10 + static_cast<std::size_t>(text_[0] - '0');
      any = true;
      if (count > kMaxValues) return Bad("a series has more than " + std::to_string(kMaxValues) + " values");
    }
    if (!any) return Bad("a number must follow x");
    return count;
  }

  core::Result<void> Append(SequenceValue value, std::size_t times) {
    if (values_.size() + times > kMaxValues)
      return Bad("a series has more than " + std::to_string(kMaxValues) + " values");
    values_.insert(values_.end(), times, value);
    return {};
  }

  core::Result<void> ReadOne() {
    if (Accept("_")) {
      const auto repeat = ReadRepeat(1);
      if (!repeat) return core::Fail(repeat.error());
      return Append({}, *repeat);
    }
    if (Accept("stale")) return Append({true, false, core::StaleNaN(), nullptr}, 1);
    if (text_.starts_with("{{")) return ReadHistogram();
    const auto first = ReadFloat();
    if (!first) return core::Fail(first.error());
    double step = 0;
    if (!text_.empty() && (text_[0] == '+' || text_[0] == '-')) {
      const auto delta = ReadFloat();
      if (!delta) return core::Fail(delta.error());
      step = *delta;
      if (text_.empty() || text_[0] != 'x')
        return Bad("xN must follow " + core::FormatGoFloat(*first, 'f', -1) + " and its step");
    }
    const auto repeat = ReadRepeat(0);
    if (!repeat) return core::Fail(repeat.error());
    double value = *first;
    for (std::size_t i = 0; i <= *repeat; ++i, value += step)
      if (auto added = Append({true, false, value, nullptr}, 1); !added) return added;
    return {};
  }

  core::Result<double> ReadFloat() {
    std::size_t end = 0;
    if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
    const auto digit = [&] { return end < text_.size() && text_[end] >= '0' && text_[end] <= '9'; };
    const auto letter = [&] {
      return end < text_.size() && ((text_[end] | 0x20) >= 'a' && (text_[end] | 0x20) <= 'z');
    };
    if (letter()) {
      const std::string word = ToLowerAscii(text_.substr(end, 3));
      if (word != "nan" && word != "inf") return Bad("unexpected " + core::GoQuote(text_) + " in values");
      end += 3;
    } else {
      while (digit()) ++end;
      if (end < text_.size() && text_[end] == '.') ++end;
      while (digit()) ++end;
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        ++end;
        if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
        while (digit()) ++end;
      }
    }
    std::string_view number = text_.substr(0, end);
    text_.remove_prefix(end);
    const bool negative = number.starts_with('-');
    if (negative || number.starts_with('+')) number.remove_prefix(1);
    // Decimal only here: a leading zero is no base.
    while (number.size() > 1 && number[0] == '0' && number[1] >= '0' && number[1] <= '9') number.remove_prefix(1);
    const auto value = ParseNumber(number);
    if (!value) return core::Fail(value.error());
    return negative ? -*value : *value;
  }

  // {{…}}, {{…}}xN or {{…}}±{{…}}xN.
  core::Result<void> ReadHistogram() {
    bool hint_given = false;
    auto first = ReadHistogramLiteral(text_, hint_given);
    if (!first) return core::Fail(first.error());
    core::FloatHistogram value = std::move(*first);
    std::optional<core::FloatHistogram> step;
    bool subtract = false;
    if (text_.starts_with("+{{") || text_.starts_with("-{{")) {
      subtract = text_[0] == '-';
      text_.remove_prefix(1);
      auto by = ReadHistogramLiteral(text_, hint_given);
      if (!by) return core::Fail(by.error());
      step = std::move(*by);
    }
    const auto repeat = ReadRepeat(0);
    if (!repeat) return core::Fail(repeat.error());
    core::HistogramPtr shared = std::make_shared<const core::FloatHistogram>(value);
    for (std::size_t i = 0; i <= *repeat; ++i) {
      if (i > 0 && step) {
        if (value.schema > step->schema || !(subtract ? Subtract(value, *step) : promql::Add(value, *step)).possible)
          return Bad("error combining histograms: cannot merge from schema " + std::to_string(step->schema) + " to " +
                     std::to_string(value.schema));
        shared = std::make_shared<const core::FloatHistogram>(value);
      }
      if (auto added = Append({true, hint_given, 0, shared}, 1); !added) return added;
    }
    return {};
  }

  std::string_view text_;
  std::vector<SequenceValue> values_;
};

class ScriptParser {
 public:
  explicit ScriptParser(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = Trim(text.substr(0, end));
      lines_.push_back(line.starts_with('#') ? std::string_view{} : line);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

  core::Result<std::vector<ScriptCommand>> Run() {
    std::vector<ScriptCommand> commands;
    while (at_ < lines_.size()) {
      if (lines_[at_].empty()) {
        ++at_;
        continue;
      }
      const int line = static_cast<int>(at_) + 1;
      auto command = ParseCommand();
      if (!command) return core::Fail(command.error().Within("line " + std::to_string(at_ + 1)));
      commands.push_back({line, std::move(*command)});
    }
    return commands;
  }

 private:
  using Any = std::variant<ClearCommand, LoadCommand, EvalCommand>;

  core::Result<Any> ParseCommand() {
    const std::string_view line = lines_[at_];
    const std::string word = ToLowerAscii(line.substr(0, line.find_first_of(" \t")));
    if (word == "clear") {
      ++at_;
      return ClearCommand{};
    }
    if (word == "load" || word == "load_with_nhcb") return ParseLoad(word != "load");
    if (word.starts_with("eval")) return ParseEval();
    return Bad("unknown command " + core::GoQuote(word) + " (load, clear or eval)");
  }

  core::Result<Any> ParseLoad(bool with_custom_buckets) {
    LoadCommand load;
    load.with_custom_buckets = with_custom_buckets;
    const std::string_view line = lines_[at_];
    const auto step = ParseTime(Trim(
        line.substr(line.find_first_of(" \t") == std::string_view::npos ? line.size() : line.find_first_of(" \t"))));
    if (!step) return core::Fail(step.error());
    load.step = *step;
    static const re2::RE2 kStartTimestamps(R"([^\s{]*(\{[^}]*\})?@st\s.*)");
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_) {
      if (re2::RE2::FullMatch(re2::StringPiece(lines_[at_].data(), lines_[at_].size()), kStartTimestamps)) {
        load.with_start_timestamps = true;
        continue;
      }
      auto series = ParseScriptSeries(lines_[at_]);
      if (!series) return core::Fail(series.error());
      load.series.push_back(std::move(*series));
    }
    return load;
  }

  core::Result<Any> ParseEval() {
    static const re2::RE2 kInstant(R"((?s)eval(?:_(fail|warn|info|ordered))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+))");
    static const re2::RE2 kRange(
        R"((?s)eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+))");
    EvalCommand eval;
    const re2::StringPiece line(lines_[at_].data(), lines_[at_].size());
    std::string kind;
    std::string start;
    std::string end;
    std::string step;
    if (re2::RE2::FullMatch(line, kInstant, &kind, &start, &eval.query)) {
      if (start.empty()) start = "0s";
      end = start;
    } else if (re2::RE2::FullMatch(line, kRange, &kind, &start, &end, &step, &eval.query)) {
      eval.is_range = true;
      const auto parsed = ParseTime(step);
      if (!parsed) return core::Fail(parsed.error());
      eval.step = *parsed;
    } else {
      return Bad("an evaluation is written: eval instant at T QUERY, or eval range from A to B step S QUERY");
    }
    const auto from = ParseTime(start);
    if (!from) return core::Fail(from.error());
    const auto to = ParseTime(end);
    if (!to) return core::Fail(to.error());
    eval.start = *from;
    eval.end = *to;
    if (kind == "fail") eval.fail = Expectation{};
    if (kind == "warn") eval.warnings.push_back({});
    if (kind == "info") eval.infos.push_back({});
    if (kind == "ordered") eval.ordered = true;
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_)
      if (auto read = ParseExpected(lines_[at_], eval); !read) return core::Fail(read.error());
    return eval;
  }

  static core::Result<void> ParseExpected(std::string_view line, EvalCommand& eval) {
    if (line.starts_with("expect ") || line.starts_with("expect\t")) return ParseExpectLine(Trim(line.substr(7)), eval);
    if (line.starts_with("expected_fail_message")) {
      eval.fail = Expectation{Expectation::How::kText, std::string(Trim(line.substr(21)))};
      return {};
    }
    if (line.starts_with("expected_fail_regexp")) {
      eval.fail = Expectation{Expectation::How::kRegex, std::string(Trim(line.substr(20)))};
      return {};
    }
    const std::string_view unsigned_line = line.starts_with('-') || line.starts_with('+') ? line.substr(1) : line;
    if (const auto number = ParseNumber(unsigned_line)) {
      eval.scalar = line.starts_with('-') ? -*number : *number;
      return {};
    }
    auto series = ParseScriptSeries(line);
    if (!series) return core::Fail(series.error());
    if (!eval.is_range && !eval.range_vector && series->values.size() > 1)
      return Bad("expecting multiple values in instant evaluation not allowed");
    eval.series.push_back(std::move(*series));
    return {};
  }

  static core::Result<void> ParseExpectLine(std::string_view rest, EvalCommand& eval) {
    const std::size_t space = rest.find_first_of(" \t");
    const std::string_view what = rest.substr(0, space);
    std::string_view tail = space == std::string_view::npos ? std::string_view{} : Trim(rest.substr(space));
    if (what == "ordered")
      eval.ordered = true;
    else if (what == "no_warn")
      eval.no_warn = true;
    else if (what == "no_info")
      eval.no_info = true;
    else if (what == "string")
      return ParseExpectedString(tail, eval);
    else if (what == "range")
      return ParseExpectedRange(tail, eval);
    else if (what == "fail" || what == "warn" || what == "info") {
      Expectation expectation;
      if (tail.starts_with("msg:")) {
        expectation = {Expectation::How::kText, std::string(Trim(tail.substr(4)))};
      } else if (tail.starts_with("regex:")) {
        expectation = {Expectation::How::kRegex, std::string(Trim(tail.substr(6)))};
      } else if (!tail.empty()) {
        return Bad("after expect " + std::string(what) + " may stand msg: or regex:");
      }
      if (what == "fail")
        eval.fail = std::move(expectation);
      else if (what == "warn")
        eval.warnings.push_back(std::move(expectation));
      else
        eval.infos.push_back(std::move(expectation));
    } else {
      return Bad("unknown expectation " + core::GoQuote(what));
    }
    return {};
  }

  static core::Result<void> ParseExpectedString(std::string_view tail, EvalCommand& eval) {
    auto text = tail.size() >= 2 ? Unquote(tail) : Bad("expect string needs a quoted string");
    if (!text) return core::Fail(text.error());
    eval.string = std::move(*text);
    return {};
  }

  static core::Result<void> ParseExpectedRange(std::string_view tail, EvalCommand& eval) {
    static const re2::RE2 kForm(R"(vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))");
    std::string start;
    std::string end;
    std::string step;
    if (!re2::RE2::FullMatch(re2::StringPiece(tail.data(), tail.size()), kForm, &start, &end, &step))
      return Bad("write: expect range vector from A to B step S");
    const auto from = ParseTime(start);
    const auto to = ParseTime(end);
    const auto by = ParseTime(step);
    if (!from || !to || !by) return Bad("bad time in expect range vector");
    eval.range_vector = {*from, *to, *by};
    return {};
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
};

}  // namespace

core::Result<std::vector<SequenceValue>> ParseScriptValues(std::string_view text) { return ValueReader(text).Run(); }

core::Result<ScriptSeries> ParseScriptSeries(std::string_view text) {
  const auto end = MetricEnd(text);
  if (!end) return core::Fail(end.error());
  const auto labels = ParseMetric(text.substr(0, *end));
  if (!labels) return core::Fail(labels.error());
  auto values = ParseScriptValues(text.substr(*end));
  if (!values) return core::Fail(values.error());
  return ScriptSeries{*labels, std::move(*values)};
}

core::Result<std::vector<ScriptCommand>> ParseScript(std::string_view text) { return ScriptParser(text).Run(); }

}  // namespace pipewarden::rules::promql
