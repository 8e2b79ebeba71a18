#include "alertmanager/causes.h"

#include "alertmanager/records.h"
#include "core/time/civil_time.h"

namespace pipewarden::alertmanager {
namespace {

std::string Record(const std::string& component, core::WallTime since) {
  return RecordWriter(Causes::kRecordType).Text(component).Time(since).Take();
}

}  // namespace

std::string DownText(const DownComponent& down) {
  return down.name + " (down since " + core::FormatRfc3339(std::chrono::floor<std::chrono::seconds>(down.since)) + ")";
}

void Causes::Apply(Dependencies dependencies) {
  dependencies_ = std::move(dependencies);
  std::vector<std::string> gone;
  for (const auto& [name, down] : down_)
    if (!dependencies_.watched.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) Set(name, std::nullopt);
}

void Causes::Set(const std::string& component, std::optional<core::WallTime> down_since) {
  if (!down_since) {
    if (down_.erase(component) > 0) Keep(component, core::WallTime{});
    return;
  }
  // One that is known to be down is so since then: a restart of the agent is no recovery.
  if (down_.try_emplace(component, DownComponent{component, *down_since}).second) Keep(component, *down_since);
}

const DownComponent* Causes::SuppressedBy(const core::Labels& labels) const {
  if (down_.empty()) return nullptr;
  for (const core::LabelView label : labels) {
    const auto found = dependencies_.stands_on.find({std::string(label.name), std::string(label.value)});
    if (found == dependencies_.stands_on.end()) continue;
    for (const std::string& component : found->second)
      if (const auto down = down_.find(component); down != down_.end()) return &down->second;
  }
  return nullptr;
}

void Causes::Keep(const std::string& component, core::WallTime since) const {
  if (keep_) keep_(Record(component, since));
}

void Causes::Restore(std::string_view record) {
  RecordReader reader(record);
  std::string component = reader.Text();
  const core::WallTime since = reader.Time();
  if (!reader.ok()) return;
  if (since == core::WallTime{})
    down_.erase(component);
  else
    down_[component] = {component, since};
}

void Causes::Write(std::vector<std::string>& records) const {
  for (const auto& [name, down] : down_) records.push_back(Record(name, down.since));
}

}  // namespace pipewarden::alertmanager
