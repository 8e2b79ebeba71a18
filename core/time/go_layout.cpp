#include "core/time/go_layout.h"

#include <array>
#include <utility>

namespace pipewarden::core::go_layout {
namespace {

// Longest first where one begins with another.
constexpr std::array<std::pair<std::string_view, Part>, 32> kParts = {{{"January", Part::kLongMonth},
                                                                       {"Jan", Part::kMonth},
                                                                       {"Monday", Part::kLongWeekday},
                                                                       {"Mon", Part::kWeekday},
                                                                       {"MST", Part::kZoneName},
                                                                       {"002", Part::kZeroYearDay},
                                                                       {"01", Part::kZeroMonth},
                                                                       {"02", Part::kZeroDay},
                                                                       {"03", Part::kZeroHour12},
                                                                       {"04", Part::kZeroMinute},
                                                                       {"05", Part::kZeroSecond},
                                                                       {"06", Part::kYear},
                                                                       {"15", Part::kHour},
                                                                       {"1", Part::kNumMonth},
                                                                       {"2006", Part::kLongYear},
                                                                       {"2", Part::kDay},
                                                                       {"__2", Part::kUnderYearDay},
                                                                       {"_2", Part::kUnderDay},
                                                                       {"3", Part::kHour12},
                                                                       {"4", Part::kMinute},
                                                                       {"5", Part::kSecond},
                                                                       {"PM", Part::kPM},
                                                                       {"pm", Part::kpm},
                                                                       {"Z07:00:00", Part::kIsoColonSecondsZone},
                                                                       {"Z070000", Part::kIsoSecondsZone},
                                                                       {"Z07:00", Part::kIsoColonZone},
                                                                       {"Z0700", Part::kIsoZone},
                                                                       {"Z07", Part::kIsoShortZone},
                                                                       {"-07:00:00", Part::kNumColonSecondsZone},
                                                                       {"-070000", Part::kNumSecondsZone},
                                                                       {"-07:00", Part::kNumColonZone},
                                                                       {"-0700", Part::kNumZone}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Token NextToken(std::string_view& layout) {
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const std::string_view rest = layout.substr(i);
    const auto token = [&](Part part, std::size_t length, int digits = 0) {
      const Token found{.literal = layout.substr(0, i), .part = part, .digits = digits, .point = rest[0]};
      layout.remove_prefix(i + length);
      return found;
    };
    for (const auto& [text, part] : kParts) {
      if (!rest.starts_with(text)) continue;
      // "Jan" and "Mon" only where no lower-case letter follows ("Month"); "_2006" is an underscore and a year.
      if ((part == Part::kMonth || part == Part::kWeekday) && rest.size() > 3 && rest[3] >= 'a' && rest[3] <= 'z')
        break;
      if (part == Part::kUnderDay && rest.starts_with("_2006")) break;
      return token(part, text.size());
    }
    if (rest.starts_with("-07")) return token(Part::kNumShortZone, 3);
    if ((rest[0] == '.' || rest[0] == ',') && rest.size() > 1 && (rest[1] == '0' || rest[1] == '9')) {
      std::size_t end = 1;
      while (end < rest.size() && rest[end] == rest[1]) ++end;
      if (end == rest.size() || !IsDigit(rest[end])) {
        return token(rest[1] == '0' ? Part::kFraction0 : Part::kFraction9, end, static_cast<int>(end - 1));
      }
    }
  }
  const Token last{.literal = layout};
  layout = {};
  return last;
}

}  // namespace pipewarden::core::go_layout
