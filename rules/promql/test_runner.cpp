#include "rules/promql/test_runner.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <ostream>
#include <sstream>

#include "core/text/go_float.h"
#include "rules/promql/custom_buckets.h"
#include "rules/promql/engine.h"
#include "rules/promql/evaluator.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/grouping.h"
#include "rules/promql/histogram_estimates.h"
#include "rules/promql/memory_series.h"
#include "rules/promql/parser.h"
#include "rules/promql/print_options.h"
#include "rules/promql/test_script.h"

namespace pipewarden::rules::promql {
namespace {

constexpr TimestampMs kMinute = 60'000;

bool AlmostEqual(double a, double b) {
  if (core::IsStaleNaN(a) || core::IsStaleNaN(b)) return core::IsStaleNaN(a) && core::IsStaleNaN(b);
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  constexpr double kTolerance = 1e-6;
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  const double difference = std::fabs(a - b);
  const double sum = std::fabs(a) + std::fabs(b);
  if (a == 0 || b == 0 || sum < kMinNormal) return difference < kTolerance * kMinNormal;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kTolerance;
}

struct Verdict {
  enum class Kind { kPass, kFail, kSkip };
  Kind kind = Kind::kPass;
  std::string text;
};
Verdict Failed(std::string text) { return {Verdict::Kind::kFail, std::move(text)}; }
Verdict Skipped(std::string text) { return {Verdict::Kind::kSkip, std::move(text)}; }

// Features that the engine does not have, by their syntax; empty where the query needs none.
std::string MissingFeature(const std::string& query) {
  static const re2::RE2 kExtended(R"(\b(anchored|smoothed)\b)");
  static const re2::RE2 kFill(R"(\b(fill|fill_left|fill_right)\s*\()");
  static const re2::RE2 kCall(R"(\b([a-z_0-9]+)\s*\()");
  std::string word;
  if (re2::RE2::PartialMatch(query, kExtended, &word)) return "range modifier " + word;
  if (re2::RE2::PartialMatch(query, kFill, &word)) return "binary modifier " + word;
  re2::StringPiece rest(query);
  while (re2::RE2::FindAndConsume(&rest, kCall, &word))
    if (word == "info" || word == "start_timestamp")
      if (FindFunction(word) == nullptr) return "experimental function " + word;
  return "";
}

class ScriptRunner {
 public:
  ScriptRunner()
      : engine_(EngineOptions{.lookback_ms = 5 * kMinute,
                              .default_subquery_step_ms = kMinute,
                              .max_samples = 10'000'000,
                              .delayed_name_removal = true}) {}

  core::Result<void> Run(const LoadCommand& load);
  void Clear() {
    data_.Clear();
    start_timestamps_ = false;
  }
  Verdict Run(const EvalCommand& eval);

 private:
  Verdict RunRange(const EvalCommand& eval, const Expr& expr);
  Verdict RunInstant(const EvalCommand& eval, const Expr& expr);
  Verdict RunAsRange(const EvalCommand& eval, const Expr& expr);
  Verdict RunPinned(const EvalCommand& eval, const Expr& expr);

  static Verdict CheckError(const EvalCommand& eval, const core::Error& error);
  static Verdict CheckAnnotations(const EvalCommand& eval, const QueryResult& result);
  static Verdict CheckInstant(const EvalCommand& eval, const QueryResult& result);
  static Verdict CheckMatrix(const std::vector<ScriptSeries>& expected, TimestampMs start, TimestampMs step,
                             const QueryResult& result);

