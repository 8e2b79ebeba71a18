#include "core/store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

namespace pipewarden::core {
namespace {

constexpr std::uintmax_t kCheckedWholeBytes = 16U << 20U;
constexpr int kBusyTimeoutMs = 5000;

Error DatabaseError(sqlite3* handle, std::string_view doing) {
  Error error{ErrorCode::kInternal,
              std::string(doing) + ": " + (handle != nullptr ? sqlite3_errmsg(handle) : "out of memory")};
  if (handle == nullptr) return error;
  const int system = sqlite3_system_errno(handle);
  switch (sqlite3_errcode(handle) & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      error.code = ErrorCode::kCorrupt;
      break;
    case SQLITE_FULL:
      error.code = ErrorCode::kLimit;
      error.message += " (free some space)";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      error.code = ErrorCode::kUnavailable;
      error.message += " (another process uses it)";
      break;
    case SQLITE_CONSTRAINT:
      error.code = ErrorCode::kInvalid;
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      error.code = ErrorCode::kDenied;
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (system == ENOSPC || system == EDQUOT) error.code = ErrorCode::kLimit;
      if (system == EACCES || system == EPERM || system == EROFS) error.code = ErrorCode::kDenied;
      if (system == ENOENT) error.code = ErrorCode::kNotFound;
      if (system != 0) error.message = SystemError(error.message, system).message;
      break;
    default:
      break;
  }
  return error;
}

// Moves a file that does not read back out of the way, with what SQLite keeps beside it.
Result<std::string> SetAside(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return Fail(SystemError("stat " + path, errno));
  const std::string base = path + ".corrupt-" + std::to_string(info.st_mtim.tv_sec);
  std::string target = base;
  std::error_code error;
  for (int i = 2; std::filesystem::exists(target, error); ++i) target = base + "-" + std::to_string(i);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (::rename((path + suffix).c_str(), (target + suffix).c_str()) != 0 && errno != ENOENT)
      return Fail(SystemError("rename " + path + suffix, errno));
  }
  return target;
}

// The newest backup that this binary can read, for the message that refuses a newer schema.
std::string BackupHint(const std::string& path, std::size_t known) {
  for (std::size_t version = known; version > 0; --version) {
    const std::string backup = path + ".v" + std::to_string(version);
    std::error_code error;
    if (std::filesystem::exists(backup, error))
      return "or stop the agent and put the backup " + backup + " in its place";
  }
  return "or move the file away (no backup of an older schema is there)";
}

// Before SQLite makes it, with 0644; its -wal and -shm files take the mode of the database. Where it cannot be made
// SQLite tells why.
void MakePrivateFile(const std::string& path) {
  if (const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); file >= 0) ::close(file);
}

}  // namespace

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
Statement::~Statement() { sqlite3_finalize(statement_); }

namespace {
void CheckBind(int code, int index) {
  if (code == SQLITE_OK) return;
  std::fprintf(stderr, "database: parameter %d cannot be bound: %s\n", index, sqlite3_errstr(code));
  std::abort();
}
}  // namespace

Statement& Statement::Bind(int index, std::int64_t value) {
  CheckBind(sqlite3_bind_int64(statement_, index, value), index);
  return *this;
}
Statement& Statement::Bind(int index, double value) {
  CheckBind(sqlite3_bind_double(statement_, index, value), index);
  return *this;
}
Statement& Statement::Bind(int index, std::string_view value) {
  // An empty view may have no data, which SQLite would take for NULL.
  const char* data = value.data() != nullptr ? value.data() : "";
  CheckBind(sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8), index);
  return *this;
}
Statement& Statement::BindNull(int index) {
  CheckBind(sqlite3_bind_null(statement_, index), index);
  return *this;
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = DatabaseError(sqlite3_db_handle(statement_), sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return Fail(std::move(error));
}

Result<void> Statement::Run() {
  for (;;) {
    const Result<bool> row = Step();
    if (!row) return Fail(row.error());
    if (!*row) return {};
  }
}

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Float(int column) const { return sqlite3_column_double(statement_, column); }
std::string Statement::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? "" : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}
bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<Database> Database::Open(const std::string& path, std::span<const std::string_view> migrations,
                                Durability durability, Logger logger) {
  Result<Database> database = OpenOnce(path, migrations, durability);
  if (database || database.error().code != ErrorCode::kCorrupt) return database;
  const Result<std::string> aside = SetAside(path);
  if (!aside) return Fail(aside.error().Within("the corrupt database cannot be set aside"));
  logger.Error("a database does not read back; it is set aside and a new one begins",
               {{"database", path}, {"set_aside", *aside}, {"error", database.error().message}});
  database = OpenOnce(path, migrations, durability);
  if (database) database->set_aside_ = *aside;
  return database;
}

