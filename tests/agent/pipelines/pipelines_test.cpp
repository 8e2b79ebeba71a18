// Pipelines on a jumping clock, with an executor whose steps take the time and end as the test says.
#include "agent/pipelines/pipelines.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sqlite3.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/async/task_group.h"
#include "core/time/civil_time.h"

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using core::Loop;
using core::Result;
using core::Task;
using core::WallTime;

WallTime At(const std::string& text) { return core::ParseRfc3339(text)->ToWall(); }

struct Script {  // of a step: how each attempt ends (the last goes on), and how long it takes
  std::vector<int> codes{0};
  core::Duration takes = 10s;
};

class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(Loop& loop) : loop_(loop) {}
  std::map<std::string, Script> scripts;
  std::vector<std::string> started;  // "daily/ingestion#1 2026-01-01T02:00:00Z"
  std::vector<AttemptSpec> specs;
  int unopened = 0;

  class Attempt final : public RunningAttempt {
   public:
    Attempt(FakeExecutor& owner, AttemptSpec spec) : owner_(owner), spec_(std::move(spec)) { ++owner_.unopened; }
    std::string handle() const override { return "fake"; }
    Result<void> Go() override {
      --owner_.unopened;
      owner_.started.push_back(spec_.pipeline + "/" + spec_.step + "#" + std::to_string(spec_.attempt) + " " +
                               core::FormatRfc3339(owner_.loop_.clock().Now()));
      return {};
    }
    Task<AttemptEnd> Wait() override {
      const Script script = owner_.scripts[spec_.pipeline + "/" + spec_.step];
      AttemptEnd end;
      end.kind = AttemptEnd::Kind::kExited;
      end.started = owner_.loop_.clock().Now();
      for (core::Duration left = script.takes; left > 0s && !cancelled_; left -= 1s) co_await owner_.loop_.Sleep(1s);
      end.ended = owner_.loop_.clock().Now();
      end.duration = end.ended - end.started;
      end.exit_code =
          script.codes[std::min<std::size_t>(static_cast<std::size_t>(spec_.attempt), script.codes.size()) - 1];
      end.reason = cancelled_ ? "cancelled" : "";
      end.message = cancelled_ ? "cancelled" : "exit code " + std::to_string(end.exit_code);
      co_return end;
    }
    void Cancel() override { cancelled_ = true; }

   private:
    FakeExecutor& owner_;
    AttemptSpec spec_;
    bool cancelled_ = false;
  };

  Task<Result<std::unique_ptr<RunningAttempt>>> Start(AttemptSpec spec) override {
    specs.push_back(spec);
    co_return std::make_unique<Attempt>(*this, std::move(spec));
  }
  Task<Result<std::unique_ptr<RunningAttempt>>> Adopt(std::string, std::string) override {
    co_return core::Fail(core::ErrorCode::kInternal, "not in this test");
  }

 private:
  Loop& loop_;
};

struct Fixture {
  core::JumpingClock clock{At("2026-01-01T00:00:00Z")};
  Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  std::shared_ptr<prometheus::Registry> registry;
  std::shared_ptr<FakeExecutor> executor = std::make_shared<FakeExecutor>(loop);
  std::filesystem::path folder;
  std::unique_ptr<Pipelines> pipelines;

