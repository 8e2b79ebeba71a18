// The templates of one alertmanager.yml: the defaults, then the user's files in order (a later definition of a name
// wins), and the rendering of a receiver's field over them. Immutable; safe from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/notification.h"
#include "core/result.h"
#include "core/template/template.h"

namespace pipewarden::alertmanager {

class Templates {
 public:
  static constexpr std::size_t kMaxFileBytes = 4U << 20U;
  // `name` shows in messages: the file's name without its folders.
  struct File {
    std::string name;
    std::string text;
  };
  // kInvalid: "template: NAME:LINE: …".
  static core::Result<std::shared_ptr<const Templates>> Make(const std::vector<File>& files);
  // Reads the files (Config::template_files); kNotFound, kDenied, kLimit or kInvalid with the path.
  static core::Result<std::shared_ptr<const Templates>> Load(const std::vector<std::string>& paths);

  core::Result<std::string> Render(std::string_view text, const Notification& notification, bool html) const;
  // Parses a field's text without running it, for the check of a configuration.
  core::Result<void> Check(std::string_view text) const;

 private:
  explicit Templates(core::Template set) : set_(std::move(set)) {}
  core::Template set_;
};

// For Config::render and the receivers. Keeps the templates alive.
RenderTemplate Renderer(std::shared_ptr<const Templates> templates);

}  // namespace pipewarden::alertmanager
