// An alert as rules give it to alertmanager: Alertmanager's model (api/v2 PostableAlert).
#pragma once

#include <cstdint>
#include <string>

#include "core/model/labels.h"
#include "core/time/clock.h"

namespace pipewarden::core {

struct Alert {
  Labels labels;       // identity; with alertname
  Labels annotations;  // what a person reads
  WallTime starts_at{};
  WallTime ends_at{};  // a time that has passed: resolved; WallTime{}: not known yet
  std::string generator_url;
  WallTime updated_at{};  // when this version of it was made
  bool timeout = false;   // ends_at was set by a timeout, not by whoever raised the alert

  std::uint64_t Fingerprint() const { return labels.Fingerprint(); }
  bool ResolvedAt(WallTime now) const { return ends_at != WallTime{} && ends_at <= now; }
  std::string_view Name() const { return labels.Get(kAlertName); }
};

}  // namespace pipewarden::core
