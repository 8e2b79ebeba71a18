#include "alertmanager/alertmanager.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "alertmanager/alert_store.h"
#include "alertmanager/dispatcher.h"
#include "alertmanager/inhibitor.h"
#include "alertmanager/metrics.h"
#include "alertmanager/notification_log.h"
#include "alertmanager/notify.h"
#include "alertmanager/records.h"
#include "alertmanager/route.h"
#include "core/async/task_group.h"
#include "core/store/file_operations.h"
#include "core/store/journal.h"
#include "core/time/duration.h"

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;
using core::Alert;
using core::Result;
using core::WallTime;

// Types of the journal's records, beside those of Silences, NotificationLog and Inbox.
constexpr char kAlertRecord = 'A';
constexpr char kTimedOutRecord = 'T';  // the alert of this fingerprint resolved by its timeout, and that was acted on
constexpr char kForgottenRecord = 'F';

// A resolved alert is kept for so long, because sources tell it again for a quarter of an hour.
constexpr core::Duration kKeepResolved = 20min;
constexpr core::Duration kMaintenance = 15s;
constexpr std::size_t kRecordsPerTurn = 200;  // of a checkpoint; some 100 us

// Told as firing, at its last word.
bool SpokenOfAsFiring(const Alert& alert) { return alert.ends_at > alert.updated_at; }

}  // namespace

std::string_view AlertStateText(AlertState state) {
  switch (state) {
    case AlertState::kUnprocessed:
      return "unprocessed";
    case AlertState::kActive:
      return "active";
    case AlertState::kSuppressed:
      return "suppressed";
  }
  return "active";
}

std::vector<std::vector<Alert>> InTurns(std::vector<Alert> alerts) {
  std::vector<std::vector<Alert>> turns;
  if (alerts.size() <= kAlertsPerTurn) {
    if (!alerts.empty()) turns.push_back(std::move(alerts));
    return turns;
  }
  for (Alert& alert : alerts) {
    if (turns.empty() || turns.back().size() == kAlertsPerTurn) turns.emplace_back().reserve(kAlertsPerTurn);
    turns.back().push_back(std::move(alert));
  }
  return turns;
}

struct Alertmanager::State {
  State(core::Loop& loop_, core::HttpClient& http_, core::Logger logger_,
        std::shared_ptr<prometheus::Registry> registry, std::string data_dir_, std::string external_url_)
      : loop(loop_),
        http(http_),
        logger(std::move(logger_)),
        data_dir(std::move(data_dir_)),
        external_url(std::move(external_url_)),
        metrics(std::move(registry)),
        tasks(loop_),
        causes([this](std::string record) { Keep(std::move(record)); }),
        silences([this](std::string record) { Share(std::move(record)); }),
        log([this](std::string record) { Share(std::move(record)); }),
        inbox([this](std::string record) { Keep(std::move(record)); }),
        history([this](std::string record) { Keep(std::move(record)); }),
        dispatcher(loop_, tasks, [this](std::shared_ptr<Flush> flush) { BeginFlush(std::move(flush)); }),
        notifier({loop_, http, tasks, inhibitor, causes, silences, log, inbox, history, metrics, logger, external_url},
                 [this](const Flush& flush) { dispatcher.Done(flush); }) {}

  void Replay(std::string_view record);
  void Keep(std::string record);
  void Share(std::string record);
  void Keep(const std::vector<std::string>& records);
  core::Task<void> Checkpoint();
  struct StateWalk;
  bool WriteSome(StateWalk& walk, std::vector<std::string>& records) const;
  void BeginFlush(std::shared_ptr<Flush> flush);
  AlertView View(std::uint64_t fingerprint, const AlertPtr& alert, WallTime now, bool with_groups) const;
  AlertPtr Awake(std::uint64_t fingerprint, const AlertPtr& alert);
  void InsertSome();
  bool InsertStep();
  core::Task<void> InsertAll();
  core::Task<void> Maintain();
  void MaintainPiece(std::size_t& cursor);

