#include <memory>

#include "agent/server/json_text.h"
#include "agent/server/query.h"
#include "core/text/escape.h"

namespace pipewarden::agent {
namespace {

using rules::promql::ValueType;

void AppendPoint(std::string& out, core::TimestampMs time, double value) {
  out += '[';
  AppendJsonTime(out, time);
  out += ',';
  AppendJsonValue(out, value);
  out += ']';
}

// [0,"0.5","1","3"]: which ends belong to the bucket (0 the upper, 1 the lower, 2 none, 3 both), its bounds, its count.
void AppendBucket(std::string& out, const core::BoundedBucket& bucket) {
  const char* ends = "2";
  if (bucket.lower_inclusive && bucket.upper_inclusive) ends = "3";
  if (bucket.lower_inclusive && !bucket.upper_inclusive) ends = "1";
  if (!bucket.lower_inclusive && bucket.upper_inclusive) ends = "0";
  out += '[';
  out += ends;
  for (const double value : {bucket.lower, bucket.upper, bucket.count}) {
    out += ',';
    AppendJsonValue(out, value);
  }
  out += ']';
}

void AppendHistogram(std::string& out, core::TimestampMs time, const core::FloatHistogram& histogram) {
  out += '[';
  AppendJsonTime(out, time);
  out += ",{\"count\":";
  AppendJsonValue(out, histogram.count);
  out += ",\"sum\":";
  AppendJsonValue(out, histogram.sum);
  bool any = false;
  for (const core::BoundedBucket& bucket : core::BucketsOf(histogram)) {
    if (bucket.count == 0) continue;
    out += any ? "," : ",\"buckets\":[";
    any = true;
    AppendBucket(out, bucket);
  }
  out += any ? "]}]" : "}]";
}

void AppendTexts(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out += ",\"";
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    core::AppendJsonString(out, texts[i]);
  }
  out += ']';
}

}  // namespace

std::string SuccessEnvelope(std::string_view data, const std::vector<std::string>& warnings,
                            const std::vector<std::string>& infos) {
  std::string out;
  out.reserve(data.size() + 64);
  out += "{\"status\":\"success\",\"data\":";
  out += data;
  AppendTexts(out, "warnings", warnings);
  AppendTexts(out, "infos", infos);
  out += '}';
  return out;
}

namespace {

// Writes the JSON of a result; what has gathered is handed on where it is large and somebody takes it.
class ResultWriter {
 public:
  ResultWriter(std::string& out, const BodyWriter& write) : out_(out), write_(write) {}

  bool Write(const rules::promql::QueryResult& result) {
    out_ += "{\"resultType\":\"";
    out_ += rules::promql::ValueTypeJsonName(result.type);
    out_ += "\",\"result\":";
    switch (result.type) {
      case ValueType::kScalar:
        AppendPoint(out_, result.scalar.time, result.scalar.value);
        break;
      case ValueType::kString:
        out_ += '[';
        AppendJsonTime(out_, result.scalar.time);
        out_ += ',';
        core::AppendJsonString(out_, result.string);
        out_ += ']';
        break;
      case ValueType::kVector:
        List(result.vector, [this](const auto& sample) {
          if (sample.histogram != nullptr) {
            out_ += ",\"histogram\":";
            AppendHistogram(out_, sample.time, *sample.histogram);
          } else {
            out_ += ",\"value\":";
            AppendPoint(out_, sample.time, sample.value);
          }
        });
        break;
      case ValueType::kMatrix:
        List(result.matrix, [this](const auto& series) { Points(series); });
        break;
      case ValueType::kNone:
        out_ += "null";
        break;
    }
    out_ += '}';
    return alive_;
  }

 private:
  static constexpr std::size_t kPiece = 64U << 10U;

  void HandOn() {
    if (!write_ || out_.size() < kPiece) return;
    alive_ = write_(out_);
    out_.clear();
  }
  // ,"values":[…],"histograms":[…], each where there are some.
  void Points(const rules::promql::ResultSeries& series) {
    for (std::size_t i = 0; i < series.points.size() && alive_; ++i) {
      out_ += i > 0 ? "," : ",\"values\":[";
      AppendPoint(out_, series.points[i].time, series.points[i].value);
      HandOn();
    }
    if (!series.points.empty()) out_ += ']';
    for (std::size_t i = 0; i < series.histograms.size() && alive_; ++i) {
      out_ += i > 0 ? "," : ",\"histograms\":[";
      AppendHistogram(out_, series.histograms[i].time, *series.histograms[i].histogram);
      HandOn();
    }
    if (!series.histograms.empty()) out_ += ']';
  }
  template <class T, class F>
  void List(const std::vector<T>& list, F body) {
    out_ += '[';
    for (std::size_t i = 0; i < list.size() && alive_; ++i) {
      out_ += i > 0 ? ",{\"metric\":" : "{\"metric\":";
      AppendJsonLabels(out_, *list[i].labels);
      body(list[i]);
      out_ += '}';
      HandOn();
    }
    out_ += ']';
  }

  std::string& out_;
  const BodyWriter& write_;
  bool alive_ = true;
};

// About as many numbers as the answer has.
std::size_t SizeOf(const rules::promql::QueryResult& result) {
  std::size_t points = result.vector.size();
  for (const auto& series : result.matrix) points += series.points.size() + 20 * series.histograms.size();
  return points;
}

constexpr std::size_t kStreamedPoints = 50'000;  // a megabyte or two

}  // namespace

HttpResponse ResultResponse(rules::promql::QueryResult result, std::size_t limit, const std::string& stats) {
  const auto cut = [&](auto& list) {
    if (limit == 0 || list.size() <= limit) return;
    list.resize(limit);
    result.warnings.emplace_back("results truncated due to limit");
  };
  cut(result.vector);
  cut(result.matrix);
  const std::size_t size = SizeOf(result);
  const auto write = [shared = std::make_shared<const rules::promql::QueryResult>(std::move(result)), stats](
                         std::string& out, const BodyWriter& hand_on) {
    out = "{\"status\":\"success\",\"data\":";
    if (!ResultWriter(out, hand_on).Write(*shared)) return;
    if (!stats.empty()) out.insert(out.size() - 1, ",\"stats\":" + stats);
    AppendTexts(out, "warnings", shared->warnings);
    AppendTexts(out, "infos", shared->infos);
    out += '}';
    if (hand_on) hand_on(out);
  };
  if (size < kStreamedPoints) {
    std::string body;
    write(body, nullptr);
    return JsonResponse(std::move(body));
  }
  HttpResponse response = JsonResponse({});
  response.stream = [write](const BodyWriter& hand_on) {
    std::string piece;
    write(piece, hand_on);
  };
  return response;
}

}  // namespace pipewarden::agent
