// All alerts that are known, by fingerprint: merging of what is told again, and forgetting of what has resolved. Loop
// thread only. The alerts themselves are immutable and shared: an update makes a new one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "alertmanager/notification.h"
#include "core/model/alert.h"
#include "core/result.h"

namespace pipewarden::alertmanager {

// What Alertmanager's API does to an alert that comes in: `now` as its start where it has none (or its end), an end
// after `resolve_timeout` where it has none, updated_at. kInvalid for what must not be stored (no labels, an end before
// the start, bad names or values).
core::Result<core::Alert> NormalizeAlert(core::Alert alert, core::WallTime now, core::Duration resolve_timeout);

// Two versions of one alert, the later `updated_at` counts as younger: the earliest start, the youngest annotations; an
// end that was set by a timeout never outlives a newer update; of explicit ends of a resolved alert the latest wins.
core::Alert MergeAlerts(const core::Alert& a, const core::Alert& b, core::WallTime now);

class AlertStore {
 public:
  struct PutResult {
    std::uint64_t fingerprint = 0;
    AlertPtr alert;              // as stored
    AlertPtr previous;           // what it replaced, or null
    bool worth_keeping = false;  // more has changed than the end of a refresh: it belongs into the journal
  };
  // Takes a normalized alert. It is merged with the one that is there where their times overlap; else it is a new one.
  PutResult Put(core::Alert alert, core::WallTime now);
  // As it was read from the journal: replaces what is there.
  void Restore(core::Alert alert);
  bool Erase(std::uint64_t fingerprint);
  AlertPtr Find(std::uint64_t fingerprint) const;
  std::size_t size() const { return slots_.size() - free_.size(); }

  // A walk over everything in pieces, so that no turn of the loop is long: looks at `count` places from `cursor` on and
  // moves it; 0 again at the end. What was there when the walk began and is there still is visited once; what is put or
  // erased between two pieces may be missed.
  template <class Visit>
  void Walk(std::size_t& cursor, std::size_t count, Visit visit) const;

 private:
  struct Slot {
    std::uint64_t fingerprint = 0;
    AlertPtr alert;  // null: free
  };
  AlertPtr& SlotOf(std::uint64_t fingerprint);  // a new one is null

  // By fingerprint. Many small tables, because one that grows does so in one turn of the loop.
  using Places = std::unordered_map<std::uint64_t, std::uint32_t>;
  Places& PlacesOf(std::uint64_t fingerprint) { return places_[fingerprint >> 58U]; }
  const Places& PlacesOf(std::uint64_t fingerprint) const { return places_[fingerprint >> 58U]; }

  // An alert keeps its slot for as long as it is known, so that a walk in pieces misses none.
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::array<Places, 64> places_;
};

template <class Visit>
void AlertStore::Walk(std::size_t& cursor, std::size_t count, Visit visit) const {
  const std::size_t end = std::min(slots_.size(), cursor + count);
  for (; cursor < end; ++cursor)
    if (slots_[cursor].alert != nullptr) visit(slots_[cursor].fingerprint, slots_[cursor].alert);
  if (cursor >= slots_.size()) cursor = 0;
}

// One record of the journal. `type` stands in front; ReadAlert takes what follows it.
std::string AlertRecord(char type, const core::Alert& alert);
core::Result<core::Alert> ReadAlert(std::string_view record);

}  // namespace pipewarden::alertmanager
