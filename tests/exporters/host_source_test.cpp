// On a frozen /proc, and once on the machine's own.
#include "exporters/host_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "tests/exporters/probe_fixture.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

struct Samples : core::SampleVisitor {
  void OnFamily(const core::MetricFamily& family) override {
    BOOST_TEST(families.insert(family.name).second, family.name + " is opened twice");
    BOOST_TEST(!family.help.empty());
  }
  void OnSample(const core::Series& series, double value) override {
    values[series.labels.ToString()] = value;
    ids[series.labels.ToString()] = series.id;
  }
  std::set<std::string> families;
  std::map<std::string, double> values;
  std::map<std::string, core::SeriesId> ids;
};

HostConfig ReadText(const std::string& yaml, std::vector<std::string>* lines = nullptr) {
  core::ConfigErrors errors;
  const auto node = core::ParseYaml(yaml, "pipewarden.yml");
  BOOST_REQUIRE(node);
  HostConfig config = ReadHost(*node, errors);
  if (lines != nullptr) *lines = errors.Lines();
  if (lines == nullptr) BOOST_TEST(errors.empty());
  return config;
}

struct Fixture {
  core::JumpingClock clock;
  test::TempFolder dir;
  std::string proc = dir.path() + "/proc";

  Fixture() {
    std::filesystem::copy(std::string(PIPEWARDEN_SOURCE_DIR) + "/tests/exporters/data/proc", proc,
                          std::filesystem::copy_options::recursive);
    dir.Write("proc/1/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\n/dev/sdb1 " + dir.path() +
                                   "/a\\040b xfs rw 0 0\nproc /proc proc rw 0 0\n" + "server:/gone " + dir.path() +
                                   "/absent nfs rw 0 0\nx /dev/shm tmpfs rw 0 0\n");
    std::filesystem::create_directory(dir.path() + "/a b");
  }
  Samples Visit(HostSource& source) const {
    Samples samples;
    source.Visit(samples);
    return samples;
  }
};

BOOST_FIXTURE_TEST_SUITE(host_source, Fixture)

BOOST_AUTO_TEST_CASE(a_frozen_machine_is_told_in_node_exporters_words) {
  HostSource source(clock, ReadText("{proc_path: " + proc + "}"));
  const Samples samples = Visit(source);
  const std::pair<std::string, double> expected[] = {
      {R"(node_cpu_seconds_total{cpu="0", mode="user"})", 444.9},
      {R"(node_cpu_seconds_total{cpu="1", mode="idle"})", 11107.87},
      {R"(node_cpu_seconds_total{cpu="1", mode="steal"})", 0.03},
      {R"(node_cpu_guest_seconds_total{cpu="1", mode="nice"})", 0.25},
      {"node_boot_time_seconds", 1418183276},
      {"node_context_switches_total", 38014093},
      {"node_forks_total", 26442},
      {"node_procs_running", 2},
      {"node_procs_blocked", 1},
      {"node_load1", 0.21},
      {"node_load5", 0.37},
      {"node_load15", 0.39},
      {"node_memory_MemTotal_bytes", 16042172.0 * 1024},
      {"node_memory_MemAvailable_bytes", 9742172.0 * 1024},
      {"node_memory_Active_anon_bytes", 5434788.0 * 1024},
      {"node_memory_HugePages_Total", 3},
      {R"(node_filesystem_readonly{device="/dev/sda1", fstype="ext4", mountpoint="/"})", 1},
      {R"(node_filesystem_device_error{device="/dev/sda1", fstype="ext4", mountpoint="/"})", 0},
      {"node_filesystem_readonly{device=\"/dev/sdb1\", fstype=\"xfs\", mountpoint=\"" + dir.path() + "/a b\"}", 0},
      {"node_filesystem_device_error{device=\"server:/gone\", fstype=\"nfs\", mountpoint=\"" + dir.path() +
           "/absent\"}",
       1},
  };
  for (const auto& [series, value] : expected) {
    const std::string key = samples.values.contains(series) ? series : series + "{}";
    BOOST_REQUIRE_MESSAGE(samples.values.contains(key), series);
    BOOST_TEST(samples.values.at(key) == value, boost::test_tools::tolerance(1e-9));
  }
  BOOST_TEST(
      (samples.values.at(R"(node_filesystem_size_bytes{device="/dev/sda1", fstype="ext4", mountpoint="/"})") > 0));
  for (const auto& [series, value] : samples.values) {
    BOOST_TEST(series.find("fstype=\"proc\"") == std::string::npos, series);
    BOOST_TEST(series.find("/dev/shm") == std::string::npos, series);
  }
}

BOOST_AUTO_TEST_CASE(values_are_read_once_a_second_at_most) {
  HostSource source(clock, ReadText("{proc_path: " + proc + ", collectors: [load]}"));
  const Samples before = Visit(source);
  dir.Write("proc/loadavg", "5 6 7 1/2 3\n");
  clock.Jump(std::chrono::milliseconds(900));
  BOOST_TEST(Visit(source).values == before.values);
  clock.Jump(std::chrono::milliseconds(100));
  const Samples after = Visit(source);
  BOOST_TEST(after.values.begin()->second == 5);
  BOOST_TEST(after.ids == before.ids);
  BOOST_TEST(after.values.size() == 3U);
}

