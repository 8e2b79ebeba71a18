#include "core/text/go_float.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <ostream>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(go_float)

// Of Go 1.26's strconv.FormatFloat.
struct FloatCase {
  double value;
  char format;
  int precision;
  std::string_view text;
};
std::ostream& operator<<(std::ostream& out, const FloatCase& c) { return out << c.text; }
const FloatCase kFloats[] = {
    {0, 'g', -1, "0"},
    {0, 'e', -1, "0e+00"},
    {-1.5, 'f', -1, "-1.5"},
    {-1.5, 'f', 4, "-1.5000"},
    {100000, 'g', -1, "100000"},
    {1e6, 'g', -1, "1e+06"},
    {1e6, 'f', -1, "1000000"},
    {123456789, 'g', 4, "1.235e+08"},
    {123456789, 'E', -1, "1.23456789E+08"},
    {1e-4, 'g', -1, "0.0001"},
    {1e-5, 'g', -1, "1e-05"},
    {1e-5, 'f', -1, "0.00001"},
    {9007199254740992, 'f', -1, "9007199254740992"},
    {1e21, 'f', -1, "1000000000000000000000"},
    {1e21, 'G', -1, "1E+21"},
    {123456789012345680000.0, 'f', -1, "123456789012345680000"},
    {-123456789012345680000.0, 'f', 0, "-123456789012345683968"},
    {5e-324, 'g', -1, "5e-324"},
    {std::numeric_limits<double>::quiet_NaN(), 'f', -1, "NaN"},
    {std::numeric_limits<double>::infinity(), 'g', 4, "+Inf"},
    {-std::numeric_limits<double>::infinity(), 'e', -1, "-Inf"},
};

BOOST_DATA_TEST_CASE(numbers_are_written_as_go_writes_them, boost::unit_test::data::make(kFloats), c) {
  BOOST_TEST(FormatGoFloat(c.value, c.format, c.precision) == c.text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
