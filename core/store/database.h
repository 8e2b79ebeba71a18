// A SQLite database in WAL mode with a list of migrations. Calls block: from the loop they go through Loop::Blocking.
// One Database is used by one thread at a time; give each user its own. Errors: kCorrupt where the file does not read
// back (it is set aside as <path>.corrupt-<time> by Open, which then starts a new one and says so), kLimit where the
// disk is full, kInvalid where the schema is newer than the binary (the message names the backup), kInternal else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
  kProcess,  // synchronous=OFF: a kill of the process; the file stays whole over a power loss too (WAL), commits may go
};

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters by position, from 1.
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
  // Migration i brings the schema from version i to i + 1; before one runs, a backup <path>.v<i> is made of a database
  // that is not new. ":memory:" works.
  static Result<Database> Open(const std::string& path, std::span<const std::string_view> migrations,
                               Durability durability, Logger logger);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Result<Statement> Prepare(std::string_view sql);
  Result<void> Execute(std::string_view sql);
  std::int64_t LastInsertId() const;
  std::int64_t Changes() const;
  // Runs `work` in one transaction (BEGIN IMMEDIATE): committed where it succeeds, rolled back where it fails.
  Result<void> Transaction(const std::function<Result<void>()>& work);

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_ = nullptr;
};

}  // namespace pipewarden::core
