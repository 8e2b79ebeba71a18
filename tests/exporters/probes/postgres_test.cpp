// Against a server that speaks just enough of the protocol; a real PostgreSQL is in tests/integration.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>

#include "tests/exporters/probe_fixture.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

// Takes connections one after the other, refuses TLS, reads the startup message, sends `answer`, closes.
class FakePostgres {
 public:
  explicit FakePostgres(std::string answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 16);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakePostgres() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string Options() const { return "host: 127.0.0.1, port: " + std::to_string(port_); }
  std::string Where() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve() {
    for (int fd = accept(listener_, nullptr, nullptr); fd >= 0; fd = accept(listener_, nullptr, nullptr)) {
      char buffer[1024];
      ssize_t size = recv(fd, buffer, sizeof buffer, 0);
      if (size == 8) {  // SSLRequest
        send(fd, "N", 1, MSG_NOSIGNAL);
        size = recv(fd, buffer, sizeof buffer, 0);
      }
      if (!answer_.empty()) send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (answer_ == "hang") recv(fd, buffer, sizeof buffer, 0);
      shutdown(fd, SHUT_WR);
      while (recv(fd, buffer, sizeof buffer, 0) > 0) {
      }
      close(fd);
    }
  }
  std::string answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

std::string Message(char type, std::string_view body) {
  const auto size = static_cast<std::uint32_t>(body.size() + 4);
  std::string text(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((size >> shift) & 0xFFU);
  return text + std::string(body);
}
std::string Error(std::string_view state, std::string_view message) {
  return Message('E', "SFATAL" + std::string(1, '\0') + "VFATAL" + std::string(1, '\0') + "C" + std::string(state) +
                          std::string(1, '\0') + "M" + std::string(message) + std::string(2, '\0'));
}
const std::string kAuthOk = Message('R', std::string_view("\0\0\0\0", 4));
const std::string kAuthMd5 = Message('R', std::string_view("\0\0\0\5salt", 8));
const std::string kReady = Message('S', std::string_view("server_version\00015.4\0", 20)) +
                           Message('S', std::string_view("in_hot_standby\0on\0", 18)) + Message('Z', "I");

struct Case {
  const char* name;
  std::string answer;
  bool success;
  const char* status;
  std::string_view says;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
const Case kCases[] = {
    {"login", kAuthOk + kReady, true, "accepting", "accepting connections"},
    {"password asked, none given", kAuthMd5, true, "accepting", "accepting connections; the login failed: fe_sendauth"},
    {"wrong password", kAuthMd5 + Error("28P01", "password authentication failed for user \"postgres\""), true,
     "accepting", "accepting connections; the login failed"},
    {"no such database", kAuthOk + Error("3D000", "database \"x\" does not exist"), true, "accepting",
     "accepting connections; the login failed: "},
    {"no entry in pg_hba", Error("28000", "no pg_hba.conf entry"), true, "accepting", "accepting connections"},
    {"too many clients", Error("53300", "sorry, too many clients already"), true, "accepting", "accepting connections"},
    {"starting up", Error("57P03", "the database system is starting up"), false, "rejecting",
     "the server rejects connections: "},
    {"no answer", "", false, "no_response", "no response"},
    {"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", false, "no_response", "no response"},
};

BOOST_FIXTURE_TEST_SUITE(probe_postgres, ProbeFixture)

BOOST_DATA_TEST_CASE(it_tells_what_pg_isready_tells, boost::unit_test::data::make(kCases), c) {
  const FakePostgres server(c.answer);
  const ProbeResult result = Probe("postgres", server.Options());
  BOOST_TEST(result.success == c.success, result.error);
  BOOST_TEST(*Value(result, "probe_postgres_status", c.status) == 1);
  const std::string& text = result.success ? result.message : result.error;
  BOOST_TEST(text.find(c.says) != std::string::npos, text);
  if (!result.success) BOOST_TEST(text.starts_with(server.Where() + ": "), text);
  BOOST_TEST(text.find("57P03") == std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(a_login_tells_more) {
  const FakePostgres server(kAuthOk + kReady);
  const ProbeResult result = Probe("postgres", server.Options());
  BOOST_TEST(*Value(result, "probe_postgres_login") == 1);
  BOOST_TEST(*Value(result, "probe_postgres_server_version") == 150004);
  BOOST_TEST(*Value(result, "probe_postgres_in_hot_standby") == 1);
}

BOOST_AUTO_TEST_CASE(a_login_may_be_required) {
  const FakePostgres server(kAuthMd5 + Error("28P01", "password authentication failed"));
  const ProbeResult result = Probe("postgres", server.Options() + ", password: hunter2, require_login: true");
  BOOST_TEST(result.error == server.Where() + ": the login failed: FATAL:  password authentication failed");
}

BOOST_AUTO_TEST_CASE(nobody_there_is_no_response) {
  const int port = test::ClosedPort();
  const ProbeResult result = Probe("postgres", "host: 127.0.0.1, port: " + std::to_string(port));
  BOOST_TEST(result.error.find("Connection refused") != std::string::npos, result.error);
  BOOST_TEST(*Value(result, "probe_postgres_status", "no_response") == 1);
  const test::TempFolder dir;
  const ProbeResult socket = Probe("postgres", "host: " + dir.path());
  BOOST_TEST(socket.error.starts_with(dir.path() + "/.s.PGSQL.5432: no response"), socket.error);
  BOOST_TEST(Probe("postgres", "host: no-such-host.invalid").error == "resolving no-such-host.invalid: unknown host");
}

BOOST_AUTO_TEST_CASE(a_server_that_hangs_times_out_by_phase) {
  test::HttpServer silent([](const auto&) { return test::HttpServer::Response{}; }, {.accept = false});
  const ProbeResult result = Probe("postgres", "host: 127.0.0.1, port: " + std::to_string(silent.port()), 200ms);
  BOOST_TEST(result.error == "timed out after 200ms while waiting for the answer of " + silent.Address());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
