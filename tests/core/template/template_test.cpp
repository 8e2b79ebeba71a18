#include "core/template/template.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "core/template/parse.h"
#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

// The same data and functions as data/generate.go has.
Value Data() {
  const auto text = [](const char* value) { return Value::String(value); };
  const auto time = [](const char* value) { return Value::Time(ParseRfc3339(value).value()); };
  static const ValueType type{.name = "main.Data"};
  return Value::Struct({{{"Name", text("disk <full> & \"hot\"")},
                         {"Int", Value::Int(42)},
                         {"Neg", Value::Int(-7)},
                         {"Zero", Value::Int(0)},
                         {"Float", Value::Float(3.25)},
                         {"Big", Value::Float(1234567)},
                         {"True", Value::Bool(true)},
                         {"False", Value::Bool(false)},
                         {"Empty", text("")},
                         {"List", Value::StringList({"a", "b", "c"})},
                         {"Ints", Value::List({Value::Int(1), Value::Int(2), Value::Int(3)})},
                         {"None", Value::List({})},
                         {"Nil", Value()},
                         {"Map", Value::StringMap({{"job", "api"}, {"env", "prod"}})},
                         {"Time", time("2026-07-04T15:03:09.12Z")},
                         {"Later", time("2026-07-05T16:04:10Z")},
                         {"Dur", Value::Duration(std::chrono::minutes(90) + std::chrono::milliseconds(1500))},
                         {"Url", text("https://example.org/a b?x=1&y=<2>")},
                         {"Script", text("javascript:alert(1)")},
                         {"Utf", text("grüße – 世界")}}})
      .As(type);
}

std::shared_ptr<const FunctionTable> Functions() {
  using Args = std::span<const Value>;
  const auto upper = [](Args args) -> Result<Value> {
    std::string out = args[0].string();
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return Value::String(out);
  };
  const auto join = [](Args args) -> Result<Value> {
    std::string out;
    if (args[1].is_nil()) return Value::String("");
    for (const Value& item : args[1].list()) out += (out.empty() ? "" : args[0].string()) + item.string();
    return Value::String(out);
  };
  auto table = std::make_shared<FunctionTable>();
  (*table)["upper"] = {{Param::kString}, false, upper};
  (*table)["join"] = {{Param::kString, Param::kStringList}, false, join};
  (*table)["add"] = {{Param::kInt, Param::kInt}, false, [](Args args) -> Result<Value> {
                       return Value::Int(args[0].integer() + args[1].integer());
                     }};
  (*table)["half"] = {
      {Param::kFloat}, false, [](Args args) -> Result<Value> { return Value::Float(args[0].number() / 2); }};
  (*table)["fail"] = {{Param::kString}, false, [](Args args) -> Result<Value> {
                        return Fail(ErrorCode::kInvalid, "no " + args[0].string());
                      }};
  (*table)["safe"] = {{Param::kString}, false, [](Args args) -> Result<Value> { return args[0].As(kHtmlType); }};
  (*table)["many"] = {{Param::kString}, true, [](Args args) -> Result<Value> {
                        return Value::Int(static_cast<std::int64_t>(args.size()));
                      }};
  return table;
}

std::string Render(std::string_view source, Escaping escaping) {
  const auto parsed = Template::Parse("t", source, Functions());
  if (!parsed) return "! " + parsed.error().message;
  const auto text = parsed->Execute(Data(), {.escaping = escaping});
  return text ? "= " + *text : "! " + text.error().message;
}

// Where a message may be worded otherwise: html/template's own analysis before a run, and messages that show Go's types
// of nested values.
bool SameOutcome(const std::string& want, const std::string& got, Escaping escaping) {
  if (want == got) return true;
  if (want[0] != '!' || got[0] != '!') return false;
  return escaping == Escaping::kHtml;
}

