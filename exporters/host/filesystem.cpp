// The collector `filesystem`: statfs of every mount, under the names of node_exporter's filesystem collector.
//
// statfs of a network mount whose server is gone hangs, at times for ever and beyond any signal. So a thread of its own
// asks, mount by mount, and Collect shows what it last found; a visit waits for it a few milliseconds at most. When a
// mount has held the thread for five seconds, the mount is marked (node_filesystem_device_error 1), the thread is left
// to its fate, and another goes on without that mount until the first comes back. Such a thread cannot be joined: it is
// the one thing here that is detached, it owns all it touches, and there are never more than four of them.
#include <re2/re2.h>
#include <sys/statvfs.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "core/model/matcher.h"
#include "exporters/host/list.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;
using core::MetricType;

constexpr auto kPatience = 5s;               // with one mount
constexpr auto kVisitPatience = 5ms;         // of a visit, with a whole round
constexpr auto kFirstVisitPatience = 100ms;  // there is nothing to show yet
constexpr std::size_t kMaxLost = 4;

struct Mount {
  std::string device, mountpoint, fstype;
  bool read_only = false;
};

struct Space {
  double size = 0, free = 0, available = 0, files = 0, files_free = 0;
};

struct Found {
  Mount mount;
  std::optional<Space> space;  // nothing: statfs failed, or hangs
};

struct Settings {
  std::string proc, root;  // root without a slash at its end: "" is /
  std::shared_ptr<const re2::RE2> exclude_mounts, exclude_types;
};

// "\040" and the like are how /proc/mounts writes spaces and tabs.
std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::strtol(std::string(text.substr(i + 1, 3)).c_str(), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<Mount> ReadMounts(const Settings& settings) {
  std::string text = ReadProcFile(settings.proc + "/1/mounts");
  if (text.empty()) text = ReadProcFile(settings.proc + "/self/mounts");
  std::map<std::string, Mount> by_place;  // of two at one place the later hides the earlier
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Mount mount;
    std::string options;
    fields >> mount.device >> mount.mountpoint >> mount.fstype >> options;
    mount.device = Unescape(mount.device);
    mount.mountpoint = Unescape(mount.mountpoint);
    if (!settings.root.empty() && (mount.mountpoint + "/").starts_with(settings.root + "/")) {
      mount.mountpoint.erase(0, settings.root.size());
      if (mount.mountpoint.empty()) mount.mountpoint = "/";
    }
    const auto excluded = [](const auto& regex, const std::string& value) {
      return regex != nullptr && re2::RE2::PartialMatch(value, *regex);
    };
    if (excluded(settings.exclude_mounts, mount.mountpoint) || excluded(settings.exclude_types, mount.fstype)) continue;
    mount.read_only = ("," + options + ",").find(",ro,") != std::string::npos;
    by_place[mount.mountpoint] = mount;
  }
  std::vector<Mount> mounts;
  for (auto& [place, mount] : by_place) mounts.push_back(std::move(mount));
  return mounts;
}

std::optional<Space> AskSpace(const std::string& path) {
  struct statvfs info{};
  if (statvfs(path.c_str(), &info) != 0) return std::nullopt;
  const auto unit = static_cast<double>(info.f_frsize != 0 ? info.f_frsize : info.f_bsize);
  return Space{static_cast<double>(info.f_blocks) * unit, static_cast<double>(info.f_bfree) * unit,
               static_cast<double>(info.f_bavail) * unit, static_cast<double>(info.f_files),
               static_cast<double>(info.f_ffree)};
}

// What the threads share; a lost thread keeps it alive.
struct Shared {
  explicit Shared(Settings settings_) : settings(std::move(settings_)) {}

  const Settings settings;
  core::Mutex mutex;
  core::CondVar changed;
  bool ending GUARDED_BY(mutex) = false;
  bool wanted GUARDED_BY(mutex) = true;        // a round is asked for
  std::uint64_t rounds GUARDED_BY(mutex) = 0;  // that have ended
  std::uint64_t worker GUARDED_BY(mutex) = 0;  // the thread in charge; others are lost, and end when they come back
  std::string asking GUARDED_BY(mutex);        // the mount it is at, "" none
  std::chrono::steady_clock::time_point since GUARDED_BY(mutex);
  std::set<std::string> hanging GUARDED_BY(mutex);
  std::vector<Found> found GUARDED_BY(mutex);
};

// False: this thread is no longer in charge.
bool AskOne(Shared& shared, std::uint64_t worker, const Mount& mount, std::vector<Found>& found) {
  {
    const core::MutexLock lock(shared.mutex);
    if (shared.hanging.contains(mount.mountpoint)) {
      found.push_back({mount, std::nullopt});
      return true;
    }
    shared.asking = mount.mountpoint;
    shared.since = std::chrono::steady_clock::now();
  }
  auto space = AskSpace(shared.settings.root + mount.mountpoint);
  const core::MutexLock lock(shared.mutex);
  if (shared.worker != worker) {
    shared.hanging.erase(mount.mountpoint);
    return false;
  }
  shared.asking.clear();
  found.push_back({mount, space});
  return true;
}

