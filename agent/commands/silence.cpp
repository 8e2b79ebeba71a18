// pipewarden silence add|list|expire: keeps alerts that match from notifying for a while.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/client.h"
#include "agent/commands/list.h"
#include "agent/commands/text.h"
#include "alertmanager/matchers.h"
#include "core/text/url.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

constexpr const char* kSilences = "/api/v2/silences";

struct Arguments {
  ClientOptions client;
  std::vector<std::string> words;  // matchers, or ids
  std::string length = "1h";
  std::string until;
  std::string start;
  std::string author;
  std::string comment;
  bool all = false;
  bool as_json = false;
};

core::Result<json> MatchersJson(const std::vector<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) {
    auto matchers = alertmanager::ParseMatchers(text);
    if (!matchers) return core::Fail(matchers.error().Within("matcher '" + text + "'"));
    for (const core::Matcher& matcher : *matchers) {
      const core::MatchOp op = matcher.op();
      list.push_back({{"name", matcher.name()},
                      {"value", matcher.value()},
                      {"isRegex", op == core::MatchOp::kRegex || op == core::MatchOp::kNotRegex},
                      {"isEqual", op == core::MatchOp::kEqual || op == core::MatchOp::kRegex}});
    }
  }
  return list;
}

core::Result<json> SilenceJson(const Arguments& arguments) {
  auto matchers = MatchersJson(arguments.words);
  if (!matchers) return matchers;
  core::WallTime start = core::SystemClock().Now();
  if (!arguments.start.empty()) {
    const auto given = core::ParseRfc3339(arguments.start);
    if (!given) return core::Fail(given.error().Within("--start"));
    start = given->ToWall();
  }
  core::WallTime end{};
  if (!arguments.until.empty()) {
    const auto given = core::ParseRfc3339(arguments.until);
    if (!given) return core::Fail(given.error().Within("--until"));
    end = given->ToWall();
  } else {
    const auto length = core::ParseDuration(arguments.length);
    if (!length) return core::Fail(length.error().Within("--for"));
    end = start + *length;
  }
  const char* user = std::getenv("USER");
  const std::string author = !arguments.author.empty() ? arguments.author : user != nullptr ? user : "pipewarden";
  return json{{"matchers", std::move(*matchers)},
              {"startsAt", core::FormatRfc3339(start)},
              {"endsAt", core::FormatRfc3339(end)},
              {"createdBy", author},
              {"comment", arguments.comment}};
}

int Add(const Arguments& arguments) {
  auto silence = SilenceJson(arguments);
  if (!silence) return PrintError({core::ErrorCode::kInvalid, silence.error().message});
  auto answer = Client(arguments.client).Call("POST", kSilences, &*silence);
  if (!answer) return PrintError(answer.error());
  std::cout << Text(*answer, "silenceID") << '\n';
  return kExitWell;
}

std::string MatchersText(const json& silence) {
  std::string text;
  for (const json& matcher : silence.value("matchers", json::array())) {
    const bool regex = matcher.value("isRegex", false);
    const bool equal = matcher.value("isEqual", true);
    text += (text.empty() ? "" : " ") + Text(matcher, "name") +
            (equal   ? regex ? "=~" : "="
             : regex ? "!~"
                     : "!=") +
            json(Text(matcher, "value")).dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return text;
}

int List(const Arguments& arguments) {
  auto silences = Client(arguments.client).Call("GET", kSilences);
  if (!silences) return PrintError(silences.error());
  json shown = json::array();
  for (const json& silence : *silences)
    if (arguments.all || Text(silence.value("status", json::object()), "state") != "expired") shown.push_back(silence);
  if (arguments.as_json) {
    std::cout << shown.dump(2) << '\n';
    return kExitWell;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& silence : shown)
    rows.push_back({Text(silence, "id"), Text(silence.value("status", json::object()), "state"),
                    Text(silence, "endsAt"), MatchersText(silence), Text(silence, "createdBy"),
                    Text(silence, "comment")});
  if (rows.empty())
    std::cout << "No silences.\n";
  else
    PrintTable({"ID", "STATE", "ENDS (UTC)", "MATCHERS", "BY", "COMMENT"}, rows);
  return kExitWell;
}

int Expire(const Arguments& arguments) {
  for (const std::string& id : arguments.words) {
    auto answer = Client(arguments.client).Call("DELETE", "/api/v2/silence/" + core::UrlEscape(id));
    if (!answer) return PrintError(answer.error());
  }
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  auto chosen = std::make_shared<int (*)(const Arguments&)>(nullptr);
  app.require_subcommand(1);
  const auto sub = [&](const char* name, const char* summary, int (*run)(const Arguments&)) {
    CLI::App* added = app.add_subcommand(name, summary);
    added->set_help_flag("-h,--help", "Print this help and exit");
    added->get_formatter()->column_width(34);
    added->callback([chosen, run] { *chosen = run; });
    return added;
  };
  CLI::App* add = sub("add", "Add a silence; prints its id", Add);
  add->add_option("MATCHER", arguments->words, "What alerts must match: alertname=DiskFull 'env=~\"p.*\"'")->required();
  auto* length = add->add_option("--for", arguments->length, "For how long (default: 1h)");
  add->add_option("--until", arguments->until, "Until when, RFC 3339, instead of --for")->excludes(length);
  add->add_option("--start", arguments->start, "From when on, RFC 3339 (default: now)");
  add->add_option("--author", arguments->author, "Who asks for it (default: $USER)");
  add->add_option("--comment", arguments->comment, "Why");
  CLI::App* list = sub("list", "List the silences that hold or will hold", List);
  list->add_flag("--all", arguments->all, "Those that have expired too");
  list->add_flag("--json", arguments->as_json, "Print them as JSON");
  CLI::App* expire = sub("expire", "End silences now", Expire);
  expire->add_option("ID", arguments->words, "Ids, of 'list'")->required();
  for (CLI::App* one : {add, list, expire}) AddClientOptions(*one, arguments->client);
  return [arguments, chosen] { return *chosen == nullptr ? static_cast<int>(kExitUsage) : (*chosen)(*arguments); };
}

}  // namespace

constexpr Command kSilenceCommand{.name = "silence", .summary = "Add, list and expire silences", .setup = Setup};

}  // namespace pipewarden::agent
