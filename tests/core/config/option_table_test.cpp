#include "core/config/option_table.h"

#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kColours[] = {"red", "green", "blue"};
constexpr Option kTable[] = {
    {.name = "name", .required = true, .help = "What messages call it."},
    {.name = "on", .type = OptionType::kBool, .default_text = "true"},
    {.name = "count", .type = OptionType::kInt, .default_text = "3", .min = 0, .max = 10},
    {.name = "ratio", .type = OptionType::kFloat, .default_text = "0.5", .min = 0, .max = 1},
    {.name = "interval", .type = OptionType::kDuration, .default_text = "15s", .min = 1, .max = 3600},
    {.name = "size", .type = OptionType::kBytes, .default_text = "64KB", .min = 1},
    {.name = "colour", .type = OptionType::kEnum, .default_text = "red", .choices = kColours},
    {.name = "match", .type = OptionType::kRegex},
    {.name = "url", .type = OptionType::kUrl},
    {.name = "path", .type = OptionType::kPath},
    {.name = "password", .type = OptionType::kSecret, .help = "Not | shown."},
    {.name = "hosts", .type = OptionType::kStringList, .default_text = "[a, b]"},
    {.name = "labels", .type = OptionType::kStringMap},
    {.name = "zone", .type = OptionType::kTimeZone, .default_text = "UTC"},
    {.name = "steps", .type = OptionType::kNode},
};

struct Read {
  explicit Read(std::string_view text, const std::string& file = "f.yml") {
    std::optional<YamlNode> parsed = ParseYaml(text, file, errors);
    if (parsed) node = std::make_unique<YamlNode>(std::move(*parsed));
    if (node) options = ReadOptions(*node, kTable, "thing 'x'", errors);
  }
  ConfigErrors errors;
  std::unique_ptr<YamlNode> node;
  Options options;
};

BOOST_AUTO_TEST_CASE(defaults_stand_where_nothing_is_given) {
  const Read read("name: x");
  BOOST_TEST(read.errors.empty());
  const Options& o = read.options;
  BOOST_TEST(o.Text("name") == "x");
  BOOST_TEST(o.Bool("on"));
  BOOST_TEST(o.Int("count") == 3);
  BOOST_TEST(o.Float("ratio") == 0.5);
  BOOST_TEST((o.Duration("interval") == 15s));
  BOOST_TEST(o.Bytes("size") == 65536);
  BOOST_TEST(o.Text("colour") == "red");
  BOOST_TEST(o.Text("match") == "");
  BOOST_TEST(!o.Has("match"));
  BOOST_TEST(o.Has("count"));
  BOOST_TEST(!o.Given("count"));
  BOOST_TEST(o.List("hosts") == (std::vector<std::string>{"a", "b"}), boost::test_tools::per_element());
  BOOST_TEST(o.Map("labels").empty());
  BOOST_TEST((o.Node("steps") == nullptr));
  BOOST_TEST(o.Secret("password").empty());
  BOOST_TEST(o.Where("count").ToString() == "f.yml:1:1");
}

BOOST_AUTO_TEST_CASE(everything_is_read) {
  const Read read(
      "name: y\non: no\ncount: 0x0A\nratio: 1\ninterval: 1m30s\nsize: 1.5GB\ncolour: blue\nmatch: 'a(b)?'\n"
      "url: http://[::1]:9870/jmx?qry=x\npath: sub/file\npassword: pw\nhosts: one\nlabels: {b: 1, a: x}\nzone: "
      "Europe/Berlin\n"
      "steps: {any: [thing]}\n",
      "/etc/pipewarden/f.yml");
  for (const auto& line : read.errors.Lines()) BOOST_TEST_MESSAGE(line);
  BOOST_TEST(read.errors.empty());
  const Options& o = read.options;
  BOOST_TEST(!o.Bool("on"));
  BOOST_TEST(o.Int("count") == 10);
  BOOST_TEST(o.Float("ratio") == 1.0);
  BOOST_TEST((o.Duration("interval") == 90s));
  BOOST_TEST(o.Bytes("size") == 1610612736);
  BOOST_TEST(o.Text("url") == "http://[::1]:9870/jmx?qry=x");
  BOOST_TEST(o.Text("path") == "/etc/pipewarden/sub/file");
  BOOST_TEST(o.Secret("password").Reveal() == "pw");
  BOOST_TEST(o.List("hosts") == std::vector<std::string>{"one"}, boost::test_tools::per_element());
  BOOST_REQUIRE(o.Map("labels").size() == 2U);
  BOOST_TEST(o.Map("labels")[0].first == "b");
  BOOST_TEST(o.Text("zone") == "Europe/Berlin");
  BOOST_TEST(o.Node("steps")->Canonical() == R"({"any":["thing"]})");
  BOOST_TEST(o.Where("count").ToString() == "/etc/pipewarden/f.yml:3:8");
  BOOST_TEST(o.Given("count"));
}

