// What pipewarden-step does with a step's output: Masker hides secrets in the stream, BoundedFile keeps head and tail
// of what comes within a bound. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipewarden::agent::step {

// Replaces every secret by <secret>, also where it is cut by the borders of reads: what may be the beginning of a
// secret is held back until the rest has come. Where several begin at one place the longest wins.
class Masker {
 public:
  explicit Masker(std::vector<std::string> secrets);
  // Appends to `out` what is safe to show.
  void Feed(std::string_view bytes, std::string& out);
  // At the end of the stream: nothing more will come.
  void Flush(std::string& out);

 private:
  void Scan(bool at_end, std::string& out);
  std::vector<std::string> secrets_;  // longest first
  std::array<bool, 256> first_{};     // bytes with which a secret begins
  std::string held_;
};

// A file that never grows above `bound` bytes: when it is full, the head (a quarter) and the newest part stay, cut at
// lines where they are not too long, with a line between them that tells how many bytes were left out. Rewritten in
// place. What cannot be written (disk full) is counted and dropped: the step must never wait for a disk.
class BoundedFile {
 public:
  BoundedFile(int fd,
              std::uint64_t bound);  // an empty file open for reading and writing; the descriptor stays the caller's
  void Write(std::string_view bytes);
  std::uint64_t lost_bytes() const { return lost_; }

 private:
  bool Compact();
  std::uint64_t LineStart(std::uint64_t from, std::uint64_t limit) const;
  bool WriteAt(std::string_view bytes, std::uint64_t offset);

  int fd_;
  std::uint64_t bound_;
  std::uint64_t size_ = 0;      // of the file
  std::uint64_t head_ = 0;      // bytes of the head, 0 until the first cut
  std::uint64_t marker_ = 0;    // bytes of the line between head and tail
  std::uint64_t left_out_ = 0;  // bytes cut away so far
  std::uint64_t lost_ = 0;
};

}  // namespace pipewarden::agent::step
