// Runs the trees of a template. Used by template.cpp alone.
#pragma once

#include "core/result.h"
#include "core/template/template.h"

namespace pipewarden::core {

Result<std::string> RunTemplate(const TemplateTrees& trees, std::string_view name, const FunctionTable* functions,
                                const Value& data, const ExecuteOptions& options);

}  // namespace pipewarden::core
