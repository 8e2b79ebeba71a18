#include "core/net/remote_write_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "core/text/go_float.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

// --- protobuf ---

enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;  // of a varint or a fixed one
  std::string_view bytes;
};

// Walks the fields of one message. After the last field, or the first broken one, Next gives nothing; failed() tells
// which.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  std::optional<Field> Next() {
    if (rest_.empty() || failed_) return std::nullopt;
    Field field;
    const auto key = Varint();
    if (!key) return Fail();
    field.number = *key >> 3U;
    field.wire = static_cast<Wire>(*key & 7U);
    std::optional<std::uint64_t> value;
    switch (field.wire) {
      case Wire::kVarint:
        value = Varint();
        break;
      case Wire::kFixed64:
        value = Fixed(8);
        break;
      case Wire::kFixed32:
        value = Fixed(4);
        break;
      case Wire::kBytes:
        value = Varint();
        if (!value || *value > rest_.size()) return Fail();
        field.bytes = rest_.substr(0, *value);
        rest_.remove_prefix(*value);
        break;
      default:  // groups, which nobody uses any more
        return Fail();
    }
    if (!value || field.number == 0) return Fail();
    field.value = *value;
    return field;
  }
  bool failed() const { return failed_; }

  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80U) return value;
    }
    return std::nullopt;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::nullopt_t Fail() {
    failed_ = true;
    return std::nullopt;
  }
  std::optional<std::uint64_t> Fixed(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    rest_.remove_prefix(size);
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

Error Malformed(std::string_view what) {
  return {ErrorCode::kInvalid, "malformed remote write request: " + std::string(what) + " does not parse"};
}

Result<Sample> ReadSample(std::string_view bytes) {
  Sample sample;
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->number == 1 && field->wire == Wire::kFixed64) sample.value = std::bit_cast<double>(field->value);
    if (field->number == 2 && field->wire == Wire::kVarint) sample.time = static_cast<TimestampMs>(field->value);
  }
  if (message.failed()) return Fail(Malformed("a sample"));
  return sample;
}

// So many bytes a request may make when it is decoded: a label of a version 2.0 series costs its sender two bytes and
// us two strings, an empty sample two bytes and us sixteen, a bucket one byte and us sixteen. Counted before anything
// is kept.
class Budget {
 public:
  Result<void> Take(std::size_t bytes) {
    taken_ += bytes;
    if (taken_ > kMaxDecodedBytes)
      return Fail(ErrorCode::kLimit, "the request holds too much at once: send smaller ones");
    return {};
  }

 private:
  static constexpr std::size_t kMaxDecodedBytes = 64U << 20U;
  std::size_t taken_ = 0;
};

// Gathers a request's series: each adds what it holds and is then ended.
class Gatherer {
 public:
  explicit Gatherer(std::string message) { request_.message = std::make_unique<const std::string>(std::move(message)); }