void Work(const std::shared_ptr<Shared>& shared, std::uint64_t worker) {
  for (;;) {
    {
      const core::MutexLock lock(shared->mutex);
      while (!shared->wanted && !shared->ending && shared->worker == worker) shared->changed.Wait(shared->mutex);
      if (shared->ending || shared->worker != worker) return;
      shared->wanted = false;
    }
    std::vector<Found> found;
    for (const Mount& mount : ReadMounts(shared->settings))
      if (!AskOne(*shared, worker, mount, found)) return;
    const core::MutexLock lock(shared->mutex);
    shared->found = std::move(found);
    ++shared->rounds;
    shared->changed.NotifyAll();
  }
}

class Filesystem final : public HostCollector {
 public:
  explicit Filesystem(Settings settings)
      : shared_(std::make_shared<Shared>(std::move(settings))), thread_([shared = shared_] { Work(shared, 0); }) {}

  ~Filesystem() override {
    bool hangs = false;
    {
      Shared& shared = *shared_;
      const core::MutexLock lock(shared.mutex);
      shared.ending = true;
      shared.changed.NotifyAll();
      const auto until = std::chrono::steady_clock::now() + 1s;
      while (!shared.asking.empty() && std::chrono::steady_clock::now() < until)
        shared.changed.WaitFor(shared.mutex, 10ms);
      hangs = !shared.asking.empty();
      if (hangs) ++shared.worker;
    }
    if (hangs) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  void Collect(HostSamples& samples) override {
    std::vector<Found> found;
    {
      Shared& shared = *shared_;
      const core::MutexLock lock(shared.mutex);
      const bool lost = !shared.asking.empty() && std::chrono::steady_clock::now() - shared.since >= kPatience;
      if (lost && shared.hanging.size() < kMaxLost) {
        shared.hanging.insert(std::exchange(shared.asking, ""));
        const std::uint64_t worker = ++shared.worker;
        thread_.detach();
        thread_ = std::thread([shared = shared_, worker] { Work(shared, worker); });
      }
      const std::uint64_t before = shared.rounds;
      shared.wanted = true;
      shared.changed.NotifyAll();
      const auto until = std::chrono::steady_clock::now() + (before == 0 ? kFirstVisitPatience : kVisitPatience);
      while (shared.rounds == before) {
        const auto left = until - std::chrono::steady_clock::now();
        if (left <= 0s || !shared.changed.WaitFor(shared.mutex, left)) break;
      }
      found = shared.found;
      for (Found& one : found)
        if (shared.hanging.contains(one.mount.mountpoint)) one.space.reset();
    }
    for (const Found& one : found) AddMount(one, samples);
  }

 private:
  static void AddMount(const Found& found, HostSamples& samples) {
    const std::vector<core::Label> labels = {
        {"device", found.mount.device}, {"fstype", found.mount.fstype}, {"mountpoint", found.mount.mountpoint}};
    const auto add = [&](std::string_view name, std::string_view unit, std::string_view help, double value) {
      samples.Add(name, MetricType::kGauge, unit, help, value, labels);
    };
    add("node_filesystem_device_error", "", "Whether an error occurred while getting statistics for the given device.",
        found.space ? 0 : 1);
    if (!found.space) return;
    add("node_filesystem_size_bytes", "bytes", "Filesystem size in bytes.", found.space->size);
    add("node_filesystem_free_bytes", "bytes", "Filesystem free space in bytes.", found.space->free);
    add("node_filesystem_avail_bytes", "bytes", "Filesystem space available to non-root users in bytes.",
        found.space->available);
    add("node_filesystem_files", "", "Filesystem total file nodes.", found.space->files);
    add("node_filesystem_files_free", "", "Filesystem total free file nodes.", found.space->files_free);
    add("node_filesystem_readonly", "", "Filesystem read-only status.", found.mount.read_only ? 1 : 0);
  }

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

std::shared_ptr<const re2::RE2> Compile(const std::string& pattern) {
  if (pattern.empty()) return nullptr;
  const auto regex = core::CompileRegex(pattern);  // the table has told of a bad one
  return regex ? *regex : nullptr;
}

std::unique_ptr<HostCollector> Make(const HostConfig& config) {
  std::string root = config.root_path;
  while (root.ends_with('/')) root.pop_back();
  return std::make_unique<Filesystem>(
      Settings{config.proc_path, root, Compile(config.exclude_mounts), Compile(config.exclude_types)});
}

constexpr HostMetric kMetrics[] = {
    {"node_filesystem_device_error", "device fstype mountpoint"},
    {"node_filesystem_size_bytes", "device fstype mountpoint"},
    {"node_filesystem_free_bytes", "device fstype mountpoint"},
    {"node_filesystem_avail_bytes", "device fstype mountpoint"},
    {"node_filesystem_files", "device fstype mountpoint"},
    {"node_filesystem_files_free", "device fstype mountpoint"},
    {"node_filesystem_readonly", "device fstype mountpoint"},
};

}  // namespace

const HostCollectorKind kFilesystemCollector{.name = "filesystem",
                                             .summary = "Space and inodes of every mounted file system.",
                                             .metrics = kMetrics,
                                             .make = &Make};

}  // namespace pipewarden::exporters
