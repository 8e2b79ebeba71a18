#include "alertmanager/templates.h"

#include <algorithm>
#include <map>

#include "alertmanager/default_templates.h"
#include "alertmanager/template_data.h"
#include "alertmanager/template_functions.h"
#include "core/read_file.h"

namespace pipewarden::alertmanager {
namespace {

// The function routeLabels of one rendering. A label's value is a template that may ask for other labels.
struct RouteLabels {
  const core::Template& set;
  const Notification& notification;
  bool html;
  core::FunctionTable functions;
  std::map<std::string, std::string, std::less<>> known = {};
  std::vector<std::string> under_way = {};

  core::Result<core::Value> Value(const std::string& name) {
    if (!notification.route_labels.Has(name)) return core::Value::String("");
    if (notification.route_labels_done) return core::Value::String(std::string(notification.route_labels.Get(name)));
    if (const auto found = known.find(name); found != known.end()) return core::Value::String(found->second);
    if (std::ranges::find(under_way, name) != under_way.end()) {
      std::string cycle;
      for (const std::string& label : under_way) cycle += label + " -> ";
      return core::Fail(core::ErrorCode::kInvalid, "route label cycle detected: " + cycle + name);
    }
    under_way.push_back(name);
    core::Template parsed = set;
    core::Result<std::string> text = "";
    if (auto added = parsed.AddAssociated("", notification.route_labels.Get(name)); !added) {
      text = std::unexpected(added.error());
    } else {
      text = parsed.ExecuteNamed(
          "", NotificationValue(notification),
          {.escaping = html ? core::Escaping::kHtml : core::Escaping::kText, .functions = &functions});
    }
    under_way.pop_back();
    if (!text) return std::unexpected(text.error());
    return core::Value::String(known[name] = *text);
  }
};

}  // namespace

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
  core::FunctionTable timed = FunctionsAt(notification.now);
  RouteLabels labels{.set = set_, .notification = notification, .html = html, .functions = timed};
  timed["routeLabels"] = {{core::Param::kString}, false, [&labels](std::span<const core::Value> args) {
                            return labels.Value(args[0].string());
                          }};
  labels.functions = timed;
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
