#include "agent/pipelines/run_store.h"

#include <boost/asio.hpp>
#include <nlohmann/json.hpp>

#include "core/text/utf8.h"

namespace pipewarden::agent {
namespace {

using core::Database;
using core::Result;
using core::Statement;
using core::Task;
using core::WallTime;
using nlohmann::json;

constexpr std::string_view kMigrations[] = {R"sql(
  CREATE TABLE configs (id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, json TEXT NOT NULL);
  CREATE INDEX configs_by_pipeline ON configs (pipeline);
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline TEXT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL,
    slot_ms INTEGER NOT NULL, interval_start_ms INTEGER NOT NULL, scheduled INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0, config INTEGER NOT NULL, request TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '', steps TEXT NOT NULL DEFAULT '');
  CREATE UNIQUE INDEX runs_once_a_slot ON runs (pipeline, slot_ms) WHERE scheduled = 1;
  CREATE INDEX runs_by_pipeline ON runs (pipeline, id);
  CREATE INDEX runs_unfinished ON runs (state) WHERE state IN ('queued', 'running');
  CREATE TABLE attempts (
    run INTEGER NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, handle TEXT NOT NULL,
    intended_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    exit_code INTEGER NOT NULL, signal INTEGER NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL,
    cpu_seconds REAL NOT NULL, max_rss_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, step, attempt)) WITHOUT ROWID;
  CREATE TABLE watermarks (
    pipeline TEXT PRIMARY KEY, schedule TEXT NOT NULL, slot_ms INTEGER NOT NULL, paused INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE successes (
    pipeline TEXT NOT NULL, step TEXT NOT NULL, ended_ms INTEGER NOT NULL, PRIMARY KEY (pipeline, step)) WITHOUT ROWID;
)sql"};

constexpr std::string_view kAttemptStates[] = {"intended", "spawned", "ended", "lost"};
constexpr std::string_view kRunColumns =
    "r.id, r.cause, r.state, r.slot_ms, r.interval_start_ms, r.created_ms, r.started_ms, r.ended_ms, "
    "r.cancel_requested, "
    "c.json, r.request, r.error, r.steps FROM runs r JOIN configs c ON c.id = r.config ";

// The zero time is "not yet".
std::int64_t Ms(WallTime time) { return time == WallTime{} ? 0 : core::ToMs(time); }
WallTime Time(std::int64_t ms) { return ms == 0 ? WallTime{} : core::FromMs(ms); }

std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string RequestOf(const Run& run) {
  json env = json::array();
  for (const auto& [name, value] : run.env) env.push_back({name, value});
  return Dump({{"env", env}, {"only", run.only}});
}

// Runs of one statement, rows to `row`.
Result<void> Each(Statement& statement, const std::function<Result<void>(const Statement&)>& row) {
  for (;;) {
    const Result<bool> more = statement.Step();
    if (!more) return core::Fail(more.error());
    if (!*more) return {};
    if (Result<void> read = row(statement); !read) return read;
  }
}

// A configuration is stored once for all runs that have it: the pipeline's last ones are compared.
Result<std::int64_t> StoreConfig(Database& database, const PipelineConfig& config) {
  const std::string text = PipelineToJson(config);
  auto find = database.Prepare("SELECT id FROM configs WHERE pipeline = ? AND json = ?");
  if (!find) return core::Fail(find.error());
  const Result<bool> found = find->Bind(1, config.name).Bind(2, text).Step();
  if (!found) return core::Fail(found.error());
  if (*found) return find->Int(0);
  auto insert = database.Prepare("INSERT INTO configs (pipeline, json) VALUES (?, ?)");
  if (!insert) return core::Fail(insert.error());
  if (auto done = insert->Bind(1, config.name).Bind(2, text).Run(); !done) return core::Fail(done.error());
  return database.LastInsertId();
}

Result<RunId> InsertRun(Database& database, const Run& run) {
  const auto config = StoreConfig(database, *run.config);
  if (!config) return core::Fail(config.error());
  auto insert = database.Prepare(
      "INSERT OR IGNORE INTO runs (pipeline, cause, state, slot_ms, interval_start_ms, scheduled, created_ms, "
      "ended_ms, "
      "config, request, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return core::Fail(insert.error());
  insert->Bind(1, run.config->name).Bind(2, CauseName(run.cause)).Bind(3, RunStateName(run.state));
  insert->Bind(4, Ms(run.slot)).Bind(5, Ms(run.interval_start));
  insert->Bind(6, static_cast<std::int64_t>(run.cause == Cause::kManual ? 0 : 1)).Bind(7, Ms(run.created));
  insert->Bind(8, Ms(run.ended)).Bind(9, *config).Bind(10, RequestOf(run)).Bind(11, run.error);
  if (auto done = insert->Run(); !done) return core::Fail(done.error());
  return database.Changes() == 0 ? RunId{0} : database.LastInsertId();
}

Result<void> MoveWatermark(Database& database, const std::string& pipeline, WallTime slot) {
  auto update = database.Prepare("UPDATE watermarks SET slot_ms = max(slot_ms, ?) WHERE pipeline = ?");
  if (!update) return core::Fail(update.error());
  return update->Bind(1, Ms(slot)).Bind(2, pipeline).Run();
}

Result<void> UpdateRun(Database& database, const Run& run, const std::string& steps) {
  auto update =
      database.Prepare("UPDATE runs SET state = ?, started_ms = ?, ended_ms = ?, error = ?, steps = ? WHERE id = ?");
  if (!update) return core::Fail(update.error());
  update->Bind(1, RunStateName(run.state)).Bind(2, Ms(run.started)).Bind(3, Ms(run.ended)).Bind(4, run.error);
  return update->Bind(5, steps).Bind(6, run.id).Run();
}

Result<void> PutSuccess(Database& database, const std::string& pipeline, const std::string& step, WallTime ended) {
  auto put = database.Prepare(
      "INSERT INTO successes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET ended_ms = max(ended_ms, excluded.ended_ms)");
  if (!put) return core::Fail(put.error());
  return put->Bind(1, pipeline).Bind(2, step).Bind(3, Ms(ended)).Run();
}

Result<void> WriteAttempt(Database& database, const StoredAttempt& a) {
  auto put = database.Prepare("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!put) return core::Fail(put.error());
  put->Bind(1, a.run).Bind(2, a.step).Bind(3, static_cast<std::int64_t>(a.attempt));
  put->Bind(4, kAttemptStates[static_cast<int>(a.state)]).Bind(5, a.handle).Bind(6, Ms(a.intended));
  put->Bind(7, Ms(a.end.started)).Bind(8, Ms(a.end.ended)).Bind(9, a.end.duration.count());
  put->Bind(10, static_cast<std::int64_t>(a.end.exit_code)).Bind(11, static_cast<std::int64_t>(a.end.signal));
  put->Bind(12, a.end.reason).Bind(13, core::ToValidUtf8(a.end.message)).Bind(14, a.end.cpu_seconds);
  return put->Bind(15, a.end.max_rss_bytes).Run();
}

Result<std::vector<StoredAttempt>> ReadAttempts(Database& database, RunId run) {
  std::vector<StoredAttempt> attempts;
  auto select = database.Prepare(
      "SELECT step, attempt, state, handle, intended_ms, started_ms, ended_ms, duration_ns, exit_code, signal, reason, "
      "message, cpu_seconds, max_rss_bytes FROM attempts WHERE run = ? ORDER BY intended_ms, attempt");
  if (!select) return core::Fail(select.error());
  select->Bind(1, run);
  const Result<void> read = Each(*select, [&](const Statement& row) -> Result<void> {
    StoredAttempt a;
    a.run = run;
    a.step = row.Text(0);
    a.attempt = static_cast<int>(row.Int(1));
    const std::string state = row.Text(2);
    a.state = static_cast<AttemptState>(std::find(std::begin(kAttemptStates), std::end(kAttemptStates) - 1, state) -
                                        kAttemptStates);
    a.handle = row.Text(3);
    a.intended = Time(row.Int(4));
    a.end.kind = a.state == AttemptState::kEnded ? AttemptEnd::Kind::kExited : AttemptEnd::Kind::kLost;
    a.end.started = Time(row.Int(5));
    a.end.ended = Time(row.Int(6));
    a.end.duration = core::Duration(row.Int(7));
    a.end.exit_code = static_cast<int>(row.Int(8));
    a.end.signal = static_cast<int>(row.Int(9));
    a.end.reason = row.Text(10);
    a.end.message = row.Text(11);
    a.end.cpu_seconds = row.Float(12);
    a.end.max_rss_bytes = row.Int(13);
    attempts.push_back(std::move(a));
    return {};
  });
  if (!read) return core::Fail(read.error());
  return attempts;
}

// A row of kRunColumns.
Result<StoredRun> ReadRun(Database& database, const Statement& row) {
  StoredRun stored;
  stored.run = std::make_shared<Run>();
  Run& run = *stored.run;
  run.id = row.Int(0);
  auto config = PipelineFromJson(row.Text(9));
  if (!config) return core::Fail(config.error().Within("run " + std::to_string(run.id)));
  run.config = std::make_shared<const PipelineConfig>(std::move(*config));
  run.cause = ParseCause(row.Text(1)).value_or(Cause::kManual);
  run.state = ParseRunState(row.Text(2)).value_or(RunState::kFailed);
  run.slot = Time(row.Int(3));
  run.interval_start = Time(row.Int(4));
  run.created = Time(row.Int(5));
  run.started = Time(row.Int(6));
  run.ended = Time(row.Int(7));
  run.cancel_requested = row.Int(8) != 0;
  run.error = row.Text(11);
  const json request = json::parse(row.Text(10), nullptr, false);
  if (request.is_object()) {
    for (const json& pair : request.value("env", json::array())) run.env.emplace_back(pair.at(0), pair.at(1));
    run.only = request.value("only", std::vector<std::string>());
  }
  run.steps = MakeSteps(*run.config, run.only);
  const json steps = json::parse(row.Text(12), nullptr, false);
  if (steps.is_array()) {
    for (const json& step : steps) {
      stored.step_states.emplace_back(step.at(0), step.at(1));
      stored.step_errors[step.at(0)] = step.at(2);
    }
  }
  auto attempts = ReadAttempts(database, run.id);
  if (!attempts) return core::Fail(attempts.error());
  stored.attempts = std::move(*attempts);
  return stored;
}

// A run that does not read back is told as failed and left out: it must not keep the others from going on.
Result<std::vector<StoredRun>> ReadRuns(Database& database, Statement& select) {
  std::vector<StoredRun> runs;
  std::vector<std::pair<RunId, std::string>> broken;
  const Result<void> read = Each(select, [&](const Statement& row) -> Result<void> {
    Result<StoredRun> run;
    try {
      run = ReadRun(database, row);
    } catch (const json::exception& error) {
      run = core::Fail(core::ErrorCode::kCorrupt, std::string("it does not read back: ") + error.what());
    }
    if (run)
      runs.push_back(std::move(*run));
    else if (run.error().code == core::ErrorCode::kCorrupt)
      broken.emplace_back(row.Int(0), run.error().message);
    else
      return core::Fail(run.error());
    return {};
  });
  if (!read) return core::Fail(read.error());
  for (const auto& [id, message] : broken) {
    auto update =
        database.Prepare("UPDATE runs SET state = 'failed', error = ? WHERE id = ? AND state IN ('queued', 'running')");
    if (!update) return core::Fail(update.error());
    if (auto done = update->Bind(1, message).Bind(2, id).Run(); !done) return core::Fail(done.error());
  }
  return runs;
}

}  // namespace

// One request: its work, run in the pool within a transaction, and who waits for it. It owns all it touches, because
// the one who asked may be cancelled meanwhile.
struct RunStore::Request {
  explicit Request(core::Loop& loop) : done(loop.executor(), boost::asio::steady_timer::time_point::max()) {}
  std::function<Result<void>(Database&)> work;
  Result<void> outcome;
  bool ended = false;
  boost::asio::steady_timer done;
};

RunStore::RunStore(core::Loop& loop, core::Logger logger, Database database)
    : loop_(loop), logger_(std::move(logger)), database_(std::move(database)), tasks_(loop) {}
RunStore::~RunStore() = default;

Task<Result<std::unique_ptr<RunStore>>> RunStore::Open(core::Loop& loop, core::Logger logger, std::string path) {
  auto database =
      co_await loop.Blocking([&] { return Database::Open(path, kMigrations, core::Durability::kPower, logger); });
  if (!database) co_return core::Fail(database.error());
  co_return std::unique_ptr<RunStore>(new RunStore(loop, std::move(logger), std::move(*database)));
}

template <class T>
Task<Result<T>> RunStore::Do(std::function<Result<T>(Database&)> work) {
  auto request = std::make_shared<Request>(loop_);
  auto value = std::make_shared<std::optional<T>>();
  request->work = [work = std::move(work), value](Database& database) -> Result<void> {
    Result<T> result = work(database);
    if (!result) return core::Fail(result.error());
    value->emplace(std::move(*result));
    return {};
  };
  pending_.push_back(request);
  if (!flushing_) {
    flushing_ = true;
    tasks_.Spawn("run store", Flush());
  }
  if (!request->ended) co_await request->done.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (!request->ended) throw boost::system::system_error(boost::asio::error::operation_aborted);  // cancelled
  if (!request->outcome) co_return core::Fail(request->outcome.error());
  co_return std::move(**value);
}

// An exception is our own error and that of one request: it must not end the flushing, for which all others wait.
Result<void> RunStore::Guarded(Request& request, Database& database) {
  try {
    return request.work(database);
  } catch (const std::exception& error) {
    return core::Fail(core::ErrorCode::kInternal, std::string("internal error: ") + error.what());
  }
}

Task<void> RunStore::Flush() {
  co_await boost::asio::post(loop_.executor(),
                             boost::asio::use_awaitable);  // what this turn asks for is one transaction
  while (!pending_.empty()) {
    const std::vector<std::shared_ptr<Request>> batch = std::move(pending_);
    pending_.clear();
    co_await loop_.Blocking([this, &batch] {
      const Result<void> all = database_.Transaction([&]() -> Result<void> {
        for (const auto& request : batch) {
          request->outcome = Guarded(*request, database_);
          if (!request->outcome) return request->outcome;
        }
        return {};
      });
      if (all) return;
      for (const auto& request : batch)
        request->outcome = database_.Transaction([&] { return Guarded(*request, database_); });
    });
    bool failed = false;
    for (const auto& request : batch) {
      if (!request->outcome) {
        failed = true;
        if (healthy_)
          logger_.Error("the database of runs does not commit", {{"error", request->outcome.error().message}});
      }
      request->ended = true;
      request->done.cancel();
    }
    healthy_ = !failed;
  }
  flushing_ = false;
}

Task<void> RunStore::Close() { co_await tasks_.Join(); }

namespace {
struct Nothing {};
Result<Nothing> Done(const Result<void>& result) {
  if (!result) return core::Fail(result.error());
  return Nothing{};
}
Result<void> Plain(const Result<Nothing>& result) {
  if (!result) return core::Fail(result.error());
  return {};
}
}  // namespace

Task<Result<std::vector<RunId>>> RunStore::Create(std::vector<std::shared_ptr<const Run>> runs,
                                                  std::optional<WallTime> watermark) {
  using Ids = std::vector<RunId>;
  co_return co_await Do<Ids>([runs = std::move(runs), watermark](Database& database) -> Result<Ids> {
    Ids ids;
    for (const auto& run : runs) {
      const auto id = InsertRun(database, *run);
      if (!id) return core::Fail(id.error());
      ids.push_back(*id);
    }
    if (watermark && !runs.empty())
      if (auto moved = MoveWatermark(database, runs[0]->config->name, *watermark); !moved)
        return core::Fail(moved.error());
    return ids;
  });
}

Task<Result<void>> RunStore::Update(const Run& run) {
  json steps = json::array();
  if (IsFinal(run.state))
    for (const StepRun& step : run.steps)
      steps.push_back({run.ConfigOf(step).name, StepStateName(step.state), step.error});
  const std::string text = Dump(steps);
  const auto copy = std::make_shared<const Run>(run);
  co_return Plain(co_await Do<Nothing>([copy, text](Database& database) -> Result<Nothing> {
    if (auto updated = UpdateRun(database, *copy, text); !updated) return core::Fail(updated.error());
    if (!IsFinal(copy->state)) return Nothing{};
    const std::string& pipeline = copy->config->name;
    if (copy->state == RunState::kSucceeded && copy->only.empty())
      if (auto put = PutSuccess(database, pipeline, "", copy->ended); !put) return core::Fail(put.error());
    for (const StepRun& step : copy->steps) {
      if (step.state != StepState::kSucceeded) continue;
      if (auto put = PutSuccess(database, pipeline, copy->ConfigOf(step).name, step.ended); !put)
        return core::Fail(put.error());
    }
    return Nothing{};
  }));
}

Task<Result<void>> RunStore::RequestCancel(RunId run) {
  co_return Plain(co_await Do<Nothing>([run](Database& database) -> Result<Nothing> {
    auto update = database.Prepare("UPDATE runs SET cancel_requested = 1 WHERE id = ?");
    if (!update) return core::Fail(update.error());
    return Done(update->Bind(1, run).Run());
  }));
}

Task<Result<void>> RunStore::PutAttempt(StoredAttempt attempt) {
  co_return Plain(co_await Do<Nothing>(
      [attempt = std::move(attempt)](Database& database) { return Done(WriteAttempt(database, attempt)); }));
}

Task<Result<std::map<std::string, Watermark>>> RunStore::Watermarks() {
  using Map = std::map<std::string, Watermark>;
  co_return co_await Do<Map>([](Database& database) -> Result<Map> {
    Map map;
    auto select = database.Prepare("SELECT pipeline, schedule, slot_ms, paused FROM watermarks");
    if (!select) return core::Fail(select.error());
    const auto read = Each(*select, [&](const Statement& row) -> Result<void> {
      map[row.Text(0)] = {.schedule = row.Text(1), .slot = core::FromMs(row.Int(2)), .paused = row.Int(3) != 0};
      return {};
    });
    if (!read) return core::Fail(read.error());
    return map;
  });
}

Task<Result<void>> RunStore::PutWatermark(std::string pipeline, Watermark watermark) {
  co_return Plain(co_await Do<Nothing>([pipeline, watermark](Database& database) -> Result<Nothing> {
    auto put = database.Prepare("INSERT OR REPLACE INTO watermarks VALUES (?, ?, ?, ?)");
    if (!put) return core::Fail(put.error());
    put->Bind(1, pipeline).Bind(2, watermark.schedule).Bind(3, core::ToMs(watermark.slot));
    return Done(put->Bind(4, static_cast<std::int64_t>(watermark.paused ? 1 : 0)).Run());
  }));
}

Task<Result<void>> RunStore::DropWatermark(std::string pipeline) {
  co_return Plain(co_await Do<Nothing>([pipeline](Database& database) -> Result<Nothing> {
    auto drop = database.Prepare("DELETE FROM watermarks WHERE pipeline = ?");
    if (!drop) return core::Fail(drop.error());
    return Done(drop->Bind(1, pipeline).Run());
  }));
}

Task<Result<std::vector<StoredRun>>> RunStore::Unfinished() {
  using Runs = std::vector<StoredRun>;
  co_return co_await Do<Runs>([](Database& database) -> Result<Runs> {
    auto select =
        database.Prepare("SELECT " + std::string(kRunColumns) + "WHERE r.state IN ('queued', 'running') ORDER BY r.id");
    if (!select) return core::Fail(select.error());
    return ReadRuns(database, *select);
  });
}

Task<Result<std::vector<StoredRun>>> RunStore::History(std::string pipeline, std::size_t limit) {
  using Runs = std::vector<StoredRun>;
  co_return co_await Do<Runs>([pipeline, limit](Database& database) -> Result<Runs> {
    auto select =
        database.Prepare("SELECT " + std::string(kRunColumns) + "WHERE r.pipeline = ? ORDER BY r.id DESC LIMIT ?");
    if (!select) return core::Fail(select.error());
    select->Bind(1, pipeline).Bind(2, static_cast<std::int64_t>(limit));
    return ReadRuns(database, *select);
  });
}

Task<Result<std::vector<RunStore::Last>>> RunStore::LastRuns() {
  using Lasts = std::vector<Last>;
  co_return co_await Do<Lasts>([](Database& database) -> Result<Lasts> {
    auto select = database.Prepare("SELECT " + std::string(kRunColumns) +
                                   "WHERE r.id IN (SELECT max(id) FROM runs WHERE state IN "
                                   "('succeeded', 'failed', 'cancelled') GROUP BY pipeline)");
    if (!select) return core::Fail(select.error());
    auto runs = ReadRuns(database, *select);
    if (!runs) return core::Fail(runs.error());
    auto successes = database.Prepare("SELECT step, ended_ms FROM successes WHERE pipeline = ?");
    if (!successes) return core::Fail(successes.error());
    Lasts lasts;
    for (StoredRun& run : *runs) {
      Last last{.run = std::move(run), .successes = {}};
      successes->Bind(1, last.run.run->config->name);
      const auto read = Each(*successes, [&](const Statement& row) -> Result<void> {
        last.successes[row.Text(0)] = Time(row.Int(1));
        return {};
      });
      if (!read) return core::Fail(read.error());
      lasts.push_back(std::move(last));
    }
    return lasts;
  });
}

Task<Result<RunStore::Durations>> RunStore::SuccessfulDurations(int most) {
  co_return co_await Do<Durations>([most](Database& database) -> Result<Durations> {
    auto select = database.Prepare(
        "SELECT pipeline, ended_ms - started_ms FROM (SELECT id, pipeline, started_ms, ended_ms, row_number() OVER "
        "(PARTITION BY pipeline ORDER BY id DESC) AS place FROM runs WHERE state = 'succeeded' AND started_ms > 0 AND "
        "request LIKE '%\"only\":[]%') WHERE place <= ? ORDER BY id");
    if (!select) return core::Fail(select.error());
    select->Bind(1, static_cast<std::int64_t>(most));
    Durations durations;
    const auto read = Each(*select, [&](const Statement& row) -> Result<void> {
      durations[std::string(row.Text(0))].push_back(std::chrono::milliseconds(row.Int(1)));
      return {};
    });
    if (!read) return core::Fail(read.error());
    return durations;
  });
}

Task<Result<bool>> RunStore::HasSucceeded(std::string pipeline) {
  co_return co_await Do<bool>([pipeline](Database& database) -> Result<bool> {
    auto select = database.Prepare("SELECT 1 FROM successes WHERE pipeline = ? AND step = ''");
    if (!select) return core::Fail(select.error());
    return select->Bind(1, pipeline).Step();
  });
}

Task<Result<std::vector<RunId>>> RunStore::Prune(std::string pipeline, int keep, WallTime before) {
  using Ids = std::vector<RunId>;
  co_return co_await Do<Ids>([pipeline, keep, before](Database& database) -> Result<Ids> {
    // At most so many at a time: a commit must not stand long before a start.
    auto select = database.Prepare(
        "SELECT id FROM runs WHERE pipeline = ?1 AND state NOT IN ('queued', 'running') AND (ended_ms < ?2 OR id <= "
        "(SELECT id FROM runs WHERE pipeline = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3)) ORDER BY id LIMIT 200");
    if (!select) return core::Fail(select.error());
    Ids ids;
    select->Bind(1, pipeline).Bind(2, Ms(before)).Bind(3, static_cast<std::int64_t>(keep));
    const auto read = Each(*select, [&](const Statement& row) -> Result<void> {
      ids.push_back(row.Int(0));
      return {};
    });
    if (!read) return core::Fail(read.error());
    for (const char* sql : {"DELETE FROM attempts WHERE run = ?", "DELETE FROM runs WHERE id = ?"}) {
      auto remove = database.Prepare(sql);
      if (!remove) return core::Fail(remove.error());
      for (const RunId id : ids)
        if (auto done = remove->Bind(1, id).Run(); !done) return core::Fail(done.error());
    }
    auto configs = database.Prepare(
        "DELETE FROM configs WHERE pipeline = ? AND id NOT IN (SELECT config FROM runs WHERE pipeline = ?)");
    if (!configs) return core::Fail(configs.error());
    if (!ids.empty())
      if (auto done = configs->Bind(1, pipeline).Bind(2, pipeline).Run(); !done) return core::Fail(done.error());
    return ids;
  });
}

Task<Result<std::vector<RunId>>> RunStore::Missing(std::vector<RunId> runs) {
  using Ids = std::vector<RunId>;
  co_return co_await Do<Ids>([runs = std::move(runs)](Database& database) -> Result<Ids> {
    auto select = database.Prepare("SELECT 1 FROM runs WHERE id = ?");
    if (!select) return core::Fail(select.error());
    Ids missing;
    for (const RunId id : runs) {
      const Result<bool> there = select->Bind(1, id).Step();
      if (!there) return core::Fail(there.error());
      if (!*there)
        missing.push_back(id);
      else if (auto end = select->Step(); !end)
        return core::Fail(end.error());  // to its end, so that it can be bound anew
    }
    return missing;
  });
}

}  // namespace pipewarden::agent
