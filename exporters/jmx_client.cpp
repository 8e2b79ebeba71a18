#include "exporters/jmx_client.h"

#include <nlohmann/json.hpp>

#include "core/text/url.h"
#include "exporters/http_options.h"

namespace pipewarden::exporters {
namespace {

std::string JmxUrl(const std::string& base, std::string_view query) {
  std::string url = base.substr(0, base.find_first_of("?#"));
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/jmx")) url += "/jmx";
  return url + "?qry=" + core::UrlEscape(query, ":=,*");
}

core::Result<std::vector<JmxBean>> ReadBeans(const std::string& body, const std::string& query) {
  const nlohmann::json root = nlohmann::json::parse(body, nullptr, false);
  if (root.is_discarded() || !root.is_object() || !root.contains("beans") || !root["beans"].is_array())
    return core::Fail(core::ErrorCode::kInvalid, "the answer is not that of a JMX servlet (JSON with \"beans\")");
  std::vector<JmxBean> beans;
  for (const auto& bean : root["beans"])
    if (bean.is_object() && bean.contains("name") && bean["name"].is_string())
      beans.push_back({bean["name"].get<std::string>(), std::make_shared<const nlohmann::json>(bean)});
  if (beans.empty())
    return core::Fail(core::ErrorCode::kNotFound,
                      "the server has no bean " + query + " (its answer is 200 with an empty list)");
  return beans;
}

// The value at `path`, the longest attribute names first.
const nlohmann::json* Find(const nlohmann::json& object, std::string_view path) {
  if (!object.is_object()) return nullptr;
  if (const auto whole = object.find(path); whole != object.end()) return &*whole;
  for (std::size_t dot = path.rfind('.'); dot != std::string_view::npos && dot > 0; dot = path.rfind('.', dot - 1)) {
    const auto inner = object.find(path.substr(0, dot));
    if (inner != object.end())
      if (const auto* found = Find(*inner, path.substr(dot + 1))) return found;
  }
  return nullptr;
}

}  // namespace

core::Task<core::Result<std::vector<JmxBean>>> QueryJmx(core::HttpClient& http, core::HttpRequest request,
                                                        std::string query) {
  core::Result<std::vector<JmxBean>> result;
  request.url = JmxUrl(request.url, query);
  core::HttpRequest shown = request;
  shown.url = request.url.substr(0, request.url.find('?'));
  auto response = co_await http.Do(request);
  if (!response) {
    result = core::Fail(response.error().code, HttpFailure(shown, response.error().message));
  } else if (response->status != 200) {
    result = core::Fail(core::ErrorCode::kUnavailable,
                        HttpFailure(shown, "status " + std::to_string(response->status) + ", expected 200"));
  } else if (response->truncated) {
    result =
        core::Fail(core::ErrorCode::kLimit, HttpFailure(shown, "the answer is longer than 10 MB: ask for fewer beans"));
  } else {
    result = ReadBeans(response->body, query);
    if (!result) result = core::Fail(result.error().code, HttpFailure(shown, result.error().message));
  }
  co_return result;
}

const JmxBean* FindBean(const std::vector<JmxBean>& beans, std::string_view name) {
  for (const JmxBean& bean : beans)
    if (bean.name == name) return &bean;
  return nullptr;
}

std::optional<double> JmxNumber(const JmxBean& bean, std::string_view path) {
  const nlohmann::json* value = Find(*bean.attributes, path);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>() ? 1 : 0;
  if (value->is_number()) return value->get<double>();
  return std::nullopt;
}

std::optional<std::string> JmxText(const JmxBean& bean, std::string_view path) {
  const nlohmann::json* value = Find(*bean.attributes, path);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  return value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace pipewarden::exporters
