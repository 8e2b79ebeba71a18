#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>

#include "rules/storage/segment.h"

namespace pipewarden::rules {
namespace {

SegmentCache::Bytes Block(std::size_t size) { return std::make_shared<const std::string>(size, 'x'); }

BOOST_AUTO_TEST_CASE(what_was_read_longest_ago_goes_where_the_cache_is_full) {
  SegmentCache cache(10'000);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    cache.Put({1, i}, Block(500));
    BOOST_TEST(cache.bytes() <= 10'000U);
    BOOST_TEST(cache.Get({1, 0}) != nullptr);  // it is used all the time
  }
  BOOST_TEST(cache.Get({1, 999}) != nullptr);
  BOOST_TEST(cache.Get({2, 999}) == nullptr);
  BOOST_TEST(cache.Get({1, 500}) == nullptr);
}

BOOST_AUTO_TEST_CASE(small_blocks_count_with_what_it_costs_to_find_them) {
  SegmentCache cache(100'000);
  for (std::uint64_t i = 0; i < 10'000; ++i) cache.Put({1, i}, Block(1));
  std::size_t held = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) held += cache.Get({1, i}) != nullptr ? 1 : 0;
  BOOST_TEST(held < 1000U);
}

BOOST_AUTO_TEST_CASE(one_block_cannot_push_out_all_others) {
  SegmentCache cache(10'000);
  cache.Put({1, 1}, Block(100));
  cache.Put({1, 2}, Block(9'000));
  BOOST_TEST(cache.Get({1, 1}) != nullptr);
  BOOST_TEST(cache.Get({1, 2}) == nullptr);
}

}  // namespace
}  // namespace pipewarden::rules
