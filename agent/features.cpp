#include "agent/features.h"

#include "core/config/option_table.h"

namespace pipewarden::agent {

core::Result<Features> ParseFeatures(const std::vector<std::string>& items) {
  constexpr std::string_view kExperimental = "promql-experimental-functions";
  constexpr std::string_view kDelayed = "promql-delayed-name-removal";
  constexpr std::string_view kKnown[] = {kExperimental, kDelayed};
  Features features;
  for (const std::string& item : items) {
    std::size_t end = 0;
    for (std::size_t begin = 0; begin <= item.size(); begin = end + 1) {
      end = std::min(item.find(',', begin), item.size());
      const std::string name = item.substr(begin, end - begin);
      if (name.empty()) continue;
      if (name == kExperimental)
        features.promql.experimental_functions = true;
      else if (name == kDelayed)
        features.delayed_name_removal = true;
      else
        return core::Fail(core::ErrorCode::kInvalid, "no feature is called '" + name + "'" +
                                                         core::DidYouMean(name, kKnown) +
                                                         "; there are promql-experimental-functions and "
                                                         "promql-delayed-name-removal");
      features.text += (features.text.empty() ? "" : ",") + name;
    }
  }
  return features;
}

}  // namespace pipewarden::agent