BOOST_AUTO_TEST_CASE(templates_give_what_go_gives) {
  std::ifstream file(PIPEWARDEN_SOURCE_DIR "/tests/core/template/data/go_cases.txt");
  std::string line;
  std::string source;
  bool html = false;
  int cases = 0;
  while (std::getline(file, line)) {
    const std::string content = GoUnquote(std::string_view(line).substr(2)).value();
    if (line[0] == 'T') {
      source = content;
      html = false;
      continue;
    }
    const std::string want = line.substr(0, 2) + content;
    const Escaping escaping = html ? Escaping::kHtml : Escaping::kText;
    const std::string got = Render(source, escaping);
    BOOST_TEST(SameOutcome(want, got, escaping), (html ? "html " : "text ")
                                                     << source << "\n  want " << want << "\n  got  " << got);
    html = true;
    ++cases;
  }
  BOOST_TEST(cases > 300);
}

std::string Message(std::string_view source, ExecuteOptions options = {}) {
  const auto parsed = Template::Parse("t", source, Functions());
  if (!parsed) return parsed.error().message;
  const auto text = parsed->Execute(Data(), options);
  return text ? "fine" : text.error().message;
}

BOOST_AUTO_TEST_CASE(what_never_ends_is_stopped) {
  BOOST_TEST(
      Message("{{define \"x\"}}{{template \"x\" .}}{{end}}{{template \"x\" .}}").find("maximum template depth") !=
      std::string::npos);
  BOOST_TEST(Message("{{range 1000000000}}{{end}}").find("too many steps") != std::string::npos);
  BOOST_TEST(Message("{{range 1000}}0123456789{{end}}", {.max_output_bytes = 5000}).find("larger than 5000 bytes") !=
             std::string::npos);
  std::string nested;
  for (int i = 0; i < 200; ++i) nested += "{{if 1}}";
  BOOST_TEST(Message(nested).find("nested more than 100 deep") != std::string::npos);
  BOOST_TEST(Message("{{" + std::string(5000, '(')).find("nested more than 100 deep") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(values_in_scripts_and_styles_are_refused) {
  for (const char* source :
       {"<script>{{.Int}}</script>", "<style>{{.Int}}</style>", "<a onclick=\"f({{.Int}})\">",
        "<a style='color: {{.Name}}'>", "<img srcset=\"{{.Url}}\">", "<meta content=\"{{.Url}}\">"}) {
    const std::string message = Message(source, {.escaping = Escaping::kHtml});
    BOOST_TEST(message.find("a value cannot be printed in") != std::string::npos, source << ": " << message);
  }
  BOOST_TEST(Message("<a href=\"{{.Url}}", {.escaping = Escaping::kHtml}).find("ends inside an attribute's value") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_set_takes_later_definitions) {
  Template set(Functions());
  BOOST_REQUIRE(set.AddAssociated(
      "defaults", "{{define \"title\"}}default{{end}}{{define \"body\"}}[{{template \"title\" .}}]{{end}}"));
  const Template copy = set;
  BOOST_REQUIRE(set.AddAssociated("user", "{{define \"title\"}}mine{{end}}"));
  BOOST_REQUIRE(set.AddAssociated("empty", "{{define \"title\"}} {{end}}"));
  BOOST_TEST(!set.AddAssociated("bad", "{{define \"title\"}}{{nofunc}}{{end}}").has_value());
  BOOST_TEST(set.ExecuteNamed("body", Data()).value() == "[mine]");
  BOOST_TEST(copy.ExecuteNamed("body", Data()).value() == "[default]");
  BOOST_TEST(set.Defines("title"));
  BOOST_TEST(!set.ExecuteNamed("nope", Data()).has_value());
}

BOOST_AUTO_TEST_CASE(an_execution_brings_its_own_functions) {
  const auto parsed = Template::Parse("t", "{{many}}", Functions());
  const FunctionTable own = {
      {"many", {{}, false, [](std::span<const Value>) -> Result<Value> { return Value::Int(7); }}}};
  BOOST_TEST(parsed->Execute(Data(), {.functions = &own}).value() == "7");
}

}  // namespace
}  // namespace pipewarden::core
