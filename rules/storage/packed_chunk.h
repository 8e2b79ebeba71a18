// Sealed chunks of numbers as machines count and measure them: whole, or with a few decimals, at an even distance in
// time. The values are multiplied to whole numbers, and those (or the differences between them) are written with as
// many bits as the largest of them needs. That takes a third of what XORs take, and is read several times as quickly:
// all fields are of one width, and times that are even are computed. What comes back is the same to the last bit, or
// the chunk stays as it was.
//
//   flags u8: decimals (4 bits), differences, uneven times | width of the values u8
//   with uneven times: width of the distances u8, smallest distance varint
//   smallest value signed varint; with differences: first value, smallest difference, signed varints
//   with uneven times: count - 1 times (distance - the smallest), in bits
//   count times (value - the smallest), or count - 1 times (difference - the smallest), in bits
//
// Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/model/sample.h"
#include "rules/promql/queryable.h"

namespace pipewarden::rules {

// Samples that a packed chunk holds at most.
inline constexpr std::size_t kMaxPacked = 128;

// The bytes of such a chunk; empty where the values are no such numbers. REQUIRES: times ascend; there are as many
// values, at least one and at most kMaxPacked.
std::string PackSamples(std::span<const core::TimestampMs> times, std::span<const double> values);

// Appends the samples in [from, to] of a chunk from `first` to `last`. False where the bytes are none.
bool ReadPacked(core::TimestampMs first, core::TimestampMs last, std::size_t count, std::span<const std::uint8_t> bytes,
                core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out);

}  // namespace pipewarden::rules
