#include "core/store/journal.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "core/read_file.h"

namespace pipewarden::core {
namespace {

constexpr std::size_t kHeader = 8;  // length and CRC
constexpr std::uint32_t kMaxRecord = 64U << 20U;
constexpr std::uint32_t kEndOfCheckpoint = 0xFFFFFFFF;  // in place of a length; the count of records follows
constexpr std::uint64_t kCheckpointBytes = 1U << 20U;

static_assert(std::endian::native == std::endian::little, "journal files are little-endian");

void AppendNumber(std::string& out, auto number) { out.append(reinterpret_cast<const char*>(&number), sizeof number); }
template <class T>
T ReadNumber(std::string_view bytes) {
  T number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

std::uint32_t Checksum(std::uint32_t length, std::string_view payload) {
  uLong crc = ::crc32(0, reinterpret_cast<const Bytef*>(&length), sizeof length);
  crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(payload.data()), payload.size());
  return static_cast<std::uint32_t>(crc);
}

void AppendRecord(std::string& out, std::string_view record) {
  const auto length = static_cast<std::uint32_t>(record.size());
  AppendNumber(out, length);
  AppendNumber(out, Checksum(length, record));
  out += record;
}

void AppendEnd(std::string& out, std::uint64_t count) {
  std::string payload;
  AppendNumber(payload, count);
  AppendNumber(out, kEndOfCheckpoint);
  AppendNumber(out, Checksum(kEndOfCheckpoint, payload));
  out += payload;
}

// What a file holds: its records, how far they go, and whether a checkpoint's end was there.
struct Contents {
  std::vector<std::string_view> records;
  std::size_t good_bytes = 0;
  bool ended = false;
};

Contents ReadRecords(std::string_view bytes) {
  Contents contents;
  while (bytes.size() - contents.good_bytes >= kHeader) {
    const std::string_view rest = bytes.substr(contents.good_bytes);
    const auto length = ReadNumber<std::uint32_t>(rest);
    const bool end = length == kEndOfCheckpoint;
    const std::size_t size = end ? sizeof(std::uint64_t) : length;
    if ((!end && length > kMaxRecord) || rest.size() < kHeader + size) return contents;
    const std::string_view payload = rest.substr(kHeader, size);
    if (Checksum(length, payload) != ReadNumber<std::uint32_t>(rest.substr(4))) return contents;
    if (end && ReadNumber<std::uint64_t>(payload) != contents.records.size()) return contents;
    contents.good_bytes += kHeader + size;
    if (end) {
      contents.ended = true;
      return contents;
    }
    contents.records.push_back(payload);
  }
  return contents;
}

Error WriteError(const std::string& doing, int number) {
  Error error = SystemError(doing, number);
  if (number == ENOSPC || number == EDQUOT) {
    error.code = ErrorCode::kLimit;
    error.message += " (free some space)";
  }
  return error;
}

// Where a journal's files are, and what is done to them.
struct Place {
  std::string directory;
  std::string name;
  FileOperations& files;

  std::string Path(std::uint64_t number, std::string_view kind) const {
    return directory + "/" + name + "." + std::to_string(number) + "." + std::string(kind);
  }
  std::map<std::uint64_t, std::string> Find(std::string_view kind) const;
  void RemoveBefore(std::uint64_t number) const;
  Result<void> WriteAll(int to, std::string_view bytes) const;
};

// Files <name>.<number>.<kind>, by number.
std::map<std::uint64_t, std::string> Place::Find(std::string_view kind) const {
  std::map<std::uint64_t, std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string file = entry.path().filename().string();
    std::string_view rest = file;
    if (!rest.starts_with(name + ".") || !rest.ends_with("." + std::string(kind))) continue;
    rest.remove_prefix(name.size() + 1);
    if (rest.size() <= kind.size() + 1) continue;
    rest.remove_suffix(kind.size() + 1);
    if (rest.size() > 18 || !std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; })) continue;
    found.emplace(std::stoull(std::string(rest)), entry.path().string());
  }
  return found;
}

void Place::RemoveBefore(std::uint64_t number) const {
  for (const char* kind : {"journal", "checkpoint"})
    for (const auto& [n, path] : Find(kind))
      if (n < number) files.Unlink(path);
}

