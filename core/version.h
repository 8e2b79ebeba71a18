// The version. CMakeLists.txt reads it from here.
#pragma once

#include <string_view>

namespace pipewarden::core {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace pipewarden::core