  Engine engine_;
  MemorySeries data_;
  bool start_timestamps_ = false;
};

core::Result<void> ScriptRunner::Run(const LoadCommand& load) {
  start_timestamps_ |= load.with_start_timestamps;
  CustomBuckets custom;
  for (const ScriptSeries& series : load.series) {
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const SequenceValue& value = series.values[i];
      const TimestampMs time = static_cast<TimestampMs>(i) * load.step;
      if (value.histogram != nullptr) {
        data_.Add(series.labels, time, value.histogram);
      } else if (value.present) {
        data_.Add(series.labels, time, value.value);
        if (load.with_custom_buckets) custom.Add(series.labels, time, value.value);
      }
    }
  }
  const auto built = custom.Build();
  if (!built) return core::Fail(built.error());
  for (const CustomBuckets::Series& series : *built)
    for (const auto& [time, histogram] : series.samples) data_.Add(series.labels, time, histogram);
  return {};
}

Verdict ScriptRunner::Run(const EvalCommand& eval) {
  if (const std::string missing = MissingFeature(eval.query); !missing.empty()) return Skipped(missing);
  if (start_timestamps_) return Skipped("start timestamps");
  const auto expr = ParseExpr(eval.query, {.experimental_functions = true});
  if (!expr) return CheckError(eval, expr.error());
  if (eval.is_range) return RunRange(eval, **expr);
  Verdict verdict = RunInstant(eval, **expr);
  if (verdict.kind == Verdict::Kind::kPass) verdict = RunAsRange(eval, **expr);
  if (verdict.kind == Verdict::Kind::kPass) verdict = RunPinned(eval, **expr);
  return verdict;
}

Verdict ScriptRunner::CheckError(const EvalCommand& eval, const core::Error& error) {
  if (!eval.fail) return Failed("failed unexpectedly: " + error.message);
  if (eval.fail->how == Expectation::How::kText && eval.fail->text != error.message)
    return Failed("failed with: " + error.message + "\n  expected:    " + eval.fail->text);
  if (eval.fail->how == Expectation::How::kRegex && !re2::RE2::PartialMatch(error.message, eval.fail->text))
    return Failed("failed with: " + error.message + "\n  expected match of: " + eval.fail->text);
  return {};
}

bool MatchesAny(const std::string& text, const std::vector<Expectation>& expectations) {
  return std::ranges::any_of(expectations, [&](const Expectation& expectation) {
    switch (expectation.how) {
      case Expectation::How::kAny:
        return true;
      case Expectation::How::kText:
        return text == expectation.text;
      case Expectation::How::kRegex:
        return re2::RE2::PartialMatch(text, expectation.text);
    }
    return false;
  });
}

Verdict CheckTexts(std::string_view what, const std::vector<std::string>& got,
                   const std::vector<Expectation>& expected) {
  if (expected.empty()) return {};
  for (const std::string& text : got)
    if (!MatchesAny(text, expected)) return Failed("unexpected " + std::string(what) + ": " + text);
  for (const Expectation& one : expected)
    if (std::ranges::none_of(got, [&](const std::string& text) { return MatchesAny(text, {one}); }))
      return Failed("expected " + std::string(what) + " is missing: " + one.text +
                    (got.empty() ? "" : " (got: " + got[0] + ")"));
  return {};
}

Verdict ScriptRunner::CheckAnnotations(const EvalCommand& eval, const QueryResult& result) {
  if (eval.no_warn && !result.warnings.empty()) return Failed("unexpected warning: " + result.warnings[0]);
  if (eval.no_info && !result.infos.empty()) return Failed("unexpected info: " + result.infos[0]);
  Verdict verdict = CheckTexts("warning", result.warnings, eval.warnings);
  if (verdict.kind == Verdict::Kind::kPass) verdict = CheckTexts("info", result.infos, eval.infos);
  return verdict;
}

bool SameBuckets(const core::HistogramBuckets& a, const core::HistogramBuckets& b) {
  return std::ranges::equal(a, b, [](const core::HistogramBucket& x, const core::HistogramBucket& y) {
    return x.index == y.index && AlmostEqual(x.count, y.count);
  });
}

bool AlmostEqual(core::FloatHistogram expected, core::FloatHistogram got, bool with_hint) {
  core::Compact(expected);
  core::Compact(got);
  return expected.schema == got.schema && AlmostEqual(expected.count, got.count) &&
         AlmostEqual(expected.sum, got.sum) && expected.zero_threshold == got.zero_threshold &&
         AlmostEqual(expected.zero_count, got.zero_count) &&
         (!expected.is_custom() || core::SameBounds(expected, got)) && SameBuckets(expected.positive, got.positive) &&
         SameBuckets(expected.negative, got.negative) && (!with_hint || expected.hint == got.hint);
}

// Empty where the sample is the one expected.
std::string Difference(const SequenceValue& expected, double value, const HistogramPtr& histogram) {
  const bool same = expected.histogram != nullptr && histogram != nullptr
                        ? AlmostEqual(*expected.histogram, *histogram, expected.hint_given)
                        : expected.histogram == histogram && AlmostEqual(expected.value, value);
  if (same) return "";
  const auto text = [](const HistogramPtr& h, double v) {
    return h != nullptr ? HistogramScriptText(*h) : core::FormatGoFloat(v, 'g', -1);
  };
  return "expected " + text(expected.histogram, expected.value) + ", got " + text(histogram, value);
}

// The point at the time, of either kind.
std::string CheckPoint(const ResultSeries& got, TimestampMs time, const SequenceValue& expected) {
  const auto point = std::ranges::lower_bound(got.points, time, {}, &core::Sample::time);
  if (point != got.points.end() && point->time == time) return Difference(expected, point->value, nullptr);
  const auto histogram = std::ranges::lower_bound(got.histograms, time, {}, &HistogramPoint::time);
  if (histogram != got.histograms.end() && histogram->time == time)
    return Difference(expected, 0, histogram->histogram);
  return "expected a point, got none";
}

Verdict ScriptRunner::CheckMatrix(const std::vector<ScriptSeries>& expected, TimestampMs start, TimestampMs step,
                                  const QueryResult& result) {
  std::size_t wanted = 0;
  for (const ScriptSeries& series : expected) {
    const auto points = static_cast<std::size_t>(std::ranges::count_if(series.values, &SequenceValue::present));
    if (points == 0) continue;
    ++wanted;
    const auto got = std::ranges::find_if(result.matrix, [&](const auto& one) { return *one.labels == series.labels; });
    if (got == result.matrix.end()) return Failed("expected series is missing: " + LabelsText(series.labels));
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (!series.values[i].present) continue;
      const TimestampMs time = start + static_cast<TimestampMs>(i) * step;
      if (const std::string difference = CheckPoint(*got, time, series.values[i]); !difference.empty())
        return Failed(LabelsText(series.labels) + " at " + std::to_string(time) + " ms: " + difference);
    }
    if (got->points.size() + got->histograms.size() != points)
      return Failed(LabelsText(series.labels) + ": expected " + std::to_string(points) + " points, got " +
                    std::to_string(got->points.size() + got->histograms.size()));
  }
  if (wanted != result.matrix.size()) {
    for (const ResultSeries& series : result.matrix)
      if (std::ranges::none_of(expected, [&](const auto& one) { return one.labels == *series.labels; }))
        return Failed("unexpected series: " + LabelsText(*series.labels));
    return Failed("expected " + std::to_string(wanted) + " series, got " + std::to_string(result.matrix.size()));
  }
  if (!std::ranges::is_sorted(result.matrix, [](const auto& a, const auto& b) { return *a.labels < *b.labels; }))
    return Failed("the series are not in the order of their labels");
  return {};
}

