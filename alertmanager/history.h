// The history of notifications: each integration's every telling of a group with what came of it, the newest thousand,
// kept over restarts by the journal. The inbox keeps what people were told; this keeps who was told, when, how often it
// was tried and what was answered. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/notification_log.h"

namespace pipewarden::alertmanager {

enum class NotifyResult {
  kSent,
  kFailed,   // tried until the group's next tick, which tries it anew
  kGivenUp,  // never got through, and its alerts have resolved: nothing is left to tell
  kNotSent,  // nothing to send: all resolved, and send_resolved is off
};
std::string_view NotifyResultText(NotifyResult result);  // sent failed given_up not_sent
std::string_view NotifyReasonText(NotifyReason reason);  // for people: "the group is new", "repeat_interval has passed"

struct HistoryEntry {
  std::uint64_t id = 0;  // grows; unique
  core::WallTime at{};   // when the telling began
  core::Duration took{};
  std::string receiver;
  std::string integration;  // "slack[0]", "inbox"
  std::string group_key;
  std::string title;  // [FIRING:1] DataStale gold (critical)
  NotifyReason reason = NotifyReason::kNone;
  NotifyResult result = NotifyResult::kSent;
  int attempts = 0;
  std::string error;  // the last attempt's; "" where it was sent
  // Fingerprints, sorted; the first ones of each, and how many there were.
  std::vector<std::uint64_t> firing;
  std::vector<std::uint64_t> resolved;
  std::size_t firing_count = 0;
  std::size_t resolved_count = 0;

  bool IsAbout(std::uint64_t fingerprint) const;
};

class History {
 public:
  static constexpr std::size_t kMaxEntries = 1000;
  static constexpr std::size_t kMaxFingerprints = 100;
  static constexpr std::size_t kMaxText = 500;  // characters of the error and of the title
  static constexpr char kRecordType = 'H';

  explicit History(std::function<void(std::string record)> keep = {}) : keep_(std::move(keep)) {}

  void Add(HistoryEntry entry);  // sets its id and keeps the bounds
  // The newest first; `fingerprint` 0: of all alerts.
  std::vector<HistoryEntry> List(std::size_t limit = kMaxEntries, std::uint64_t fingerprint = 0) const;
  std::size_t size() const { return entries_.size(); }

  void Restore(std::string_view record);  // what `keep` got, without its type byte
  // For a checkpoint: the records of about `count` entries after `cursor`, an id, which is moved; true while there are
  // more.
  bool WriteSome(std::uint64_t& cursor, std::size_t count, std::vector<std::string>& records) const;

 private:
  void Push(HistoryEntry entry);

  std::function<void(std::string)> keep_;
  std::deque<HistoryEntry> entries_;  // the oldest first
  std::uint64_t next_id_ = 1;
};

}  // namespace pipewarden::alertmanager
