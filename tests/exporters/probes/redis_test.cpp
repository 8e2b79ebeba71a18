// Against a server of a few canned answers; tests/integration/redis_test.py has real ones.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/exporters/probe_fixture.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

// Takes one connection, answers once it has read INFO, and closes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    BOOST_REQUIRE(::listen(fd_, 1) == 0);
    BOOST_REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, text = std::move(answer)] {
      const int peer = ::accept(fd_, nullptr, nullptr);
      char buffer[1024];
      while (asked_.find("INFO\r\n") == std::string::npos) {
        const ssize_t n = ::read(peer, buffer, sizeof buffer);
        if (n <= 0) break;
        asked_.append(buffer, static_cast<std::size_t>(n));
      }
      if (::write(peer, text.data(), text.size()) < 0) asked_.clear();
      ::close(peer);
    });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
  }
  const std::string& address() const { return address_; }
  std::string Asked() {
    thread_.join();
    return asked_;
  }

 private:
  int fd_;
  std::string address_;
  std::string asked_;
  std::thread thread_;
};

std::string Bulk(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }

struct RedisFixture : ProbeFixture {
  ProbeResult Ask(OneAnswer& server, const std::string& options = "") {
    return Probe("redis", "address: '" + server.address() + "'" + options);
  }
};

BOOST_FIXTURE_TEST_SUITE(probe_redis, RedisFixture)

BOOST_AUTO_TEST_CASE(a_master_that_serves_is_well) {
  OneAnswer server("+OK\r\n+PONG\r\n" + Bulk("role:master\r\nloading:0\r\nconnected_slaves:2\r\nmaxmemory:0\r\n"
                                             "rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n"));
  const ProbeResult result = Ask(server, ", username: watcher, password: hidden");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(server.Asked() ==
             "*3\r\n$4\r\nAUTH\r\n$7\r\nwatcher\r\n$6\r\nhidden\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nINFO\r\n");
  BOOST_TEST(*Value(result, "probe_redis_master") == 1);
  BOOST_TEST(*Value(result, "probe_redis_connected_replicas") == 2);
  BOOST_TEST(*Value(result, "probe_redis_login") == 1);
  BOOST_TEST(!Value(result, "probe_redis_master_link_up").has_value());
}

BOOST_AUTO_TEST_CASE(what_does_not_serve_is_not_and_says_why) {
  const std::string replica = "role:slave\r\nmaster_host:db\r\nmaster_port:6379\r\n";
  const std::string linked = replica + "master_link_status:up\r\nmaster_last_io_seconds_ago:75\r\n";
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"+PONG\r\n" + Bulk(replica + "master_link_status:down\r\n"), "", "has no link to its master db:6379"},
      {"+PONG\r\n" + Bulk(linked), ", max_lag: 1m", "has heard of its master db:6379 75s ago, at most 1m wanted"},
      {"+PONG\r\n" + Bulk(linked), ", role: master", "is a replica, a master is expected"},
      {"-LOADING Redis is loading the dataset in memory\r\n" + Bulk("loading:1\r\n"), "", "loads its dataset"},
      {"-MISCONF no disk\r\n" + Bulk("role:master\r\n"), "", "answers MISCONF no disk"},
      {"+PONG\r\n" + Bulk("aof_last_write_status:err\r\n"), "", "failed in its last write to the append-only file"},
  };
  for (const auto& [answer, options, why] : cases) {
    OneAnswer server(answer);
    BOOST_TEST(Ask(server, options).error == server.address() + " " + why);
  }
}

BOOST_AUTO_TEST_CASE(a_login_that_is_wanted_means_up) {
  const std::string refused = "-NOAUTH Authentication required.\r\n";
  OneAnswer open(refused + refused);
  const ProbeResult result = Ask(open);
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_redis_login") == 0);
  OneAnswer strict("-WRONGPASS invalid\r\n" + refused + refused);
  BOOST_TEST(Ask(strict, ", password: x, require_login: true").error ==
             strict.address() + " refuses the login: WRONGPASS invalid");
}

BOOST_AUTO_TEST_CASE(nonsense_silence_and_absence_are_told_apart) {
  OneAnswer web("HTTP/1.1 400 Bad Request\r\n\r\n");
  BOOST_TEST(Ask(web).error == "the answer of " + web.address() + " is not Redis'");
  OneAnswer cut("+PONG\r\n$100\r\nrole:mas");
  BOOST_TEST(Ask(cut).error == "waiting for the answer of " + cut.address() + ": End of file");
  test::HttpServer silent([](const auto&) { return test::HttpServer::Response{}; }, {.accept = false});
  BOOST_TEST(Probe("redis", "address: '" + silent.Address() + "'", 200ms).error ==
             "timed out after 200ms while waiting for the answer of " + silent.Address());
  const std::string closed = "127.0.0.1:" + std::to_string(test::ClosedPort());
  BOOST_TEST(Probe("redis", "address: '" + closed + "'").error == "connecting to " + closed + ": Connection refused");
}

BOOST_AUTO_TEST_CASE(a_user_without_a_password_is_told_at_load) {
  std::vector<std::string> errors;
  ReadProbeText("[{name: p, kind: redis, username: u}]", errors);
  BOOST_REQUIRE(errors.size() == 1U);
  BOOST_TEST(errors[0].find("`username` without a `password` does nothing") != std::string::npos, errors[0]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