struct Mistake {
  const char* text;  // beside `name: x`, from line 2
  const char* expected;
};
std::ostream& operator<<(std::ostream& out, const Mistake& m) { return out << m.text; }

const Mistake kMistakes[] = {
    {"intervall: 5s", "f.yml:2:1: unknown key 'intervall' in thing 'x' (did you mean 'interval'?)"},
    {"passwordfile: x", "f.yml:2:1: unknown key 'passwordfile' in thing 'x' (did you mean 'password_file'?)"},
    {"on: maybe", "f.yml:2:5: 'on' in thing 'x' must be true or false, not a string ('maybe')"},
    {"count: '3'", "f.yml:2:8: 'count' in thing 'x' must be a whole number, not a string ('3')"},
    {"count: 1.5", "f.yml:2:8: 'count' in thing 'x' must be a whole number, not a number ('1.5')"},
    {"count: [1]", "f.yml:2:8: 'count' in thing 'x' must be a whole number, not a list"},
    {"count: 11", "f.yml:2:8: 'count' in thing 'x' is 11, but must be at most 10"},
    {"ratio: -0.1", "f.yml:2:8: 'ratio' in thing 'x' is -0.1, but must be at least 0"},
    {"ratio: .nan", "f.yml:2:8: 'ratio' in thing 'x' is .nan, but must be at most 1"},
    {"interval: 15",
     "f.yml:2:11: 'interval' in thing 'x' is no duration: bad duration '15': a unit is missing (y, w, d, h, m, s or "
     "ms)"},
    {"interval: 10ms", "f.yml:2:11: 'interval' in thing 'x' is 10ms, but must be at least 1s"},
    {"size: lots", "f.yml:2:7: 'size' in thing 'x' must be a size such as 1024, 64KB or 2GB, not a string ('lots')"},
    {"colour: gren",
     "f.yml:2:9: 'colour' in thing 'x' is 'gren', but must be one of red, green, blue (did you mean 'green'?)"},
    {"match: 'a('", "f.yml:2:8: 'match' in thing 'x' is no RE2 regular expression: missing ): a("},
    {"url: namenode:9870",
     "f.yml:2:6: 'url' in thing 'x' is no address ('namenode:9870'): it starts neither with http:// nor with https://"},
    {"url: 'http://:80'", "f.yml:2:6: 'url' in thing 'x' is no address ('http://:80'): it has no host"},
    {"url: http://a:99999/",
     "f.yml:2:6: 'url' in thing 'x' is no address ('http://a:99999/'): its port '99999' is no number up to 65535"},
    {"path: ''", "f.yml:2:7: 'path' in thing 'x' is empty"},
    {"password: [secret-word]", "f.yml:2:11: 'password' in thing 'x' must be a string, not a list"},
    {"password_file: /nonexistent/pw",
     "f.yml:2:16: 'password_file' in thing 'x': open /nonexistent/pw: No such file or directory (make the file, and "
     "readable for the agent's user)"},
    {"hosts: [a, [b]]", "f.yml:2:12: 'hosts' in thing 'x' must be a list of strings, but holds a list"},
    {"hosts: {a: b}", "f.yml:2:8: 'hosts' in thing 'x' must be a list of strings, not a map"},
    {"labels: {a: {}}", "f.yml:2:13: 'labels' in thing 'x' must be a map of strings, but 'a' is a map"},
    {"zone: Europe/Berlinn",
     "f.yml:2:7: 'zone' in thing 'x' is 'Europe/Berlinn', which is no time zone of this machine (write for example "
     "UTC, Local or Europe/Berlin; the package tzdata holds them)"},
    {"zone: ../../etc/passwd",
     "f.yml:2:7: 'zone' in thing 'x' is '../../etc/passwd', which is no time zone of this machine (write for example "
     "UTC, Local or Europe/Berlin; the package tzdata holds them)"},
};

