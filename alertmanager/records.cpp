#include "alertmanager/records.h"

namespace pipewarden::alertmanager {

RecordWriter& RecordWriter::Number(std::uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>(static_cast<unsigned char>(value | 0x80U));
    value >>= 7U;
  }
  out_ += static_cast<char>(static_cast<unsigned char>(value));
  return *this;
}

// Zigzag, so that small negative numbers stay short.
RecordWriter& RecordWriter::Signed(std::int64_t value) {
  return Number((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}

RecordWriter& RecordWriter::Text(std::string_view text) {
  Number(text.size());
  out_ += text;
  return *this;
}

RecordWriter& RecordWriter::Labels(const core::Labels& labels) {
  Number(labels.size());
  for (const core::LabelView label : labels) Text(label.name).Text(label.value);
  return *this;
}

RecordWriter& RecordWriter::Numbers(const std::vector<std::uint64_t>& values) {
  Number(values.size());
  for (const std::uint64_t value : values) Number(value);
  return *this;
}

char RecordReader::Type() {
  if (rest_.empty()) {
    ok_ = false;
    return 0;
  }
  const char type = rest_.front();
  rest_.remove_prefix(1);
  return type;
}

std::uint64_t RecordReader::Number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; ok_ && shift < 64; shift += 7) {
    if (rest_.empty()) break;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  ok_ = false;
  rest_ = {};
  return 0;
}

std::int64_t RecordReader::Signed() {
  const std::uint64_t value = Number();
  return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
}

std::string_view RecordReader::View() {
  const std::uint64_t size = Number();
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view text = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return text;
}

core::Labels RecordReader::Labels() {
  std::vector<core::LabelView> labels;
  for (std::uint64_t left = Number(); ok_ && left > 0; --left) {
    const std::string_view name = View();
    labels.push_back({name, View()});
  }
  return core::Labels(labels);
}

std::vector<std::uint64_t> RecordReader::Numbers() {
  std::vector<std::uint64_t> values;
  for (std::uint64_t left = Number(); ok_ && left > 0; --left) values.push_back(Number());
  return values;
}

}  // namespace pipewarden::alertmanager
