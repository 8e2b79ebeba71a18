#include "tests/exporters/probe_fixture.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;
using Answer = HttpServer::Response;

// What a real NameNode (3.5.0) answered; `state` is asked for FSNamesystem*, `status` for NameNodeStatus.
HttpServer::Handler NameNode(const std::string& state, const std::string& status) {
  return [system = TestData("hdfs/" + state), status = TestData("hdfs/" + status)](const HttpServer::Request& request) {
    if (request.target == "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem*") return Answer{.body = system};
    if (request.target == "/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus") return Answer{.body = status};
    return Answer{.status = 404, .body = {}};
  };
}

BOOST_FIXTURE_TEST_SUITE(probe_hdfs, ProbeFixture)

BOOST_AUTO_TEST_CASE(an_active_namenode_is_judged_and_measured) {
  HttpServer server(NameNode("hdfs-ha-active-FSNamesystem.json", "hdfs-ha-active-NameNodeStatus.json"));
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "'");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_hdfs_live_datanodes") == 1);
  BOOST_TEST(*Value(result, "probe_hdfs_dead_datanodes") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_stale_datanodes") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_decommissioning_datanodes") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_safemode") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_active") == 1);
  BOOST_TEST(*Value(result, "probe_hdfs_ha_state", "active") == 1);
  BOOST_TEST(*Value(result, "probe_hdfs_ha_state", "standby") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_missing_blocks") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_under_replicated_blocks") == 0);
  BOOST_TEST((Value(result, "probe_hdfs_last_checkpoint_timestamp_seconds") > 1.7e9));
  const ProbeResult too_few = Probe("hdfs", "url: '" + server.Url() + "', min_live: 2");
  BOOST_TEST(too_few.error == "NameNode " + server.Url() + ": 1 live datanodes, at least 2 wanted");
  BOOST_TEST(*Value(too_few, "probe_hdfs_live_datanodes") == 1);
}

BOOST_AUTO_TEST_CASE(a_standby_says_nothing_of_blocks) {
  HttpServer server(NameNode("hdfs-ha-standby-FSNamesystem.json", "hdfs-ha-standby-NameNodeStatus.json"));
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "', max_missing_blocks: 0");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_hdfs_active") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_ha_state", "standby") == 1);
  BOOST_TEST(!Value(result, "probe_hdfs_missing_blocks"));
  BOOST_TEST(!Value(result, "probe_hdfs_under_replicated_blocks"));
  BOOST_TEST(*Value(result, "probe_hdfs_live_datanodes") == 1);
}

// FSNamesystem still shows three live ones in this sample: it is cached for 10 s. FSNamesystemState counts.
BOOST_AUTO_TEST_CASE(dead_datanodes_are_seen_at_once) {
  HttpServer server(NameNode("hdfs-simple-3dead-FSNamesystem.json", "hdfs-ha-active-NameNodeStatus.json"));
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "'");
  BOOST_TEST(result.error == "NameNode " + server.Url() + ": 0 live datanodes, at least 1 wanted");
  BOOST_TEST(*Value(result, "probe_hdfs_live_datanodes") == 0);
  BOOST_TEST(*Value(result, "probe_hdfs_dead_datanodes") == 3);
}

BOOST_AUTO_TEST_CASE(safemode_shows_without_failing) {
  HttpServer server([](const HttpServer::Request& request) {
    if (request.target.ends_with("NameNodeStatus"))
      return Answer{.body = TestData("hdfs/hdfs-ha-active-NameNodeStatus.json")};
    std::string state = TestData("hdfs/hdfs-simple-FSNamesystemState-safemode.json");
    state.insert(state.rfind(']'), R"(, {"name": "Hadoop:service=NameNode,name=FSNamesystem"})");
    return Answer{.body = state};
  });
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "', min_live: 2");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_hdfs_safemode") == 1);
}

BOOST_AUTO_TEST_CASE(bounds_and_safemode_fail_where_asked_for) {
  const auto answer = [](const HttpServer::Request& request) {
    if (request.target.ends_with("NameNodeStatus"))
      return Answer{.body = TestData("hdfs/hdfs-ha-active-NameNodeStatus.json")};
    return Answer{.body = R"({"beans": [
        {"name": "Hadoop:service=NameNode,name=FSNamesystemState", "NumLiveDataNodes": 2, "NumDeadDataNodes": 3,
         "FSState": "safeMode", "UnderReplicatedBlocks": 7},
        {"name": "Hadoop:service=NameNode,name=FSNamesystem", "MissingBlocks": 4, "tag.HAState": "standby"}]})"};
  };
  HttpServer server(answer);
  const auto error = [&](const std::string& option) {
    const std::string text = Probe("hdfs", "url: '" + server.Url() + "'" + option).error;
    return text.empty() ? text : text.substr(text.find("/: ") + 3);
  };
  BOOST_TEST(error("") == "");
  BOOST_TEST(error(", fail_in_safemode: true") == "the NameNode is in safemode");
  BOOST_TEST(error(", max_dead: 2") == "3 dead datanodes, at most 2 allowed");
  BOOST_TEST(error(", max_missing_blocks: 0") ==
             "4 missing blocks, at most 0 allowed");  // HA state of NameNodeStatus counts
  BOOST_TEST(error(", max_under_replicated_blocks: 6") == "7 under-replicated blocks, at most 6 allowed");
  BOOST_TEST(error(", max_under_replicated_blocks: 7") == "");
}

BOOST_AUTO_TEST_CASE(a_server_without_the_beans_is_no_namenode) {
  HttpServer server([](const auto&) { return Answer{.body = TestData("hdfs/hdfs-missing-bean.json")}; });
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "'");
  BOOST_TEST(result.error.find("has no bean Hadoop:service=NameNode,name=FSNamesystem") != std::string::npos,
             result.error);
}

BOOST_AUTO_TEST_CASE(a_namenode_that_hangs_is_named) {
  HttpServer server([](const auto&) { return Answer{.hang = true}; });
  const ProbeResult result = Probe("hdfs", "url: '" + server.Url() + "'", 200ms);
  BOOST_TEST(result.error == "GET " + server.Url("/jmx") + ": timed out after 200ms while waiting for the answer of " +
                                 server.Address());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
