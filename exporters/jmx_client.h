// Hadoop's JMX servlet (org.apache.hadoop.jmx.JMXJsonServlet): beans of a Java process as JSON over HTTP.
//
// Its trap: a bean that is not there is an answer 200 with an empty list, and so is a mistyped name. Here that is an
// error. Loop thread only.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/net/http_client.h"
#include "exporters/probe.h"

namespace pipewarden::exporters {

struct JmxBean {
  std::string name;
  std::shared_ptr<const nlohmann::json> attributes;
};

// Asks `request`.url (a server's root, or its /jmx) for the beans that `query` names; it may hold * and ?. At least one
// bean, else an error. Names the URL in errors.
core::Task<core::Result<std::vector<JmxBean>>> QueryJmx(core::HttpClient& http, core::HttpRequest request,
                                                        std::string query);

const JmxBean* FindBean(const std::vector<JmxBean>& beans, std::string_view name);

// A number or a boolean (1, 0) at `path`: an attribute, or with dots one within a composite ("HeapMemoryUsage.used");
// an attribute that has dots in its own name ("tag.HAState") is found as well. Nothing where absent or something else.
std::optional<double> JmxNumber(const JmxBean& bean, std::string_view path);
// The same as text: strings as they are, numbers and booleans as JSON writes them. Nothing where absent.
std::optional<std::string> JmxText(const JmxBean& bean, std::string_view path);

}  // namespace pipewarden::exporters
