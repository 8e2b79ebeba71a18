// The patterns of one entry of `logs:`, compiled so that a block of lines is searched for each pattern's literal and
// RE2 is asked only where that stands:
//
//   prefix literal   "Finished task \d+ .."   search the literal, match anchored there (no reverse scan)
//   inner literal    "took \d+ s, GC"         search the literal, match the line
//   line start       "^\[?\d{4}-"             each line whose first byte can begin a match, anchored
//   none             "\d+ ms"                 each line
//
// Lines are bytes: a pattern of ASCII is matched as Latin-1, so that `.` crosses invalid UTF-8; one with other
// characters as UTF-8. A line counts once for each pattern that matches it. Patterns are asked one after the other, not
// line by line, but for those that set one gauge together, which need the order of the lines. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/logs/log_config.h"

namespace pipewarden::exporters {

class MatchSink {
 public:
  virtual ~MatchSink() = default;
  // `groups`: the text of the pattern's group_names, in their order; a group that took no part is empty.
  virtual void OnMatch(std::size_t pattern, std::span<const std::string_view> groups) = 0;
};

class PatternSet {
 public:
  // The patterns compile (ReadLogs has seen to that). Groups that no update uses are not captured.
  PatternSet(const std::vector<LogPattern>& patterns, const std::vector<LogMetric>& metrics);
  ~PatternSet();
  PatternSet(PatternSet&&) noexcept;
  PatternSet& operator=(PatternSet&&) noexcept;

  std::size_t size() const;
  const std::vector<std::string>& GroupNames(std::size_t pattern) const;
  // How lines are found: "prefix 'Finished task '", "literal ' took '", "line start", "each line".
  std::string Plan(std::size_t pattern) const;

  struct Counts {
    std::uint64_t lines = 0;
    std::uint64_t cut = 0;  // longer than max_line
  };
  // Whole lines, each ended by a newline. Of a line beyond `max_line` the first bytes are matched. A carriage return at
  // a line's end and NULs at its start (what truncation under a writer leaves) do not belong to it.
  Counts Scan(std::string_view block, std::size_t max_line, MatchSink& sink) const;

 private:
  struct Compiled;
  struct Line;
  static Line LineAt(std::string_view block, std::size_t position, std::size_t max_line);
  void ScanOne(std::size_t pattern, std::string_view block, std::size_t max_line, MatchSink& sink) const;
  bool Match(std::size_t pattern, std::string_view line, std::size_t from, bool anchored, MatchSink& sink) const;

  std::vector<std::unique_ptr<Compiled>> compiled_;
  std::vector<std::size_t> by_line_;  // asked line by line
};

}  // namespace pipewarden::exporters
