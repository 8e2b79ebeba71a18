#include "agent/step/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pipewarden::agent::step {
namespace {

constexpr std::string_view kMask = "<secret>";
constexpr std::uint64_t kMarkerMax = 80;
constexpr std::size_t kCopyBlock = 16U << 10U;

}  // namespace

Masker::Masker(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase_if(secrets_, [](const std::string& secret) { return secret.empty(); });
  std::sort(secrets_.begin(), secrets_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& secret : secrets_) first_[static_cast<unsigned char>(secret[0])] = true;
}

void Masker::Feed(std::string_view bytes, std::string& out) {
  if (secrets_.empty()) {
    out.append(bytes);
    return;
  }
  held_.append(bytes);
  Scan(false, out);
}

void Masker::Flush(std::string& out) { Scan(true, out); }

void Masker::Scan(bool at_end, std::string& out) {
  const std::string_view text = held_;
  std::size_t done = 0;  // shown or masked up to here
  std::size_t at = 0;
  while (at < text.size()) {
    if (!first_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const std::string_view rest = text.substr(at);
    std::size_t matched = 0;
    bool undecided = false;
    for (const std::string& secret : secrets_) {
      if (rest.starts_with(secret)) {
        matched = secret.size();
        break;
      }
      if (!at_end && std::string_view(secret).starts_with(rest)) {
        undecided = true;
        break;
      }
    }
    if (undecided) break;
    if (matched == 0) {
      ++at;
      continue;
    }
    out.append(text.substr(done, at - done)).append(kMask);
    at += matched;
    done = at;
  }
  out.append(text.substr(done, at - done));
  held_.erase(0, at);
}

BoundedFile::BoundedFile(int fd, std::uint64_t bound) : fd_(fd), bound_(std::max<std::uint64_t>(bound, 1024)) {}

void BoundedFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (size_ == bound_ && !Compact()) break;
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), bound_ - size_));
    if (!WriteAt(bytes.substr(0, part), size_)) break;
    size_ += part;
    bytes.remove_prefix(part);
  }
  lost_ += bytes.size();
}

bool BoundedFile::Compact() {
  if (head_ == 0) {
    head_ = LineStart(bound_ / 4, bound_ / 4 + bound_ / 8);
  }
  const std::uint64_t keep = (bound_ - head_) / 2 - kMarkerMax;
  const std::uint64_t from = LineStart(size_ - keep, size_ - keep / 2);
  left_out_ += from - head_ - marker_;
  const std::string marker = "\n[pipewarden: " + std::to_string(left_out_) + " bytes left out here]\n";
  if (!WriteAt(marker, head_)) return false;
  marker_ = marker.size();
  std::uint64_t to = head_ + marker_;
  std::string block;
  for (std::uint64_t at = from; at < size_;) {
    block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kCopyBlock, size_ - at)));
    const ssize_t got = pread(fd_, block.data(), block.size(), static_cast<off_t>(at));
    if (got <= 0) return false;
    block.resize(static_cast<std::size_t>(got));
    if (!WriteAt(block, to)) return false;
    at += block.size();
    to += block.size();
  }
  size_ = to;
  return ftruncate(fd_, static_cast<off_t>(size_)) == 0;
}

// The first place at or after `from` where a line begins; where none begins before `limit`, a place near `from` that
// does not cut a UTF-8 sequence.
std::uint64_t BoundedFile::LineStart(std::uint64_t from, std::uint64_t limit) const {
  char window[4096];
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(sizeof window, limit - from));
  const ssize_t got = pread(fd_, window, wanted, static_cast<off_t>(from));
  if (got <= 0) return from;
  const std::string_view text(window, static_cast<std::size_t>(got));
  const std::size_t line_end = text.find('\n');
  if (line_end != std::string_view::npos && line_end + 1 < text.size()) return from + line_end + 1;
  std::size_t whole = 0;
  while (whole < 4 && whole < text.size() && (static_cast<unsigned char>(text[whole]) & 0xC0U) == 0x80U) ++whole;
  return from + whole;
}

bool BoundedFile::WriteAt(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

}  // namespace pipewarden::agent::step