  core::Loop& loop;
  core::HttpClient& http;
  core::Logger logger;
  std::string data_dir;
  std::string external_url;
  Metrics metrics;
  core::TaskGroup tasks;
  AlertStore store;
  Inhibitor inhibitor;
  Causes causes;
  Silences silences;
  NotificationLog log;
  alertmanager::Inbox inbox;
  History history;
  Dispatcher dispatcher;
  Notifier notifier;
  std::unique_ptr<Cluster> cluster;  // null: alone
  std::optional<core::Journal> journal;
  std::string journal_error;  // of the last write; "" where it went well
  std::shared_ptr<const RouteTree> tree;
  std::unordered_set<std::uint64_t> timed_out;           // fingerprints with a kTimedOutRecord
  std::optional<WallTime> awaken;                        // alerts of the journal fire on: those told up to then
  std::optional<std::size_t> insert_from;                // how far all alerts are inserted anew, after an Apply
  bool inserting = false;                                // InsertAll is under way
  std::size_t active = 0, suppressed = 0, resolved = 0;  // of the walk under way
};

void Alertmanager::State::Replay(std::string_view record) {
  if (record.empty()) return;
  const std::string_view body = record.substr(1);
  switch (record[0]) {
    case kAlertRecord:
      if (auto alert = ReadAlert(body); alert) {
        timed_out.erase(alert->Fingerprint());
        store.Restore(std::move(*alert));
      }
      break;
    case kTimedOutRecord:
      timed_out.insert(RecordReader(body).Number());
      break;
    case kForgottenRecord: {
      const std::uint64_t fingerprint = RecordReader(body).Number();
      store.Erase(fingerprint);
      timed_out.erase(fingerprint);
      break;
    }
    case Silences::kRecordType:
      silences.Restore(body);
      break;
    case NotificationLog::kRecordType:
      log.Restore(body);
      break;
    case alertmanager::Inbox::kRecordType:
      inbox.Restore(body);
      break;
    case Causes::kRecordType:
      causes.Restore(body);
      break;
    case History::kRecordType:
      history.Restore(body);
      break;
    default:
      logger.Warn("an unknown record in the journal of alerts is left out (written by a newer version?)");
      break;
  }
}

void Alertmanager::State::Keep(std::string record) { Keep(std::vector<std::string>{std::move(record)}); }

void Alertmanager::State::Share(std::string record) {
  if (cluster) cluster->Tell(record);
  Keep(std::move(record));
}

void Alertmanager::State::Keep(const std::vector<std::string>& records) {
  if (!journal || records.empty()) return;
  journal_error.clear();
  if (const Result<void> written = journal->Append(records); !written) {
    // Fail open: people are told all the same; only a restart would forget.
    metrics.JournalError();
    journal_error = written.error().message;
    logger.Error("the journal of alerts cannot be written; a restart would forget what changed now",
                 {{"error", written.error().message}});
  }
}

// How far the writing of a checkpoint has come.
struct Alertmanager::State::StateWalk {
  std::size_t alert = 0;
  std::string silence;
  NotificationLog::Cursor entry;
  std::uint64_t told = 0;
  std::uint64_t past = 0;
  enum { kAlerts, kSilences, kLog, kInbox, kHistory, kEnd } part = kAlerts;
};

// The next records of the state; false after the last ones.
bool Alertmanager::State::WriteSome(StateWalk& walk, std::vector<std::string>& records) const {
  bool more = false;
  switch (walk.part) {
    case StateWalk::kAlerts:
      store.Walk(walk.alert, kRecordsPerTurn, [&](std::uint64_t fingerprint, const AlertPtr& alert) {
        records.push_back(AlertRecord(kAlertRecord, *alert));
        if (timed_out.contains(fingerprint))
          records.push_back(RecordWriter(kTimedOutRecord).Number(fingerprint).Take());
      });
      more = walk.alert != 0;
      break;
    case StateWalk::kSilences:
      more = silences.WriteSome(walk.silence, kRecordsPerTurn, records);
      break;
    case StateWalk::kLog:
      more = log.WriteSome(walk.entry, kRecordsPerTurn, records);
      break;
    case StateWalk::kInbox:
      more = inbox.WriteSome(walk.told, kRecordsPerTurn, records);
      break;
    case StateWalk::kHistory:
      more = history.WriteSome(walk.past, kRecordsPerTurn, records);
      if (!more) causes.Write(records);
      break;
    case StateWalk::kEnd:
      break;
  }
  if (!more && walk.part != StateWalk::kEnd) walk.part = static_cast<decltype(walk.part)>(walk.part + 1);
  return walk.part != StateWalk::kEnd;
}

