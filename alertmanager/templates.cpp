#include "alertmanager/templates.h"

#include "alertmanager/default_templates.h"
#include "alertmanager/template_data.h"
#include "alertmanager/template_functions.h"
#include "core/read_file.h"

namespace pipewarden::alertmanager {
core::Result<std::shared_ptr<const Templates>> Templates::Make(const std::vector<File>& files) {
  core::Template set(TemplateFunctions());
  if (auto added = set.AddAssociated("default.tmpl", DefaultTemplates()); !added) return std::unexpected(added.error());
  for (const File& file : files) {
    if (auto added = set.AddAssociated(file.name, file.text); !added) return std::unexpected(added.error());
  }
  return std::shared_ptr<const Templates>(new Templates(std::move(set)));
}

core::Result<std::shared_ptr<const Templates>> Templates::Load(const std::vector<std::string>& paths) {
  std::vector<File> files;
  for (const std::string& path : paths) {
    core::Result<std::string> text = core::ReadFile(path, kMaxFileBytes);
    if (!text) return core::Fail(text.error().Within("template file"));
    files.push_back({path.substr(path.rfind('/') + 1), std::move(*text)});
  }
  return Make(files);
}

core::Result<std::string> Templates::Render(std::string_view text, const Notification& notification, bool html) const {
  if (text.find("{{") == std::string_view::npos && !html) return std::string(text);
  core::Template set = set_;
  if (auto parsed = set.AddAssociated("", text); !parsed) return std::unexpected(parsed.error());
  const core::FunctionTable timed = FunctionsAt(notification.now);
  return set.ExecuteNamed("", NotificationValue(notification),
                          {.escaping = html ? core::Escaping::kHtml : core::Escaping::kText, .functions = &timed});
}

core::Result<void> Templates::Check(std::string_view text) const {
  core::Template set = set_;
  return set.AddAssociated("", text);
}

RenderTemplate Renderer(std::shared_ptr<const Templates> templates) {
  return [templates = std::move(templates)](std::string_view text, const Notification& notification, bool html) {
    return templates->Render(text, notification, html);
  };
}

}  // namespace pipewarden::alertmanager
