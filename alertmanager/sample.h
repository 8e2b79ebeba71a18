// A sample notification through a receiver, so that one sees whether it gets there before an alert depends on it.
// Nothing is logged or kept, and nothing is tried twice. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alertmanager/config.h"
#include "core/async/loop.h"
#include "core/net/http_client.h"
#include "core/result.h"

namespace pipewarden::alertmanager {

struct SampleOutcome {
  std::string integration;  // "slack[0]"
  bool ok = false;
  std::string error;
};

// To each integration of the receiver, one after the other; kNotFound names the receivers there are.
core::Task<core::Result<std::vector<SampleOutcome>>> SendSample(core::Loop& loop, core::HttpClient& http,
                                                                std::shared_ptr<const Config> config,
                                                                std::string receiver, std::string external_url);

}  // namespace pipewarden::alertmanager