Verdict ScriptRunner::CheckInstant(const EvalCommand& eval, const QueryResult& result) {
  if (eval.string) {
    if (result.type != ValueType::kString) return Failed("expected a string");
    return result.string == *eval.string ? Verdict{} : Failed("expected " + *eval.string + ", got " + result.string);
  }
  if (eval.scalar) {
    if (result.type != ValueType::kScalar) return Failed("expected a scalar");
    if (AlmostEqual(*eval.scalar, result.scalar.value)) return {};
    return Failed("expected " + core::FormatGoFloat(*eval.scalar, 'g', -1) + ", got " +
                  core::FormatGoFloat(result.scalar.value, 'g', -1));
  }
  if (result.type == ValueType::kMatrix) {
    if (!eval.range_vector) return Failed("got a range vector, and none is expected");
    return CheckMatrix(eval.series, eval.range_vector->start, eval.range_vector->step, result);
  }
  if (result.type != ValueType::kVector) return Failed("expected a vector");
  for (std::size_t i = 0; i < result.vector.size(); ++i) {
    const ResultSample& got = result.vector[i];
    const auto expected = std::ranges::find_if(eval.series, [&](const auto& one) { return one.labels == *got.labels; });
    if (expected == eval.series.end())
      return Failed(
          "unexpected series: " + LabelsText(*got.labels) + " " +
          (got.histogram != nullptr ? HistogramScriptText(*got.histogram) : core::FormatGoFloat(got.value, 'g', -1)));
    if (eval.ordered && static_cast<std::size_t>(expected - eval.series.begin()) != i)
      return Failed("wrong order: " + LabelsText(*got.labels) + " stands at place " + std::to_string(i + 1));
    if (expected->values.empty()) return Failed(LabelsText(*got.labels) + ": nothing is expected");
    if (const std::string difference = Difference(expected->values[0], got.value, got.histogram); !difference.empty())
      return Failed(LabelsText(*got.labels) + ": " + difference);
    for (std::size_t j = 0; j < i; ++j)
      if (*result.vector[j].labels == *got.labels) return Failed("twice in the answer: " + LabelsText(*got.labels));
  }
  for (const ScriptSeries& expected : eval.series)
    if (std::ranges::none_of(result.vector, [&](const auto& one) { return *one.labels == expected.labels; }))
      return Failed("expected series is missing: " + LabelsText(expected.labels));
  return {};
}

