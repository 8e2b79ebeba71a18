#include "core/net/remote_write_codec.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

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

void SetLabels(RemoteWriteSeries& series, std::vector<Label> labels) {
  std::ranges::sort(labels, {}, &Label::name);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].name.empty() || !IsValidUtf8(labels[i].name) || !IsValidUtf8(labels[i].value))
      series.invalid = "a label's name or value is empty or no UTF-8";
    if (i > 0 && labels[i].name == labels[i - 1].name) series.invalid = "label '" + labels[i].name + "' stands twice";
  }
  series.labels = Labels(std::move(labels));
  if (series.invalid.empty() && !series.labels.Has(kMetricName)) series.invalid = "there is no metric name";
}

// --- version 1.0 ---

Result<RemoteWriteSeries> ReadSeries1(std::string_view bytes) {
  RemoteWriteSeries series;
  std::vector<Label> labels;
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->wire != Wire::kBytes) continue;
    if (field->number == 1) {
      Label label;
      Message pair(field->bytes);
      while (const auto part = pair.Next()) {
        if (part->number == 1) label.name = part->bytes;
        if (part->number == 2) label.value = part->bytes;
      }
      if (pair.failed()) return Fail(Malformed("a label"));
      labels.push_back(std::move(label));
    } else if (field->number == 2) {
      const auto sample = ReadSample(field->bytes);
      if (!sample) return Fail(sample.error());
      series.samples.push_back(*sample);
    } else if (field->number == 3) {
      ++series.exemplars;
    } else if (field->number == 4) {
      ++series.histograms;
    }
  }
  if (message.failed()) return Fail(Malformed("a series"));
  SetLabels(series, std::move(labels));
  return series;
}

// --- version 2.0 ---

// Pairs of places in the table of symbols.
Result<std::vector<Label>> ReadLabelRefs(std::string_view packed, const std::vector<std::string_view>& symbols) {
  std::vector<Label> labels;
  Message refs(packed);
  while (!refs.empty()) {
    const auto name = refs.Varint();
    const auto value = name ? refs.Varint() : std::nullopt;
    if (!value) return Fail(Malformed("a list of label references"));
    if (*name >= symbols.size() || *value >= symbols.size())
      return Fail(ErrorCode::kInvalid, "a label refers to a symbol that is not in the table");
    labels.push_back({std::string(symbols[*name]), std::string(symbols[*value])});
  }
  return labels;
}

Result<RemoteWriteSeries> ReadSeries2(std::string_view bytes, const std::vector<std::string_view>& symbols) {
  RemoteWriteSeries series;
  Message message(bytes);
  while (const auto field = message.Next()) {
    if (field->wire != Wire::kBytes) continue;
    if (field->number == 1) {
      auto labels = ReadLabelRefs(field->bytes, symbols);
      if (!labels) return Fail(labels.error());
      SetLabels(series, std::move(*labels));
    } else if (field->number == 2) {
      const auto sample = ReadSample(field->bytes);
      if (!sample) return Fail(sample.error());
      series.samples.push_back(*sample);
    } else if (field->number == 3) {
      ++series.histograms;
    } else if (field->number == 4) {
      ++series.exemplars;
    }
  }
  if (message.failed()) return Fail(Malformed("a series"));
  if (series.labels.empty() && series.invalid.empty()) series.invalid = "there is no metric name";
  return series;
}

// A label of a version 2.0 series costs its sender two bytes and us two strings: so many of them make a request large.
constexpr std::size_t kMaxLabelBytes = 64U << 20U;

std::size_t LabelBytes(const Labels& labels) {
  std::size_t bytes = 0;
  for (const Label& label : labels) bytes += sizeof(Label) + label.name.size() + label.value.size();
  return bytes;
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
  const Error broken{ErrorCode::kInvalid, "snappy: corrupt input"};
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
    return Fail(ErrorCode::kLimit, "snappy: the body holds " + std::to_string(size) + " bytes, and " +
                                       std::to_string(max_bytes) + " are taken at most; send smaller requests");
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

Result<std::vector<RemoteWriteSeries>> DecodeRemoteWrite(std::string_view message, RemoteWriteVersion version) {
  const std::uint64_t series_field = version == RemoteWriteVersion::k1 ? 1 : 5;
  std::vector<std::string_view> symbols;  // of version 2.0: what its series refer to
  if (version == RemoteWriteVersion::k2) {
    Message table(message);
    while (const auto field = table.Next())
      if (field->number == 4 && field->wire == Wire::kBytes) symbols.push_back(field->bytes);
  }
  std::vector<RemoteWriteSeries> all;
  std::size_t label_bytes = 0;
  Message request(message);
  while (const auto field = request.Next()) {
    if (field->number != series_field || field->wire != Wire::kBytes) continue;
    auto series = version == RemoteWriteVersion::k1 ? ReadSeries1(field->bytes) : ReadSeries2(field->bytes, symbols);
    if (!series) return Fail(series.error());
    label_bytes += sizeof(RemoteWriteSeries) + LabelBytes(series->labels);
    if (label_bytes > kMaxLabelBytes)
      return Fail(ErrorCode::kLimit, "the request has too many labels: send smaller ones");
    all.push_back(std::move(*series));
  }
  if (request.failed()) return Fail(Malformed("the message"));
  return all;
}

}  // namespace pipewarden::core
