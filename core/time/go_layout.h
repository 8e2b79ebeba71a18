// The layouts of Go's package time: the reference time Mon Jan 2 15:04:05 MST 2006, written as the time shall look
// (format.go). Used by civil_format.cpp and civil_parse.cpp alone. Pure.
#pragma once

#include <string_view>

namespace pipewarden::core::go_layout {

enum class Part {
  kNone,
  kLongMonth,
  kMonth,
  kNumMonth,
  kZeroMonth,
  kLongWeekday,
  kWeekday,
  kDay,
  kUnderDay,
  kZeroDay,
  kUnderYearDay,
  kZeroYearDay,
  kHour,
  kHour12,
  kZeroHour12,
  kMinute,
  kZeroMinute,
  kSecond,
  kZeroSecond,
  kLongYear,
  kYear,
  kPM,
  kpm,
  kZoneName,
  kIsoZone,         // Z0700
  kIsoSecondsZone,  // Z070000
  kIsoShortZone,    // Z07
  kIsoColonZone,    // Z07:00
  kIsoColonSecondsZone,
  kNumZone,         // -0700
  kNumSecondsZone,  // -070000
  kNumShortZone,    // -07
  kNumColonZone,    // -07:00
  kNumColonSecondsZone,
  kFraction0,  // .000: as many digits as zeros
  kFraction9,  // .999: trailing zeros are cut
};

struct Token {
  std::string_view literal{};  // what stands before the part
  Part part = Part::kNone;
  int digits = 0;  // of a fraction
  char point = '.';
};

// Takes the first part, with the text before it, off `layout`.
Token NextToken(std::string_view& layout);

}  // namespace pipewarden::core::go_layout
