// What each integration was last told of each group: the fingerprints that fired and that had resolved, and when. The
// deduplication stage decides by it. Entries live for min(2 x repeat_interval, 120 h), as in Alertmanager. Loop thread
// only.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time/clock.h"

namespace pipewarden::alertmanager {

struct NotificationLogEntry {
  core::WallTime at{};
  core::WallTime expires_at{};
  std::vector<std::uint64_t> firing;    // fingerprints, sorted
  std::vector<std::uint64_t> resolved;  // fingerprints, sorted
  // Told as firing some time before, and kept quiet since: neither told again nor resolved. Sorted.
  std::vector<std::uint64_t> carried{};

  bool ToldFiring(std::uint64_t fingerprint) const;  // and not resolved since
};

enum class NotifyReason {
  kNone,       // nothing to tell
  kFirst,      // the group is new to this integration
  kNewAlerts,  // one fires that was not told
  kAllResolved,
  kNewResolved,  // one has resolved, others fire still
  kRepeat,       // repeat_interval has passed
};

// Alertmanager's DedupStage. `tick` is the time of the flush; an entry must be strictly older than repeat_interval.
NotifyReason NeedsNotification(const NotificationLogEntry* entry, const std::vector<std::uint64_t>& firing,
                               const std::vector<std::uint64_t>& resolved, bool send_resolved,
                               core::Duration repeat_interval, core::WallTime tick);

class NotificationLog {
 public:
  explicit NotificationLog(std::function<void(std::string record)> keep = {}) : keep_(std::move(keep)) {}

  // The key is "<group key>:<receiver>/<kind>/<index>".
  const NotificationLogEntry* Find(std::string_view key, core::WallTime now) const;
  void Write(const std::string& key, NotificationLogEntry entry, core::Duration repeat_interval);

  // What is told of a group while some of its alerts are kept quiet is not to be forgotten over that: the entry lives
  // on for the time of another.
  void Prolong(const std::string& key, core::WallTime now, core::Duration repeat_interval);

  void Restore(std::string_view record);  // what `keep` got, without its type byte
  // Takes what another process told where it is newer than what is known here, and keeps it.
  void Merge(std::string_view record, core::WallTime now);
  void Collect(core::WallTime now);
  // For a checkpoint: the records of about `count` entries from `cursor` on, which is moved; true while there are more.
  // What changes between two pieces is in the journal.
  using Cursor = std::pair<core::WallTime, std::string>;
  bool WriteSome(Cursor& cursor, std::size_t count, std::vector<std::string>& records) const;
  std::size_t size() const { return entries_.size(); }

  static constexpr char kRecordType = 'N';

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void Store(const std::string& key, NotificationLogEntry entry);

  std::function<void(std::string)> keep_;
  std::unordered_map<std::string, NotificationLogEntry, Hash, std::equal_to<>> entries_;
  std::set<std::pair<core::WallTime, std::string>> by_expiry_;
};

}  // namespace pipewarden::alertmanager
