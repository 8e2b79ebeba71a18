// Renders the templated fields of a receiver over one notification, and remembers the first error: a receiver renders
// all it needs, then asks once. Used on the loop thread, for one notification.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alertmanager/receiver.h"

namespace pipewarden::alertmanager {

class FieldRenderer {
 public:
  // `name` is the receiver kind's, for messages. The notification outlives the renderer.
  FieldRenderer(const NotifyContext& context, const Notification& notification, std::string_view name)
      : render_(context.render), notification_(notification), name_(name) {}

  std::string Text(std::string_view text) { return Render(text, false); }
  std::string Html(std::string_view text) { return Render(text, true); }
  bool failed() const { return !error_.empty(); }
  NotifyOutcome Failure() const { return GiveUp(error_); }

 private:
  std::string Render(std::string_view text, bool html) {
    if (text.find("{{") == std::string_view::npos) return std::string(text);
    if (failed()) return {};
    if (render_ == nullptr) {
      error_ = std::string(name_) + ": templates are not available";
      return {};
    }
    core::Result<std::string> out = (*render_)(text, notification_, html);
    if (out) return std::move(*out);
    error_ = std::string(name_) + ": template: " + out.error().message;
    return {};
  }

  std::shared_ptr<const RenderTemplate> render_;
  const Notification& notification_;
  std::string_view name_;
  std::string error_;
};

}  // namespace pipewarden::alertmanager
