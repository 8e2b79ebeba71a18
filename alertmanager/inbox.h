// The built-in inbox: keeps the newest notifications of every route, so that one sees what people were told, or would
// have been told, without any receiver. Bounded in count and in what one entry holds; kept over restarts by the
// journal. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/notification.h"

namespace pipewarden::alertmanager {

struct InboxAlert {
  core::Labels labels;
  core::Labels annotations;
  core::WallTime starts_at{};
  core::WallTime ends_at{};  // WallTime{}: fires
};

struct InboxEntry {
  std::uint64_t id = 0;  // grows; unique
  core::WallTime at{};
  std::string receiver;
  std::string group_key;
  std::string title;  // [FIRING:1] DataStale gold (critical)
  bool resolved = false;
  core::Labels group_labels;
  core::Labels common_labels;
  core::Labels common_annotations;
  std::size_t alert_count = 0;  // all of them; `alerts` holds the first ones
  std::vector<InboxAlert> alerts;
};

// What Alertmanager's default subject says of a notification.
std::string NotificationTitle(const Notification& notification);

class Inbox {
 public:
  static constexpr std::size_t kMaxEntries = 1000;
  static constexpr std::size_t kMaxAlerts = 20;  // of an entry
  static constexpr char kRecordType = 'I';

  explicit Inbox(std::function<void(std::string record)> keep = {}) : keep_(std::move(keep)) {}

  void Add(const Notification& notification);
  // The newest first.
  std::vector<InboxEntry> List(std::size_t limit = kMaxEntries) const;
  std::size_t size() const { return entries_.size(); }

  void Restore(std::string_view record);
  // For a checkpoint: the records of about `count` entries after `cursor`, an id, which is moved; true while there are
  // more.
  bool WriteSome(std::uint64_t& cursor, std::size_t count, std::vector<std::string>& records) const;

 private:
  void Push(InboxEntry entry);

  std::function<void(std::string)> keep_;
  std::deque<InboxEntry> entries_;  // the oldest first
  std::uint64_t next_id_ = 1;
};

}  // namespace pipewarden::alertmanager