Result<void> Place::WriteAll(int to, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = files.Write(to, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(WriteError("write journal '" + name + "' in " + directory, errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

struct CheckpointWriter::State {
  Place place;
  std::uint64_t number = 0;          // of this checkpoint
  std::uint64_t replaced_bytes = 0;  // of the log before it
  std::string unfinished{};          // the temporary file
  int fd = -1;
  std::uint64_t count = 0;
  std::uint64_t size = 0;
  bool finished = false;
  Result<void> written{};  // the first failure

  void Close() {
    if (fd >= 0) place.files.Close(fd);
    fd = -1;
  }
};

struct Journal::State {
  Place place;
  Logger logger;

  int fd = -1;                     // the newest journal
  std::uint64_t generation = 0;    // its number
  std::uint64_t journal_size = 0;  // of whole records in it
  bool torn = false;               // what is beyond journal_size must go before the next append
  std::uint64_t log_bytes = 0;     // of all journals since the checkpoint
  std::uint64_t checkpoint_bytes = 0;
  std::uint64_t wanted_above = kCheckpointBytes;  // bytes of the log
  std::uint64_t damaged = 0;

  ~State() {
    if (fd >= 0) place.files.Close(fd);
  }

  void RemoveUnfinished();
  Result<void> SaveDamage(const std::string& path, std::string_view rest);
  Result<std::uint64_t> LoadCheckpoint(const std::function<void(std::string_view)>& replay);
  Result<void> LoadJournals(std::uint64_t from, const std::function<void(std::string_view)>& replay);
  void CutTornEnd();
  Result<void> AppendBytes(std::string_view bytes);
};

void Journal::State::RemoveUnfinished() {
  for (const auto& [n, path] : place.Find("checkpoint.tmp")) place.files.Unlink(path);
}

// What does not read back is kept for people, and told.
Result<void> Journal::State::SaveDamage(const std::string& path, std::string_view rest) {
  ++damaged;
  const std::string aside = path + ".corrupt";
  logger.Error("a journal does not read back from some point on; the rest is set aside",
               {{"file", path}, {"bytes", std::to_string(rest.size())}, {"set_aside", aside}});
  const int to = place.files.Open(aside, O_WRONLY | O_CREAT | O_TRUNC);
  if (to < 0) return Fail(WriteError("open " + aside, errno));
  Result<void> written = place.WriteAll(to, rest);
  place.files.Close(to);
  return written;
}

// Replays the newest whole checkpoint, else the readable part of the newest; gives its number, 0 where there is none.
Result<std::uint64_t> Journal::State::LoadCheckpoint(const std::function<void(std::string_view)>& replay) {
  const auto found = place.Find("checkpoint");
  std::optional<std::uint64_t> best;
  std::string best_bytes;
  for (auto entry = found.rbegin(); entry != found.rend(); ++entry) {
    Result<std::string> bytes = ReadFile(entry->second);
    if (!bytes) return Fail(bytes.error());
    const Contents contents = ReadRecords(*bytes);
    const bool whole = contents.ended && contents.good_bytes == bytes->size();
    if (!whole)
      if (auto saved = SaveDamage(entry->second, std::string_view(*bytes).substr(contents.good_bytes)); !saved)
        return Fail(saved.error());
    if (whole || !best) {
      best = entry->first;
      best_bytes = std::move(*bytes);
    }
    if (whole) break;
  }
  if (!best) return 0;
  for (const std::string_view record : ReadRecords(best_bytes).records) replay(record);
  checkpoint_bytes = best_bytes.size();
  return *best;
}

Result<void> Journal::State::LoadJournals(std::uint64_t from, const std::function<void(std::string_view)>& replay) {
  for (const auto& [number, path] : place.Find("journal")) {
    if (number < from) continue;
    const Result<std::string> bytes = ReadFile(path);
    if (!bytes) return Fail(bytes.error());
    const Contents contents = ReadRecords(*bytes);
    for (const std::string_view record : contents.records) replay(record);
    if (contents.good_bytes < bytes->size())
      if (auto saved = SaveDamage(path, std::string_view(*bytes).substr(contents.good_bytes)); !saved) return saved;
    generation = number;
    journal_size = contents.good_bytes;
    torn = contents.good_bytes < bytes->size();
    log_bytes += contents.good_bytes;
  }
  return {};
}

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Result<Journal> Journal::Open(const std::string& directory, const std::string& name,
                              const std::function<void(std::string_view record)>& replay, Logger logger,
                              FileOperations& files) {
  auto state = std::unique_ptr<State>(new State{{directory, name, files}, std::move(logger)});
  const auto within = [&](const Error& error) { return Fail(error.Within("open journal '" + name + "'")); };
  const Result<std::uint64_t> checkpoint = state->LoadCheckpoint(replay);
  if (!checkpoint) return within(checkpoint.error());
  state->generation = *checkpoint;
  if (auto loaded = state->LoadJournals(*checkpoint, replay); !loaded) return within(loaded.error());
  const std::string path = state->place.Path(state->generation, "journal");
  state->fd = files.Open(path, O_WRONLY | O_CREAT | O_APPEND);
  if (state->fd < 0) return within(WriteError("open " + path, errno));
  if (state->torn) state->CutTornEnd();
  state->RemoveUnfinished();
  state->place.RemoveBefore(*checkpoint);
  return Journal(std::move(state));
}

void Journal::State::CutTornEnd() { torn = place.files.Truncate(fd, static_cast<off_t>(journal_size)) != 0; }

Result<void> Journal::State::AppendBytes(std::string_view bytes) {
  if (torn) CutTornEnd();
  if (torn) return Fail(WriteError("cut the torn end off journal '" + place.name + "'", errno));
  Result<void> written = place.WriteAll(fd, bytes);
  if (!written) {
    CutTornEnd();
    return written;
  }
  journal_size += bytes.size();
  log_bytes += bytes.size();
  return written;
}

Result<void> Journal::Append(std::string_view record) {
  if (record.size() > kMaxRecord) return Fail(ErrorCode::kLimit, "a journal's record is larger than 64 MiB");
  std::string bytes;
  AppendRecord(bytes, record);
  return state_->AppendBytes(bytes);
}

Result<void> Journal::Append(std::span<const std::string> records) {
  std::string bytes;
  for (const std::string& record : records) {
    if (record.size() > kMaxRecord) return Fail(ErrorCode::kLimit, "a journal's record is larger than 64 MiB");
    AppendRecord(bytes, record);
  }
  return state_->AppendBytes(bytes);
}

bool Journal::WantsCheckpoint() const {
  return state_->log_bytes > state_->wanted_above && state_->log_bytes > state_->checkpoint_bytes;
}

Result<std::unique_ptr<CheckpointWriter>> Journal::BeginCheckpoint() {
  State& s = *state_;
  const std::uint64_t next = s.generation + 1;
  const std::string journal = s.place.Path(next, "journal");
  const int fd = s.place.files.Open(journal, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC);
  if (fd < 0) return Fail(WriteError("open " + journal, errno));
  if (s.torn) s.CutTornEnd();  // where it cannot be cut, the next start sets it aside
  s.place.files.Close(s.fd);
  s.fd = fd;
  s.generation = next;
  s.journal_size = 0;
  s.torn = false;
  auto state = std::unique_ptr<CheckpointWriter::State>(new CheckpointWriter::State{s.place, next, s.log_bytes});
  state->unfinished = s.place.Path(next, "checkpoint.tmp");
  return std::unique_ptr<CheckpointWriter>(new CheckpointWriter(std::move(state)));
}

void Journal::EndCheckpoint(const CheckpointWriter& writer) {
  State& s = *state_;
  const CheckpointWriter::State& w = *writer.state_;
  s.wanted_above = w.finished ? kCheckpointBytes : std::max(kCheckpointBytes, 2 * s.log_bytes);
  if (!w.finished) return;
  s.log_bytes -= w.replaced_bytes;
  s.checkpoint_bytes = w.size;
}

CheckpointWriter::CheckpointWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

CheckpointWriter::~CheckpointWriter() {
  if (state_->fd < 0 || state_->finished) return;
  state_->Close();
  state_->place.files.Unlink(state_->unfinished);
}

Result<void> CheckpointWriter::Write(std::span<const std::string> records) {
  State& s = *state_;
  if (s.written && s.fd < 0) {
    s.fd = s.place.files.Open(s.unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    if (s.fd < 0) s.written = Fail(WriteError("open " + s.unfinished, errno));
  }
  std::string bytes;
  for (const std::string& record : records) {
    if (record.size() > kMaxRecord) s.written = Fail(ErrorCode::kLimit, "a journal's record is larger than 64 MiB");
    AppendRecord(bytes, record);
  }
  if (!s.written) return s.written;
  s.written = s.place.WriteAll(s.fd, bytes);
  s.count += records.size();
  s.size += bytes.size();
  return s.written;
}

Result<void> CheckpointWriter::Finish() {
  State& s = *state_;
  if (auto opened = Write({}); !opened) return opened;  // a state without records is one too
  std::string end;
  AppendEnd(end, s.count);
  s.written = s.place.WriteAll(s.fd, end);
  if (s.written && s.place.files.Sync(s.fd) != 0) s.written = Fail(WriteError("fsync " + s.unfinished, errno));
  if (s.written && s.place.files.Rename(s.unfinished, s.place.Path(s.number, "checkpoint")) != 0)
    s.written = Fail(WriteError("rename " + s.unfinished, errno));
  if (!s.written) return s.written;
  s.finished = true;
  s.size += end.size();
  s.Close();
  // The name made durable before the older files go; a failure here costs nothing but their removal now.
  const int directory = s.place.files.Open(s.place.directory, O_RDONLY | O_DIRECTORY);
  const bool durable = directory >= 0 && s.place.files.Sync(directory) == 0;
  if (directory >= 0) s.place.files.Close(directory);
  if (durable) s.place.RemoveBefore(s.number);
  return s.written;
}

std::uint64_t Journal::DamagedRecords() const { return state_->damaged; }

}  // namespace pipewarden::core