  Fixture() {
    char name[] = "/tmp/pipewarden-pipelines-XXXXXX";
    folder = mkdtemp(name);
    Start();
  }
  ~Fixture() {
    Stop();
    std::filesystem::remove_all(folder);
  }
  void Start() {
    registry = std::make_shared<prometheus::Registry>();
    pipelines = std::make_unique<Pipelines>(
        loop, loop.logger(), registry,
        PipelinesOptions{.data_dir = folder.string(), .step_binary = "", .executor = executor});
    Await(pipelines->Open());
  }
  void Stop() {
    if (!pipelines) return;
    Await(pipelines->Stop());
    pipelines.reset();
  }
  template <class T>
  static Task<void> Keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  static Task<void> KeepVoid(Task<void> task, bool& done) {
    co_await std::move(task);
    done = true;
  }
  template <class T>
  T Await(Task<T> task) {
    core::TaskGroup group(loop);
    std::optional<T> result;
    group.Spawn("test", Keep(std::move(task), result));
    loop.RunReady();
    BOOST_REQUIRE(result.has_value());
    return std::move(*result);
  }
  void Await(Task<void> task) {
    core::TaskGroup group(loop);
    bool done = false;
    group.Spawn("test", KeepVoid(std::move(task), done));
    loop.RunReady();
    BOOST_REQUIRE(done);
  }
  void Apply(const std::string& yaml) {
    core::ConfigErrors errors;
    const auto node = core::ParseYaml(yaml, "/p.yml");
    BOOST_REQUIRE(node.has_value());
    auto configs = ReadPipelines(*node, errors);
    for (const std::string& line : errors.Lines()) BOOST_ERROR(line);
    pipelines->Apply(std::move(configs));
    loop.RunReady();
  }
  std::string Started() {
    std::string text;
    for (const std::string& one : executor->started) text += one + "\n";
    executor->started.clear();
    return text;
  }
  // "succeeded schedule 2026-01-01T02:00:00Z" a line, newest first.
  std::string History(const std::string& name) {
    const auto runs = Await(pipelines->History(name, 100));
    BOOST_REQUIRE(runs.has_value());
    std::string text;
    for (const RunStatus& run : *runs)
      text += std::string(RunStateName(run.state)) + " " + std::string(CauseName(run.cause)) + " " +
              core::FormatRfc3339(run.slot) + "\n";
    return text;
  }
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry->Collect()); }
  double Metric(const std::string& line) {
    const std::string text = Metrics();
    const std::size_t at = text.find("\n" + line + " ");
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, line + " is missing in\n" + text);
    return std::stod(text.substr(at + line.size() + 2));
  }
  PipelineStatus Status(const std::string& name) {
    for (const PipelineStatus& status : *pipelines->Snapshot())
      if (status.name == name) return status;
    BOOST_FAIL("no status of " + name);
    return {};
  }
};

constexpr char kDaily[] = R"(
daily:
  schedule: "0 2 * * *"
  steps:
    ingestion:  {run: x}
    processing: {run: x, after: [ingestion]}
    loader:     {run: x, after: [processing]}
)";

BOOST_FIXTURE_TEST_SUITE(pipelines, Fixture)

BOOST_AUTO_TEST_CASE(a_daily_pipeline_runs_on_time_in_order) {
  Apply(kDaily);
  BOOST_TEST((Status("daily").next_slot == At("2026-01-01T02:00:00Z")));
  loop.Advance(119min);
  BOOST_TEST(Started() == "");
  loop.Advance(2min);
  BOOST_TEST(Started() ==
             "daily/ingestion#1 2026-01-01T02:00:00Z\n"
             "daily/processing#1 2026-01-01T02:00:10Z\n"
             "daily/loader#1 2026-01-01T02:00:20Z\n");
  BOOST_TEST(History("daily") == "succeeded schedule 2026-01-01T02:00:00Z\n");
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_status{pipeline=\"daily\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_duration_seconds{pipeline=\"daily\",step=\"loader\"}") == 10);
  BOOST_TEST(Metric("pipewarden_pipeline_run_total{pipeline=\"daily\",status=\"succeeded\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_running{pipeline=\"daily\"}") == 0);
  const PipelineStatus status = Status("daily");
  BOOST_TEST((status.next_slot == At("2026-01-02T02:00:00Z")));
  BOOST_TEST((status.last_run->ended == At("2026-01-01T02:00:30Z")));
  BOOST_TEST(status.active_runs.empty());
}

BOOST_AUTO_TEST_CASE(thirty_days_in_a_moment) {
  Apply(kDaily);
  loop.Advance(24h * 30);
  BOOST_TEST(executor->started.size() == 90U);
}

