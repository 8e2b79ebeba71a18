#include "core/template/template.h"

#include "core/template/exec.h"
#include "core/template/parse.h"

namespace pipewarden::core {

Result<Template> Template::Parse(std::string_view name, std::string_view text,
                                 std::shared_ptr<const FunctionTable> functions) {
  Template made(std::move(functions));
  made.name_ = std::string(name);
  if (auto added = made.AddAssociated(name, text); !added) return std::unexpected(added.error());
  return made;
}

Result<void> Template::AddAssociated(std::string_view name, std::string_view text) {
  const auto known = [this](std::string_view function) {
    return (functions_ && functions_->contains(function)) || BuiltinFunctions().contains(function);
  };
  auto parsed = ParseTemplate(std::make_shared<const TemplateSource>(std::string(name), std::string(text)), known);
  if (!parsed) return std::unexpected(parsed.error());
  TemplateTrees trees = *trees_;
  for (auto& [defined, tree] : *parsed) {
    auto& existing = trees[defined];
    if (!existing || !tree->IsEmpty()) existing = std::move(tree);
  }
  trees_ = std::make_shared<const TemplateTrees>(std::move(trees));
  return {};
}

Result<std::string> Template::Execute(const Value& data, const ExecuteOptions& options) const {
  return ExecuteNamed(name_, data, options);
}

Result<std::string> Template::ExecuteNamed(std::string_view name, const Value& data,
                                           const ExecuteOptions& options) const {
  return RunTemplate(*trees_, name, functions_.get(), data, options);
}

}  // namespace pipewarden::core
