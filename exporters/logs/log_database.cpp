#include "exporters/logs/log_database.h"

#include <cstring>
#include <map>

namespace pipewarden::exporters {
namespace {

using core::Fail;
using core::Result;
using core::Statement;

constexpr std::string_view kMigrations[] = {R"(
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE seen (entry TEXT NOT NULL, pattern TEXT NOT NULL, PRIMARY KEY (entry, pattern)) WITHOUT ROWID;
CREATE TABLE files (
  entry TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, path TEXT NOT NULL, offset INTEGER NOT NULL,
  skipping INTEGER NOT NULL, head_size INTEGER NOT NULL, head_hash INTEGER NOT NULL, tail_size INTEGER NOT NULL,
  tail_hash INTEGER NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (entry, device, inode)) WITHOUT ROWID;
CREATE TABLE metrics (name TEXT PRIMARY KEY, shape TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE series (metric TEXT NOT NULL, labels TEXT NOT NULL, "values" TEXT NOT NULL,
  PRIMARY KEY (metric, labels)) WITHOUT ROWID;
)"};

std::int64_t Signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t Unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

std::string_view Bytes(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}
std::vector<double> Values(std::string_view bytes) {
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(double));
  return values;
}

}  // namespace

Result<Statement*> LogDatabase::Prepared(std::string_view sql) {
  auto known = statements_.find(sql);
  if (known == statements_.end()) {
    Result<Statement> statement = database_.Prepare(sql);
    if (!statement) return Fail(statement.error());
    known = statements_.emplace(sql, std::move(*statement)).first;
  }
  return &known->second;
}

template <class Rows, class Bind>
Result<void> LogDatabase::ForEach(std::string_view sql, const Rows& rows, Bind bind) {
  if (rows.empty()) return {};
  const Result<Statement*> statement = Prepared(sql);
  if (!statement) return Fail(statement.error());
  for (const auto& row : rows) {
    bind(**statement, row);
    if (auto done = (*statement)->Run(); !done) return done;
  }
  return {};
}

Result<void> LogDatabase::DeleteMetrics(const std::vector<std::string>& metrics) {
  for (const char* sql : {"DELETE FROM series WHERE metric = ?1", "DELETE FROM metrics WHERE name = ?1"})
    if (auto done = ForEach(sql, metrics, [](Statement& s, const std::string& metric) { s.Bind(1, metric); }); !done)
      return done;
  return {};
}

Result<LogDatabase> LogDatabase::Open(const std::string& path, const std::string& boot_id, core::Logger logger) {
  Result<core::Database> database = core::Database::Open(path, kMigrations, core::Durability::kProcess, logger);
  if (!database) return Fail(database.error());
  LogDatabase opened(std::move(*database));
  // Nobody else uses it; where somebody does all the same, the next poll tries again.
  if (auto set = opened.database_.Execute("PRAGMA busy_timeout = 200"); !set) return Fail(set.error());
  if (auto begun = opened.Begin(boot_id, logger); !begun) return Fail(begun.error());
  return opened;
}

// Reads how the last run ended, and notes that this one has not.
Result<void> LogDatabase::Begin(const std::string& boot_id, const core::Logger& logger) {
  std::map<std::string, std::string> state;
  {
    Result<Statement> select = database_.Prepare("SELECT key, value FROM state");
    if (!select) return Fail(select.error());
    for (;;) {
      const Result<bool> row = select->Step();
      if (!row) return Fail(row.error());
      if (!*row) break;
      state[select->Text(0)] = select->Text(1);
    }
  }
  booted_since_ = state.contains("boot_id") && state["boot_id"] != boot_id;
  const bool reset = booted_since_ && state["stopped"] != "1";
  if (reset)
    logger.Warn(
        "the machine has booted without an orderly stop of the agent: values of logs start at zero, offsets stay");
  return database_.Transaction([&]() -> Result<void> {
    if (reset)
      if (auto done = database_.Execute("DELETE FROM series"); !done) return done;
    const std::pair<std::string_view, std::string_view> rows[] = {{"boot_id", boot_id}, {"stopped", "0"}};
    return ForEach("INSERT OR REPLACE INTO state VALUES (?1, ?2)", std::span(rows),
                   [](Statement& s, const auto& row) { s.Bind(1, row.first).Bind(2, row.second); });
  });
}

Result<std::vector<FileRecord>> LogDatabase::LoadFiles() {
  std::vector<FileRecord> files;
  Result<Statement> select = database_.Prepare(
      "SELECT entry, device, inode, path, offset, skipping, head_size, head_hash, tail_size, tail_hash, state FROM "
      "files");
  if (!select) return Fail(select.error());
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row) return Fail(row.error());
    if (!*row) return files;
    FileRecord file;
    file.entry = select->Text(0);
    file.device = Unsigned(select->Int(1));
    file.inode = Unsigned(select->Int(2));
    file.path = select->Text(3);
    file.offset = Unsigned(select->Int(4));
    file.skipping = select->Int(5) != 0;
    file.head_size = Unsigned(select->Int(6));
    file.head_hash = Unsigned(select->Int(7));
    file.tail_size = Unsigned(select->Int(8));
    file.tail_hash = Unsigned(select->Int(9));
    file.state = static_cast<FileState>(select->Int(10));
    files.push_back(std::move(file));
  }
}

