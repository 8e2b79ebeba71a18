#include "core/store/database.h"

#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/support/temp_folder.h"

namespace pipewarden::core {
namespace {

constexpr std::string_view kMigrations[] = {
    "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL); CREATE INDEX t_text ON t (text);",
    "ALTER TABLE t ADD COLUMN number REAL; INSERT INTO t (text) VALUES ('from migration 2');",
    "CREATE TABLE broken (",
};
constexpr std::span<const std::string_view> kV1{kMigrations, 1};
constexpr std::span<const std::string_view> kV2{kMigrations, 2};
constexpr std::span<const std::string_view> kBroken{kMigrations, 3};

struct Fixture {
  pipewarden::test::TempFolder folder;
  std::string path = folder / "test.db";
  Logger logger{
      LogLevel::kError, LogFormat::kLogfmt,
      [](void* context, std::string_view line) { static_cast<std::string*>(context)->append(line).append("\n"); },
      &said};
  std::string said;

  Result<Database> Open(std::span<const std::string_view> migrations, Durability durability = Durability::kProcess) {
    return Database::Open(path, migrations, durability, logger);
  }
  static std::int64_t Number(Database& database, std::string_view sql) {
    auto statement = database.Prepare(sql);
    BOOST_REQUIRE(statement.has_value());
    BOOST_REQUIRE(statement->Step().value());
    return statement->Int(0);
  }
};

BOOST_FIXTURE_TEST_SUITE(database, Fixture)

BOOST_AUTO_TEST_CASE(values_come_back_as_they_went_in) {
  auto db = Open(kV2);
  BOOST_REQUIRE(db.has_value());
  auto insert = db->Prepare("INSERT INTO t (text, number) VALUES (?1, ?2)");
  BOOST_REQUIRE(insert.has_value());
  BOOST_TEST(insert->Bind(1, std::string_view("nul\0inside", 10)).Bind(2, 2.5).Run().has_value());
  BOOST_TEST(db->Changes() == 1);
  BOOST_TEST(insert->Bind(1, std::string_view()).BindNull(2).Run().has_value());
  auto select = db->Prepare("SELECT text, number FROM t WHERE id = ?1");
  BOOST_TEST(select->Bind(1, db->LastInsertId() - 1).Step().value());
  BOOST_TEST(select->Text(0) == std::string("nul\0inside", 10));
  BOOST_TEST(select->Float(1) == 2.5);
  BOOST_TEST(!select->Step().value());
  BOOST_TEST(select->Bind(1, db->LastInsertId()).Step().value());
  BOOST_TEST(select->Text(0) == "");
  BOOST_TEST(!select->IsNull(0));
  BOOST_TEST(select->IsNull(1));
}

BOOST_AUTO_TEST_CASE(migrations_run_once_with_a_backup_before) {
  {
    auto db = Open(kV1);
    BOOST_TEST(db->Execute("INSERT INTO t (text) VALUES ('old')").has_value());
  }
  BOOST_TEST(!std::filesystem::exists(path + ".v1"));
  for (int i = 0; i < 2; ++i) {
    auto db = Open(kV2);
    BOOST_TEST(Number(*db, "SELECT count(*) FROM t") == 2);
    BOOST_TEST(Number(*db, "PRAGMA user_version") == 2);
  }
  auto backup = Database::Open(path + ".v1", kV1, Durability::kProcess, logger);
  BOOST_TEST(Number(*backup, "SELECT count(*) FROM t WHERE text = 'old'") == 1);
}

BOOST_AUTO_TEST_CASE(a_migration_that_fails_changes_nothing) {
  {
    auto db = Open(kV2);
  }
  auto failed = Open(kBroken);
  BOOST_TEST(!failed.has_value());
  BOOST_TEST(failed.error().message.find("bring the schema to version 3") != std::string::npos);
  auto db = Open(kV2);
  BOOST_TEST(Number(*db, "PRAGMA user_version") == 2);
}

BOOST_AUTO_TEST_CASE(a_newer_schema_is_refused_with_the_backup_s_name) {
  {
    auto db = Open(kV1);
  }
  {
    auto db = Open(kV2);
  }
  auto refused = Open(kV1);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == ErrorCode::kInvalid));
  BOOST_TEST(refused.error().message == "open database " + path +
                                            ": its schema has version 2, this pipewarden knows up to 1; run the newer "
                                            "pipewarden again, or stop the agent and put the backup " +
                                            path + ".v1 in its place");
  BOOST_TEST(Open(kV2).has_value());
}

