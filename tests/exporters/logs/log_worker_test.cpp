// What survives a restart and a kill, and what visitors see of it.
#include "exporters/logs/log_worker.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <thread>

#include "tests/exporters/logs/log_node.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(log_worker, LogNode)

BOOST_AUTO_TEST_CASE(a_restart_goes_on_where_it_was) {
  Start();
  Write("app.log", 100);
  Poll();
  Kill();
  Write("app.log", 200);
  Start();
  ExpectAll();
  Kill();
  // Rotated twice, with a generation that no poll has seen, while the agent was away.
  Write("app.log", 10);
  Rename("app.log", "app.log.1");
  Write("app.log", 20);
  Rename("app.log.1", "app.log.2");
  Rename("app.log", "app.log.1");
  Write("app.log", 30);
  Start();
  PollFor(2s);
  ExpectAll();
  Kill();
  Write("app.log", 5);
  CopyTruncate("app.log", "app.log.1");
  Write("app.log", 500);
  Start();
  PollFor(2s);
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(files_that_appear_while_the_agent_is_away_are_read_whole) {
  options = "start: end";
  path = "'*.log'";
  Start();
  Kill();
  Write("new.log", 10);
  Start();
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(values_are_seen_before_anything_is_read_and_only_once_committed) {
  Start();
  Write("app.log", 10);
  Poll();
  Kill();
  // Another process holds the database: nothing can be committed, so nothing new is seen.
  auto other = core::Database::Open(folder / "data/logs.db", std::vector<std::string_view>(1),
                                    core::Durability::kProcess, logger);
  BOOST_REQUIRE(other.has_value());
  Write("app.log", 10);
  Start();
  ExpectAll();
  BOOST_REQUIRE(other->Execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE").has_value());
  Write("app.log", 10);
  Poll();  // waits for the lock in vain
  BOOST_TEST(Value("lines_total") == 20);
  BOOST_TEST(worker->State()->error.find("another process uses it") != std::string::npos);
  BOOST_TEST(worker->Counts().commit_errors == 1U);
  BOOST_REQUIRE(other->Execute("ROLLBACK").has_value());
  Poll();
  ExpectAll();
  BOOST_TEST(worker->State()->error == "");
}

BOOST_AUTO_TEST_CASE(without_its_database_counters_start_at_zero) {
  options = "start: end";
  Start();
  Write("app.log", 10);
  Poll();
  ExpectAll();
  Kill();
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(folder / ("data/logs.db" + std::string(suffix)));
  Start();
  BOOST_TEST(Value("lines_total") == 0);
  count = sum = 0;
  Write("app.log", 5);
  Poll();
  ExpectAll();
}

BOOST_AUTO_TEST_CASE(after_a_crash_of_the_machine_values_start_at_zero_and_offsets_stay) {
  for (const bool in_order : {false, true}) {
    Start();
    Write("app.log", 10);
    Poll();
    const double before = Value("lines_total");
    if (in_order) worker->Close();
    Kill();
    {
      auto db = core::Database::Open(folder / "data/logs.db", std::vector<std::string_view>(1),
                                     core::Durability::kProcess, logger);
      BOOST_REQUIRE(db->Execute("UPDATE state SET value = 'another boot' WHERE key = 'boot_id'").has_value());
      // Device numbers are not stable over a boot.
      BOOST_REQUIRE(db->Execute("UPDATE files SET device = device + 1").has_value());
    }
    Start();
    BOOST_TEST(Value("lines_total") == (in_order ? before : 0));
    Write("app.log", 5);
    Poll();
    BOOST_TEST(Value("lines_total") == (in_order ? before + 5 : 5));
    Kill();
  }
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_what_is_unchanged) {
  Start();
  Write("app.log", 10);
  Poll();
  patterns =
      "[{match: 'line n=(?P<n>[0-9]+)', metrics: [{counter: lines_total}, {histogram: sum_total, value: n, buckets: "
      "[5]}, {counter: new_total}]}]";
  worker->Apply(Config());
  Write("app.log", 5);
  Poll();
  BOOST_TEST(Value("lines_total") == 15);
  BOOST_TEST(Value("new_total") == 5);
  BOOST_TEST(Value("sum_total_count") == 5);  // another type: it begins anew
  BOOST_TEST(Value("last") == -1);            // gone
  worker->Apply({});
  Poll();
  BOOST_TEST(ValuesOf(*worker).empty());
  Kill();
  Start();
  BOOST_TEST(Value("lines_total") == 15);  // a new entry, from the beginning as its option says
}

BOOST_AUTO_TEST_CASE(histograms_and_labels) {
  patterns =
      "[{match: 'took (?P<ms>\\S+) ms on (?P<host>\\S+)', histogram: took_seconds, value: ms, scale: 0.001, labels: "
      "[host], buckets: [0.1, 1]}]";
  Start();
  folder.Append("logs/app.log",
                "took 100 ms on a\ntook 101 ms on a\ntook 5e3 ms on a\ntook x ms on a\ntook 1 ms on \xff\xfe"
                "b\n");
  Poll();
  const Values expected = {{R"(took_seconds_bucket{host="a", le="0.1"})", 1},
                           {R"(took_seconds_bucket{host="a", le="1"})", 2},
                           {R"(took_seconds_bucket{host="a", le="+Inf"})", 3},
                           {R"(took_seconds_count{host="a"})", 3},
                           {R"(took_seconds_sum{host="a"})", 0.1 + 0.101 + 5}};
  for (const auto& [series, value] : expected) BOOST_TEST(std::abs(Value(series) - value) < 1e-9, series);
  BOOST_TEST(Value("took_seconds_count{host=\"\xEF\xBF\xBD"
                   "b\"}") == 1);
  BOOST_TEST(worker->Counts().value_errors == 1U);
  Kill();
  Start();
  for (const auto& [series, value] : expected) BOOST_TEST(std::abs(Value(series) - value) < 1e-9, series);
}

BOOST_AUTO_TEST_CASE(series_are_capped_with_a_visible_overflow) {
  patterns = "[{match: 'user=(?P<user>\\w+)', counter: users_total, labels: [user], max_series: 3}]";
  Start();
  std::string text;
  for (int i = 0; i < 10; ++i) text += "user=u" + std::to_string(i) + "\n";
  folder.Append("logs/app.log", text + text);
  Poll();
  BOOST_TEST(ValuesOf(*worker).size() == 4U);
  BOOST_TEST(Value(R"(users_total{user="u2"})") == 2);
  BOOST_TEST(Value(R"(users_total{user="_overflow_"})") == 14);
  BOOST_TEST(worker->Counts().overflowed == 14U);
  Kill();
  Start();
  BOOST_TEST(ValuesOf(*worker).size() == 4U);
  folder.Append("logs/app.log", text);
  Poll();
  BOOST_TEST(Value(R"(users_total{user="_overflow_"})") == 21);
}

BOOST_AUTO_TEST_CASE(pages_see_files_and_patterns) {
  Start();
  Write("app.log", 3);
  Poll();
  for (int i = 0; i < 8; ++i) Poll();
  const auto state = worker->State();
  BOOST_REQUIRE(state->files.size() == 1U);
  BOOST_TEST(state->files[0].offset == std::filesystem::file_size(File("app.log")));
  BOOST_TEST(state->files[0].size == state->files[0].offset);
  BOOST_REQUIRE(state->patterns.size() == 1U);
  BOOST_TEST(state->patterns[0].hits == 3U);
  BOOST_TEST(state->patterns[0].plan == "prefix 'line n='");
}

// What the killed process lets its visitors see, in memory that survives it.
struct Seen {
  std::atomic<double> lines{0};
  std::atomic<double> sum{0};
  std::atomic<bool> fell{false};
};

[[noreturn]] void FollowUntilKilled(LogNode& node, Seen& seen) {
  core::SystemClock clock;
  LogWorker worker(clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), node.folder / "data");
  worker.Apply(node.Config());
  for (;;) {
    worker.Poll();
    const Values values = ValuesOf(worker);
    const auto lines = values.find("lines_total");
    if (lines == values.end()) continue;
    if (lines->second < seen.lines) seen.fell = true;
    seen.lines = lines->second;
    seen.sum = values.at("sum_total");
  }
}

BOOST_AUTO_TEST_CASE(no_kill_counts_a_line_twice_or_lets_a_counter_fall) {
  auto* seen = new (::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Seen;
  std::mt19937 random(std::random_device{}());
  const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  Start();  // what rotated before the first sight is history
  Kill();
  int generation = 0;
  for (int kill = 0; kill < 25; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) FollowUntilKilled(*this, *seen);
    BOOST_REQUIRE(child > 0);
    for (int i = below(20); i >= 0; --i) {
      Write("app.log", 1 + below(2000));
      if (below(8) == 0) Rename("app.log", "app.log." + std::to_string(++generation));
      if (below(3) == 0) ::usleep(static_cast<useconds_t>(below(3000)));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  BOOST_TEST(!seen->fell);
  const double visible = seen->lines;
  Start();
  BOOST_TEST(Value("lines_total") >= visible);
  PollFor(3s);
  ExpectAll();
  ::munmap(seen, sizeof(Seen));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
