#include "agent/step/protocol.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace pipewarden::agent::step {
namespace {

constexpr std::string_view kMagic = "pipewarden-step ";

// A spec's entry: "key length:bytes\n", because values may hold anything but NUL.
void AddEntry(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).append(" ").append(std::to_string(value.size())).append(":").append(value).append("\n");
}
void AddEntry(std::string& out, std::string_view key, std::int64_t value) { AddEntry(out, key, std::to_string(value)); }

// A result file's entry: "key value\n"; a line break within a value becomes a space.
void AddLine(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).append(" ");
  for (const char c : value) out.push_back(c == '\n' || c == '\r' ? ' ' : c);
  out.push_back('\n');
}
void AddLine(std::string& out, std::string_view key, std::int64_t value) { AddLine(out, key, std::to_string(value)); }

template <class T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string Header() { return std::string(kMagic) + std::to_string(kProtocolVersion) + "\n"; }

// Takes the first line; the version, or 0 where it is none or newer than ours.
int TakeHeader(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(kMagic)) return 0;
  int version = 0;
  if (!ParseNumber(text.substr(kMagic.size(), end - kMagic.size()), version)) return 0;
  text.remove_prefix(end + 1);
  return version <= kProtocolVersion ? version : 0;
}

// Calls line(key, value) for each line up to `end`; false where that is missing.
template <class F>
bool ReadLines(std::string_view text, F line) {
  if (TakeHeader(text) == 0) return false;
  for (;;) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    const std::string_view whole = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (whole == "end") return true;
    const std::size_t space = whole.find(' ');
    if (space == std::string_view::npos) return false;
    line(whole.substr(0, space), whole.substr(space + 1));
  }
}

std::string ReadSmallFile(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[1024];
  const ssize_t size = read(fd, buffer, sizeof buffer);
  close(fd);
  return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

std::string EncodeSpec(const Spec& spec) {
  std::string out = Header();
  for (const std::string& argument : spec.argv) AddEntry(out, "arg", argument);
  for (const std::string& variable : spec.env) AddEntry(out, "env", variable);
  for (const std::string& secret : spec.secrets) AddEntry(out, "secret", secret);
  AddEntry(out, "cwd", spec.cwd);
  AddEntry(out, "output_max", static_cast<std::int64_t>(spec.output_max));
  AddEntry(out, "timeout_ms", spec.timeout_ms);
  AddEntry(out, "grace_ms", spec.grace_ms);
  AddEntry(out, "drain_ms", spec.drain_ms);
  AddEntry(out, "keep_background", spec.keep_background ? 1 : 0);
  return out + "end\n";
}

bool DecodeSpec(std::string_view text, Spec& spec, std::string& error) {
  spec = Spec{};
  if (TakeHeader(text) == 0) {
    error = "no spec, or one of a newer pipewarden";
    return false;
  }
  while (text != "end\n") {
    const std::size_t space = text.find(' ');
    const std::size_t colon = text.find(':', space);
    std::size_t length = 0;
    if (space == std::string_view::npos || colon == std::string_view::npos ||
        !ParseNumber(text.substr(space + 1, colon - space - 1), length) || length > text.size() - colon - 1 ||
        text.size() - colon - 1 - length < 1 || text[colon + 1 + length] != '\n') {
      error = "the spec is cut short or damaged";
      return false;
    }
    const std::string_view key = text.substr(0, space);
    const std::string_view value = text.substr(colon + 1, length);
    text.remove_prefix(colon + length + 2);
    std::int64_t number = 0;
    const bool is_number = ParseNumber(value, number) && number >= 0;
    if (key == "arg") {
      spec.argv.emplace_back(value);
    } else if (key == "env") {
      spec.env.emplace_back(value);
    } else if (key == "secret") {
      spec.secrets.emplace_back(value);
    } else if (key == "cwd") {
      spec.cwd = value;
    } else if (is_number && key == "output_max") {
      spec.output_max = static_cast<std::uint64_t>(number);
    } else if (is_number && key == "timeout_ms") {
      spec.timeout_ms = number;
    } else if (is_number && key == "grace_ms") {
      spec.grace_ms = number;
    } else if (is_number && key == "drain_ms") {
      spec.drain_ms = number;
    } else if (is_number && key == "keep_background") {
      spec.keep_background = number != 0;
    } else {  // unlike in result files: what the agent asks for and we do not know must not be left undone silently
      error = "the spec has an entry '" + std::string(key) + "' that this pipewarden-step does not know";
      return false;
    }
  }
  if (spec.argv.empty()) error = "the spec names no command";
  return !spec.argv.empty();
}

std::string EncodeStarted(const Started& started) {
  std::string out = Header();
  AddLine(out, "pid", started.pid);
  AddLine(out, "start_ticks", static_cast<std::int64_t>(started.start_ticks));
  AddLine(out, "boot_id", started.boot_id);
  AddLine(out, "wall_ns", started.wall_ns);
  return out + "end\n";
}

bool DecodeStarted(std::string_view text, Started& started) {
  started = Started{};
  return ReadLines(text, [&](std::string_view key, std::string_view value) {
    if (key == "pid") ParseNumber(value, started.pid);
    if (key == "start_ticks") ParseNumber(value, started.start_ticks);
    if (key == "boot_id") started.boot_id = value;
    if (key == "wall_ns") ParseNumber(value, started.wall_ns);
  });
}

std::string EncodeEnded(const Ended& ended) {
  std::string out = Header();
  AddLine(out, "exit_code", ended.exit_code);
  AddLine(out, "signal", ended.signal);
  AddLine(out, "reason", ended.reason);
  AddLine(out, "message", ended.message);
  AddLine(out, "wall_ns", ended.wall_ns);
  AddLine(out, "duration_ns", ended.duration_ns);
  AddLine(out, "cpu_user_us", ended.cpu_user_us);
  AddLine(out, "cpu_system_us", ended.cpu_system_us);
  AddLine(out, "max_rss_kb", ended.max_rss_kb);
  return out + "end\n";
}

bool DecodeEnded(std::string_view text, Ended& ended) {
  ended = Ended{};
  return ReadLines(text, [&](std::string_view key, std::string_view value) {
    if (key == "exit_code") ParseNumber(value, ended.exit_code);
    if (key == "signal") ParseNumber(value, ended.signal);
    if (key == "reason") ended.reason = value;
    if (key == "message") ended.message = value;
    if (key == "wall_ns") ParseNumber(value, ended.wall_ns);
    if (key == "duration_ns") ParseNumber(value, ended.duration_ns);
    if (key == "cpu_user_us") ParseNumber(value, ended.cpu_user_us);
    if (key == "cpu_system_us") ParseNumber(value, ended.cpu_system_us);
    if (key == "max_rss_kb") ParseNumber(value, ended.max_rss_kb);
  });
}

std::string EncodeNotStarted(std::string_view reason) {
  std::string out = Header();
  AddLine(out, "reason", reason);
  return out + "end\n";
}

bool DecodeNotStarted(std::string_view text, std::string& reason) {
  reason.clear();
  return ReadLines(text, [&](std::string_view key, std::string_view value) {
    if (key == "reason") reason = value;
  });
}

std::uint64_t StartTicks(pid_t pid) {
  const std::string stat = ReadSmallFile(("/proc/" + std::to_string(pid) + "/stat").c_str());
  std::size_t at = stat.rfind(')');  // the command's name, in parentheses, may hold anything
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(stat.c_str() + at, nullptr, 10);
}

std::string BootId() {
  std::string id = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

}  // namespace pipewarden::agent::step
