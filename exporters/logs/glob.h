// Path patterns with *, ? and [..] in a component and ** for any depth, over folders that are listed again only when
// they have changed. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pipewarden::exporters {

// Listings of folders, read again when the folder's modification time has moved (a time still fresh may hide a second
// change within its granularity, so that such a listing is not trusted) and every 32nd poll in any case (network file
// systems). Whatever is no longer asked for is forgotten.
class DirectoryCache {
 public:
  struct Listing {
    std::vector<std::string> names;    // sorted, without . and ..
    std::vector<std::string> folders;  // those of them that are folders themselves, not by a symbolic link
    std::uint64_t generation = 0;      // another number: the folder has changed
    bool readable = false;
  };

  void NewPoll();
  const Listing& List(const std::string& folder);

 private:
  struct Entry {
    Listing listing;
    std::int64_t modified_ns = 0;
    bool settled = false;
    std::uint64_t read_at = 0;     // poll
    std::uint64_t checked_at = 0;  // poll
  };
  void Read(const std::string& folder, Entry& entry);
  std::map<std::string, Entry> entries_;
  std::uint64_t poll_ = 1;
  std::uint64_t next_generation_ = 1;
};

// The paths that an absolute pattern names, sorted; a pattern without wildcards names itself, there or not. A wildcard
// does not match a leading dot. `**` goes down 32 levels at most and follows no symbolic links.
std::vector<std::string> ExpandGlob(DirectoryCache& cache, const std::string& pattern);

// A name or path against an exclude pattern, or that of a compressed file.
bool IsExcluded(const std::string& path, const std::vector<std::string>& exclude);

// Whether `name` is what rotation makes of `base`: app.log.1, app.log-20260314, app.log.2026-03-14, app.log.old.
bool IsRotationOf(std::string_view name, std::string_view base);

}  // namespace pipewarden::exporters
