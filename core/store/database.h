// A SQLite database in WAL mode with a list of migrations. Calls block: from the loop they go through Loop::Blocking.
// One Database is used by one thread at a time; give each user its own. Errors: kCorrupt where the file does not read
// back (it is set aside as <path>.corrupt-<time> by Open, time being the file's last change; Open then starts a new one
// and says so; up to 16 MiB the whole file is checked, beyond that its header and schema), kLimit where the disk is
// full, kInvalid where the schema is newer than the binary (the message names the backup) or a constraint refuses a
// row, kUnavailable where another process holds the lock for more than five seconds, kDenied and kNotFound from the
// file system, kInternal else.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/logging.h"
#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pipewarden::core {

// What a commit survives (docs/architecture.md, "What survives").
enum class Durability {
  kPower,    // synchronous=FULL: a power loss
  kProcess,  // synchronous=NORMAL: a kill of the process. No fsync but at WAL checkpoints, so that the file stays whole
             // over a power loss too, where the latest commits may go (OFF could leave a corrupt file)
};

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters by position, from 1; a position that the statement does not have is our own error and aborts.
  Statement& Bind(int index, std::int64_t value);
  Statement& Bind(int index, double value);
  Statement& Bind(int index, std::string_view value);  // copied
  Statement& BindNull(int index);

  // True: a row is there. False: done; the statement is then reset and may be bound again.
  Result<bool> Step();
  // For statements without rows: steps to the end.
  Result<void> Run();

  // Columns of the current row, from 0.
  std::int64_t Int(int column) const;
  double Float(int column) const;
  std::string Text(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // Migration i (SQL, several statements) brings the schema from version i to i + 1, each in a transaction of its own;
  // before the first runs, a backup <path>.v<i> is made of a database that is not new. ":memory:" works. Foreign keys
  // are enforced.
  static Result<Database> Open(const std::string& path, std::span<const std::string_view> migrations,
                               Durability durability, Logger logger);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Result<Statement> Prepare(std::string_view sql);
  Result<void> Execute(std::string_view sql);
  std::int64_t LastInsertId() const;
  std::int64_t Changes() const;
  // The name under which Open set a corrupt file aside, else "".
  const std::string& set_aside() const { return set_aside_; }
  // Everything committed so far is then in the main file and fsynced: it survives a power loss whatever the durability.
  Result<void> Checkpoint();
  // Runs `work` in one transaction (BEGIN IMMEDIATE): committed where it succeeds, rolled back where it fails.
  Result<void> Transaction(const std::function<Result<void>()>& work);

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  static Result<Database> OpenOnce(const std::string& path, std::span<const std::string_view> migrations,
                                   Durability durability);
  Result<void> Migrate(const std::string& path, std::span<const std::string_view> migrations);
  Result<std::int64_t> Pragma(std::string_view name);
  sqlite3* handle_ = nullptr;
  std::string set_aside_;
};

}  // namespace pipewarden::core
