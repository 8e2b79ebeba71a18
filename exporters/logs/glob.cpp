#include "exporters/logs/glob.h"

#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace pipewarden::exporters {
namespace {

constexpr std::uint64_t kReadAgain = 32;
constexpr std::int64_t kFreshNs = 2'000'000'000;
constexpr int kMaxDepth = 32;

std::int64_t Nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

bool HasWildcard(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

std::string Join(const std::string& folder, std::string_view name) {
  return folder == "/" ? "/" + std::string(name) : folder + "/" + std::string(name);
}

void Expand(DirectoryCache& cache, const std::string& folder, std::string_view rest, int depth,
            std::vector<std::string>& out) {
  const std::size_t slash = rest.find('/');
  const std::string component(rest.substr(0, slash));
  const bool last = slash == std::string_view::npos;
  const std::string_view behind = last ? std::string_view() : rest.substr(slash + 1);
  if (component == "**") {
    if (last) {
      Expand(cache, folder, "*", depth, out);
    } else {
      Expand(cache, folder, behind, depth, out);
    }
    if (depth >= kMaxDepth) return;
    const std::vector<std::string> folders = cache.List(folder).folders;  // a copy: the cache may grow below
    for (const std::string& name : folders)
      if (name[0] != '.') Expand(cache, Join(folder, name), rest, depth + 1, out);
    return;
  }
  if (!HasWildcard(component)) {
    if (last) {
      out.push_back(Join(folder, component));
    } else {
      Expand(cache, Join(folder, component), behind, depth, out);
    }
    return;
  }
  std::vector<std::string> matching;  // the listing may go when the cache grows below
  for (const std::string& name : cache.List(folder).names)
    if (::fnmatch(component.c_str(), name.c_str(), FNM_PERIOD) == 0) matching.push_back(Join(folder, name));
  if (last) {
    std::ranges::move(matching, std::back_inserter(out));
  } else {
    for (const std::string& path : matching) Expand(cache, path, behind, depth, out);
  }
}

}  // namespace

void DirectoryCache::NewPoll() {
  ++poll_;
  std::erase_if(entries_, [this](const auto& entry) { return entry.second.checked_at + 1000 < poll_; });
}

const DirectoryCache::Listing& DirectoryCache::List(const std::string& folder) {
  Entry& entry = entries_[folder];
  if (entry.checked_at == poll_) return entry.listing;
  entry.checked_at = poll_;
  struct stat info{};
  const bool there = ::stat(folder.c_str(), &info) == 0;
  const std::int64_t modified = there ? Nanoseconds(info.st_mtim) : -1;
  if (entry.read_at != 0 && entry.settled && modified == entry.modified_ns && poll_ - entry.read_at < kReadAgain)
    return entry.listing;
  // The file system's time is compared with the machine's, not with core::Clock, which may stand still or jump.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  entry.settled = there && Nanoseconds(now) - modified > kFreshNs;
  entry.modified_ns = modified;
  entry.read_at = poll_;
  Read(folder, entry);
  return entry.listing;
}

void DirectoryCache::Read(const std::string& folder, Entry& entry) {
  Listing listing;
  if (DIR* open = ::opendir(folder.c_str())) {
    listing.readable = true;
    while (const dirent* item = ::readdir(open)) {
      const std::string name = item->d_name;
      if (name == "." || name == "..") continue;
      bool is_folder = item->d_type == DT_DIR;
      if (item->d_type == DT_UNKNOWN) {
        struct stat info{};
        is_folder = ::lstat(Join(folder, name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
      }
      if (is_folder) listing.folders.push_back(name);
      listing.names.push_back(name);
    }
    ::closedir(open);
  }
  std::ranges::sort(listing.names);
  std::ranges::sort(listing.folders);
  // A fresh folder is read at each poll; what a rename keeps the names of (a copy over an old name) must still be seen.
  listing.generation =
      entry.settled && listing.names == entry.listing.names ? entry.listing.generation : next_generation_++;
  entry.listing = std::move(listing);
}

std::vector<std::string> ExpandGlob(DirectoryCache& cache, const std::string& pattern) {
  std::vector<std::string> paths;
  // The folders before the first wildcard are one step.
  const std::size_t slash = pattern.rfind('/', pattern.find_first_of("*?["));
  Expand(cache, slash == 0 ? "/" : pattern.substr(0, slash), std::string_view(pattern).substr(slash + 1), 0, paths);
  std::ranges::sort(paths);
  const auto doubles = std::ranges::unique(paths);
  paths.erase(doubles.begin(), doubles.end());
  return paths;
}

bool IsExcluded(const std::string& path, const std::vector<std::string>& exclude) {
  static constexpr std::string_view kCompressed[] = {".gz", ".zst", ".bz2", ".xz", ".zip", ".lz4", ".Z"};
  for (const std::string_view suffix : kCompressed)
    if (path.ends_with(suffix)) return true;
  const std::string name = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(exclude, [&](const std::string& pattern) {
    const std::string& subject = pattern.find('/') == std::string::npos ? name : path;
    return ::fnmatch(pattern.c_str(), subject.c_str(), 0) == 0;
  });
}

bool IsRotationOf(std::string_view name, std::string_view base) {
  if (name.size() < base.size() + 2 || !name.starts_with(base)) return false;
  const std::string_view suffix = name.substr(base.size());
  if (suffix[0] != '.' && suffix[0] != '-' && suffix[0] != '_') return false;
  if (IsExcluded(std::string(name), {})) return false;
  return (suffix[1] >= '0' && suffix[1] <= '9') || suffix == ".old";
}

}  // namespace pipewarden::exporters