Verdict ScriptRunner::RunRange(const EvalCommand& eval, const Expr& expr) {
  const auto result = engine_.Range(expr, data_, eval.start, eval.end, eval.step);
  if (!result) return CheckError(eval, result.error());
  if (eval.fail) return Failed("expected to fail, and did not");
  if (Verdict verdict = CheckAnnotations(eval, *result); verdict.kind != Verdict::Kind::kPass) return verdict;
  return CheckMatrix(eval.series, eval.start, eval.step, *result);
}

Verdict ScriptRunner::RunInstant(const EvalCommand& eval, const Expr& expr) {
  const auto result = engine_.Instant(expr, data_, eval.start);
  if (!result) return CheckError(eval, result.error());
  if (eval.fail) return Failed("expected to fail, and did not");
  if (Verdict verdict = CheckAnnotations(eval, *result); verdict.kind != Verdict::Kind::kPass) return verdict;
  return CheckInstant(eval, *result);
}

// True where the answer depends on the query's own window.
bool DependsOnWindow(const Expr& expr) {
  bool depends = false;
  const auto of_shift = [&](const TimeShift& shift) {
    depends |= shift.at == TimeShift::At::kStart || shift.at == TimeShift::At::kEnd || shift.offset.expr != nullptr;
  };
  Walk(expr, [&](const Expr& node) {
    if (node.kind == Expr::Kind::kVectorSelector) of_shift(static_cast<const VectorSelector&>(node).shift);
    if (node.kind == Expr::Kind::kMatrixSelector)
      depends |= static_cast<const MatrixSelector&>(node).range.expr != nullptr;
    if (node.kind == Expr::Kind::kSubquery) {
      const auto& subquery = static_cast<const SubqueryExpr&>(node);
      of_shift(subquery.shift);
      depends |= subquery.range.expr != nullptr || (subquery.step && subquery.step->expr != nullptr);
    }
    if (node.kind == Expr::Kind::kCall) {
      const std::string_view name = static_cast<const Call&>(node).function->name;
      depends |= name == "start" || name == "end" || name == "range" || name == "step";
    }
  });
  return depends;
}

Verdict Within(std::string_view where, Verdict verdict) {
  if (verdict.kind == Verdict::Kind::kFail) verdict.text = std::string(where) + ": " + verdict.text;
  return verdict;
}

