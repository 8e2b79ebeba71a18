// Root causes: which components are down, and which alerts stand on them. While a component that others stand on is
// down, alerts of those others do not notify: people hear of the root alone. What is down is kept over restarts, until
// its probes say otherwise. Loop thread only.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/labels.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

struct DownComponent {
  std::string name;
  core::WallTime since{};
};

struct Dependencies {
  // What an alert with this label ({"component", "postgres"}, {"pipeline", "daily"}) stands on, directly or not: those
  // that the others stand on first.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> stands_on;
  std::set<std::string> watched;  // components that have a probe

  bool operator==(const Dependencies&) const = default;
};

class Causes {
 public:
  // `keep` gets the record of each change (for the journal).
  explicit Causes(std::function<void(std::string record)> keep = {}) : keep_(std::move(keep)) {}

  // A component that is not watched any more is not down either.
  void Apply(Dependencies dependencies);
  // What the component's probes say: down since then, or (nullopt) not.
  void Set(const std::string& component, std::optional<core::WallTime> down_since);
  // The root of what is down beneath these labels; null: nothing is. Good until the next change.
  const DownComponent* SuppressedBy(const core::Labels& labels) const;
  bool empty() const { return down_.empty(); }

  void Restore(std::string_view record);                // what `keep` got, without its type byte
  void Write(std::vector<std::string>& records) const;  // for a checkpoint: all of it, which is little

  static constexpr char kRecordType = 'D';

 private:
  void Keep(const std::string& component, core::WallTime since) const;

  std::function<void(std::string)> keep_;
  Dependencies dependencies_;
  std::map<std::string, DownComponent, std::less<>> down_;
};

// "namenode (down since 2026-11-21T13:35:01Z)"
std::string DownText(const DownComponent& down);

}  // namespace pipewarden::alertmanager
