#include "alertmanager/alert_store.h"

#include "alertmanager/records.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {

using core::Alert;
using core::ErrorCode;
using core::Fail;
using core::Result;
using core::WallTime;

Result<Alert> NormalizeAlert(Alert alert, WallTime now, core::Duration resolve_timeout) {
  alert.updated_at = now;
  if (alert.starts_at == WallTime{}) alert.starts_at = alert.ends_at == WallTime{} ? now : alert.ends_at;
  if (alert.ends_at == WallTime{}) {
    alert.timeout = true;
    alert.ends_at = now + resolve_timeout;
  }
  if (alert.labels.empty()) return Fail(ErrorCode::kInvalid, "alert without labels: give it at least an alertname");
  const auto told = [&] { return "alert " + alert.labels.ToString() + ": "; };
  if (alert.ends_at < alert.starts_at)
    return Fail(ErrorCode::kInvalid, told() + "it ends before it starts (startsAt must not be after endsAt)");
  for (const core::Labels* set : {&alert.labels, &alert.annotations})
    for (const core::LabelView label : *set)
      if (label.name.empty() || !core::IsValidUtf8(label.name) || !core::IsValidUtf8(label.value))
        return Fail(ErrorCode::kInvalid, told() + "names and values of labels and annotations must be valid UTF-8");
  return alert;
}

Alert MergeAlerts(const Alert& a, const Alert& b, WallTime now) {
  const bool b_is_younger = b.updated_at >= a.updated_at;
  const Alert& older = b_is_younger ? a : b;
  const Alert& younger = b_is_younger ? b : a;
  Alert merged = younger;
  if (older.starts_at < younger.starts_at) merged.starts_at = older.starts_at;
  if (younger.ResolvedAt(now)) {
    if (older.ResolvedAt(now) && older.ends_at > younger.ends_at) merged.ends_at = older.ends_at;
  } else if (older.ends_at > younger.ends_at && !older.timeout) {
    merged.ends_at = older.ends_at;
  }
  return merged;
}

AlertStore::PutResult AlertStore::Put(Alert alert, WallTime now) {
  PutResult result;
  result.fingerprint = alert.Fingerprint();
  AlertPtr& slot = SlotOf(result.fingerprint);
  result.previous = slot;
  if (slot != nullptr) {
    const Alert& old = *slot;
    const bool overlaps = (alert.ends_at > old.starts_at && alert.ends_at < old.ends_at) ||
                          (alert.starts_at > old.starts_at && alert.starts_at < old.ends_at);
    if (overlaps) alert = MergeAlerts(old, alert, now);
    // A refresh: the same alert, still firing, told again. After a restart its next refresh brings the end anew.
    result.worth_keeping = old.ResolvedAt(now) || alert.ResolvedAt(now) || old.starts_at != alert.starts_at ||
                           old.timeout != alert.timeout || old.generator_url != alert.generator_url ||
                           old.annotations != alert.annotations;
    if (old.ResolvedAt(now) && alert.ResolvedAt(now) && old.ends_at == alert.ends_at &&
        old.starts_at == alert.starts_at)
      result.worth_keeping = false;
  } else {
    result.worth_keeping = true;
  }
  slot = std::make_shared<const Alert>(std::move(alert));
  result.alert = slot;
  return result;
}

void AlertStore::Restore(Alert alert) {
  const std::uint64_t fingerprint = alert.Fingerprint();
  SlotOf(fingerprint) = std::make_shared<const Alert>(std::move(alert));
}

AlertPtr& AlertStore::SlotOf(std::uint64_t fingerprint) {
  const auto [at, fresh] = PlacesOf(fingerprint).try_emplace(fingerprint, 0);
  if (fresh) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    at->second = free_.back();
    free_.pop_back();
    slots_[at->second].fingerprint = fingerprint;
  }
  return slots_[at->second].alert;
}

bool AlertStore::Erase(std::uint64_t fingerprint) {
  Places& places = PlacesOf(fingerprint);
  const auto at = places.find(fingerprint);
  if (at == places.end()) return false;
  slots_[at->second].alert = nullptr;
  free_.push_back(at->second);
  places.erase(at);
  return true;
}

AlertPtr AlertStore::Find(std::uint64_t fingerprint) const {
  const Places& places = PlacesOf(fingerprint);
  const auto at = places.find(fingerprint);
  return at == places.end() ? nullptr : slots_[at->second].alert;
}

std::string AlertRecord(char type, const Alert& alert) {
  RecordWriter record(type);
  record.Labels(alert.labels).Labels(alert.annotations).Time(alert.starts_at).Time(alert.ends_at);
  record.Text(alert.generator_url).Time(alert.updated_at).Bool(alert.timeout);
  return record.Take();
}

Result<Alert> ReadAlert(std::string_view record) {
  RecordReader reader(record);
  Alert alert;
  alert.labels = reader.Labels();
  alert.annotations = reader.Labels();
  alert.starts_at = reader.Time();
  alert.ends_at = reader.Time();
  alert.generator_url = reader.Text();
  alert.updated_at = reader.Time();
  alert.timeout = reader.Bool();
  if (!reader.ok() || alert.labels.empty())
    return Fail(ErrorCode::kCorrupt, "an alert in the journal does not read back");
  return alert;
}

}  // namespace pipewarden::alertmanager