  std::string_view message() const { return *request_.message; }
  Result<void> Take(std::size_t bytes) { return budget_.Take(bytes); }
  Result<void> AddLabel(std::string_view name, std::string_view value) {
    // As texts of their own, which Labels makes of them.
    return Add(request_.labels, LabelView{name, value}, sizeof(Label) + name.size() + value.size());
  }
  Result<void> AddSample(const Result<Sample>& sample) {
    if (!sample) return Fail(sample.error());
    return Add(request_.samples, *sample, 0);
  }
  Result<void> AddHistogram(RemoteWriteHistogram histogram, std::size_t bytes) {
    return Add(request_.histograms, std::move(histogram), bytes);
  }
  Result<void> EndSeries() {
    if (auto fits = budget_.Take(sizeof(RemoteWriteSeries) + sizeof(Ends)); !fits) return fits;
    const std::size_t begin = ends_.empty() ? 0 : ends_.back().labels;
    const auto labels = std::span(request_.labels).subspan(begin);
    std::ranges::sort(labels, {}, &LabelView::name);
    request_.series.push_back({.labels = {}, .invalid = WhatIsWrong(labels)});
    ends_.push_back({request_.labels.size(), request_.samples.size(), request_.histograms.size()});
    return {};
  }
  // The views are made now that nothing moves any more.
  RemoteWriteRequest Finish() {
    Ends begin;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      const Ends& end = ends_[i];
      RemoteWriteSeries& series = request_.series[i];
      series.labels = std::span(request_.labels).subspan(begin.labels, end.labels - begin.labels);
      series.samples = std::span(request_.samples).subspan(begin.samples, end.samples - begin.samples);
      series.histograms = std::span(request_.histograms).subspan(begin.histograms, end.histograms - begin.histograms);
      begin = end;
    }
    return std::move(request_);
  }

 private:
  struct Ends {
    std::size_t labels = 0;
    std::size_t samples = 0;
    std::size_t histograms = 0;
  };

  template <class T>
  Result<void> Add(std::vector<T>& to, T one, std::size_t bytes) {
    if (auto fits = budget_.Take(sizeof(T) + bytes); !fits) return fits;
    to.push_back(std::move(one));
    return {};
  }
  static std::string WhatIsWrong(std::span<const LabelView> labels) {
    bool named = false;
    std::string wrong;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i].name.empty() || !IsValidUtf8(labels[i].name) || !IsValidUtf8(labels[i].value))
        wrong = "a label's name or value is empty or no UTF-8";
      if (i > 0 && labels[i].name == labels[i - 1].name)
        wrong = "label '" + std::string(labels[i].name) + "' stands twice";
      named |= labels[i].name == kMetricName && !labels[i].value.empty();
    }
    if (wrong.empty() && !named) wrong = "there is no metric name";
    return wrong;
  }

  RemoteWriteRequest request_;
  std::vector<Ends> ends_;  // of each series: how far what it holds goes
  Budget budget_;
};

// --- native histograms, the same in both versions ---

// Of one list of a histogram, at most, where it is read; what is stored is bounded by kMaxHistogramParts.
constexpr std::size_t kMaxBuckets = 10'000;

std::int64_t ZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}

// What is beyond the bound is read and not kept.
template <class T>
class BoundedList {
 public:
  void Add(T value) {
    if (values_.size() < kMaxBuckets)
      values_.push_back(value);
    else
      too_long_ = true;
  }
  const std::vector<T>& values() const { return values_; }
  bool too_long() const { return too_long_; }

 private:
  std::vector<T> values_;
  bool too_long_ = false;
};

// The buckets of one side as they are sent: spans of indexes, and counts or differences of counts.
struct SentBuckets {
  struct Span {
    std::int64_t offset = 0;
    std::uint64_t length = 0;
  };
  BoundedList<Span> spans;
  BoundedList<std::int64_t> deltas;
  BoundedList<double> counts;

  bool too_many() const { return spans.too_long() || deltas.too_long() || counts.too_long(); }
};

bool ReadSpan(std::string_view bytes, SentBuckets& side) {
  SentBuckets::Span span;
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->wire != Wire::kVarint) continue;
    if (field->number == 1) span.offset = ZigZag(field->value);
    if (field->number == 2) span.length = field->value;
  }
  side.spans.Add(span);
  const bool fits = span.offset == static_cast<std::int32_t>(span.offset);  // it is a sint32
  return !message.failed() && fits;
}

// Packed, or a field each.
bool ReadDeltas(const Field& field, BoundedList<std::int64_t>& deltas) {
  if (field.wire == Wire::kVarint) deltas.Add(ZigZag(field.value));
  if (field.wire == Wire::kBytes) {
    Message packed(field.bytes);
    while (!packed.empty()) {
      const auto value = packed.Varint();
      if (!value) return false;
      deltas.Add(ZigZag(*value));
    }
  }
  return true;
}

bool ReadDoubles(const Field& field, BoundedList<double>& values) {
  if (field.wire == Wire::kFixed64) values.Add(std::bit_cast<double>(field.value));
  if (field.wire == Wire::kBytes) {
    if (field.bytes.size() % 8 != 0) return false;
    for (std::size_t at = 0; at < field.bytes.size(); at += 8) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, field.bytes.data() + at, 8);  // little-endian, as this machine
      values.Add(std::bit_cast<double>(bits));
    }
  }
  return true;
}