// The state is put into records a piece a turn, while alerts go on to come in, and written by the pool. What changes
// meanwhile is in the journal that follows the checkpoint, so that it does not matter which version a piece holds.
core::Task<void> Alertmanager::State::Checkpoint() {
  if (!journal) co_return;
  Result<std::unique_ptr<core::CheckpointWriter>> begun = journal->BeginCheckpoint();
  Result<void> written;
  if (begun) {
    core::CheckpointWriter& writer = **begun;
    StateWalk walk;
    for (bool more = true; more && written;) {
      std::vector<std::string> records;
      more = WriteSome(walk, records);
      written = co_await loop.Blocking([&] { return writer.Write(records); });
    }
    if (written) written = co_await loop.Blocking([&] { return writer.Finish(); });
    journal->EndCheckpoint(writer);
  } else {
    written = core::Fail(begun.error());
  }
  journal_error = written ? "" : written.error().message;
  if (!written) {
    metrics.JournalError();
    logger.Error("no checkpoint of the journal of alerts could be written", {{"error", written.error().message}});
  }
}

// Alerts of the journal that fired at their last word fire still: nobody could tell otherwise meanwhile. They get as
// long as a source is given between two words.
AlertPtr Alertmanager::State::Awake(std::uint64_t fingerprint, const AlertPtr& alert) {
  const WallTime until = *awaken + tree->config().resolve_timeout;
  if (alert->updated_at > *awaken || !SpokenOfAsFiring(*alert) || timed_out.contains(fingerprint) ||
      alert->ends_at >= until)
    return alert;
  Alert awake = *alert;
  awake.ends_at = until;
  awake.timeout = true;
  store.Restore(std::move(awake));
  return store.Find(fingerprint);
}

void Alertmanager::State::InsertSome() {
  std::vector<std::pair<std::uint64_t, AlertPtr>> some;
  store.Walk(*insert_from, kAlertsPerTurn,
             [&](std::uint64_t fingerprint, const AlertPtr& alert) { some.emplace_back(fingerprint, alert); });
  for (auto& [fingerprint, alert] : some) {
    if (awaken) alert = Awake(fingerprint, alert);
    inhibitor.Update(fingerprint, alert);
    dispatcher.Insert(fingerprint, alert);
  }
  if (*insert_from != 0) return;
  insert_from.reset();
  awaken.reset();
}

// After an Apply inhibitor and dispatcher get all alerts anew, in pieces; false: that is done.
bool Alertmanager::State::InsertStep() {
  if (!insert_from) return dispatcher.AdoptSome(kAlertsPerTurn);
  InsertSome();
  return true;
}

core::Task<void> Alertmanager::State::InsertAll() {
  while (InsertStep()) co_await loop.Sleep(core::Duration::zero());
  inserting = false;
}

void Alertmanager::State::BeginFlush(std::shared_ptr<Flush> flush) {
  std::vector<std::string> records;
  for (const auto& [fingerprint, alert] : flush->alerts) {
    if (!alert->ResolvedAt(flush->tick) || !SpokenOfAsFiring(*alert)) continue;
    if (timed_out.insert(fingerprint).second)
      records.push_back(RecordWriter(kTimedOutRecord).Number(fingerprint).Take());
  }
  Keep(records);
  notifier.Run(std::move(flush));
}

