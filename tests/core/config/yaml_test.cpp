#include "core/config/yaml.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>

namespace pipewarden::core {
namespace {

std::string Canonical(std::string_view text) {
  const Result<YamlNode> node = ParseYaml(text, "f.yml");
  return node ? node->Canonical() : "error: " + node.error().message;
}

struct Case {
  const char* text;
  const char* expected;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.text; }

const Case kTrees[] = {
    {"", "null"},
    {"# nothing\n", "null"},
    {"---\n", "null"},
    {"a: 1\nb: [x, 'y', \"z\\n\"]\n", R"({"a":1,"b":["x","y","z\n"]})"},
    {R"({"json": {"is": [true, null, 1.5, "text"]}})", R"({"json":{"is":[true,null,1.5,"text"]}})"},
    {"a: |\n  two\n  lines\nb: >-\n  one\n  line\n", R"({"a":"two\nlines\n","b":"one line"})"},
    {"a: ~\nb:\nc: null\nd: ''\n", R"({"a":null,"b":null,"c":null,"d":""})"},
    {"a: '1'\nb: !!str 1\nc: !!int '1'\n", R"({"a":"1","b":"1","c":1})"},
    {"base: &b {x: 1, y: 2}\nall: [*b, *b]\n", R"({"base":{"x":1,"y":2},"all":[{"x":1,"y":2},{"x":1,"y":2}]})"},
    // Own keys go before merged ones wherever << stands; of several maps the first has a key.
    {"b: &b {x: 1, y: 2}\nm: {<<: *b, y: 3, z: 4}\n", R"({"b":{"x":1,"y":2},"m":{"x":1,"y":3,"z":4}})"},
    {"b: &b {x: 1}\nm: {x: 9, <<: *b}\n", R"({"b":{"x":1},"m":{"x":9}})"},
    {"a: &a {x: 1}\nb: &b {x: 2, y: 2}\nm:\n  <<: [*a, *b]\n  z: 3\n",
     R"({"a":{"x":1},"b":{"x":2,"y":2},"m":{"x":1,"y":2,"z":3}})"},
    {"a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n", R"({"a":{"x":1},"b":{"x":1,"y":2},"c":{"x":1,"y":2}})"},
    {"a: {'<<': text}\n", R"({"a":{"\u003c\u003c":"text"}})"},
    {"a: 1\n---\n", R"({"a":1})"},
    {"1: a\ntrue: b\n", R"({"1":"a","true":"b"})"},
    {"\xEF\xBB\xBF"
     "a: 1\n",
     R"({"a":1})"},
};

BOOST_DATA_TEST_CASE(yaml_reads, boost::unit_test::data::make(kTrees), c) {
  BOOST_TEST(Canonical(c.text) == c.expected);
}

const Case kMistakes[] = {
    {"a: 1\nb: 2\na: 3\n", "f.yml:3:1: key 'a' appears twice in one map; it stands first at line 1 (remove one)"},
    {"x: {a: 1, a: 2}\ny:\n  b: 1\n  b: 2\n",
     "f.yml:1:11: key 'a' appears twice in one map; it stands first at line 1 (remove one)\n"
     "f.yml:4:3: key 'b' appears twice in one map; it stands first at line 3 (remove one)"},
    {"a: [1\n", "f.yml:2:1: no valid YAML: end of sequence flow not found"},
    {"a: 1\n---\nb: 2\n", "f.yml:3:1: a second document; put it into a file of its own"},
    {"a: *x\n", "f.yml:1:4: no valid YAML: the referenced anchor is not defined"},
    {"a: &x [*x]\n", "f.yml:1:8: an alias inside its own anchor never ends"},
    {"? [a, b]\n: c\n", "f.yml:1:3: a key must be a plain text, not a list or a map"},
    {"~: c\n", "f.yml:1:1: a key is missing or null; quote it if it is meant as text"},
    {"a: {<<: [1]}\n", "f.yml:1:10: << takes a map or a list of maps, not a whole number"},
    {"a: !python/object 1\n", "f.yml:1:4: unknown tag '!python/object'; remove it"},
    {"a: \"\\N\"\n", "f.yml:1:4: the escapes \\N and \\_ are not known; write \\u0085 or \\u00A0"},
    {"ok: 1\nbad: \xff\n", "f.yml:2:1: the line is not valid UTF-8; save the file as UTF-8"},
    {"a: \x01\n", "f.yml:1:4: control characters are not allowed; remove it or write it as an escape in double quotes"},
};

BOOST_DATA_TEST_CASE(yaml_mistakes_have_places, boost::unit_test::data::make(kMistakes), c) {
  const Result<YamlNode> node = ParseYaml(c.text, "f.yml");
  BOOST_REQUIRE(!node.has_value());
  BOOST_TEST((node.error().code == ErrorCode::kInvalid));
  BOOST_TEST(node.error().message == c.expected);
}

BOOST_AUTO_TEST_CASE(a_tree_with_duplicates_can_still_be_checked) {
  ConfigErrors errors;
  const auto node = ParseYaml("a: 1\na: 2\n", "f.yml", errors);
  BOOST_REQUIRE(node.has_value());
  BOOST_TEST(errors.size() == 1U);
  BOOST_TEST(node->Find("a")->text() == "1");
}

BOOST_AUTO_TEST_CASE(places_count_from_one_and_an_alias_is_where_it_is_used) {
  const auto node = ParseYaml("b: &b\n  x: 1\nuse: *b\nempty:\nlast: {k:   v}\n", "f.yml");
  BOOST_REQUIRE(node.has_value());
  BOOST_TEST(node->where().ToString() == "f.yml:1:1");
  BOOST_TEST(node->Find("use")->where().ToString() == "f.yml:3:6");
  BOOST_TEST(node->Find("use")->Find("x")->where().ToString() == "f.yml:2:6");
  BOOST_TEST(node->Find("empty")->where().ToString() == "f.yml:4:1");
  BOOST_TEST(node->Find("last")->entries()[0].key_where.ToString() == "f.yml:5:8");
  BOOST_TEST(node->Find("last")->Find("k")->where().ToString() == "f.yml:5:13");
  BOOST_TEST(node->Find("nothing") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_billion_laughs_end_early) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) text += ", " + before;
    text += "]\n";
  }
  const auto node = ParseYaml(text, "f.yml");
  BOOST_REQUIRE(!node.has_value());
  BOOST_TEST(node.error().message.find("more than 1000000 values") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(depth_is_bounded_also_through_aliases) {
  BOOST_TEST(ParseYaml(std::string(99, '[') + "1" + std::string(99, ']'), "f").has_value());
  BOOST_TEST(!ParseYaml(std::string(101, '[') + std::string(101, ']'), "f").has_value());
  const std::string half = std::string(60, '[') + std::string(60, ']');
  BOOST_TEST(
      !ParseYaml("a: &a " + half + "\nb: " + std::string(60, '[') + "*a" + std::string(60, ']'), "f").has_value());
  BOOST_TEST(!ParseYaml(std::string(200'000, '['), "f").has_value());
}

BOOST_AUTO_TEST_CASE(size_is_bounded) {
  YamlLimits limits;
  limits.max_bytes = 10;
  BOOST_TEST(ParseYaml("a: 1234567", "f", limits).has_value());
  BOOST_TEST(!ParseYaml("a: 12345678", "f", limits).has_value());
}

struct Scalar {
  const char* text;
  const char* type;
  const char* as_bool;
  const char* as_int;
  const char* as_float;
};
std::ostream& operator<<(std::ostream& out, const Scalar& c) { return out << c.text; }

// As gopkg.in/yaml.v3 decodes them into interface{}, bool, int64 and float64.
const Scalar kScalars[] = {{"true", "bool", "true", "-", "-"},
                           {"False", "bool", "false", "-", "-"},
                           {"yes", "string", "true", "-", "-"},
                           {"off", "string", "false", "-", "-"},
                           {"yEs", "string", "-", "-", "-"},
                           {"12", "int", "-", "12", "12"},
                           {"+12", "int", "-", "12", "12"},
                           {"-0x1F", "int", "-", "-31", "-31"},
                           {"0o14", "int", "-", "12", "12"},
                           {"014", "int", "-", "12", "12"},
                           {"0b101", "int", "-", "5", "5"},
                           {"1_000", "int", "-", "1000", "1000"},
                           {"08", "float", "-", "8", "8"},
                           {"1e3", "float", "-", "1000", "1000"},
                           {"1.5", "float", "-", "-", "1.5"},
                           {".5", "float", "-", "-", "0.5"},
                           {"-.inf", "float", "-", "-", "-inf"},
                           {"1.", "float", "-", "1", "1"},
                           {"1.2.3", "string", "-", "-", "-"},
                           {"15s", "string", "-", "-", "-"},
                           {"2006-01-02", "string", "-", "-", "-"},
                           {"'12'", "string", "-", "-", "-"},
                           {"\"true\"", "string", "-", "-", "-"},
                           {"9223372036854775807", "int", "-", "9223372036854775807", "9223372036854775808"},
                           {"9223372036854775808", "int", "-", "-", "9223372036854775808"},
                           {"-9223372036854775808", "int", "-", "-9223372036854775808", "-9223372036854775808"},
                           {"99999999999999999999", "float", "-", "-", "1e+20"},
                           {"0x", "string", "-", "-", "-"},
                           {".", "string", "-", "-", "-"},
                           {"-", "seq", "-", "-", "-"},
                           {"+", "string", "-", "-", "-"}};

std::string Float(std::optional<double> value) {
  if (!value) return "-";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.20g", *value);
  return buffer;
}

BOOST_DATA_TEST_CASE(scalars_are_typed_as_go_types_them, boost::unit_test::data::make(kScalars), c) {
  const auto node = ParseYaml(c.text, "f.yml");
  BOOST_REQUIRE(node.has_value());
  if (node->IsSequence()) return;
  static constexpr const char* kNames[] = {"string", "bool", "int", "float"};
  BOOST_TEST(kNames[static_cast<int>(node->scalar_type())] == c.type);
  BOOST_TEST((node->AsBool() ? (*node->AsBool() ? "true" : "false") : "-") == c.as_bool);
  BOOST_TEST((node->AsInt() ? std::to_string(*node->AsInt()) : "-") == c.as_int);
  BOOST_TEST(Float(node->AsFloat()) == c.as_float);
}

BOOST_AUTO_TEST_CASE(the_environment_expands_in_values_before_typing) {
  ::setenv("PW_TEST_PORT", "9090", 1);
  ::setenv("PW_TEST_WORD", "a: [b]", 1);
  ::setenv("PW_TEST_EMPTY", "", 1);
  ::unsetenv("PW_TEST_UNSET");
  auto node = ParseYaml(
      "port: ${PW_TEST_PORT}\nflow: {port: \"${PW_TEST_PORT}\"}\nword: x-${PW_TEST_WORD}-y\nempty: ${PW_TEST_EMPTY}\n"
      "quoted_empty: '${PW_TEST_EMPTY}'\nescaped: $${PW_TEST_PORT} $$ $x\n${PW_TEST_PORT}: key\nlist: "
      "[\"${PW_TEST_PORT}\"]\n",
      "f.yml");
  BOOST_REQUIRE(node.has_value());
  ConfigErrors errors;
  ExpandEnvironment(*node, errors);
  BOOST_TEST(errors.empty());
  BOOST_TEST(node->Canonical() ==
             R"({"port":9090,"flow":{"port":9090},"word":"x-a: [b]-y","empty":null,"quoted_empty":"",)"
             R"("escaped":"${PW_TEST_PORT} $ $x","${PW_TEST_PORT}":"key","list":[9090]})");
}

BOOST_AUTO_TEST_CASE(unset_variables_are_all_told) {
  auto node = ParseYaml("a: ${PW_TEST_UNSET}\nb: ${PW_TEST_UNSET_TOO}\nc: ${\nd: ${not-a-name}\n", "f.yml");
  BOOST_REQUIRE(node.has_value());
  ConfigErrors errors;
  ExpandEnvironment(*node, errors);
  const auto lines = errors.Lines();
  BOOST_REQUIRE(lines.size() == 4U);
  BOOST_TEST(lines[0] ==
             "f.yml:1:4: environment variable 'PW_TEST_UNSET' is not set; set it, or write '$${PW_TEST_UNSET}' for the "
             "text itself");
  BOOST_TEST(lines[3].starts_with("f.yml:4:4: '${' is not followed"));
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read_are_told) {
  const auto missing = ReadYamlFile("/nonexistent/f.yml");
  BOOST_TEST((missing.error().code == ErrorCode::kNotFound));
  BOOST_TEST(missing.error().message == "open /nonexistent/f.yml: No such file or directory");
  ConfigErrors errors;
  BOOST_TEST(!ReadYamlFile(std::filesystem::temp_directory_path(), errors).has_value());
  BOOST_TEST(errors.Lines().front().find("Is a directory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(errors_are_sorted_and_told_once) {
  ConfigErrors errors;
  errors.Add({"b.yml", 1, 1}, "second");
  errors.Add({"a.yml", 10, 1}, "first");
  errors.Add({"a.yml", 9, 2}, "before");
  errors.Add({"a.yml", 10, 1}, "first");
  errors.Add({}, "nowhere");
  BOOST_TEST(errors.ToError().message == "nowhere\na.yml:9:2: before\na.yml:10:1: first\nb.yml:1:1: second");
}

}  // namespace
}  // namespace pipewarden::core
