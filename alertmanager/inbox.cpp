#include "alertmanager/inbox.h"

#include <algorithm>
#include <cctype>

#include "alertmanager/records.h"

namespace pipewarden::alertmanager {
namespace {

// Values in the order of KV.SortedPairs: alertname first, then by name.
std::vector<std::string> SortedValues(const core::Labels& labels) {
  std::vector<std::string> values;
  if (const std::string_view name = labels.Get(core::kAlertName); !name.empty()) values.emplace_back(name);
  for (const core::LabelView label : labels)
    if (label.name != core::kAlertName) values.emplace_back(label.value);
  return values;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string Record(const InboxEntry& entry) {
  RecordWriter record(Inbox::kRecordType);
  record.Number(entry.id).Time(entry.at).Text(entry.receiver).Text(entry.group_key).Text(entry.title);
  record.Bool(entry.resolved).Labels(entry.group_labels).Labels(entry.common_labels).Labels(entry.common_annotations);
  record.Number(entry.alert_count).Number(entry.alerts.size());
  for (const InboxAlert& alert : entry.alerts)
    record.Labels(alert.labels).Labels(alert.annotations).Time(alert.starts_at).Time(alert.ends_at);
  return record.Take();
}

}  // namespace

std::string NotificationTitle(const Notification& n) {
  std::string title = n.resolved() ? "[RESOLVED] " : "[FIRING:" + std::to_string(n.FiringCount()) + "] ";
  title += Join(SortedValues(n.group_labels)) + " ";
  if (n.common_labels.size() > n.group_labels.size()) {
    core::Labels others = n.common_labels;
    for (const core::LabelView label : n.group_labels) others.Remove(label.name);
    title += "(" + Join(SortedValues(others)) + ")";
  }
  return title;
}

void Inbox::Add(const Notification& n) {
  InboxEntry entry;
  entry.id = next_id_;
  entry.at = n.now;
  entry.receiver = n.receiver;
  entry.group_key = n.group_key;
  entry.title = NotificationTitle(n);
  entry.resolved = n.resolved();
  entry.group_labels = n.group_labels;
  entry.common_labels = n.common_labels;
  entry.common_annotations = n.common_annotations;
  entry.alert_count = n.alerts.size();
  for (std::size_t i = 0; i < std::min(n.alerts.size(), kMaxAlerts); ++i)
    entry.alerts.push_back({n.alerts[i].labels, n.alerts[i].annotations, n.alerts[i].starts_at, n.alerts[i].ends_at});
  if (keep_) keep_(Record(entry));
  Push(std::move(entry));
}

void Inbox::Push(InboxEntry entry) {
  next_id_ = std::max(next_id_, entry.id + 1);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kMaxEntries) entries_.pop_front();
}

std::vector<InboxEntry> Inbox::List(std::size_t limit) const {
  std::vector<InboxEntry> list;
  for (auto at = entries_.rbegin(); at != entries_.rend() && list.size() < limit; ++at) list.push_back(*at);
  return list;
}

bool Inbox::WriteSome(std::uint64_t& cursor, std::size_t count, std::vector<std::string>& records) const {
  auto at = std::ranges::upper_bound(entries_, cursor, {}, &InboxEntry::id);
  for (; at != entries_.end() && count > 0; ++at, --count) {
    records.push_back(Record(*at));
    cursor = at->id;
  }
  return at != entries_.end();
}

void Inbox::Restore(std::string_view record) {
  RecordReader reader(record);
  InboxEntry entry;
  entry.id = reader.Number();
  entry.at = reader.Time();
  entry.receiver = reader.Text();
  entry.group_key = reader.Text();
  entry.title = reader.Text();
  entry.resolved = reader.Bool();
  entry.group_labels = reader.Labels();
  entry.common_labels = reader.Labels();
  entry.common_annotations = reader.Labels();
  entry.alert_count = reader.Number();
  for (std::uint64_t left = reader.Number(); reader.ok() && left > 0; --left) {
    InboxAlert alert;
    alert.labels = reader.Labels();
    alert.annotations = reader.Labels();
    alert.starts_at = reader.Time();
    alert.ends_at = reader.Time();
    entry.alerts.push_back(std::move(alert));
  }
  // What a checkpoint holds may be told again by the journal that follows it.
  if (reader.ok() && entry.id >= next_id_) Push(std::move(entry));
}

}  // namespace pipewarden::alertmanager
