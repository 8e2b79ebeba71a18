#include "rules/storage/packed_chunk.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "rules/storage/wal.h"

namespace pipewarden::rules {
namespace {

constexpr std::uint8_t kDecimalsMask = 0x0F;
constexpr std::uint8_t kDifferences = 0x10;
constexpr std::uint8_t kUnevenTimes = 0x20;
constexpr unsigned kMaxWidth = 57;  // what one load of eight bytes holds wherever it begins

constexpr std::array<double, 7> kPowers = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
constexpr double kLargest = 9007199254740992.0;  // 2^53: up to there every whole number is a double

using Integers = std::array<std::int64_t, kMaxPacked>;

// The whole number that, divided by the power of ten, is the value to the last bit.
std::optional<std::int64_t> Multiplied(double value, unsigned decimals) {
  const double product = value * kPowers[decimals];
  if (!(std::fabs(product) < kLargest)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(std::llrint(product));
  if (std::bit_cast<std::uint64_t>(static_cast<double>(whole) / kPowers[decimals]) !=
      std::bit_cast<std::uint64_t>(value))
    return std::nullopt;
  return whole;
}

// How many decimals all of the values have at most; nullopt where some are no such numbers.
std::optional<unsigned> Decimals(std::span<const double> values, Integers& out) {
  unsigned decimals = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::optional<std::int64_t> whole;
    while (!(whole = Multiplied(values[i], decimals)))
      if (++decimals == kPowers.size()) return std::nullopt;
    out[i] = *whole;
  }
  if (decimals == 0) return decimals;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto whole = Multiplied(values[i], decimals);
    if (!whole) return std::nullopt;
    out[i] = *whole;
  }
  return decimals;
}

// How far a number is above another; never negative, but it may be more than a signed one holds.
std::uint64_t Above(std::int64_t number, std::int64_t smallest) {
  return static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(smallest);
}

struct Span {
  std::int64_t smallest;
  unsigned width;
};
Span SpanOf(std::span<const std::int64_t> numbers) {
  if (numbers.empty()) return {0, 0};
  const auto [smallest, largest] = std::ranges::minmax(numbers);
  return {smallest, static_cast<unsigned>(std::bit_width(Above(largest, smallest)))};
}

void PutBits(std::string& out, std::span<const std::int64_t> numbers, Span span) {
  std::uint64_t gathered = 0;
  unsigned bits = 0;
  for (const std::int64_t number : numbers) {
    gathered |= Above(number, span.smallest) << bits;
    bits += span.width;
    for (; bits >= 8; bits -= 8, gathered >>= 8U) out += static_cast<char>(gathered & 0xFFU);
  }
  if (bits > 0) out += static_cast<char>(gathered & 0xFFU);
}

// Fields of one width, as they stand in a chunk.
class Fields {
 public:
  // False where the bytes are too short. Takes them from the front.
  bool Take(std::string_view& in, std::size_t count, unsigned width) {
    const std::size_t bytes = (count * width + 7) / 8;
    if (width > kMaxWidth || bytes > in.size()) return false;
    bytes_ = in;
    in.remove_prefix(bytes);
    width_ = width;
    mask_ = width == 0 ? 0 : ~0ULL >> (64U - width);
    return true;
  }
  std::uint64_t At(std::size_t index) const {
    const std::size_t bit = index * width_;
    const std::size_t byte = bit / 8;
    std::uint64_t word = 0;
    if (byte + sizeof word <= bytes_.size())
      std::memcpy(&word, bytes_.data() + byte, sizeof word);
    else if (byte < bytes_.size())
      std::memcpy(&word, bytes_.data() + byte, bytes_.size() - byte);
    return (word >> (bit % 8)) & mask_;
  }

 private:
  std::string_view bytes_;  // to the end of the chunk
  unsigned width_ = 0;
  std::uint64_t mask_ = 0;
};

std::int64_t WrappingAdd(std::int64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + b);
}

struct Layout {
  std::uint8_t flags = 0;
  unsigned width = 0;
  unsigned time_width = 0;
  std::uint64_t smallest_distance = 0;
  std::int64_t first = 0;
  std::int64_t smallest_difference = 0;
  Fields distances;
  Fields values;

  bool differences() const { return (flags & kDifferences) != 0; }
  bool uneven() const { return (flags & kUnevenTimes) != 0; }
};

