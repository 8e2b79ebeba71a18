#include "alertmanager/silences.h"

#include <algorithm>
#include <random>

#include "alertmanager/records.h"

namespace pipewarden::alertmanager {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Result;
using core::WallTime;

constexpr std::chrono::hours kRetention{120};
constexpr std::size_t kMaxMerged = 100'000;  // beyond it others' new ones are not taken

std::string NewUuid() {
  std::random_device random;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
  for (char& c : id) {
    if (c == 'x') c = kHex[random() & 0xFU];
    if (c == 'y') c = kHex[8U + (random() & 0x3U)];
  }
  return id;
}

Result<void> Validate(const Silence& silence) {
  if (silence.matchers.empty()) return Fail(ErrorCode::kInvalid, "a silence needs at least one matcher");
  // As Alertmanager: a negative one is never taken to match it.
  if (std::ranges::all_of(silence.matchers, [](const core::Matcher& matcher) {
        const bool negative = matcher.op() == core::MatchOp::kNotEqual || matcher.op() == core::MatchOp::kNotRegex;
        return !negative && matcher.MatchesEmpty();
      }))
    return Fail(ErrorCode::kInvalid, "at least one matcher must not match the empty string");
  if (silence.ends_at < silence.starts_at) return Fail(ErrorCode::kInvalid, "end time must not be before start time");
  return {};
}

// Whether `next` may replace `old` under the same id.
bool CanEdit(const Silence& old, const Silence& next, WallTime now) {
  if (old.matchers != next.matchers) return false;
  switch (old.StateAt(now)) {
    case SilenceState::kActive:
      return std::chrono::floor<std::chrono::seconds>(old.starts_at) ==
                 std::chrono::floor<std::chrono::seconds>(next.starts_at) &&
             next.ends_at >= now;
    case SilenceState::kPending:
      return next.starts_at >= now;
    case SilenceState::kExpired:
      return false;
  }
  return false;
}

}  // namespace

std::string_view SilenceStateText(SilenceState state) {
  switch (state) {
    case SilenceState::kPending:
      return "pending";
    case SilenceState::kActive:
      return "active";
    case SilenceState::kExpired:
      return "expired";
  }
  return "expired";
}

SilenceState Silence::StateAt(WallTime now) const {
  if (now < starts_at) return SilenceState::kPending;
  return now > ends_at ? SilenceState::kExpired : SilenceState::kActive;
}

Result<std::string> Silences::Set(Silence silence, WallTime now) {
  SortMatchers(silence.matchers);
  silence.updated_at = now;
  if (silence.id.empty()) {
    if (silence.starts_at < now) silence.starts_at = now;
  } else {
    const auto old = silences_.find(silence.id);
    if (old == silences_.end()) return Fail(ErrorCode::kNotFound, "silence '" + silence.id + "' not found");
    if (CanEdit(old->second, silence, now)) {
      if (auto valid = Validate(silence); !valid) return Fail(valid.error());
      old->second = silence;
      Keep(silence);
      return silence.id;
    }
    if (silence.starts_at < now) silence.starts_at = now;
    if (auto valid = Validate(silence); !valid) return Fail(valid.error());
    if (silence.ends_at < now) return Fail(ErrorCode::kInvalid, "end time can't be in the past");
    if (old->second.StateAt(now) != SilenceState::kExpired)
      if (auto expired = Expire(silence.id, now); !expired) return Fail(expired.error());
  }
  if (auto valid = Validate(silence); !valid) return Fail(valid.error());
  if (silence.ends_at < now) return Fail(ErrorCode::kInvalid, "end time can't be in the past");
  silence.id = NewUuid();
  Keep(silence);
  std::string id = silence.id;
  silences_.emplace(id, std::move(silence));
  return id;
}