BOOST_AUTO_TEST_CASE(the_environment_tells_slot_and_date) {
  Apply(R"(
daily:
  schedule: "0 2 * * *"
  env: {MODE: incremental, BOTH: pipeline}
  steps: {ingestion: {run: x, env: {BOTH: step}}}
)");
  loop.Advance(3h);
  BOOST_REQUIRE(executor->specs.size() == 1U);
  const auto& env = executor->specs[0].env;
  const std::set<std::string> all(env.begin(), env.end());
  for (const char* variable :
       {"EVENT_DATE=2025-12-31", "MODE=incremental", "BOTH=step", "PIPEWARDEN_PIPELINE=daily",
        "PIPEWARDEN_STEP=ingestion", "PIPEWARDEN_RUN_ID=1", "PIPEWARDEN_ATTEMPT=1",
        "PIPEWARDEN_SLOT=2026-01-01T02:00:00Z", "PIPEWARDEN_INTERVAL_START=2025-12-31T02:00:00Z"})
    BOOST_TEST(all.contains(variable), variable);
}

BOOST_AUTO_TEST_CASE(a_failed_step_is_retried_then_stops_the_rest) {
  executor->scripts["p/a"].codes = {1, 1, 0};
  executor->scripts["p/b"].codes = {4};
  Apply(R"(
p:
  schedule: "0 2 * * *"
  retries: {count: 2, delay: 60s, backoff: 2}
  steps:
    a: {run: x}
    b: {run: x, after: [a], retries: 0}
    c: {run: x, after: [b]}
)");
  loop.Advance(3h);
  BOOST_TEST(Started() ==
             "p/a#1 2026-01-01T02:00:00Z\np/a#2 2026-01-01T02:01:10Z\np/a#3 2026-01-01T02:03:20Z\np/b#1 "
             "2026-01-01T02:03:30Z\n");
  const auto runs = Await(pipelines->History("p", 1));
  BOOST_TEST((runs->at(0).state == RunState::kFailed));
  BOOST_TEST(runs->at(0).error == "step 'b': exit code 4");
  BOOST_TEST(runs->at(0).steps[0].attempts == 3);
  BOOST_TEST((runs->at(0).steps[2].state == StepState::kUpstreamFailed));
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_status{pipeline=\"p\"}") == 0);
  BOOST_TEST(Metric("pipewarden_pipeline_run_attempts_total{pipeline=\"p\",status=\"failed\",step=\"a\"}") == 2);
}

BOOST_AUTO_TEST_CASE(overlap_skip_tells_in_the_history) {
  executor->scripts["p/a"].takes = 90s;
  Apply("p: {schedule: '* * * * *', steps: {a: {run: x}}}");
  loop.Advance(4min + 30s);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T00:01:00Z\np/a#1 2026-01-01T00:03:00Z\n");
  BOOST_TEST(History("p") ==
             "skipped schedule 2026-01-01T00:04:00Z\nsucceeded schedule 2026-01-01T00:03:00Z\n"
             "skipped schedule 2026-01-01T00:02:00Z\nsucceeded schedule 2026-01-01T00:01:00Z\n");
}

BOOST_AUTO_TEST_CASE(overlap_queue_runs_each_in_turn) {
  executor->scripts["p/a"].takes = 90s;
  Apply("p: {schedule: '* * * * *', overlap: queue, steps: {a: {run: x}}}");
  loop.Advance(4min);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T00:01:00Z\np/a#1 2026-01-01T00:02:30Z\np/a#1 2026-01-01T00:04:00Z\n");
}

BOOST_AUTO_TEST_CASE(overlap_allow_runs_beside) {
  executor->scripts["p/a"].takes = 90s;
  Apply("p: {schedule: '* * * * *', overlap: allow, steps: {a: {run: x}}}");
  loop.Advance(2min);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T00:01:00Z\np/a#1 2026-01-01T00:02:00Z\n");
  BOOST_TEST(Status("p").active_runs.size() == 2U);
}

BOOST_AUTO_TEST_CASE(overlap_replace_cancels_the_run_before) {
  executor->scripts["p/a"].takes = 90s;
  Apply("p: {schedule: '* * * * *', overlap: replace, steps: {a: {run: x}}}");
  loop.Advance(2min + 30s);
  BOOST_TEST(History("p") == "running schedule 2026-01-01T00:02:00Z\ncancelled schedule 2026-01-01T00:01:00Z\n");
}