BOOST_AUTO_TEST_CASE(a_transaction_is_whole_or_not_at_all) {
  auto db = Open(kV2);
  const auto failed = db->Transaction([&]() -> Result<void> {
    BOOST_TEST(db->Execute("INSERT INTO t (text) VALUES ('x')").has_value());
    return Fail(ErrorCode::kUnavailable, "no");
  });
  BOOST_TEST(failed.error().message == "no");
  BOOST_TEST(Number(*db, "SELECT count(*) FROM t WHERE text = 'x'") == 0);
  BOOST_TEST(db->Transaction([&] { return db->Execute("INSERT INTO t (text) VALUES ('y')"); }).has_value());
  BOOST_TEST(Number(*db, "SELECT count(*) FROM t WHERE text = 'y'") == 1);
  const auto constraint = db->Transaction([&] { return db->Execute("INSERT INTO t (text) VALUES (NULL)"); });
  BOOST_TEST((constraint.error().code == ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_CASE(a_committed_row_survives_without_closing) {
  auto db = Open(kV2, Durability::kPower);
  BOOST_TEST(db->Execute("INSERT INTO t (text) VALUES ('kept')").has_value());
  // What a kill leaves: the files as they are, copied.
  for (const char* suffix : {"", "-wal"}) std::filesystem::copy_file(path + suffix, folder / "copy.db" + suffix);
  auto copy = Database::Open(folder / "copy.db", kV2, Durability::kPower, logger);
  BOOST_TEST(Number(*copy, "SELECT count(*) FROM t WHERE text = 'kept'") == 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_database_is_set_aside) {
  folder.Write("test.db", std::string(8192, 'x'));
  auto db = Open(kV2);
  BOOST_REQUIRE(db.has_value());
  BOOST_TEST(db->set_aside().starts_with(path + ".corrupt-"));
  BOOST_TEST(std::filesystem::file_size(db->set_aside()) == 8192U);
  BOOST_TEST(said.find("does not read back") != std::string::npos);
  BOOST_TEST(Number(*db, "SELECT count(*) FROM t") == 1);
}

BOOST_AUTO_TEST_CASE(a_damaged_page_is_found_at_open) {
  {
    auto db = Open(kV2);
    for (int i = 0; i < 2000; ++i)
      BOOST_REQUIRE(db->Execute("INSERT INTO t (text) VALUES (hex(randomblob(50)))").has_value());
    BOOST_TEST(db->Checkpoint().has_value());
  }
  std::string bytes = folder.Read("test.db");
  for (std::size_t page = 2; page < 12; ++page) bytes.replace(page * 4096, 512, 512, '\x55');
  folder.Write("test.db", bytes);
  auto db = Open(kV2);
  BOOST_REQUIRE(db.has_value());
  BOOST_TEST(!db->set_aside().empty());
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_a_limit_and_rolls_back) {
  auto db = Open(kV2);
  BOOST_TEST(db->Execute("PRAGMA max_page_count = 10").has_value());
  const auto full = db->Transaction([&]() -> Result<void> {
    for (int i = 0; i < 100; ++i)
      if (auto done = db->Execute("INSERT INTO t (text) VALUES (hex(zeroblob(1000)))"); !done) return done;
    return {};
  });
  BOOST_REQUIRE(!full.has_value());
  BOOST_TEST((full.error().code == ErrorCode::kLimit));
  BOOST_TEST(full.error().message.find("free some space") != std::string::npos);
  BOOST_TEST(Number(*db, "SELECT count(*) FROM t") == 1);
  BOOST_TEST(db->Execute("INSERT INTO t (text) VALUES ('goes on')").has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_says_why) {
  auto missing = Database::Open(folder / "no/such/folder.db", kV1, Durability::kProcess, logger);
  BOOST_TEST((missing.error().code == ErrorCode::kNotFound));
  BOOST_TEST(missing.error().message.find("No such file or directory") != std::string::npos);
  BOOST_TEST(Database::Open(":memory:", kV2, Durability::kProcess, logger).has_value());
  auto db = Open(kV1);
  BOOST_TEST(!db->Prepare("SELECT nothing FROM nowhere").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
