// Silences: a set of matchers and a span of time in which alerts that match do not notify. The model and the rules of
// Alertmanager's silence package: a silence is edited in place only while its matchers stay the same, else the old one
// expires and a new one with a new id stands; what has ended is kept for 120 h. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/matchers.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

enum class SilenceState { kPending, kActive, kExpired };
std::string_view SilenceStateText(SilenceState state);  // pending active expired

struct Silence {
  std::string id;  // a UUID
  Matchers matchers;
  core::WallTime starts_at{};
  core::WallTime ends_at{};  // it holds through this instant
  core::WallTime updated_at{};
  std::string created_by;
  std::string comment;

  SilenceState StateAt(core::WallTime now) const;
};

class Silences {
 public:
  // `keep` gets the record of each change, before Set or Expire return (for the journal).
  explicit Silences(std::function<void(std::string record)> keep = {}) : keep_(std::move(keep)) {}

  // A new silence (no id), or an edit of the one with this id. Gives the id under which it now stands: a new one where
  // it could not be edited in place. kInvalid: no matcher, all matchers match the empty value, an end in the past or
  // before the start; kNotFound: no silence has this id.
  core::Result<std::string> Set(Silence silence, core::WallTime now);
  // Ends it now; a pending one never starts. kNotFound; kInvalid where it has expired already.
  core::Result<void> Expire(std::string_view id, core::WallTime now);

  const Silence* Find(std::string_view id) const;
  std::vector<Silence> List() const;
  // Ids of the active silences that match; empty where none does.
  std::vector<std::string> SilencedBy(const core::Labels& labels, core::WallTime now, bool first_only = false) const;

  void Restore(std::string_view record);  // what `keep` got, without its type byte
  // Takes what another process kept where it is newer than what stands here, and keeps it.
  void Merge(std::string_view record);
  void Collect(core::WallTime now);  // forgets what ended more than 120 h ago
  // For a checkpoint: the records of about `count` entries from `cursor` on, which is moved; true while there are more.
  // What changes between two pieces is in the journal.
  bool WriteSome(std::string& cursor, std::size_t count, std::vector<std::string>& records) const;
  std::size_t size() const { return silences_.size(); }

  static constexpr char kRecordType = 'S';

 private:
  void Take(std::string_view record, bool merge);
  void Keep(const Silence& silence);

  std::function<void(std::string)> keep_;
  std::map<std::string, Silence, std::less<>> silences_;
};

}  // namespace pipewarden::alertmanager