Result<Database> Database::OpenOnce(const std::string& path, std::span<const std::string_view> migrations,
                                    Durability durability) {
  const std::string doing = "open database " + path;
  if (path != ":memory:") MakePrivateFile(path);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return Fail(DatabaseError(handle, doing));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  const auto within = [&doing](const Error& error) { return Fail(error.Within(doing)); };
  if (auto set = database.Execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;"); !set)
    return within(set.error());
  const char* synchronous =
      durability == Durability::kPower ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  if (auto set = database.Execute(synchronous); !set) return within(set.error());

  std::error_code no_size;
  if (const auto size = std::filesystem::file_size(path, no_size); !no_size && size > 0 && size <= kCheckedWholeBytes) {
    Result<Statement> check = database.Prepare("PRAGMA quick_check(1)");
    if (!check) return within(check.error());
    const Result<bool> row = check->Step();
    if (!row) return within(row.error());
    if (check->Text(0) != "ok") return Fail(ErrorCode::kCorrupt, doing + ": " + check->Text(0));
  }
  if (auto migrated = database.Migrate(path, migrations); !migrated) return within(migrated.error());
  return database;
}

Result<void> Database::Migrate(const std::string& path, std::span<const std::string_view> migrations) {
  const Result<std::int64_t> stored = Pragma("user_version");
  if (!stored) return Fail(stored.error());
  auto version = static_cast<std::size_t>(*stored);
  if (version > migrations.size())
    return Fail(ErrorCode::kInvalid, "its schema has version " + std::to_string(version) +
                                         ", this pipewarden knows up to " + std::to_string(migrations.size()) +
                                         "; run the newer pipewarden again, " + BackupHint(path, migrations.size()));
  if (version > 0 && version < migrations.size() && path != ":memory:") {
    const std::string backup = path + ".v" + std::to_string(version);
    const std::string unfinished = backup + ".tmp";
    ::unlink(unfinished.c_str());
    MakePrivateFile(unfinished);
    Result<Statement> copy = Prepare("VACUUM INTO ?1");
    if (!copy) return Fail(copy.error());
    if (auto made = copy->Bind(1, unfinished).Run(); !made) return Fail(made.error().Within("back up to " + backup));
    if (::rename(unfinished.c_str(), backup.c_str()) != 0) return Fail(SystemError("rename " + unfinished, errno));
  }
  for (; version < migrations.size(); ++version) {
    const auto step = [&]() -> Result<void> {
      if (auto done = Execute(migrations[version]); !done) return done;
      return Execute("PRAGMA user_version = " + std::to_string(version + 1));
    };
    if (auto done = Transaction(step); !done)
      return Fail(done.error().Within("bring the schema to version " + std::to_string(version + 1)));
  }
  return {};
}

Result<std::int64_t> Database::Pragma(std::string_view name) {
  Result<Statement> statement = Prepare("PRAGMA " + std::string(name));
  if (!statement) return Fail(statement.error());
  const Result<bool> row = statement->Step();
  if (!row) return Fail(row.error());
  return *row ? statement->Int(0) : 0;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), set_aside_(std::move(other.set_aside_)) {}
Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(set_aside_, other.set_aside_);
  return *this;
}
Database::~Database() { sqlite3_close_v2(handle_); }

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK)
    return Fail(DatabaseError(handle_, sql));
  return Statement(statement);
}

Result<void> Database::Execute(std::string_view sql) {
  if (sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return Fail(DatabaseError(handle_, sql.substr(0, 200)));
  return {};
}

std::int64_t Database::LastInsertId() const { return sqlite3_last_insert_rowid(handle_); }
std::int64_t Database::Changes() const { return sqlite3_changes64(handle_); }

Result<void> Database::Checkpoint() {
  if (sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK)
    return Fail(DatabaseError(handle_, "write the WAL back"));
  return {};
}

Result<void> Database::Transaction(const std::function<Result<void>()>& work) {
  if (auto begun = Execute("BEGIN IMMEDIATE"); !begun) return begun;
  Result<void> done = work();
  if (done) done = Execute("COMMIT");
  // A full disk may have rolled back already; then there is nothing to do.
  if (!done && sqlite3_get_autocommit(handle_) == 0) static_cast<void>(Execute("ROLLBACK"));
  return done;
}

}  // namespace pipewarden::core
