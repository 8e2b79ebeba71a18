#include "alertmanager/alert_store.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;
using core::Alert;
using core::WallTime;

const WallTime kNow{std::chrono::seconds{1'700'000'000}};

Alert Make(WallTime start, WallTime end, WallTime updated, const char* summary = "s", bool timeout = false) {
  Alert alert;
  alert.labels = {{"alertname", "a"}};
  alert.annotations = {{"summary", summary}};
  alert.starts_at = start;
  alert.ends_at = end;
  alert.updated_at = updated;
  alert.timeout = timeout;
  return alert;
}

BOOST_AUTO_TEST_SUITE(alert_store)

BOOST_AUTO_TEST_CASE(what_is_missing_is_filled_in) {
  Alert bare;
  bare.labels = {{"alertname", "a"}, {"empty", ""}};
  const Alert firing = NormalizeAlert(bare, kNow, 5min).value();
  BOOST_TEST((firing.starts_at == kNow && firing.ends_at == kNow + 5min && firing.timeout));
  BOOST_TEST(firing.labels.size() == 1U);
  bare.ends_at = kNow - 1min;
  const Alert resolved = NormalizeAlert(bare, kNow, 5min).value();
  BOOST_TEST((resolved.starts_at == kNow - 1min && !resolved.timeout));
}

BOOST_AUTO_TEST_CASE(malformed_ones_are_refused) {
  BOOST_TEST(!NormalizeAlert(Alert{}, kNow, 5min).has_value());
  BOOST_TEST(!NormalizeAlert(Make(kNow, kNow - 1s, kNow), kNow, 5min).has_value());
  Alert bad = Make(kNow, kNow + 1s, kNow);
  bad.labels.Set("x", "\xff");
  BOOST_TEST(!NormalizeAlert(bad, kNow, 5min).has_value());
}

BOOST_AUTO_TEST_CASE(a_walk_in_pieces_misses_none_that_stays) {
  AlertStore store;
  const auto put = [&](int n) {
    Alert alert = Make(kNow, kNow + 1h, kNow);
    alert.labels.Set("n", std::to_string(n));
    return store.Put(std::move(alert), kNow).fingerprint;
  };
  std::vector<std::uint64_t> first;
  for (int n = 0; n < 100; ++n) first.push_back(put(n));
  std::map<std::uint64_t, int> seen;
  std::size_t cursor = 0;
  int next = 100;
  do {
    store.Walk(cursor, 7, [&](std::uint64_t fingerprint, const AlertPtr&) { ++seen[fingerprint]; });
    for (int i = 0; i < 300 && next < 2000; ++i) put(next++);  // many times its size: every table grows
    if (first.size() > 50) {
      store.Erase(first.back());
      first.pop_back();
    }
  } while (cursor != 0);
  for (const std::uint64_t fingerprint : first) BOOST_TEST(seen[fingerprint] == 1);
}

BOOST_AUTO_TEST_CASE(overlapping_spans_merge) {
  AlertStore store;
  store.Put(Make(kNow - 10min, kNow + 5min, kNow - 1min, "old"), kNow);
  // Starts within the old span: the earliest start stays, the younger annotations win.
  const auto put = store.Put(Make(kNow - 5min, kNow + 6min, kNow, "new"), kNow);
  BOOST_TEST((put.alert->starts_at == kNow - 10min));
  BOOST_TEST((put.alert->ends_at == kNow + 6min));
  BOOST_TEST(put.alert->annotations.Get("summary") == "new");
}

BOOST_AUTO_TEST_CASE(a_timeout_never_outlives_a_newer_update) {
  const Alert timed = Make(kNow - 10min, kNow + 10min, kNow - 1min, "old", true);
  const Alert newer = Make(kNow - 10min, kNow + 2min, kNow, "new");
  BOOST_TEST((MergeAlerts(timed, newer, kNow).ends_at == kNow + 2min));
  const Alert explicit_end = Make(kNow - 10min, kNow + 10min, kNow - 1min, "old", false);
  BOOST_TEST((MergeAlerts(explicit_end, newer, kNow).ends_at == kNow + 10min));
}

BOOST_AUTO_TEST_CASE(the_latest_explicit_resolve_wins) {
  const Alert first = Make(kNow - 10min, kNow - 1min, kNow - 1min);
  const Alert second = Make(kNow - 9min, kNow - 2min, kNow);
  BOOST_TEST((MergeAlerts(first, second, kNow).ends_at == kNow - 1min));
  BOOST_TEST((MergeAlerts(second, first, kNow).ends_at == kNow - 1min));
}

BOOST_AUTO_TEST_CASE(without_overlap_it_is_a_new_alert) {
  AlertStore store;
  store.Put(Make(kNow - 10min, kNow - 5min, kNow - 5min, "old"), kNow);
  const auto put = store.Put(Make(kNow - 1min, kNow + 5min, kNow, "new"), kNow);
  BOOST_TEST((put.alert->starts_at == kNow - 1min));
  BOOST_TEST(store.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_mere_refresh_need_not_be_kept) {
  AlertStore store;
  BOOST_TEST(store.Put(Make(kNow, kNow + 5min, kNow), kNow).worth_keeping);
  BOOST_TEST(!store.Put(Make(kNow, kNow + 6min, kNow + 1min), kNow + 1min).worth_keeping);
  BOOST_TEST(store.Put(Make(kNow, kNow + 7min, kNow + 2min, "other"), kNow + 2min).worth_keeping);
  BOOST_TEST(store.Put(Make(kNow, kNow + 3min, kNow + 3min, "other"), kNow + 3min).worth_keeping);   // resolved
  BOOST_TEST(!store.Put(Make(kNow, kNow + 3min, kNow + 4min, "other"), kNow + 4min).worth_keeping);  // told again
}

BOOST_AUTO_TEST_CASE(a_record_reads_back) {
  const Alert alert = Make(kNow, kNow + 5min, kNow + 1ns, "é \n", true);
  const std::string record = AlertRecord('A', alert);
  const Alert read = ReadAlert(std::string_view(record).substr(1)).value();
  BOOST_TEST((read.labels == alert.labels && read.annotations == alert.annotations && read.ends_at == alert.ends_at &&
              read.updated_at == alert.updated_at && read.timeout));
  for (std::size_t size = 0; size + 1 < record.size(); ++size)
    BOOST_TEST(!ReadAlert(std::string_view(record).substr(1, size)).has_value());
}

BOOST_AUTO_TEST_CASE(a_walk_in_pieces_sees_all) {
  AlertStore store;
  for (int i = 0; i < 1000; ++i) {
    Alert alert = Make(kNow, kNow + 5min, kNow);
    alert.labels.Set("i", std::to_string(i));
    store.Put(alert, kNow);
  }
  std::size_t cursor = 0;
  std::size_t seen = 0;
  int pieces = 0;
  do {
    store.Walk(cursor, 100, [&](std::uint64_t, const AlertPtr&) { ++seen; });
    ++pieces;
  } while (cursor != 0);
  BOOST_TEST(seen == 1000U);
  BOOST_TEST(pieces > 5);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
