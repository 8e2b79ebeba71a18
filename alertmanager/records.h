// Binary records of the journal: a type byte, then fields in a fixed order; numbers as LEB128, strings with their
// length. A reader that runs past the end, or meets a newer version of a record, says so instead of guessing. Values,
// not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/labels.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

class RecordWriter {
 public:
  explicit RecordWriter(char type) : out_(1, type) {}
  RecordWriter& Number(std::uint64_t value);
  RecordWriter& Signed(std::int64_t value);
  RecordWriter& Bool(bool value) { return Number(value ? 1 : 0); }
  RecordWriter& Time(core::WallTime time) { return Signed(time.time_since_epoch().count()); }
  RecordWriter& Text(std::string_view text);
  RecordWriter& Labels(const core::Labels& labels);
  RecordWriter& Numbers(const std::vector<std::uint64_t>& values);
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class RecordReader {
 public:
  // `record` outlives the reader.
  explicit RecordReader(std::string_view record) : rest_(record) {}
  std::uint64_t Number();
  std::int64_t Signed();
  bool Bool() { return Number() != 0; }
  core::WallTime Time() { return core::WallTime{core::Duration{Signed()}}; }
  std::string Text() { return std::string(View()); }
  core::Labels Labels();
  std::vector<std::uint64_t> Numbers();
  char Type();

  // False once anything was missing or wrong; all later values are empty then.
  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view View();

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace pipewarden::alertmanager