BOOST_AUTO_TEST_CASE(a_restart_loses_and_doubles_no_slot) {
  executor->scripts["p/a"].takes = 5s;
  Apply("p: {schedule: '* * * * *', catch_up: all, steps: {a: {run: x}}}");
  loop.Advance(2min + 30s);
  Stop();
  clock.Jump(3min);
  executor->started.clear();
  Start();
  Apply("p: {schedule: '* * * * *', catch_up: all, steps: {a: {run: x}}}");
  loop.Advance(1min);
  BOOST_TEST(History("p") ==
             "succeeded schedule 2026-01-01T00:06:00Z\nsucceeded catch_up 2026-01-01T00:05:00Z\n"
             "succeeded catch_up 2026-01-01T00:04:00Z\nsucceeded catch_up 2026-01-01T00:03:00Z\n"
             "succeeded schedule 2026-01-01T00:02:00Z\nsucceeded schedule 2026-01-01T00:01:00Z\n");
  BOOST_TEST(Metric("pipewarden_pipeline_slots_missed_total{pipeline=\"p\"}") == 0);
}

BOOST_AUTO_TEST_CASE(the_last_run_is_known_after_a_restart) {
  executor->scripts["daily/loader"].codes = {1};
  Apply(kDaily);
  loop.Advance(3h);
  Stop();
  Start();
  Apply(kDaily);
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_status{pipeline=\"daily\"}") == 0);
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_status{pipeline=\"daily\",step=\"processing\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_success_timestamp_seconds{pipeline=\"daily\",step=\"ingestion\"}") ==
             core::ToSeconds(At("2026-01-01T02:00:10Z").time_since_epoch()));
  BOOST_TEST((Status("daily").last_run->state == RunState::kFailed));
}

BOOST_AUTO_TEST_CASE(an_edited_schedule_replays_nothing) {
  Apply("p: {schedule: '0 * * * *', catch_up: all, steps: {a: {run: x}}}");
  loop.Advance(90min);
  Apply("p: {schedule: '15 * * * *', catch_up: all, steps: {a: {run: x}}}");
  Started();
  loop.Advance(1h);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T02:15:00Z\n");
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_fires_nothing_again) {
  Apply("p: {schedule: '* * * * *', steps: {a: {run: x}}}");
  loop.Advance(2min + 30s);
  Started();
  clock.StepWall(-1min);
  loop.Advance(40s);
  BOOST_TEST(Started() == "");
  loop.Advance(1min);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T00:03:00Z\n");
}

BOOST_AUTO_TEST_CASE(by_hand_with_an_environment) {
  Apply("initial: {once: true, steps: {a: {run: x}, b: {run: x, after: [a]}}}");
  const auto run = Await(pipelines->RunNow({.pipeline = "initial", .env = {{"MODE", "initial_load"}}}));
  BOOST_REQUIRE(run.has_value());
  loop.Advance(1min);
  BOOST_TEST(History("initial") == "succeeded manual 2026-01-01T00:00:00Z\n");
  const auto& env = executor->specs[0].env;
  BOOST_TEST((std::find(env.begin(), env.end(), "MODE=initial_load") != env.end()));

  const auto second = Await(pipelines->RunNow({.pipeline = "initial", .env = {}}));
  BOOST_TEST((second.error().code == core::ErrorCode::kLimit));
  BOOST_TEST(second.error().message.find("--again") != std::string::npos);
  BOOST_TEST(Await(pipelines->RunNow({.pipeline = "initial", .env = {}, .again = true})).has_value());
  for (const char* name : {"", "A B", "PIPEWARDEN_SLOT", "A=B", "LD_PRELOAD", "BASH_ENV", "ENV", "PATH", "IFS",
                           "PYTHONSTARTUP", "PERL5OPT", "SHELLOPTS"})
    BOOST_TEST((Await(pipelines->RunNow({.pipeline = "initial", .env = {{name, "x"}}, .again = true})).error().code ==
                core::ErrorCode::kInvalid));
  const auto unknown = Await(pipelines->RunNow({.pipeline = "intial", .env = {}}));
  BOOST_TEST(unknown.error().message == "there is no pipeline 'intial' (did you mean 'initial'?)");
  const auto no_step = Await(pipelines->RunNow({.pipeline = "initial", .env = {}, .steps = {"z"}, .again = true}));
  BOOST_TEST((no_step.error().code == core::ErrorCode::kNotFound));
}