BOOST_AUTO_TEST_CASE(cpu_counters_do_not_run_backwards) {
  HostSource source(clock, ReadText("{proc_path: " + proc + ", collectors: [cpu]}"));
  dir.Write("proc/stat", "cpu0 100 0 0 1000 50 0 0 0 0 0\n");
  const std::string iowait = R"(node_cpu_seconds_total{cpu="0", mode="iowait"})";
  BOOST_TEST(Visit(source).values.at(iowait) == 0.5);
  dir.Write("proc/stat", "cpu0 100 0 0 1100 40 0 0 0 0 0\n");
  clock.Jump(std::chrono::seconds(2));
  BOOST_TEST(Visit(source).values.at(iowait) == 0.5);
  dir.Write("proc/stat", "cpu0 1 0 0 10 1 0 0 0 0 0\n");  // it was taken away and has come back
  clock.Jump(std::chrono::seconds(2));
  BOOST_TEST(Visit(source).values.at(iowait) == 0.01);
}

BOOST_AUTO_TEST_CASE(a_proc_that_is_not_there_gives_nothing) {
  HostSource source(clock, ReadText("{proc_path: /nonexistent}"));
  BOOST_TEST(Visit(source).values.empty());
  HostSource off(clock, ReadText("{enabled: false}"));
  BOOST_TEST(Visit(off).values.empty());
}

BOOST_AUTO_TEST_CASE(a_hosts_root_in_a_container_is_its_root) {
  dir.Write("proc/1/mounts",
            "/dev/sda1 " + dir.path() + " ext4 rw 0 0\n/dev/sdb1 " + dir.path() + "/data xfs rw 0 0\n");
  HostSource source(clock,
                    ReadText("{proc_path: " + proc + ", root_path: " + dir.path() + ", collectors: [filesystem]}"));
  const Samples samples = Visit(source);
  BOOST_TEST(
      samples.values.contains(R"(node_filesystem_size_bytes{device="/dev/sda1", fstype="ext4", mountpoint="/"})"));
  BOOST_TEST(
      samples.values.contains(R"(node_filesystem_device_error{device="/dev/sdb1", fstype="xfs", mountpoint="/data"})"));
}

BOOST_AUTO_TEST_CASE(a_reload_changes_the_collectors) {
  HostSource source(clock, ReadText("{proc_path: " + proc + "}"));
  BOOST_TEST(Visit(source).families.contains("node_load1"));
  source.Apply(ReadText("{proc_path: " + proc + ", collectors: [memory]}"));
  BOOST_TEST(!Visit(source).families.contains("node_load1"));
}

// A collector that does not come back stands for a mount that hangs: its visit holds the source, and the loop applies.
BOOST_AUTO_TEST_CASE(a_reload_does_not_wait_for_a_visit) {
  const std::string pipe = proc + "/loadavg";
  std::filesystem::remove(pipe);
  BOOST_REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  HostSource source(clock, ReadText("{proc_path: " + proc + ", collectors: [load]}"));
  const HostConfig changed = ReadText("{proc_path: " + proc + ", collectors: [memory]}");
  auto visit = std::async(std::launch::async, [&] {  // Boost.Test is for one thread at a time
    struct Names : core::SampleVisitor {
      void OnFamily(const core::MetricFamily& family) override { families.insert(family.name); }
      void OnSample(const core::Series&, double) override {}
      std::set<std::string> families;
    } names;
    source.Visit(names);
    return names.families;
  });
  int writer = -1;
  while ((writer = open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) std::this_thread::yield();
  auto apply = std::async(std::launch::async, [&] { source.Apply(changed); });
  BOOST_TEST((apply.wait_for(std::chrono::seconds(10)) == std::future_status::ready));
  BOOST_TEST((visit.wait_for(std::chrono::seconds(0)) == std::future_status::timeout));
  BOOST_REQUIRE(write(writer, "1 2 3 1/2 3\n", 12) == 12);
  close(writer);
  BOOST_TEST(visit.get().contains("node_load1"));
  BOOST_TEST(!Visit(source).families.contains("node_load1"));
}

BOOST_AUTO_TEST_CASE(this_machine_is_told_too_and_from_many_threads) {
  HostSource source(clock, ReadText(""));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      struct Count : core::SampleVisitor {
        void OnFamily(const core::MetricFamily&) override {}
        void OnSample(const core::Series&, double) override { ++samples; }
        int samples = 0;
      };
      for (int round = 0; round < 20; ++round) {
        Count count;
        source.Visit(count);
        clock.Jump(std::chrono::milliseconds(300));
      }
    });
  for (std::thread& thread : threads) thread.join();
  const Samples samples = Visit(source);
  BOOST_TEST(samples.families.contains("node_cpu_seconds_total"));
  BOOST_TEST(samples.families.contains("node_memory_MemAvailable_bytes"));
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  std::vector<std::string> errors;
  ReadText("{collectors: [cpu, memroy], exclude_types: '('}", &errors);
  BOOST_REQUIRE(errors.size() == 2U);
  BOOST_TEST(errors[0].find("unknown collector 'memroy' (did you mean 'memory'?)") != std::string::npos, errors[0]);
}

BOOST_AUTO_TEST_CASE(each_collector_is_a_file_and_each_file_a_collector) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PIPEWARDEN_SOURCE_DIR) + "/exporters/host"))
    if (entry.path().extension() == ".cpp") files.insert(entry.path().stem().string());
  std::set<std::string> kinds;
  for (const HostCollectorKind* kind : HostCollectorKinds()) kinds.emplace(kind->name);
  BOOST_TEST(files == kinds, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
