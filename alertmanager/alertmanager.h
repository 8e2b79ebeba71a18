// Alerts to people: takes alerts, deduplicates, groups, inhibits, silences, routes and notifies as Alertmanager does,
// by its own configuration file, and keeps everything in a journal, so that a kill of the process forgets nothing:
// active alerts, silences, what was told to whom. What was not delivered yet follows from these two: an alert that is
// active and not in the log of notifications is told after the restart.
//
// Loop thread only; other threads post to it (core::Loop::Post). The parts handed in outlive it. Before it dies Stop()
// is awaited (or the loop has ended for good).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alertmanager/causes.h"
#include "alertmanager/cluster.h"
#include "alertmanager/config.h"
#include "alertmanager/explain.h"
#include "alertmanager/inbox.h"
#include "alertmanager/sample.h"
#include "alertmanager/silences.h"
#include "core/async/loop.h"
#include "core/logging.h"
#include "core/model/alert.h"
#include "core/net/http_client.h"
#include "core/result.h"

namespace prometheus {
class Registry;
}

namespace re2 {
class RE2;
}

namespace pipewarden::alertmanager {

enum class AlertState { kUnprocessed, kActive, kSuppressed };
std::string_view AlertStateText(AlertState state);  // unprocessed active suppressed

// A group of alerts that are notified together.
struct GroupView {
  std::string receiver;
  core::Labels labels;
  std::string route;  // its place in the tree
};

// An alert that has not resolved, with what keeps it quiet.
struct AlertView {
  std::uint64_t fingerprint = 0;
  AlertPtr alert;
  AlertState state = AlertState::kActive;
  std::optional<DownComponent> suppressed_by{};  // a component that it stands on
  std::vector<std::string> silenced_by;          // ids of silences
  std::vector<std::uint64_t> inhibited_by;       // fingerprints
  std::vector<std::string> muted_by;             // names of time intervals; where all its routes are muted
  std::vector<std::string> receivers;            // in the order of the tree, each once
  std::vector<GroupView> groups;                 // it is in; where asked for
};

// Which alerts are wanted. One that is kept quiet in several ways must be wanted in each.
struct AlertFilter {
  bool active = true;
  bool unprocessed = true;
  bool silenced = true;
  bool inhibited = true;
  bool muted = true;
  Matchers matchers;                           // all match
  std::shared_ptr<const re2::RE2> receiver{};  // finds one of the alert's receivers in it; null: whichever
  bool with_groups = false;
};

// Of how many alerts one turn of the loop takes care: a millisecond or two.
inline constexpr std::size_t kAlertsPerTurn = 250;
// Alerts to Put(), in pieces for a turn each.
std::vector<std::vector<core::Alert>> InTurns(std::vector<core::Alert> alerts);

class Alertmanager {
 public:
  // `registry` may be null. `external_url` stands in notifications ("http://host:9595").
  Alertmanager(core::Loop& loop, core::HttpClient& http, core::Logger logger,
               std::shared_ptr<prometheus::Registry> registry, std::string data_dir, std::string external_url);
  ~Alertmanager();
  Alertmanager(const Alertmanager&) = delete;
  Alertmanager& operator=(const Alertmanager&) = delete;

  // Tells people together with other processes from now on; see cluster.h. After Open(), before Apply().
  void Join(ClusterOptions options);
  Cluster* cluster();  // null where it is alone

  // Reads the journal in `data_dir` (made where absent). Before anything else.
  core::Result<void> Open();
  // The configuration in force from now on; the first call starts the notifying. Groups whose route has not changed
  // keep their rhythm; an equal configuration changes nothing. Many alerts are grouped anew a piece a turn, and nothing
  // is told until all are.
  void Apply(Config config);
  const Config& config() const;

  // What stands on what, and which components are down: see causes.h.
  void ApplyDependencies(Dependencies dependencies);
  void SetComponent(const std::string& component, std::optional<core::WallTime> down_since);

  // Alerts as their sources tell them: firing or resolved, new or told again. Valid ones are taken and in the journal
  // when it returns, also where others are refused: the error (kInvalid) names those.
  core::Result<void> Put(std::vector<core::Alert> alerts);

  // Why people might not be told now: the journal cannot be written, or nothing has got through an integration for
  // longer than `patience`. For people; empty where all is well.
  std::vector<std::string> Sickness(core::Duration patience) const;

  std::vector<AlertView> Alerts() const;  // sorted by fingerprint
  // The same in pieces, so that no turn of the loop is long: looks at `count` alerts from `cursor` on (0 at first) and
  // moves it; 0 again at the end. In no order; what comes or goes between two pieces may be missed.
  std::vector<AlertView> Alerts(const AlertFilter& filter, std::size_t& cursor, std::size_t count) const;
  // Up to `most` alerts as they were told, the resolved ones too, for whom they are handed over to: what only ran into
  // a timeout did so there as well, and is not among them.
  std::vector<core::Alert> Known(std::size_t most) const;
  std::vector<InboxEntry> Inbox(std::size_t limit = 1000) const;  // the newest first

  // See explain.h; nullopt: nobody knows an alert of this fingerprint.
  std::optional<AlertExplanation> Explain(std::uint64_t fingerprint) const;
  std::vector<HistoryEntry> NotificationHistory(std::size_t limit = History::kMaxEntries) const;  // the newest first

  // See SendSample. Cancelled before this dies.
  core::Task<core::Result<std::vector<SampleOutcome>>> TestReceiver(std::string receiver);

  core::Result<std::string> SetSilence(Silence silence);  // see Silences::Set
  core::Result<void> ExpireSilence(std::string_view id);
  const Silences& silences() const;

  // No new notifications; those under way are finished within `deadline` (none is tried again), the journal is written
  // whole. What was not delivered is told after the next start.
  core::Task<void> Stop(core::Duration deadline = std::chrono::seconds(10));

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::alertmanager
