// The templates that receivers use where alertmanager.yml sets none: slack.default.title, email.default.html and so on,
// by Alertmanager's names, so that users can redefine them. They print what Alertmanager's defaults print; the HTML
// mail tells the same in a plainer page of our own.
#pragma once

#include <string>

namespace pipewarden::alertmanager {

// One text of {{define}}s.
std::string DefaultTemplates();

}  // namespace pipewarden::alertmanager