BOOST_DATA_TEST_CASE(each_mistake_is_one_line, boost::unit_test::data::make(kMistakes), m) {
  const Read read("name: x\n" + std::string(m.text) + "\n");
  const auto lines = read.errors.Lines();
  BOOST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0] == m.expected);
}

BOOST_AUTO_TEST_CASE(all_mistakes_are_told_in_one_go) {
  const Read read("count: many\ncolur: red\nsteps: []\n");
  const auto lines = read.errors.Lines();
  BOOST_REQUIRE(lines.size() == 3U);
  BOOST_TEST(lines[0] == "f.yml:1:1: key 'name' is missing in thing 'x': What messages call it.");
  BOOST_TEST(lines[1].starts_with("f.yml:1:8: 'count'"));
  BOOST_TEST(lines[2].ends_with("(did you mean 'colour'?)"));
  BOOST_TEST(read.options.Int("count") == 3);  // the default stands in
}

BOOST_AUTO_TEST_CASE(a_list_is_no_map_of_options) {
  const Read read("[a]");
  BOOST_TEST(read.errors.ToError().message == "f.yml:1:1: thing 'x' must be a map of options, not a list");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_far_from_all_lists_the_known) {
  const Read read("name: x\nzzzzzzzz: 1");
  BOOST_TEST(read.errors.ToError().message.find("(known: name, on, count") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_secret_comes_from_a_file_beside_the_configuration) {
  const auto folder = std::filesystem::temp_directory_path() / ("pw-options-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "pw") << "hunter2\n";
  const std::string file = (folder / "f.yml").string();
  const Read read("name: x\npassword_file: pw\n", file);
  BOOST_TEST(read.errors.empty());
  BOOST_TEST(read.options.Secret("password").Reveal() == "hunter2");
  BOOST_TEST(read.options.Given("password"));
  const std::string before = read.options.Identity();
  std::ofstream(folder / "pw") << "changed\n";
  BOOST_TEST(Read("name: x\npassword_file: pw\n", file).options.Identity() != before);
  BOOST_TEST(Read("name: x\npassword: a\npassword_file: pw\n", file).errors.ToError().message ==
             file + ":3:16: 'password' and 'password_file' exclude each other in thing 'x'; keep one");
  std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_CASE(several_tables_make_one) {
  constexpr Option kMore[] = {{.name = "extra", .type = OptionType::kInt}};
  const OptionTable tables[] = {kTable, kMore};
  ConfigErrors errors;
  const auto node = ParseYaml("{name: x, extra: 5}", "f.yml");
  const Options options = ReadOptions(*node, tables, "thing", errors);
  BOOST_TEST(errors.empty());
  BOOST_TEST(options.Int("extra") == 5);
  BOOST_TEST(options.Int("count") == 3);
}

BOOST_AUTO_TEST_CASE(the_nearest_word_is_found) {
  const std::string_view known[] = {"interval", "timeout", "url", "on"};
  BOOST_TEST(Nearest("intreval", known) == "interval");
  BOOST_TEST(Nearest("Url", known) == "url");
  BOOST_TEST(Nearest("zz", known) == "");
  BOOST_TEST(Nearest("", known) == "");
  BOOST_TEST(DidYouMean("timout", known) == " (did you mean 'timeout'?)");
}

BOOST_AUTO_TEST_CASE(the_reference_has_a_row_an_option) {
  const std::string reference = OptionReference(kTable);
  BOOST_TEST(reference.find("| `count` | integer, 0 to 10 | `3` |  |\n") != std::string::npos);
  BOOST_TEST(reference.find("| `password` or `password_file` | secret |  | Not \\| shown. |\n") != std::string::npos);
  BOOST_TEST(reference.find("| `name` | string | required | What messages call it. |\n") != std::string::npos);
}

}  // namespace
}  // namespace pipewarden::core