core::Task<void> Alertmanager::State::Maintain() {
  std::size_t cursor = 0;
  for (;;) {
    co_await loop.Sleep(kMaintenance);
    active = suppressed = resolved = 0;
    do {
      MaintainPiece(cursor);
      if (cursor != 0) co_await loop.Sleep(core::Duration::zero());
    } while (cursor != 0);
    metrics.SetAlerts(active, suppressed, resolved);
    log.Collect(loop.clock().Now());
    silences.Collect(loop.clock().Now());
    metrics.SetSizes(dispatcher.group_count(), inbox.size(), silences.size(), log.size());
    // One that is written after a failure holds what the journal lacks.
    if (journal && (journal->WantsCheckpoint() || !journal_error.empty())) co_await Checkpoint();
  }
}

// Counts some alerts for the metrics, and forgets those that resolved long ago and that no group holds any more (a
// group that could not tell yet holds them).
void Alertmanager::State::MaintainPiece(std::size_t& cursor) {
  const WallTime now = loop.clock().Now();
  std::vector<std::uint64_t> old;
  store.Walk(cursor, kAlertsPerTurn, [&](std::uint64_t fingerprint, const AlertPtr& alert) {
    if (!alert->ResolvedAt(now)) {
      const bool quiet = !inhibitor.InhibitedBy(alert->labels, now, true).empty() ||
                         causes.SuppressedBy(alert->labels) != nullptr ||
                         !silences.SilencedBy(alert->labels, now, true).empty();
      ++(quiet ? suppressed : active);
      return;
    }
    ++resolved;
    if (alert->ends_at + kKeepResolved > now) return;
    inhibitor.Erase(fingerprint, *alert);
    if (alert.use_count() == 1) old.push_back(fingerprint);
  });
  std::vector<std::string> records;
  for (const std::uint64_t fingerprint : old) {
    store.Erase(fingerprint);
    timed_out.erase(fingerprint);
    records.push_back(RecordWriter(kForgottenRecord).Number(fingerprint).Take());
  }
  Keep(records);
}

Alertmanager::Alertmanager(core::Loop& loop, core::HttpClient& http, core::Logger logger,
                           std::shared_ptr<prometheus::Registry> registry, std::string data_dir,
                           std::string external_url)
    : state_(std::make_unique<State>(loop, http, std::move(logger), std::move(registry), std::move(data_dir),
                                     std::move(external_url))) {}

Alertmanager::~Alertmanager() { state_->tasks.Cancel(); }

Result<void> Alertmanager::Open() {
  State& s = *state_;
  if (auto made = core::MakePrivateFolder(s.data_dir); !made) return made;
  auto journal =
      core::Journal::Open(s.data_dir, "alertmanager", [&](std::string_view record) { s.Replay(record); }, s.logger);
  if (!journal) return core::Fail(journal.error().Within("journal of alerts"));
  s.journal = std::move(*journal);
  s.awaken.emplace();  // until the first Apply says when
  return {};
}

void Alertmanager::Join(ClusterOptions options) {
  State& s = *state_;
  s.cluster = std::make_unique<Cluster>(s.loop, s.tasks, s.silences, s.log, s.logger, std::move(options));
  s.notifier.ShareWith(s.cluster.get());
  s.cluster->Start();
}

Cluster* Alertmanager::cluster() { return state_->cluster.get(); }

void Alertmanager::Apply(Config config) {
  State& s = *state_;
  const bool first = s.tree == nullptr;
  if (!first && s.tree->config().identity == config.identity && s.tree->config().inbox == config.inbox) return;
  while (s.insert_from) s.InsertSome();  // of an Apply just before
  auto shared = std::make_shared<const Config>(std::move(config));
  s.tree = std::make_shared<const RouteTree>(shared);
  s.inhibitor.Apply(shared);
  s.dispatcher.Apply(s.tree);
  if (s.awaken) s.awaken = s.loop.clock().Now();
  s.insert_from = 0;
  // Few alerts and groups are ready when this returns.
  if (s.InsertStep() && s.InsertStep() && !std::exchange(s.inserting, true))
    s.tasks.Spawn("alertmanager reload", s.InsertAll());
  if (first) s.tasks.Spawn("alertmanager maintenance", s.Maintain());
}