bool TakeLayout(std::string_view in, std::size_t count, Layout& layout) {
  if (in.size() < 2) return false;
  layout.flags = static_cast<std::uint8_t>(in[0]);
  layout.width = static_cast<std::uint8_t>(in[1]);
  in.remove_prefix(2);
  if ((layout.flags & kDecimalsMask) >= kPowers.size()) return false;
  if (layout.uneven()) {
    if (in.empty()) return false;
    layout.time_width = static_cast<std::uint8_t>(in[0]);
    in.remove_prefix(1);
    if (!TakeVarint(in, layout.smallest_distance)) return false;
  }
  if (!TakeSigned(in, layout.first)) return false;
  if (layout.differences() && !TakeSigned(in, layout.smallest_difference)) return false;
  if (layout.uneven() && !layout.distances.Take(in, count - 1, layout.time_width)) return false;
  return layout.values.Take(in, layout.differences() ? count - 1 : count, layout.width);
}

}  // namespace

std::string PackSamples(std::span<const core::TimestampMs> times, std::span<const double> values) {
  const std::size_t count = values.size();
  Integers wholes;
  const auto decimals = Decimals(values, wholes);
  if (!decimals) return {};
  Integers differences;
  Integers distances;
  bool uneven = false;
  for (std::size_t i = 1; i < count; ++i) {
    differences[i - 1] = wholes[i] - wholes[i - 1];
    if (__builtin_sub_overflow(times[i], times[i - 1], &distances[i - 1])) return {};
    uneven |= distances[i - 1] != distances[0];
  }
  const Span plain = SpanOf({wholes.data(), count});
  const Span steps = SpanOf({differences.data(), count - 1});
  const Span apart = SpanOf({distances.data(), count - 1});
  const bool by_difference = steps.width < plain.width;
  if (std::max({by_difference ? steps.width : plain.width, apart.width}) > kMaxWidth) return {};

  std::string out;
  out += static_cast<char>(*decimals | (by_difference ? kDifferences : 0U) | (uneven ? kUnevenTimes : 0U));
  out += static_cast<char>(by_difference ? steps.width : plain.width);
  if (uneven) {
    out += static_cast<char>(apart.width);
    PutVarint(out, static_cast<std::uint64_t>(apart.smallest));
  }
  PutSigned(out, by_difference ? wholes[0] : plain.smallest);
  if (by_difference) PutSigned(out, steps.smallest);
  if (uneven) PutBits(out, {distances.data(), count - 1}, apart);
  if (by_difference)
    PutBits(out, {differences.data(), count - 1}, steps);
  else
    PutBits(out, {wholes.data(), count}, plain);
  return out;
}

bool ReadPacked(core::TimestampMs first, core::TimestampMs last, std::size_t count, std::span<const std::uint8_t> bytes,
                core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) {
  Layout layout;
  if (count == 0 || count > kMaxPacked || last < first ||
      !TakeLayout({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, count, layout))
    return false;
  // The samples [begin, end) lie in the range.
  std::array<core::TimestampMs, kMaxPacked> times;
  const std::uint64_t length = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  const std::uint64_t even = count > 1 ? length / (count - 1) : 0;
  if (!layout.uneven() && even * (count - 1) != length) return false;
  times[0] = first;
  for (std::size_t i = 1; i < count; ++i) {
    times[i] =
        WrappingAdd(times[i - 1], layout.uneven() ? layout.smallest_distance + layout.distances.At(i - 1) : even);
    if (times[i] <= times[i - 1]) return false;
  }
  if (times[count - 1] != last) return false;
  const auto sorted = std::span(times).first(count);
  const auto begin = static_cast<std::size_t>(std::ranges::lower_bound(sorted, from) - sorted.begin());
  const auto end = static_cast<std::size_t>(std::ranges::upper_bound(sorted, to) - sorted.begin());
  if (begin >= end) return true;

  const std::size_t before = out.size();
  if (!out.histograms.empty()) out.histograms.resize(before + end - begin);
  out.times.insert(out.times.end(), sorted.begin() + static_cast<std::ptrdiff_t>(begin),
                   sorted.begin() + static_cast<std::ptrdiff_t>(end));
  out.values.resize(before + end - begin);
  double* to_fill = out.values.data() + before;
  if (layout.differences()) {
    std::int64_t whole = layout.first;
    const auto step = static_cast<std::uint64_t>(layout.smallest_difference);
    for (std::size_t i = 1; i <= begin; ++i) whole = WrappingAdd(whole, step + layout.values.At(i - 1));
    for (std::size_t i = begin; i < end; ++i) {
      if (i > begin) whole = WrappingAdd(whole, step + layout.values.At(i - 1));
      *to_fill++ = static_cast<double>(whole);
    }
  } else {
    for (std::size_t i = begin; i < end; ++i)
      *to_fill++ = static_cast<double>(WrappingAdd(layout.first, layout.values.At(i)));
  }
  if (const unsigned decimals = layout.flags & kDecimalsMask; decimals > 0)
    for (std::size_t i = before; i < out.values.size(); ++i) out.values[i] /= kPowers[decimals];
  return true;
}

}  // namespace pipewarden::rules
