// Text -> trees. Used by template.cpp alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/template/node.h"

namespace pipewarden::core {

// The trees that `source` defines: its own under source->name (where it is not empty), and one for each define and
// block. `known` tells which functions there are.
Result<TemplateTrees> ParseTemplate(std::shared_ptr<const TemplateSource> source,
                                    const std::function<bool(std::string_view)>& known);

}  // namespace pipewarden::core