Result<void> LogDatabase::LoadValues(MetricTable& table) {
  std::map<std::string, std::string> shapes;
  std::vector<std::string> gone;
  for (auto& [name, shape] : table.Shapes()) shapes[name] = shape;
  {
    Result<Statement> names = database_.Prepare("SELECT name FROM metrics");
    if (!names) return Fail(names.error());
    for (;;) {
      const Result<bool> row = names->Step();
      if (!row) return Fail(row.error());
      if (!*row) break;
      if (!shapes.contains(names->Text(0))) gone.push_back(names->Text(0));
    }
  }
  if (auto deleted = database_.Transaction([&] { return DeleteMetrics(gone); }); !deleted) return deleted;
  Result<Statement> select = database_.Prepare(
      "SELECT s.metric, s.labels, s.\"values\", m.shape FROM series s JOIN metrics m ON m.name = s.metric");
  if (!select) return Fail(select.error());
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row) return Fail(row.error());
    if (!*row) return {};
    const auto shape = shapes.find(select->Text(0));
    if (shape == shapes.end() || shape->second != select->Text(3)) continue;
    table.Restore({select->Text(0), select->Text(1), Values(select->Text(2))});
  }
}

Result<std::set<std::pair<std::string, std::string>>> LogDatabase::LoadSeen() {
  std::set<std::pair<std::string, std::string>> seen;
  Result<Statement> select = database_.Prepare("SELECT entry, pattern FROM seen");
  if (!select) return Fail(select.error());
  for (;;) {
    const Result<bool> row = select->Step();
    if (!row) return Fail(row.error());
    if (!*row) return seen;
    seen.emplace(select->Text(0), select->Text(1));
  }
}

Result<void> LogDatabase::Commit(const Changes& changes, const MetricTable& table, bool last) {
  if (auto done = database_.Transaction([&] { return Write(changes, table, last); }); !done) return done;
  if (table.HasChanges()) stored_shapes_ = table.Shapes();
  return last ? database_.Checkpoint() : Result<void>{};
}

Result<void> LogDatabase::Write(const Changes& changes, const MetricTable& table, bool last) {
  const auto by_key = [](Statement& s, const FileRecord& f) {
    s.Bind(1, f.entry).Bind(2, Signed(f.device)).Bind(3, Signed(f.inode));
  };
  if (auto done = ForEach("DELETE FROM files WHERE entry = ?1 AND device = ?2 AND inode = ?3", changes.removed, by_key);
      !done)
    return done;
  const auto whole = [&](Statement& s, const FileRecord& f) {
    by_key(s, f);
    s.Bind(4, f.path).Bind(5, Signed(f.offset)).Bind(6, std::int64_t{f.skipping}).Bind(7, Signed(f.head_size));
    s.Bind(8, Signed(f.head_hash)).Bind(9, Signed(f.tail_size)).Bind(10, Signed(f.tail_hash));
    s.Bind(11, static_cast<std::int64_t>(f.state));
  };
  if (auto done = ForEach("INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                          changes.files, whole);
      !done)
    return done;
  const auto pair = [](Statement& s, const auto& row) { s.Bind(1, row.first).Bind(2, row.second); };
  if (auto done = ForEach("INSERT OR REPLACE INTO seen VALUES (?1, ?2)", changes.seen, pair); !done) return done;
  if (auto done = ForEach("DELETE FROM seen WHERE entry = ?1 AND pattern = ?2", changes.unseen, pair); !done)
    return done;
  for (const char* sql : {"DELETE FROM files WHERE entry = ?1", "DELETE FROM seen WHERE entry = ?1"})
    if (auto done =
            ForEach(sql, changes.removed_entries, [](Statement& s, const std::string& entry) { s.Bind(1, entry); });
        !done)
      return done;
  if (auto done = WriteValues(table); !done) return done;
  if (!last) return {};
  return database_.Execute("UPDATE state SET value = '1' WHERE key = 'stopped'");
}

Result<void> LogDatabase::WriteValues(const MetricTable& table) {
  if (auto done = DeleteMetrics(table.Removed()); !done) return done;
  if (!table.HasChanges()) return {};
  const auto shapes = table.Shapes();
  if (!table.Removed().empty() || shapes != stored_shapes_)
    if (auto done = WriteShapes(shapes); !done) return done;
  const Result<Statement*> insert = Prepared("INSERT OR REPLACE INTO series VALUES (?1, ?2, ?3)");
  if (!insert) return Fail(insert.error());
  Result<void> result;
  table.ForEachChanged([&](const MetricTable::Row& row) {
    if (!result) return;
    (*insert)->Bind(1, row.metric).Bind(2, row.key).Bind(3, Bytes(row.values));
    result = (*insert)->Run();
  });
  return result;
}

Result<void> LogDatabase::WriteShapes(const Shapes& shapes) {
  // A stored metric of another shape has values of another meaning.
  const auto bind = [](Statement& s, const auto& row) { s.Bind(1, row.first).Bind(2, row.second); };
  if (auto done = ForEach(
          "DELETE FROM series WHERE metric = ?1 AND NOT EXISTS (SELECT 1 FROM metrics WHERE name = ?1 AND shape = ?2)",
          shapes, bind);
      !done)
    return done;
  return ForEach("INSERT INTO metrics VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET shape = ?2 WHERE shape != ?2",
                 shapes, bind);
}

}  // namespace pipewarden::exporters