BOOST_AUTO_TEST_CASE(by_hand_only_some_steps_of_a_slot) {
  Apply(kDaily);
  BOOST_TEST(Await(pipelines->RunNow(
                       {.pipeline = "daily", .env = {}, .steps = {"loader"}, .slot = At("2025-12-24T02:00:00Z")}))
                 .has_value());
  loop.Advance(1min);
  BOOST_TEST(Started() == "daily/loader#1 2026-01-01T00:00:00Z\n");
  const auto& env = executor->specs[0].env;
  BOOST_TEST((std::find(env.begin(), env.end(), "EVENT_DATE=2025-12-23") != env.end()));
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_ends) {
  executor->scripts["daily/ingestion"].takes = 1h;
  Apply(kDaily);
  const auto run = Await(pipelines->RunNow({.pipeline = "daily", .env = {}}));
  loop.Advance(1min);
  BOOST_TEST(Await(pipelines->Cancel(*run)).has_value());
  loop.Advance(5s);
  BOOST_TEST(History("daily") == "cancelled manual 2026-01-01T00:00:00Z\n");
  BOOST_TEST((Await(pipelines->Cancel(*run)).error().code == core::ErrorCode::kNotFound));
}

BOOST_AUTO_TEST_CASE(pause_and_resume_without_replay) {
  Apply("p: {schedule: '* * * * *', catch_up: all, steps: {a: {run: x}}}");
  BOOST_TEST(Await(pipelines->SetPaused("p", true)).has_value());
  loop.Advance(10min);
  BOOST_TEST(Started() == "");
  BOOST_TEST(!Status("p").next_slot);
  BOOST_TEST(Await(pipelines->SetPaused("p", false)).has_value());
  loop.Advance(1min);
  BOOST_TEST(Started() == "p/a#1 2026-01-01T00:11:00Z\n");
}

