// Makes a probe of its YAML, as a user writes it, and runs it once.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "exporters/probe_runner.h"
#include "tests/support/http_server.h"
#include "tests/support/run.h"

namespace pipewarden::exporters {

inline std::string TestData(const std::string& name) {
  std::ifstream file(std::string(PIPEWARDEN_SOURCE_DIR) + "/tests/exporters/data/" + name);
  BOOST_REQUIRE_MESSAGE(file, "no test data " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<ProbeConfig> ReadProbeText(const std::string& yaml, std::vector<std::string>& errors) {
  const auto node = core::ParseYaml(yaml, "pipewarden.yml");
  BOOST_REQUIRE_MESSAGE(node, node.error().message);
  core::ConfigErrors found;
  auto configs = ReadProbes(*node, found);
  errors = found.Lines();
  return configs;
}

inline std::vector<ProbeConfig> ReadProbeText(const std::string& yaml) {
  std::vector<std::string> errors;
  auto configs = ReadProbeText(yaml, errors);
  BOOST_REQUIRE_MESSAGE(errors.empty(), (errors.empty() ? "" : errors.front()));
  return configs;
}

struct ProbeFixture : test::RealLoop {
  core::HttpClient http{loop};

  // `options` is the inside of a flow map: "url: 'http://…', min_live: 2".
  ProbeResult Probe(const std::string& kind, const std::string& options,
                    core::Duration timeout = std::chrono::seconds(5)) {
    auto configs = ReadProbeText("[{name: p, kind: " + kind + ", " + options + "}]");
    BOOST_REQUIRE(configs.size() == 1U);
    ProbeResult result = Run(configs[0].probe->Run(ProbeContext{loop, http, timeout}));
    BOOST_TEST(result.success == result.error.empty());
    return result;
  }

  static std::optional<double> Value(const ProbeResult& result, std::string_view metric, std::string_view label = {}) {
    for (const ProbeValue& value : result.values)
      if (value.metric == metric && (label.empty() || (!value.labels.empty() && value.labels.back().value == label)))
        return value.value;
    return std::nullopt;
  }
};

}  // namespace pipewarden::exporters