const Config& Alertmanager::config() const {
  static const Config kNone;
  return state_->tree == nullptr ? kNone : state_->tree->config();
}

void Alertmanager::ApplyDependencies(Dependencies dependencies) { state_->causes.Apply(std::move(dependencies)); }

void Alertmanager::SetComponent(const std::string& component, std::optional<WallTime> down_since) {
  state_->causes.Set(component, down_since);
}

Result<void> Alertmanager::Put(std::vector<Alert> alerts) {
  State& s = *state_;
  const WallTime now = s.loop.clock().Now();
  const core::Duration resolve_timeout = config().resolve_timeout;
  std::vector<std::string> records;
  std::string refused;
  std::vector<std::pair<std::uint64_t, AlertPtr>> taken;
  for (Alert& alert : alerts) {
    Result<Alert> normal = NormalizeAlert(std::move(alert), now, resolve_timeout);
    if (!normal) {
      s.metrics.Invalid();
      refused += (refused.empty() ? "" : "; ") + normal.error().message;
      continue;
    }
    s.metrics.Received(normal->ResolvedAt(now));
    const AlertStore::PutResult put = s.store.Put(std::move(*normal), now);
    s.timed_out.erase(put.fingerprint);
    if (put.worth_keeping) records.push_back(AlertRecord(kAlertRecord, *put.alert));
    taken.emplace_back(put.fingerprint, put.alert);
  }
  s.Keep(records);
  if (s.tree != nullptr) {
    for (const auto& [fingerprint, alert] : taken) {
      s.inhibitor.Update(fingerprint, alert);
      s.dispatcher.Insert(fingerprint, alert);
    }
  }
  if (!refused.empty()) return core::Fail(core::ErrorCode::kInvalid, refused);
  return {};
}

AlertView Alertmanager::State::View(std::uint64_t fingerprint, const AlertPtr& alert, WallTime now,
                                    bool with_groups) const {
  AlertView view;
  view.fingerprint = fingerprint;
  view.alert = alert;
  view.silenced_by = silences.SilencedBy(alert->labels, now);
  view.inhibited_by = inhibitor.InhibitedBy(alert->labels, now);
  if (const DownComponent* down = causes.SuppressedBy(alert->labels)) view.suppressed_by = *down;
  bool all_muted = tree != nullptr;
  if (tree == nullptr) view.state = AlertState::kUnprocessed;
  for (const Route* route : tree == nullptr ? std::vector<const Route*>{} : tree->Match(alert->labels)) {
    const std::string& receiver = route->receiver->name;
    if (std::ranges::find(view.receivers, receiver) == view.receivers.end()) view.receivers.push_back(receiver);
    if (with_groups) view.groups.push_back({receiver, route->GroupLabels(alert->labels), route->id});
    const std::vector<std::string> muted = MutedBy(*route, now);
    all_muted &= !muted.empty();
    view.muted_by.insert(view.muted_by.end(), muted.begin(), muted.end());
  }
  if (!all_muted) view.muted_by.clear();
  if (view.suppressed_by || !view.silenced_by.empty() || !view.inhibited_by.empty() || !view.muted_by.empty())
    view.state = AlertState::kSuppressed;
  return view;
}

namespace {

bool Wanted(const AlertFilter& filter, const AlertView& view) {
  if (!filter.active && view.state == AlertState::kActive) return false;
  if (!filter.unprocessed && view.state == AlertState::kUnprocessed) return false;
  if (!filter.silenced && !view.silenced_by.empty()) return false;
  // Clients of Alertmanager's API know no other word for an alert that another trouble keeps quiet.
  if (!filter.inhibited && (!view.inhibited_by.empty() || view.suppressed_by)) return false;
  if (!filter.muted && !view.muted_by.empty()) return false;
  return filter.receiver == nullptr || std::ranges::any_of(view.receivers, [&](const std::string& name) {
           return re2::RE2::PartialMatch(name, *filter.receiver);
         });
}

}  // namespace