BOOST_AUTO_TEST_CASE(a_removed_pipeline_ends_its_run_and_its_series) {
  executor->scripts["daily/ingestion"].takes = 10min;
  Apply(kDaily);
  loop.Advance(2h + 1min);
  Apply("{}");
  BOOST_TEST(Status("daily").active_runs.size() == 1U);
  BOOST_TEST(Metric("pipewarden_pipeline_run_running{pipeline=\"daily\"}") == 1);
  loop.Advance(1h);
  BOOST_TEST(pipelines->Snapshot()->empty());
  BOOST_TEST(History("daily") == "succeeded schedule 2026-01-01T02:00:00Z\n");
  BOOST_TEST(Metrics().find("pipeline=\"daily\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_step_that_is_removed_while_it_runs_leaves_no_series) {
  executor->scripts["p/b"].takes = 10min;
  Apply("p: {steps: {a: {run: x}, b: {run: x}}}");
  Await(pipelines->RunNow({.pipeline = "p", .env = {}}));
  loop.Advance(1min);
  Apply("p: {steps: {a: {run: x}}}");
  BOOST_TEST(Metric("pipewarden_pipeline_run_running{pipeline=\"p\",step=\"b\"}") == 1);
  loop.Advance(1h);
  BOOST_TEST(Metrics().find("step=\"b\"") == std::string::npos);
  BOOST_TEST(Metric("pipewarden_pipeline_run_running{pipeline=\"p\"}") == 0);
  BOOST_TEST(Metric("pipewarden_pipeline_run_last_status{pipeline=\"p\",step=\"a\"}") == 1);
}

BOOST_AUTO_TEST_CASE(a_pipeline_that_was_removed_while_the_agent_was_down_has_no_series) {
  executor->scripts["daily/loader"].codes = {1};
  Apply(kDaily);
  loop.Advance(3h);
  executor->scripts["daily/ingestion"].takes = 3h;
  Await(pipelines->RunNow({.pipeline = "daily", .env = {}}));
  loop.Advance(5s);
  Stop();
  Start();
  Apply("{}");
  loop.Advance(1h);  // the run that was under way is lost, and ends
  BOOST_TEST(pipelines->Snapshot()->empty());
  BOOST_TEST(Metrics().find("pipeline=\"daily\"") == std::string::npos);
  Stop();
  Start();
  Apply("{}");
  BOOST_TEST(Metrics().find("pipeline=\"daily\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_running_run_keeps_its_configuration) {
  executor->scripts["p/a"].takes = 1min;
  Apply("p: {steps: {a: {run: x}, b: {run: [old], after: [a]}}}");
  Await(pipelines->RunNow({.pipeline = "p", .env = {}}));
  Apply("p: {steps: {a: {run: x}, b: {run: [new], after: [a]}}}");
  loop.Advance(2min);
  BOOST_REQUIRE(executor->specs.size() == 2U);
  BOOST_TEST(executor->specs[1].argv[0] == "old");
}

// Takes a table away, so that what needs it cannot be committed, and gives it back.
struct WithoutTable {
  WithoutTable(const std::filesystem::path& folder, std::string table) : table_(std::move(table)) {
    BOOST_REQUIRE(sqlite3_open((folder / "runs.db").c_str(), &database_) == SQLITE_OK);
    Run("ALTER TABLE " + table_ + " RENAME TO away");
  }
  ~WithoutTable() {
    Run("ALTER TABLE away RENAME TO " + table_);
    sqlite3_close(database_);
  }
  void Run(const std::string& sql) {
    BOOST_REQUIRE(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  std::string table_;
  sqlite3* database_ = nullptr;
};

BOOST_AUTO_TEST_CASE(nothing_starts_that_is_not_stored) {
  Apply(kDaily);
  {
    const WithoutTable gone(folder, "attempts");
    loop.Advance(2h + 10min);
    BOOST_TEST(Started() == "");
    BOOST_TEST(Metric("pipewarden_pipeline_store_up") == 0);
    BOOST_TEST(executor->specs.empty());
  }
  loop.Advance(1min);
  BOOST_TEST(Started().starts_with("daily/ingestion#1 2026-01-01T02:10:"));
  BOOST_TEST(Metric("pipewarden_pipeline_store_up") == 1);
}

BOOST_AUTO_TEST_CASE(a_slot_that_cannot_be_stored_is_not_lost) {
  Apply(kDaily);
  {
    const WithoutTable gone(folder, "runs");
    loop.Advance(2h + 10min);
    BOOST_TEST(Started() == "");
  }
  loop.Advance(1min);
  BOOST_TEST(History("daily") == "succeeded schedule 2026-01-01T02:00:00Z\n");
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_in_the_queue_survives_a_restart) {
  executor->scripts["p/a"].takes = 90s;
  const std::string yaml = "p: {schedule: '* * * * *', overlap: queue, steps: {a: {run: x}}}";
  Apply(yaml);
  loop.Advance(2min + 5s);
  BOOST_TEST(Status("p").active_runs.size() == 2U);
  Stop();
  Started();
  Start();
  Apply("{}");
  loop.Advance(5min);
  BOOST_TEST(History("p").starts_with("succeeded schedule 2026-01-01T00:02:00Z\n"));
}

BOOST_AUTO_TEST_CASE(a_stored_run_that_does_not_read_back_holds_up_nothing) {
  executor->scripts["p/a"].takes = 1h;
  Apply("p: {overlap: allow, steps: {a: {run: x}}}");
  Await(pipelines->RunNow({.pipeline = "p", .env = {}}));
  Await(pipelines->RunNow({.pipeline = "p", .env = {{"A", "b"}}}));
  Stop();
  sqlite3* database = nullptr;
  BOOST_REQUIRE(sqlite3_open((folder / "runs.db").c_str(), &database) == SQLITE_OK);
  BOOST_REQUIRE(sqlite3_exec(database, "UPDATE runs SET request = '{\"env\": [7]}' WHERE id = 1", nullptr, nullptr,
                             nullptr) == SQLITE_OK);
  sqlite3_close(database);
  Start();
  Apply("p: {steps: {a: {run: x}}}");
  const auto history = Await(pipelines->History("p", 10));
  BOOST_REQUIRE(history.has_value());
  BOOST_REQUIRE(history->size() == 1U);
  BOOST_TEST(history->at(0).id == 2);
}

BOOST_AUTO_TEST_CASE(history_is_bounded) {
  Apply("p: {schedule: '* * * * *', keep_runs: 3, steps: {a: {run: x}}}");
  loop.Advance(10min + 30s);
  BOOST_TEST(Await(pipelines->History("p", 100))->size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_broken_promise_is_told_also_when_nothing_runs) {
  executor->scripts["p/a"].codes = {1};
  Apply("p: {schedule: '0 2 * * *', sla: {finish_by: '05:00', max_duration: 1h}, steps: {a: {run: x}}}");
  BOOST_TEST(Metric("pipewarden_pipeline_run_late{pipeline=\"p\"}") == 0);
  loop.Advance(4h);
  BOOST_TEST(Metric("pipewarden_pipeline_run_late{pipeline=\"p\"}") == 0);
  BOOST_TEST(Metric("pipewarden_pipeline_run_deadline_timestamp_seconds{pipeline=\"p\"}") ==
             core::ToSeconds(At("2026-01-01T05:00:00Z").time_since_epoch()));
  BOOST_TEST(Metric("pipewarden_pipeline_run_outstanding{pipeline=\"p\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_promise_broken{pipeline=\"p\",promise=\"finish_by\"}") == 0);
  loop.Advance(61min);
  BOOST_TEST(Metric("pipewarden_pipeline_run_late{pipeline=\"p\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_promise_broken{pipeline=\"p\",promise=\"finish_by\"}") == 1);
  BOOST_TEST(Metric("pipewarden_pipeline_run_promise_broken{pipeline=\"p\",promise=\"max_duration\"}") == 0);
  executor->scripts["p/a"].codes = {0};
  Await(pipelines->RunNow({.pipeline = "p", .env = {}}));
  loop.Advance(1min);
  BOOST_TEST(Metric("pipewarden_pipeline_run_late{pipeline=\"p\"}") == 0);
  BOOST_TEST(Metric("pipewarden_pipeline_run_outstanding{pipeline=\"p\"}") == 0);
}

BOOST_AUTO_TEST_CASE(what_is_usual_is_told_by_the_runs_that_succeeded_over_a_restart) {
  Apply("p: {schedule: '* * * * *', steps: {a: {run: x}}}");
  executor->scripts["p/a"].takes = 20s;
  loop.Advance(3min);
  executor->scripts["p/a"].takes = 40s;
  loop.Advance(1min);
  const auto check = [&] {
    BOOST_TEST(Metric("pipewarden_pipeline_run_usual_runs{pipeline=\"p\"}") == 4);
    BOOST_TEST(Metric("pipewarden_pipeline_run_usual_duration_seconds{percentile=\"50\",pipeline=\"p\"}") == 20);
    BOOST_TEST(Metric("pipewarden_pipeline_run_usual_duration_seconds{percentile=\"95\",pipeline=\"p\"}") == 40);
  };
  loop.Advance(50s);
  check();
  Stop();
  Start();
  Apply("p: {schedule: '0 2 * * *', steps: {a: {run: x}}}");
  check();
}

BOOST_AUTO_TEST_CASE(the_path_of_an_output_leaves_its_run_for_no_name) {
  for (const char* attempt : {"runs/7/load.1", "runs/7/load.2", "runs/secret.1"}) {
    std::filesystem::create_directories(folder / attempt);
    std::ofstream(folder / attempt / "output") << "text";
  }
  BOOST_TEST(pipelines->LogPath(7, "load", 0).value() == (folder / "runs/7/load.2/output").string());
  BOOST_TEST(pipelines->LogPath(7, "load", 1).value() == (folder / "runs/7/load.1/output").string());
  for (const char* step : {"../secret", "", "lo"})
    BOOST_TEST((pipelines->LogPath(7, step, 1).error().code == core::ErrorCode::kNotFound), step);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
