// The version that the build was configured with.
#pragma once

#include <string_view>

namespace pipewarden::agent {

inline constexpr std::string_view kVersion = PIPEWARDEN_VERSION;

}  // namespace pipewarden::agent
