#include "alertmanager/history.h"

#include <algorithm>

#include "alertmanager/records.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

std::string Record(const HistoryEntry& entry) {
  RecordWriter record(History::kRecordType);
  record.Number(entry.id).Time(entry.at).Signed(entry.took.count());
  record.Text(entry.receiver).Text(entry.integration).Text(entry.group_key).Text(entry.title);
  record.Number(static_cast<std::uint64_t>(entry.reason)).Number(static_cast<std::uint64_t>(entry.result));
  record.Number(static_cast<std::uint64_t>(entry.attempts)).Text(entry.error);
  record.Numbers(entry.firing).Numbers(entry.resolved).Number(entry.firing_count).Number(entry.resolved_count);
  return record.Take();
}

}  // namespace

std::string_view NotifyResultText(NotifyResult result) {
  switch (result) {
    case NotifyResult::kSent:
      return "sent";
    case NotifyResult::kFailed:
      return "failed";
    case NotifyResult::kGivenUp:
      return "given_up";
    case NotifyResult::kNotSent:
      return "not_sent";
  }
  return "failed";
}

std::string_view NotifyReasonText(NotifyReason reason) {
  switch (reason) {
    case NotifyReason::kNone:
      return "nothing to tell";
    case NotifyReason::kFirst:
      return "the group is new";
    case NotifyReason::kNewAlerts:
      return "an alert is new in the group";
    case NotifyReason::kAllResolved:
      return "all alerts have resolved";
    case NotifyReason::kNewResolved:
      return "an alert has resolved";
    case NotifyReason::kRepeat:
      return "repeat_interval has passed";
  }
  return "nothing to tell";
}

bool HistoryEntry::IsAbout(std::uint64_t fingerprint) const {
  return std::ranges::binary_search(firing, fingerprint) || std::ranges::binary_search(resolved, fingerprint);
}

void History::Add(HistoryEntry entry) {
  entry.id = next_id_;
  entry.firing_count = entry.firing.size();
  entry.resolved_count = entry.resolved.size();
  for (auto* list : {&entry.firing, &entry.resolved})
    if (list->size() > kMaxFingerprints) list->resize(kMaxFingerprints);
  for (std::string* text : {&entry.error, &entry.title}) *text = std::string(core::Utf8Prefix(*text, kMaxText));
  if (keep_) keep_(Record(entry));
  Push(std::move(entry));
}

void History::Push(HistoryEntry entry) {
  next_id_ = std::max(next_id_, entry.id + 1);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kMaxEntries) entries_.pop_front();
}

std::vector<HistoryEntry> History::List(std::size_t limit, std::uint64_t fingerprint) const {
  std::vector<HistoryEntry> list;
  for (auto at = entries_.rbegin(); at != entries_.rend() && list.size() < limit; ++at)
    if (fingerprint == 0 || at->IsAbout(fingerprint)) list.push_back(*at);
  return list;
}

bool History::WriteSome(std::uint64_t& cursor, std::size_t count, std::vector<std::string>& records) const {
  auto at = std::ranges::upper_bound(entries_, cursor, {}, &HistoryEntry::id);
  for (; at != entries_.end() && count > 0; ++at, --count) {
    records.push_back(Record(*at));
    cursor = at->id;
  }
  return at != entries_.end();
}

void History::Restore(std::string_view record) {
  RecordReader reader(record);
  HistoryEntry entry;
  entry.id = reader.Number();
  entry.at = reader.Time();
  entry.took = core::Duration{reader.Signed()};
  entry.receiver = reader.Text();
  entry.integration = reader.Text();
  entry.group_key = reader.Text();
  entry.title = reader.Text();
  entry.reason = static_cast<NotifyReason>(reader.Number());
  entry.result = static_cast<NotifyResult>(reader.Number());
  entry.attempts = static_cast<int>(reader.Number());
  entry.error = reader.Text();
  entry.firing = reader.Numbers();
  entry.resolved = reader.Numbers();
  entry.firing_count = reader.Number();
  entry.resolved_count = reader.Number();
  // What a checkpoint holds may be told again by the journal that follows it.
  if (reader.ok() && entry.id >= next_id_) Push(std::move(entry));
}

}  // namespace pipewarden::alertmanager