// A histogram as it is sent: counts are whole numbers or floats, buckets accordingly differences or counts.
struct SentHistogram {
  bool floats = false;
  std::uint64_t count = 0;  // of whole numbers
  std::uint64_t zero_count = 0;
  SentBuckets positive;
  SentBuckets negative;
  BoundedList<double> bounds;
};

constexpr std::string_view kSpanOffset = "histogram has a span whose offset is negative";
constexpr std::string_view kSpansMismatch = "histogram spans specify different number of buckets than provided";
constexpr std::string_view kNegativeBucket = "histogram has a bucket whose observation count is negative";

// What follows words and orders its checks as Prometheus does (model/histogram): "" where all is well.
std::string CheckSpans(const SentBuckets& side, std::size_t buckets, bool custom) {
  std::uint64_t needed = 0;
  const auto& spans = side.spans.values();
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if ((custom || i > 0) && spans[i].offset < 0)
      return fmt::format("span number {} with offset {}: {}", i + 1, spans[i].offset, kSpanOffset);
    needed += spans[i].length;
  }
  if (needed == buckets) return "";
  return fmt::format("spans need {} buckets, have {} buckets: {}", needed, buckets, kSpansMismatch);
}

// The buckets' counts; `sum` is theirs, of whole numbers.
std::string ReadCounts(const SentBuckets& side, bool floats, std::vector<double>& counts, std::uint64_t& sum) {
  const auto bad = [](std::size_t at, const std::string& count) {
    return fmt::format("bucket number {} has observation count of {}: {}", at + 1, count, kNegativeBucket);
  };
  if (floats) {
    counts = side.counts.values();
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] < 0) return bad(i, FormatGoFloat(counts[i], 'g', -1));
    return "";
  }
  std::int64_t count = 0;
  for (std::size_t i = 0; i < side.deltas.values().size(); ++i) {
    if (__builtin_add_overflow(count, side.deltas.values()[i], &count)) return "a bucket's count is beyond all numbers";
    if (count < 0) return bad(i, std::to_string(count));
    sum += static_cast<std::uint64_t>(count);
    counts.push_back(static_cast<double>(count));
  }
  return "";
}

std::string CheckBounds(const std::vector<double>& bounds) {
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (std::isnan(bounds[i])) return "histogram custom bounds must not be NaN";
    if (i > 0 && bounds[i] <= bounds[i - 1])
      return "previous bound is " + FormatGoFloat(bounds[i - 1], 'f', 6) + " and current is " +
             FormatGoFloat(bounds[i], 'f', 6) + ": histogram custom bounds must be in strictly increasing order";
  }
  if (!bounds.empty() && bounds.back() == std::numeric_limits<double>::infinity())
    return "last +Inf bound must not be explicitly defined: histogram custom bounds must be finite";
  return "";
}

std::string CheckCustom(const SentHistogram& sent, const FloatHistogram& histogram, std::size_t buckets) {
  std::string why = CheckBounds(sent.bounds.values());
  if (why.empty()) why = CheckSpans(sent.positive, buckets, true);
  std::uint64_t covered = 0;
  for (const auto& span : sent.positive.spans.values())
    covered += span.length + static_cast<std::uint64_t>(span.offset);
  if (why.empty() && sent.bounds.values().size() + 1 < covered)
    why = fmt::format(
        "only {} custom bounds defined which is insufficient to cover total span length of {}: histogram custom bounds "
        "are too few",
        sent.bounds.values().size(), covered);
  if (!why.empty()) return "custom buckets: " + why;
  if (histogram.zero_count != 0) return "custom buckets: must have zero count of 0";
  if (histogram.zero_threshold != 0) return "custom buckets: must have zero threshold of 0";
  if (!sent.negative.spans.values().empty()) return "custom buckets: must not have negative spans";
  if (!sent.negative.deltas.values().empty() || !sent.negative.counts.values().empty())
    return "custom buckets: must not have negative buckets";
  return "";
}

