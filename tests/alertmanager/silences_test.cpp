#include "alertmanager/silences.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;

const core::WallTime kNow{std::chrono::seconds{1'700'000'000}};

Silence Make(const char* matchers, core::Duration from, core::Duration to) {
  Silence silence;
  silence.matchers = ParseMatchers(matchers).value();
  silence.starts_at = kNow + from;
  silence.ends_at = kNow + to;
  silence.created_by = "me";
  silence.comment = "why";
  return silence;
}

BOOST_AUTO_TEST_SUITE(silences)

BOOST_AUTO_TEST_CASE(what_is_refused) {
  Silences silences;
  BOOST_TEST(!silences.Set(Make("{}", 0s, 1h), kNow).has_value());
  BOOST_TEST(!silences.Set(Make("{a=~\".*\",b=\"\"}", 0s, 1h), kNow).has_value());
  BOOST_TEST(!silences.Set(Make("a=b", 2h, 1h), kNow).has_value());
  BOOST_TEST(!silences.Set(Make("a=b", -2h, -1h), kNow).has_value());
  BOOST_TEST(silences.Set(Make("a!=b", 0s, 1h), kNow).has_value());  // Alertmanager takes it
  Silence unknown = Make("a=b", 0s, 1h);
  unknown.id = "0";
  BOOST_TEST((silences.Set(unknown, kNow).error().code == core::ErrorCode::kNotFound));
}

BOOST_AUTO_TEST_CASE(a_start_in_the_past_becomes_now_and_the_end_belongs_to_it) {
  Silences silences;
  const std::string id = silences.Set(Make("a=b", -1h, 1h), kNow).value();
  BOOST_TEST(id.size() == 36U);
  BOOST_TEST((silences.Find(id)->starts_at == kNow));
  BOOST_TEST((silences.Find(id)->StateAt(kNow + 1h) == SilenceState::kActive));
  BOOST_TEST((silences.Find(id)->StateAt(kNow + 1h + 1ns) == SilenceState::kExpired));
  BOOST_TEST(silences.SilencedBy({{"a", "b"}}, kNow).size() == 1U);
  BOOST_TEST(silences.SilencedBy({{"a", "c"}}, kNow).empty());
  BOOST_TEST(silences.SilencedBy({{"a", "b"}}, kNow - 1s).empty());
}

BOOST_AUTO_TEST_CASE(edited_in_place_only_with_the_same_matchers) {
  Silences silences;
  const std::string id = silences.Set(Make("{a=b,c=d}", 0s, 1h), kNow).value();
  Silence longer = Make("{c=d,a=b}", 0s, 3h);
  longer.id = id;
  BOOST_TEST(silences.Set(longer, kNow + 1min).value() == id);
  BOOST_TEST((silences.Find(id)->ends_at == kNow + 3h));
  Silence other = Make("a=x", 0s, 3h);
  other.id = id;
  const std::string next = silences.Set(other, kNow + 2min).value();
  BOOST_TEST(next != id);
  BOOST_TEST((silences.Find(id)->StateAt(kNow + 2min) == SilenceState::kExpired));
  BOOST_TEST((silences.Find(next)->StateAt(kNow + 2min) == SilenceState::kActive));
}

BOOST_AUTO_TEST_CASE(an_active_one_with_another_start_is_a_new_one) {
  Silences silences;
  const std::string id = silences.Set(Make("a=b", 0s, 1h), kNow).value();
  Silence moved = Make("a=b", 30min, 1h);
  moved.id = id;
  BOOST_TEST(silences.Set(moved, kNow + 1min).value() != id);
}

BOOST_AUTO_TEST_CASE(expire) {
  Silences silences;
  const std::string id = silences.Set(Make("a=b", 0s, 1h), kNow).value();
  BOOST_TEST(silences.Expire(id, kNow + 1min).has_value());
  BOOST_TEST(silences.SilencedBy({{"a", "b"}}, kNow + 1min).empty());
  BOOST_TEST(!silences.Expire(id, kNow + 2min).has_value());
  BOOST_TEST((silences.Expire("x", kNow).error().code == core::ErrorCode::kNotFound));
  const std::string pending = silences.Set(Make("a=b", 1h, 2h), kNow).value();
  BOOST_TEST(silences.Expire(pending, kNow + 1min).has_value());
  BOOST_TEST((silences.Find(pending)->StateAt(kNow + 90min) == SilenceState::kExpired));
}

BOOST_AUTO_TEST_CASE(kept_for_five_days_and_read_back) {
  std::vector<std::string> records;
  Silences silences([&](std::string record) { records.push_back(std::move(record)); });
  const std::string id = silences.Set(Make("{a=~\"b.*\",c!=\"d\"}", 0s, 1h), kNow).value();
  silences.Collect(kNow + 121h);
  BOOST_TEST(silences.size() == 1U);
  silences.Collect(kNow + 121h + 1s);
  BOOST_TEST(silences.size() == 0U);
  Silences again;
  again.Restore(std::string_view(records.at(0)).substr(1));
  BOOST_REQUIRE(again.Find(id) != nullptr);
  BOOST_TEST(MatchersText(again.Find(id)->matchers) == "{a=~\"b.*\",c!=\"d\"}");
  BOOST_TEST(again.Find(id)->comment == "why");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