std::vector<AlertView> Alertmanager::Alerts(const AlertFilter& filter, std::size_t& cursor, std::size_t count) const {
  const State& s = *state_;
  const WallTime now = s.loop.clock().Now();
  std::vector<AlertView> views;
  s.store.Walk(cursor, count, [&](std::uint64_t fingerprint, const AlertPtr& alert) {
    if (alert->ResolvedAt(now) || !MatchesAll(filter.matchers, alert->labels)) return;
    AlertView view = s.View(fingerprint, alert, now, filter.with_groups);
    if (Wanted(filter, view)) views.push_back(std::move(view));
  });
  return views;
}

std::vector<AlertView> Alertmanager::Alerts() const {
  std::size_t cursor = 0;
  std::vector<AlertView> views = Alerts({}, cursor, std::numeric_limits<std::size_t>::max() / 2);
  std::ranges::sort(views, {}, &AlertView::fingerprint);
  return views;
}

std::vector<core::Alert> Alertmanager::Known(std::size_t most) const {
  const WallTime now = state_->loop.clock().Now();
  std::vector<core::Alert> known;
  std::size_t cursor = 0;
  do {
    state_->store.Walk(cursor, most - known.size(), [&](std::uint64_t, const AlertPtr& alert) {
      if (!alert->timeout || !alert->ResolvedAt(now)) known.push_back(*alert);
    });
  } while (cursor != 0 && known.size() < most);
  return known;
}

std::vector<InboxEntry> Alertmanager::Inbox(std::size_t limit) const { return state_->inbox.List(limit); }

std::vector<std::string> Alertmanager::Sickness(core::Duration patience) const {
  const State& s = *state_;
  std::vector<std::string> sickness;
  if (!s.journal_error.empty()) sickness.push_back("the journal of alerts cannot be written: " + s.journal_error);
  const core::MonoTime now = s.loop.clock().Monotonic();
  for (const auto& [name, since] : s.notifier.failing()) {
    const ReceiverConfig* receiver = config().FindReceiver(name.substr(0, name.rfind('/')));
    if (receiver == nullptr || now - since < patience) continue;  // a reload has removed it
    sickness.push_back("no notification has got through " + name + " for " +
                       core::FormatDuration(std::chrono::floor<std::chrono::seconds>(now - since)));
  }
  return sickness;
}

std::optional<AlertExplanation> Alertmanager::Explain(std::uint64_t fingerprint) const {
  const State& s = *state_;
  if (s.tree == nullptr) return std::nullopt;
  return alertmanager::Explain(
      {s.loop.clock(), s.store, s.inhibitor, s.causes, s.silences, s.log, s.history, s.dispatcher, s.notifier}, *s.tree,
      fingerprint);
}

std::vector<HistoryEntry> Alertmanager::NotificationHistory(std::size_t limit) const {
  return state_->history.List(limit);
}

core::Task<Result<std::vector<SampleOutcome>>> Alertmanager::TestReceiver(std::string receiver) {
  return SendSample(state_->loop, state_->http, state_->tree->shared_config(), std::move(receiver),
                    state_->external_url);
}

Result<std::string> Alertmanager::SetSilence(Silence silence) {
  return state_->silences.Set(std::move(silence), state_->loop.clock().Now());
}
Result<void> Alertmanager::ExpireSilence(std::string_view id) {
  return state_->silences.Expire(id, state_->loop.clock().Now());
}
const Silences& Alertmanager::silences() const { return state_->silences; }

core::Task<void> Alertmanager::Stop(core::Duration deadline) {
  State& s = *state_;
  s.dispatcher.Stop();
  s.notifier.StopRetrying();
  const core::MonoTime until = s.loop.clock().Monotonic() + deadline;
  while (s.notifier.in_flight() > 0 && s.loop.clock().Monotonic() < until) co_await s.loop.Sleep(20ms);
  s.tasks.Cancel();
  co_await s.tasks.Join();
  co_await s.Checkpoint();
}

}  // namespace pipewarden::alertmanager
