#include "exporters/logs/pattern_set.h"

#include <re2/re2.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <map>

#include "exporters/logs/literal.h"

namespace pipewarden::exporters {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

RE2::Options RegexOptions(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  const bool ascii = std::ranges::all_of(pattern, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  // \p and \x may speak of characters beyond Latin-1.
  if (ascii && pattern.find("\\p") == std::string::npos && pattern.find("\\P") == std::string::npos &&
      pattern.find("\\x") == std::string::npos)
    options.set_encoding(RE2::Options::EncodingLatin1);
  return options;
}

std::size_t NextNewline(std::string_view block, std::size_t from) {
  const void* found = std::memchr(block.data() + from, '\n', block.size() - from);
  return found == nullptr ? block.size() : static_cast<std::size_t>(static_cast<const char*>(found) - block.data());
}

}  // namespace

struct PatternSet::Compiled {
  explicit Compiled(const LogPattern& pattern) : regex(pattern.match, RegexOptions(pattern.match)) {}

  RE2 regex;
  RequiredLiteral literal;
  std::bitset<256> first_bytes;  // with which a match at the line's start can begin
  std::vector<std::string> group_names;
  std::vector<int> group_numbers;
  int captures = 1;  // as many as RE2 must find
  bool by_line = false;
  // Scratch of Match.
  mutable std::vector<re2::StringPiece> pieces;
  mutable std::vector<std::string_view> groups;
};

struct PatternSet::Line {
  std::size_t begin;
  std::size_t end;   // of what is matched
  std::size_t next;  // where the next line begins
  std::string_view Text(std::string_view block) const { return block.substr(begin, end - begin); }
};

PatternSet::PatternSet(const std::vector<LogPattern>& patterns, const std::vector<LogMetric>& metrics) {
  std::map<std::string, std::vector<std::size_t>> gauges;  // and the patterns that set each
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    auto compiled = std::make_unique<Compiled>(patterns[i]);
    const auto& numbers = compiled->regex.NamedCapturingGroups();
    const auto want = [&](const std::string& group) {
      if (group.empty() || std::ranges::find(compiled->group_names, group) != compiled->group_names.end()) return;
      compiled->group_names.push_back(group);
      compiled->group_numbers.push_back(numbers.at(group));
      compiled->captures = std::max(compiled->captures, numbers.at(group) + 1);
    };
    for (const LogUpdate& update : patterns[i].updates) {
      want(update.value_group);
      for (const std::string& group : update.label_groups) want(group);
      const auto metric = std::ranges::find(metrics, update.metric, [](const LogMetric& m) { return m.family.name; });
      if (metric != metrics.end() && metric->family.type == core::MetricType::kGauge)
        gauges[update.metric].push_back(i);
    }
    if (compiled->group_names.empty()) compiled->captures = 0;
    compiled->pieces.resize(static_cast<std::size_t>(compiled->captures));
    compiled->groups.resize(compiled->group_names.size());
    compiled->literal = FindRequiredLiteral(patterns[i].match);
    compiled->first_bytes.set();
    std::string low;
    std::string high;
    if (compiled->literal.at_line_start && compiled->regex.PossibleMatchRange(&low, &high, 1) && !low.empty() &&
        !high.empty()) {
      compiled->first_bytes.reset();
      for (unsigned c = static_cast<unsigned char>(low[0]); c <= static_cast<unsigned char>(high[0]); ++c)
        compiled->first_bytes.set(c);
    }
    compiled_.push_back(std::move(compiled));
  }
  for (const auto& [name, setters] : gauges) {
    if (setters.size() < 2) continue;
    for (const std::size_t i : setters) compiled_[i]->by_line = true;
  }
  for (std::size_t i = 0; i < compiled_.size(); ++i)
    if (compiled_[i]->by_line || compiled_[i]->literal.text.empty()) by_line_.push_back(i);
}

PatternSet::~PatternSet() = default;
PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;

std::size_t PatternSet::size() const { return compiled_.size(); }
const std::vector<std::string>& PatternSet::GroupNames(std::size_t pattern) const {
  return compiled_[pattern]->group_names;
}

