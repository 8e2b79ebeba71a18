// pipewarden cron next EXPR: when a schedule fires. Needs no agent. Prints RFC 3339 in UTC, a line each; NONE and exit
// 3 where it never fires again; exit 2 for a bad expression.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "agent/commands/list.h"
#include "agent/pipelines/cron.h"

namespace pipewarden::agent {
namespace {

constexpr int kExitNever = 3;

struct Arguments {
  std::string expression;
  std::string zone = "UTC";
  std::string from;
  int count = 1;
  std::string dst = "debian";
  std::string day = "or";
};

int BadUsage(const core::Error& error) {
  std::cerr << error.message << '\n';
  return kExitUsage;
}

int Next(const Arguments& arguments) {
  const auto dst = ParseDstDialect(arguments.dst);
  if (!dst) return BadUsage(dst.error());
  const auto day = ParseDayRule(arguments.day);
  if (!day) return BadUsage(day.error());
  const auto cron = Cron::Parse(arguments.expression, {.dst = *dst, .day_rule = *day});
  if (!cron) return BadUsage(cron.error());
  const auto zone = core::TimeZone::Find(arguments.zone);
  if (!zone) return BadUsage(zone.error());
  core::WallTime time = core::SystemClock().Now();
  if (!arguments.from.empty()) {
    const auto from = core::ParseRfc3339(arguments.from);
    if (!from) return BadUsage(from.error());
    time = from->ToWall();
  }
  for (int i = 0; i < arguments.count; ++i) {
    const auto next = cron->Next(time, *zone);
    if (!next) {
      std::cout << "NONE\n";
      return kExitNever;
    }
    std::cout << core::FormatRfc3339(*next) << '\n';
    time = *next;
  }
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* next = app.add_subcommand("next", "When a schedule fires next, in UTC");
  app.require_subcommand(1);
  next->add_option("EXPRESSION", arguments->expression, "Five or six fields, or @daily, @every 1h …")->required();
  next->add_option("--tz", arguments->zone, "Time zone of the schedule")->capture_default_str();
  next->add_option("--from", arguments->from, "RFC 3339 time after which to look (default: now)");
  next->add_option("--count", arguments->count, "How many times")->check(CLI::Range(1, 100'000))->capture_default_str();
  next->add_option("--dst", arguments->dst, "What a change of the clocks does: debian, literal or cronos")
      ->capture_default_str();
  next->add_option("--day", arguments->day, "How day-of-month and day-of-week join: or, and")->capture_default_str();
  return [arguments] { return Next(*arguments); };
}

}  // namespace

constexpr Command kCronCommand{.name = "cron", .summary = "Tell when a schedule fires", .setup = Setup};

}  // namespace pipewarden::agent
