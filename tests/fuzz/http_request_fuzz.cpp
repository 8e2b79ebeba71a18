// What a client can put into a request, through router and parsers. The input is lines: method, path, query, then
// headers as "Name: value".
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/server/html.h"
#include "agent/server/query.h"
#include "agent/server/router.h"
#include "core/text/escape.h"
#include "core/text/utf8.h"
#include "exporters/exposition/text_writer.h"

namespace {

using namespace pipewarden::agent;

HttpResponse Show(const HttpRequest& request) {
  for (const char* name : {"query", "match[]", "time"}) {
    for (const std::string& value : request.Params(name)) {
      (void)ParseApiTime(value).has_value();
      (void)ParseApiDuration(value).has_value();
      if (Html(value).find('<') != std::string::npos) std::abort();
      if (!pipewarden::core::IsValidUtf8(pipewarden::core::JsonString(value))) std::abort();
    }
  }
  return TextResponse(request.Capture("name"));
}

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto router =
      Router::Make({{.methods = "GET POST", .path = "/label/{name}/values", .role = Role::kRead, .handle = Show},
                    {.methods = "POST", .path = "/own", .role = Role::kAdmin, .mutates = true, .handle = Show},
                    {.methods = "GET", .path = "/", .role = Role::kRead, .envelope = Envelope::kHtml, .handle = Show}},
                   {.hosts = {"node7"}});
  std::string_view text(reinterpret_cast<const char*>(data), size);
  HttpRequest request;
  request.method = NextLine(text);
  request.path = NextLine(text);
  request.query = NextLine(text);
  while (!text.empty()) {
    const std::string_view line = NextLine(text);
    const std::size_t colon = std::min(line.find(':'), line.size());
    request.headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())));
  }
  request.body = request.query;
  auto choice = router->Choose(request, {});
  // Without users nobody changes anything over TCP.
  if (!choice.refusal && choice.route->mutates) std::abort();
  if (!choice.refusal) (void)Router::Run(*choice.route, request);
  (void)HeaderWeight(request.Header("Accept-Encoding"), "gzip");
  (void)pipewarden::exporters::NegotiateTextFormat(request.Header("Accept"));
  return 0;
}
