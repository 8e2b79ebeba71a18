#include "agent/server/html.h"

#include "core/text/escape.h"
#include "core/text/utf8.h"
#include "pipewarden_agent_embedded.h"

namespace pipewarden::agent {
namespace {

void Replace(std::string& text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), by);
}

}  // namespace

std::string Html(std::string_view text) { return core::EscapeHtml(core::ToValidUtf8(text)); }

std::string Page(std::string_view title, std::string_view body) {
  std::string page(pages::kFrameHtml);
  // The title first: what a body holds is never taken for a place to fill.
  Replace(page, "{{title}}", Html(title));
  const std::size_t at = page.rfind("{{body}}");
  if (at != std::string::npos) page.replace(at, 8, body);
  return page;
}

std::string ErrorPage(int status, std::string_view message) {
  return Page("Error " + std::to_string(status),
              "<h1>" + std::to_string(status) + "</h1><section><p>" + Html(message) + "</p></section>");
}

std::string_view StyleSheet() { return pages::kStyleCss; }
std::string_view Icon() { return pages::kIconSvg; }

}  // namespace pipewarden::agent