std::string PatternSet::Plan(std::size_t pattern) const {
  const Compiled& c = *compiled_[pattern];
  if (c.by_line) return "each line (it sets a gauge together with another)";
  if (!c.literal.text.empty()) return (c.literal.is_prefix ? "prefix '" : "literal '") + c.literal.text + "'";
  return c.literal.at_line_start ? "line start" : "each line";
}

PatternSet::Line PatternSet::LineAt(std::string_view block, std::size_t position, std::size_t max_line) {
  const void* before = position == 0 ? nullptr : ::memrchr(block.data(), '\n', position);
  Line line{};
  line.begin = before == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(before) - block.data()) + 1;
  const std::size_t newline = NextNewline(block, position);
  line.next = std::min(newline + 1, block.size());
  line.end = newline;
  while (line.begin < line.end && block[line.begin] == '\0') ++line.begin;
  if (line.end - line.begin > max_line) {
    line.end = line.begin + max_line;
  } else if (line.end > line.begin && block[line.end - 1] == '\r') {
    --line.end;
  }
  return line;
}

bool PatternSet::Match(std::size_t pattern, std::string_view line, std::size_t from, bool anchored,
                       MatchSink& sink) const {
  const Compiled& c = *compiled_[pattern];
  const re2::StringPiece text(line.data(), line.size());
  if (!c.regex.Match(text, from, line.size(), anchored ? RE2::ANCHOR_START : RE2::UNANCHORED, c.pieces.data(),
                     c.captures))
    return false;
  for (std::size_t i = 0; i < c.group_numbers.size(); ++i) {
    const re2::StringPiece& piece = c.pieces[static_cast<std::size_t>(c.group_numbers[i])];
    c.groups[i] = piece.data() == nullptr ? std::string_view() : std::string_view(piece.data(), piece.size());
  }
  sink.OnMatch(pattern, c.groups);
  return true;
}

void PatternSet::ScanOne(std::size_t pattern, std::string_view block, std::size_t max_line, MatchSink& sink) const {
  const Compiled& c = *compiled_[pattern];
  std::size_t position = 0;
  while ((position = FindLiteral(block, c.literal.text, position)) != kNone) {
    const Line line = LineAt(block, position, max_line);
    if (position < line.begin || position + c.literal.text.size() > line.end) {  // beyond where the line is cut
      position = line.next;
      continue;
    }
    const std::size_t from = c.literal.is_prefix ? position - line.begin : 0;
    const bool matched = Match(pattern, line.Text(block), from, c.literal.is_prefix || c.literal.at_line_start, sink);
    // A prefix may stand again further on in the line.
    position = matched || !c.literal.is_prefix ? line.next : position + 1;
  }
}

PatternSet::Counts PatternSet::Scan(std::string_view block, std::size_t max_line, MatchSink& sink) const {
  for (std::size_t i = 0; i < compiled_.size(); ++i)
    if (!compiled_[i]->by_line && !compiled_[i]->literal.text.empty()) ScanOne(i, block, max_line, sink);
  Counts counts;
  for (std::size_t begin = 0; begin < block.size();) {
    ++counts.lines;
    if (by_line_.empty()) {
      const std::size_t end = NextNewline(block, begin);
      if (end - begin > max_line) ++counts.cut;
      begin = end + 1;
      continue;
    }
    const Line line = LineAt(block, begin, max_line);
    begin = line.next;
    const std::string_view text = line.Text(block);
    if (line.next - line.begin > max_line + 1) ++counts.cut;
    const auto first = static_cast<unsigned char>(text.empty() ? '\0' : text[0]);
    for (const std::size_t i : by_line_) {
      const Compiled& c = *compiled_[i];
      if (!text.empty() && !c.first_bytes[first]) continue;
      if (!c.literal.text.empty() && text.find(c.literal.text) == kNone) continue;
      Match(i, text, 0, c.literal.at_line_start, sink);
    }
  }
  return counts;
}

}  // namespace pipewarden::exporters
