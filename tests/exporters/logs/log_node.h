// A machine with log files and the worker that follows them, for tests: numbered lines are written, and the counters
// must account for each of them.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>

#include "exporters/logs/log_worker.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {

using Values = std::map<std::string, double>;  // by the series' text

inline Values ValuesOf(const LogWorker& worker) {
  Values values;
  for (const auto& family : *worker.Metrics())
    for (std::size_t i = 0; i < family->values.size(); ++i)
      values[(*family->series)[i]->labels.ToString()] = family->values[i];
  return values;
}

struct LogNode {
  pipewarden::test::TempFolder folder;
  core::JumpingClock clock;
  std::string said;
  core::Logger logger{
      core::LogLevel::kInfo, core::LogFormat::kLogfmt,
      [](void* context, std::string_view line) { static_cast<std::string*>(context)->append(line).append("\n"); },
      &said};
  std::unique_ptr<LogWorker> worker;
  std::string options = "start: beginning";
  std::string path = "app.log";
  std::string patterns =
      "[{match: 'line n=(?P<n>[0-9]+)', metrics: [{counter: lines_total}, {counter: sum_total, value: n}, {gauge: "
      "last, value: n}]}]";
  // What was written: how many lines, and the sum of their numbers.
  std::uint64_t count = 0;
  std::uint64_t sum = 0;

  LogNode() {
    std::filesystem::create_directory(folder / "logs");
    std::filesystem::create_directory(folder / "data");
  }

  std::string File(std::string_view name) const { return folder / ("logs/" + std::string(name)); }

  std::vector<LogConfig> Config() const {
    core::ConfigErrors errors;
    const auto node = core::ParseYaml("- {name: test, path: " + path + ", " + options + ", patterns: " + patterns + "}",
                                      File("f.yml"), errors);
    std::vector<LogConfig> configs = ReadLogs(*node, errors);
    for (const std::string& line : errors.Lines()) BOOST_ERROR(line);
    return configs;
  }
  void Start() {
    worker = std::make_unique<LogWorker>(clock, logger, folder / "data");
    worker->Apply(Config());
    Poll();
  }
  void Poll() {
    clock.Jump(std::chrono::milliseconds(250));
    for (int i = 0; i < 100 && worker->Poll(); ++i) {
    }
  }
  void PollFor(core::Duration time) {
    for (const core::MonoTime end = clock.Monotonic() + time; clock.Monotonic() < end;) Poll();
  }
  void Kill() { worker.reset(); }

  // Numbered lines through a descriptor, as a writer that keeps its file open.
  void Write(int fd, int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) text += Next();
    BOOST_REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void Write(std::string_view name, int lines) {
    const int fd = Open(name);
    Write(fd, lines);
    ::close(fd);
  }
  int Open(std::string_view name) const {
    return ::open(File(name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }
  std::string Next() {
    ++count;
    sum += count;
    return "2026-03-14 line n=" + std::to_string(count) + " of a log\n";
  }
  void Rename(std::string_view from, std::string_view to) const { std::filesystem::rename(File(from), File(to)); }
  // logrotate's: a copy, then the original is cut.
  void CopyTruncate(std::string_view from, std::string_view to) const {
    std::filesystem::copy_file(File(from), File(to), std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(File(from), 0);
  }

  double Value(const std::string& series) const {
    const Values values = ValuesOf(*worker);
    const auto found = values.find(series);
    return found == values.end() ? -1 : found->second;
  }
  // Every line once: lost 0, doubled 0.
  void ExpectAll() const {
    BOOST_TEST(Value("lines_total") == static_cast<double>(count));
    BOOST_TEST(Value("sum_total") == static_cast<double>(sum));
  }
};

}  // namespace pipewarden::exporters