// REQUIRES: the spans fit.
std::string Place(const SentBuckets& side, const std::vector<double>& counts, HistogramBuckets& out) {
  std::int64_t index = 0;
  std::size_t next = 0;
  for (const SentBuckets::Span& span : side.spans.values()) {
    index += span.offset;
    for (std::uint64_t k = 0; k < span.length; ++k, ++index) {
      if (index < std::numeric_limits<std::int32_t>::min() || index > std::numeric_limits<std::int32_t>::max())
        return "a bucket lies beyond all numbers";
      out.push_back({static_cast<std::int32_t>(index), counts[next++]});
    }
  }
  return "";
}

std::string CheckTotal(const SentHistogram& sent, const FloatHistogram& histogram, std::uint64_t in_buckets) {
  in_buckets += sent.zero_count;
  const bool nan = std::isnan(histogram.sum);
  if (nan ? in_buckets <= sent.count : in_buckets == sent.count) return "";
  return fmt::format(
      "{} observations found in buckets, but the Count field is {}: histogram's observation count should {} the number "
      "of observations found in the buckets{}",
      in_buckets, sent.count, nan ? "be at least" : "equal", nan ? "" : " (in absence of NaN)");
}

// Why it is none; "" where it is, and its buckets stand in `histogram` then.
std::string Assemble(const SentHistogram& sent, FloatHistogram& histogram) {
  constexpr std::int32_t kMaxReservedSchema = 52;
  const auto size = [&](const SentBuckets& side) {
    return sent.floats ? side.counts.values().size() : side.deltas.values().size();
  };
  const auto within = [](std::string_view side, std::string why) {
    return why.empty() ? why : std::string(side) + " side: " + why;
  };
  std::vector<double> positive;
  std::vector<double> negative;
  std::uint64_t in_buckets = 0;
  std::string why;
  if (histogram.is_custom()) {
    why = CheckCustom(sent, histogram, size(sent.positive));
  } else if (histogram.schema < FloatHistogram::kMinSchema || histogram.schema > kMaxReservedSchema) {
    why =
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom "
        "buckets, got schema " +
        std::to_string(histogram.schema);
  } else {
    why = within("positive", CheckSpans(sent.positive, size(sent.positive), false));
    if (why.empty()) why = within("negative", CheckSpans(sent.negative, size(sent.negative), false));
    if (why.empty()) why = within("negative", ReadCounts(sent.negative, sent.floats, negative, in_buckets));
    if (why.empty() && histogram.zero_count < 0)
      why = "zero bucket has observation count of " + FormatGoFloat(histogram.zero_count, 'g', -1) + ": " +
            std::string(kNegativeBucket);
    if (why.empty() && !sent.bounds.values().empty())
      why = "histogram with exponential schema must not have custom bounds";
  }
  if (why.empty() && histogram.count < 0)
    why = "observation count is  " + FormatGoFloat(histogram.count, 'g', -1) +
          ": histogram's observation count is negative";
  if (why.empty()) why = within("positive", ReadCounts(sent.positive, sent.floats, positive, in_buckets));
  if (why.empty() && !sent.floats) why = CheckTotal(sent, histogram, in_buckets);
  if (why.empty()) why = Place(sent.positive, positive, histogram.positive);
  if (why.empty()) why = Place(sent.negative, negative, histogram.negative);
  if (!why.empty()) return why;
  if (!histogram.is_custom() && histogram.schema > FloatHistogram::kMaxSchema)
    ReduceResolution(histogram, FloatHistogram::kMaxSchema);
  if (!sent.bounds.values().empty())
    histogram.bounds = std::make_shared<const std::vector<double>>(sent.bounds.values());
  const auto valid = Validate(histogram);
  return valid ? "" : valid.error().message;
}