Verdict ScriptRunner::RunAsRange(const EvalCommand& eval, const Expr& expr) {
  const ValueType type = TypeOf(expr);
  if (eval.ordered || eval.string || eval.range_vector || type == ValueType::kMatrix || type == ValueType::kString ||
      DependsOnWindow(expr))
    return {};
  auto result = engine_.Range(expr, data_, eval.start - kMinute, eval.start + kMinute, kMinute);
  // What fails at one step may fail at others only; what is told to fail has failed already.
  if (!result) return eval.fail ? Verdict{} : Within("as a range query", CheckError(eval, result.error()));
  if (eval.fail) return Failed("as a range query: expected to fail, and did not");
  QueryResult middle;
  middle.type = type;
  for (const ResultSeries& series : result->matrix) {
    for (const core::Sample& point : series.points)
      if (point.time == eval.start) {
        middle.scalar = point;
        middle.vector.push_back({series.labels, point.time, point.value, nullptr});
      }
    for (const HistogramPoint& point : series.histograms)
      if (point.time == eval.start) middle.vector.push_back({series.labels, point.time, 0, point.histogram});
  }
  return Within("as a range query", CheckInstant(eval, middle));
}

Verdict ScriptRunner::RunPinned(const EvalCommand& eval, const Expr& expr) {
  bool depends = DependsOnWindow(expr);
  Walk(expr, [&](const Expr& node) {
    if (node.kind == Expr::Kind::kCall) depends |= static_cast<const Call&>(node).function->depends_on_step;
  });
  if (depends) return {};
  const std::string query = PrintPinned(expr, {.pin_at = eval.start});
  const auto pinned = ParseExpr(query, {.experimental_functions = true});
  if (!pinned) return Failed("pinned as " + query + ": " + pinned.error().message);
  for (const TimestampMs time : {-10 * eval.start, TimestampMs{0}, eval.start / 5, eval.start, 10 * eval.start}) {
    const auto result = engine_.Instant(**pinned, data_, time);
    Verdict verdict;
    if (!result)
      verdict = CheckError(eval, result.error());
    else
      verdict = eval.fail ? Failed("expected to fail, and did not") : CheckInstant(eval, *result);
    if (verdict.kind != Verdict::Kind::kPass)
      return Within("pinned as " + query + " at " + std::to_string(time) + " ms", std::move(verdict));
  }
  return {};
}

void PrintCases(std::ostream& out, const std::string& file, const ScriptReport& report) {
  for (const ScriptReport::Case& one : report.failed)
    out << "  FAIL " << file << ":" << one.line << ": " << one.query << "\n    " << one.text << "\n";
  std::map<std::string, std::vector<int>> reasons;
  for (const ScriptReport::Case& one : report.skipped) reasons[one.text].push_back(one.line);
  for (const auto& [reason, lines] : reasons) {
    out << "  skipped " << lines.size() << ": " << reason << " (lines";
    for (const int line : lines) out << ' ' << line;
    out << ")\n";
  }
}

}  // namespace

core::Result<ScriptReport> RunPromqlScript(std::string_view text) {
  const auto commands = ParseScript(text);
  if (!commands) return core::Fail(commands.error());
  ScriptReport report;
  ScriptRunner runner;
  for (const ScriptCommand& command : *commands) {
    if (std::holds_alternative<ClearCommand>(command.command)) {
      runner.Clear();
    } else if (const auto* load = std::get_if<LoadCommand>(&command.command)) {
      if (auto loaded = runner.Run(*load); !loaded)
        return core::Fail(loaded.error().Within("line " + std::to_string(command.line)));
    } else {
      const auto& eval = std::get<EvalCommand>(command.command);
      Verdict verdict = runner.Run(eval);
      if (verdict.kind == Verdict::Kind::kPass)
        ++report.passed;
      else
        (verdict.kind == Verdict::Kind::kFail ? report.failed : report.skipped)
            .push_back({command.line, eval.query, std::move(verdict.text)});
    }
  }
  return report;
}

int RunPromqlTests(std::span<const std::string> files, std::ostream& out) {
  int exit_code = 0;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
      out << file << ": cannot be read\n";
      exit_code = 2;
      continue;
    }
    const auto report = RunPromqlScript(text.str());
    if (!report) {
      out << file << ": " << report.error().message << "\n";
      exit_code = 2;
      continue;
    }
    out << file << ": " << report->passed << " passed, " << report->failed.size() << " failed, "
        << report->skipped.size() << " skipped\n";
    PrintCases(out, file, *report);
    if (!report->failed.empty()) exit_code = std::max(exit_code, 1);
  }
  return exit_code;
}

}  // namespace pipewarden::rules::promql
