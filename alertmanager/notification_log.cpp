#include "alertmanager/notification_log.h"

#include <algorithm>
#include <optional>

#include "alertmanager/records.h"

namespace pipewarden::alertmanager {
namespace {

constexpr std::chrono::hours kRetention{120};
constexpr std::size_t kMaxMerged = 1'000'000;  // entries; beyond it others' new ones are not taken

std::string Record(std::string_view key, const NotificationLogEntry& entry) {
  RecordWriter record(NotificationLog::kRecordType);
  record.Text(key).Time(entry.at).Time(entry.expires_at).Numbers(entry.firing).Numbers(entry.resolved);
  if (!entry.carried.empty()) record.Numbers(entry.carried);
  return record.Take();
}

std::optional<std::pair<std::string, NotificationLogEntry>> ReadRecord(std::string_view record) {
  RecordReader reader(record);
  std::string key = reader.Text();
  NotificationLogEntry entry;
  entry.at = reader.Time();
  entry.expires_at = reader.Time();
  entry.firing = reader.Numbers();
  entry.resolved = reader.Numbers();
  if (reader.ok() && !reader.AtEnd()) entry.carried = reader.Numbers();
  if (!reader.ok() || key.empty()) return std::nullopt;
  return std::pair{std::move(key), std::move(entry)};
}

}  // namespace

NotifyReason NeedsNotification(const NotificationLogEntry* entry, const std::vector<std::uint64_t>& firing,
                               const std::vector<std::uint64_t>& resolved, bool send_resolved,
                               core::Duration repeat_interval, core::WallTime tick) {
  if (entry == nullptr) return firing.empty() ? NotifyReason::kNone : NotifyReason::kFirst;
  if (!std::ranges::includes(entry->firing, firing)) return NotifyReason::kNewAlerts;
  // All resolved is told even where send_resolved is off: the pipeline then only writes it down, or later firings of
  // the same alerts would be taken for known.
  if (firing.empty()) {
    const bool carried_one = std::ranges::any_of(
        resolved, [&](std::uint64_t one) { return std::ranges::binary_search(entry->carried, one); });
    return entry->firing.empty() && !carried_one ? NotifyReason::kNone : NotifyReason::kAllResolved;
  }
  if (send_resolved && !std::ranges::includes(entry->resolved, resolved)) return NotifyReason::kNewResolved;
  return entry->at < tick - repeat_interval ? NotifyReason::kRepeat : NotifyReason::kNone;
}

bool NotificationLogEntry::ToldFiring(std::uint64_t fingerprint) const {
  return std::ranges::binary_search(firing, fingerprint) || std::ranges::binary_search(carried, fingerprint);
}

const NotificationLogEntry* NotificationLog::Find(std::string_view key, core::WallTime now) const {
  const auto at = entries_.find(key);
  return at == entries_.end() || at->second.expires_at <= now ? nullptr : &at->second;
}

void NotificationLog::Store(const std::string& key, NotificationLogEntry entry) {
  const auto old = entries_.find(key);
  if (old != entries_.end()) by_expiry_.erase({old->second.expires_at, key});
  by_expiry_.emplace(entry.expires_at, key);
  entries_.insert_or_assign(key, std::move(entry));
}

void NotificationLog::Write(const std::string& key, NotificationLogEntry entry, core::Duration repeat_interval) {
  entry.expires_at = entry.at + std::min<core::Duration>(2 * repeat_interval, kRetention);
  if (keep_) keep_(Record(key, entry));
  Store(key, std::move(entry));
}

void NotificationLog::Prolong(const std::string& key, core::WallTime now, core::Duration repeat_interval) {
  const auto at = entries_.find(key);
  if (at == entries_.end() || at->second.expires_at > now + repeat_interval) return;
  NotificationLogEntry entry = at->second;
  entry.expires_at = now + std::min<core::Duration>(2 * repeat_interval, kRetention);
  if (keep_) keep_(Record(key, entry));
  Store(key, std::move(entry));
}

void NotificationLog::Restore(std::string_view record) {
  if (auto read = ReadRecord(record)) Store(read->first, std::move(read->second));
}

void NotificationLog::Merge(std::string_view record, core::WallTime now) {
  auto read = ReadRecord(record);
  if (!read || read->second.expires_at <= now) return;
  const auto known = entries_.find(read->first);
  if (known != entries_.end() ? known->second.at >= read->second.at : entries_.size() >= kMaxMerged) return;
  if (keep_) keep_(Record(read->first, read->second));
  Store(read->first, std::move(read->second));
}

void NotificationLog::Collect(core::WallTime now) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    entries_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
}

bool NotificationLog::WriteSome(Cursor& cursor, std::size_t count, std::vector<std::string>& records) const {
  auto at = by_expiry_.upper_bound(cursor);
  for (; at != by_expiry_.end() && count > 0; ++at, --count) {
    records.push_back(Record(at->second, entries_.find(at->second)->second));
    cursor = *at;
  }
  return at != by_expiry_.end();
}

}  // namespace pipewarden::alertmanager