Result<void> ReadHistogram(std::string_view bytes, Gatherer& gatherer) {
  FloatHistogram histogram;
  SentHistogram sent;
  TimestampMs time = 0;
  bool well = true;
  Message message(bytes);
  while (const auto field = message.Next()) {
    const bool varint = field->wire == Wire::kVarint;
    const double number =
        varint ? static_cast<double>(field->value) : std::bit_cast<double>(field->value);  // of a count
    switch (field->number) {
      case 1:
      case 2:
        sent.floats = field->number == 2;
        sent.count = field->value;
        histogram.count = number;
        break;
      case 3:
        histogram.sum = std::bit_cast<double>(field->value);
        break;
      case 4:
        histogram.schema = static_cast<std::int32_t>(ZigZag(field->value));
        break;
      case 5:
        histogram.zero_threshold = std::bit_cast<double>(field->value);
        break;
      case 6:
      case 7:
        sent.zero_count = field->value;
        histogram.zero_count = number;
        break;
      case 8:
        well = well && ReadSpan(field->bytes, sent.negative);
        break;
      case 9:
        well = well && ReadDeltas(*field, sent.negative.deltas);
        break;
      case 10:
        well = well && ReadDoubles(*field, sent.negative.counts);
        break;
      case 11:
        well = well && ReadSpan(field->bytes, sent.positive);
        break;
      case 12:
        well = well && ReadDeltas(*field, sent.positive.deltas);
        break;
      case 13:
        well = well && ReadDoubles(*field, sent.positive.counts);
        break;
      case 14:
        histogram.hint = static_cast<CounterResetHint>(std::min<std::uint64_t>(field->value, 3));
        break;
      case 15:
        time = static_cast<TimestampMs>(field->value);
        break;
      case 16:
        well = well && ReadDoubles(*field, sent.bounds);
        break;
      default:
        break;
    }
  }
  if (message.failed() || !well) return Fail(Malformed("a histogram"));
  if (IsStaleNaN(histogram.sum)) return gatherer.AddSample(Sample{time, StaleNaN()});
  std::string why;
  if (sent.positive.too_many() || sent.negative.too_many() || sent.bounds.too_long())
    why = "it has more than " + std::to_string(kMaxBuckets) + " buckets or bounds, and " +
          std::to_string(kMaxHistogramParts) + " are taken at most";
  if (why.empty()) why = Assemble(sent, histogram);
  if (why.empty() && histogram.Parts() > kMaxHistogramParts)
    why = "it has " + std::to_string(histogram.Parts()) + " buckets and bounds, and " +
          std::to_string(kMaxHistogramParts) + " are taken at most";
  const std::size_t held = histogram.MemoryBytes();
  RemoteWriteHistogram read{.time = time, .histogram = nullptr, .invalid = std::move(why)};
  if (read.invalid.empty()) read.histogram = std::make_shared<const FloatHistogram>(std::move(histogram));
  return gatherer.AddHistogram(std::move(read), held);
}

// --- version 1.0 ---

Result<void> ReadSeries1(std::string_view bytes, Gatherer& gatherer) {
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->wire != Wire::kBytes) continue;
    Result<void> added;
    if (field->number == 1) {
      std::string_view name;
      std::string_view value;
      Message pair(field->bytes);
      while (const auto part = pair.Next()) {
        if (part->number == 1) name = part->bytes;
        if (part->number == 2) value = part->bytes;
      }
      if (pair.failed()) return Fail(Malformed("a label"));
      added = gatherer.AddLabel(name, value);
    } else if (field->number == 2) {
      added = gatherer.AddSample(ReadSample(field->bytes));
    } else if (field->number == 4) {
      added = ReadHistogram(field->bytes, gatherer);
    }
    if (!added) return added;
  }
  if (message.failed()) return Fail(Malformed("a series"));
  return gatherer.EndSeries();
}

// --- version 2.0 ---

// Pairs of places in the table of symbols.
Result<void> ReadLabelRefs(std::string_view packed, const std::vector<std::string_view>& symbols, Gatherer& gatherer) {
  Message refs(packed);
  while (!refs.empty()) {
    const auto name = refs.Varint();
    const auto value = name ? refs.Varint() : std::nullopt;
    if (!value) return Fail(Malformed("a list of label references"));
    if (*name >= symbols.size() || *value >= symbols.size())
      return Fail(ErrorCode::kInvalid, "a label refers to a symbol that is not in the table");
    if (auto added = gatherer.AddLabel(symbols[*name], symbols[*value]); !added) return added;
  }
  return {};
}