Result<void> Silences::Expire(std::string_view id, WallTime now) {
  const auto at = silences_.find(id);
  if (at == silences_.end()) return Fail(ErrorCode::kNotFound, "silence '" + std::string(id) + "' not found");
  Silence& silence = at->second;
  switch (silence.StateAt(now)) {
    case SilenceState::kExpired:
      return Fail(ErrorCode::kInvalid, "silence '" + std::string(id) + "' has expired already");
    case SilenceState::kPending:
      silence.starts_at = now;
      [[fallthrough]];
    case SilenceState::kActive:
      silence.ends_at = now - core::Duration(1);
      break;  // it holds through its end
  }
  if (silence.starts_at > silence.ends_at) silence.starts_at = silence.ends_at;
  silence.updated_at = now;
  Keep(silence);
  return {};
}

const Silence* Silences::Find(std::string_view id) const {
  const auto at = silences_.find(id);
  return at == silences_.end() ? nullptr : &at->second;
}

std::vector<Silence> Silences::List() const {
  std::vector<Silence> list;
  for (const auto& [id, silence] : silences_) list.push_back(silence);
  return list;
}

std::vector<std::string> Silences::SilencedBy(const core::Labels& labels, WallTime now, bool first_only) const {
  std::vector<std::string> found;
  for (const auto& [id, silence] : silences_) {
    if (silence.StateAt(now) != SilenceState::kActive || !MatchesAll(silence.matchers, labels)) continue;
    found.push_back(id);
    if (first_only) break;
  }
  return found;
}

void Silences::Collect(WallTime now) {
  std::erase_if(silences_, [&](const auto& entry) { return entry.second.ends_at + kRetention < now; });
}

namespace {

std::string Record(const Silence& silence) {
  RecordWriter record(Silences::kRecordType);
  record.Text(silence.id).Number(silence.matchers.size());
  for (const core::Matcher& matcher : silence.matchers)
    record.Text(matcher.name()).Number(static_cast<std::uint64_t>(matcher.op())).Text(matcher.value());
  record.Time(silence.starts_at).Time(silence.ends_at).Time(silence.updated_at);
  record.Text(silence.created_by).Text(silence.comment);
  return record.Take();
}

}  // namespace

void Silences::Keep(const Silence& silence) {
  if (keep_) keep_(Record(silence));
}

bool Silences::WriteSome(std::string& cursor, std::size_t count, std::vector<std::string>& records) const {
  auto at = silences_.upper_bound(cursor);
  for (; at != silences_.end() && count > 0; ++at, --count) {
    records.push_back(Record(at->second));
    cursor = at->first;
  }
  return at != silences_.end();
}

void Silences::Restore(std::string_view record) { Take(record, false); }
void Silences::Merge(std::string_view record) { Take(record, true); }

void Silences::Take(std::string_view record, bool merge) {
  RecordReader reader(record);
  Silence silence;
  silence.id = reader.Text();
  struct Text {
    std::string name;
    core::MatchOp op;
    std::string value;
  };
  std::vector<Text> matchers;
  for (std::uint64_t left = reader.Number(); reader.ok() && left > 0; --left) {
    std::string name = reader.Text();
    const auto op = static_cast<core::MatchOp>(reader.Number() & 3U);
    matchers.push_back({std::move(name), op, reader.Text()});
  }
  silence.starts_at = reader.Time();
  silence.ends_at = reader.Time();
  silence.updated_at = reader.Time();
  silence.created_by = reader.Text();
  silence.comment = reader.Text();
  if (!reader.ok() || silence.id.empty()) return;
  if (merge) {
    const Silence* known = Find(silence.id);
    if (known != nullptr ? known->updated_at >= silence.updated_at : silences_.size() >= kMaxMerged) return;
  }
  for (Text& text : matchers) {
    auto matcher = core::Matcher::Make(std::move(text.name), text.op, std::move(text.value), false);
    if (!matcher) return;  // written by a build whose RE2 took more than ours
    silence.matchers.push_back(std::move(*matcher));
  }
  if (merge) Keep(silence);
  silences_.insert_or_assign(silence.id, std::move(silence));
}

}  // namespace pipewarden::alertmanager
