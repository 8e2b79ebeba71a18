#include "exporters/logs/followed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace pipewarden::exporters {
namespace {

constexpr std::uint64_t kHeadBytes = 1024;
constexpr std::uint64_t kTailBytes = 256;

std::uint64_t HashBytes(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

ssize_t ReadAt(int fd, char* buffer, std::size_t size, std::uint64_t offset) {
  for (;;) {
    const ssize_t n = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (n >= 0 || errno != EINTR) return n;
  }
}

// The hash of exactly `size` bytes (at most 1 KiB); nullopt where the file has fewer or does not read.
std::optional<std::uint64_t> HashAt(int fd, std::uint64_t offset, std::uint64_t size, bool& failed) {
  char buffer[kHeadBytes];
  const ssize_t n = ReadAt(fd, buffer, std::min(size, kHeadBytes), offset);
  failed = n < 0;
  if (n < 0 || static_cast<std::uint64_t>(n) != size) return std::nullopt;
  return HashBytes({buffer, static_cast<std::size_t>(n)});
}

}  // namespace

int OpenForReading(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

FollowedFile::~FollowedFile() { Close(); }

core::Result<void> FollowedFile::Open() {
  if (fd_ >= 0) return {};
  const int fd = OpenForReading(record_.path);
  if (fd < 0) return core::Fail(core::SystemError("open " + record_.path, errno));
  struct stat info{};
  if (::fstat(fd, &info) != 0 || info.st_dev != record_.device || info.st_ino != record_.inode) {
    ::close(fd);
    return core::Fail(core::ErrorCode::kNotFound, record_.path + " is another file by now");
  }
  fd_ = fd;
  return {};
}

void FollowedFile::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

core::Result<struct stat> FollowedFile::Stat() const {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return core::Fail(core::SystemError("stat " + record_.path, errno));
  return info;
}

bool FollowedFile::HasContentOf(int fd, std::uint64_t size, const FileRecord& record) {
  if (size < record.offset) return false;
  bool failed = false;
  const auto head = HashAt(fd, 0, record.head_size, failed);
  if (failed) return true;
  if (head != record.head_hash && record.head_size > 0) return false;
  const auto tail = HashAt(fd, record.offset - record.tail_size, record.tail_size, failed);
  return failed || record.tail_size == 0 || tail == record.tail_hash;
}

void FollowedFile::StartOver() {
  record_.offset = record_.head_size = record_.tail_size = 0;
  record_.head_hash = record_.tail_hash = 0;
  record_.skipping = false;
  changed = true;
}

void FollowedFile::StartAtEnd(std::uint64_t size) {
  StartOver();
  record_.offset = size;
  char last = '\n';
  if (fd_ >= 0 && size > 0) {
    ReadAt(fd_, &last, 1, size - 1);
    UpdateHashes();
  }
  record_.skipping = last != '\n';
}

void FollowedFile::UpdateHashes() {
  bool failed = false;
  if (const std::uint64_t size = std::min(kHeadBytes, record_.offset); record_.head_size < size) {
    if (const auto hash = HashAt(fd_, 0, size, failed)) {
      record_.head_size = size;
      record_.head_hash = *hash;
    }
  }
  const std::uint64_t size = std::min(kTailBytes, record_.offset);
  const auto hash = HashAt(fd_, record_.offset - size, size, failed);
  record_.tail_size = hash ? size : 0;
  record_.tail_hash = hash.value_or(0);
}

core::Result<ReadCounts> FollowedFile::Read(std::vector<char>& buffer, std::size_t max_line, std::uint64_t budget,
                                            const BlockTaker& take) {
  ReadCounts counts;
  has_more = false;
  const std::uint64_t begin = record_.offset;
  while (true) {
    if (counts.bytes >= budget) {
      has_more = true;
      break;
    }
    const ssize_t n = ReadAt(fd_, buffer.data(), buffer.size(), record_.offset);
    if (n < 0) {
      const core::Error problem = core::SystemError("read " + record_.path, errno);
      Close();
      return core::Fail(problem);
    }
    std::string_view data(buffer.data(), static_cast<std::size_t>(n));
    const bool at_end = data.size() < buffer.size();
    const auto advance = [&](std::size_t bytes) {
      record_.offset += bytes;
      counts.bytes += bytes;
      data.remove_prefix(bytes);
    };
    if (record_.skipping && !data.empty()) {
      const std::size_t newline = data.find('\n');
      record_.skipping = newline == std::string_view::npos;
      advance(record_.skipping ? data.size() : newline + 1);
    }
    // NULs where a line begins: a writer went on at its old position after a truncation.
    if (!data.empty() && data[0] == '\0') advance(std::min(data.find_first_not_of('\0'), data.size()));
    if (const std::size_t newline = data.rfind('\n'); newline != std::string_view::npos) {
      take(data.substr(0, newline + 1));
      advance(newline + 1);
    }
    if (data.size() > max_line) {  // a line that is too long: its first bytes count, its rest is skipped
      buffer[static_cast<std::size_t>(data.data() - buffer.data()) + max_line] = '\n';
      take(data.substr(0, max_line + 1));
      ++counts.cut;
      record_.skipping = true;
      advance(data.size());
    }
    if (at_end) break;
  }
  if (record_.offset != begin) {
    UpdateHashes();
    changed = true;
  }
  return counts;
}

core::Result<ReadCounts> FollowedFile::TakeRest(std::vector<char>& buffer, std::size_t max_line,
                                                const BlockTaker& take) {
  ReadCounts counts;
  if (record_.skipping) return counts;
  const ssize_t n = ReadAt(fd_, buffer.data(), std::min(buffer.size() - 1, max_line), record_.offset);
  if (n <= 0) return counts;
  buffer[static_cast<std::size_t>(n)] = '\n';
  take({buffer.data(), static_cast<std::size_t>(n) + 1});
  record_.offset += static_cast<std::uint64_t>(n);
  counts.bytes = static_cast<std::uint64_t>(n);
  UpdateHashes();
  changed = true;
  return counts;
}

}  // namespace pipewarden::exporters