Result<void> ReadSeries2(std::string_view bytes, const std::vector<std::string_view>& symbols, Gatherer& gatherer) {
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->wire != Wire::kBytes) continue;
    Result<void> added;
    if (field->number == 1)
      added = ReadLabelRefs(field->bytes, symbols, gatherer);
    else if (field->number == 2)
      added = gatherer.AddSample(ReadSample(field->bytes));
    else if (field->number == 3)
      added = ReadHistogram(field->bytes, gatherer);
    if (!added) return added;
  }
  if (message.failed()) return Fail(Malformed("a series"));
  return gatherer.EndSeries();
}

// --- snappy ---

std::uint32_t LittleEndian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

}  // namespace

Result<std::string> SnappyDecompress(std::string_view block, std::size_t max_bytes) {
  const Error broken{ErrorCode::kInvalid, "s2: corrupt input"};
  std::size_t size = 0;
  bool whole = false;
  for (unsigned shift = 0; shift < 35 && !block.empty() && !whole; shift += 7) {
    const auto byte = static_cast<unsigned char>(block.front());
    block.remove_prefix(1);
    size |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    whole = byte < 0x80U;
  }
  if (!whole) return Fail(broken);
  if (size > max_bytes)
    return Fail(ErrorCode::kLimit, "decoded size exceeds the " + std::to_string(max_bytes) + " bytes limit");
  // No block makes more than 64 bytes of three: what claims more is refused before memory is taken for it.
  if (size / 22 > block.size()) return Fail(broken);
  std::string out;
  out.reserve(size);
  const auto take = [&](std::size_t bytes) {
    const std::string_view taken = block.substr(0, bytes);
    block.remove_prefix(taken.size());
    return taken;
  };
  while (!block.empty()) {
    const auto tag = static_cast<unsigned char>(take(1)[0]);
    std::size_t length = tag >> 2U;
    if ((tag & 3U) == 0) {  // a literal; lengths above 60 stand in the bytes that follow
      if (length >= 60) {
        const std::size_t bytes = length - 59;
        if (block.size() < bytes) return Fail(broken);
        length = LittleEndian(take(bytes));
      }
      ++length;
      if (block.size() < length || out.size() + length > size) return Fail(broken);
      out += take(length);
      continue;
    }
    std::size_t offset = 0;
    const std::size_t bytes = (tag & 3U) == 1 ? 1 : (tag & 3U) == 2 ? 2 : 4;
    if (block.size() < bytes) return Fail(broken);
    offset = LittleEndian(take(bytes));
    if (bytes == 1) {
      offset |= static_cast<std::size_t>(tag >> 5U) << 8U;
      length = (length & 7U) + 4;
    } else {
      ++length;
    }
    if (offset == 0 || offset > out.size() || out.size() + length > size) return Fail(broken);
    // Byte by byte: a copy may reach into what it writes.
    for (std::size_t from = out.size() - offset; length > 0; --length) out += out[from++];
  }
  if (out.size() != size) return Fail(broken);
  return out;
}

Result<RemoteWriteRequest> DecodeRemoteWrite(std::string message, RemoteWriteVersion version) {
  const std::uint64_t series_field = version == RemoteWriteVersion::k1 ? 1 : 5;
  Gatherer gatherer(std::move(message));
  std::vector<std::string_view> symbols;  // of version 2.0: what its series refer to
  if (version == RemoteWriteVersion::k2) {
    Message table(gatherer.message());
    while (const auto field = table.Next()) {
      if (field->number != 4 || field->wire != Wire::kBytes) continue;
      if (auto fits = gatherer.Take(sizeof(std::string_view)); !fits) return Fail(fits.error());
      symbols.push_back(field->bytes);
    }
  }
  Message request(gatherer.message());
  while (const auto field = request.Next()) {
    if (field->number != series_field || field->wire != Wire::kBytes) continue;
    const auto read = version == RemoteWriteVersion::k1 ? ReadSeries1(field->bytes, gatherer)
                                                        : ReadSeries2(field->bytes, symbols, gatherer);
    if (!read) return Fail(read.error());
  }
  if (request.failed()) return Fail(Malformed("the message"));
  return gatherer.Finish();
}

}  // namespace pipewarden::core
