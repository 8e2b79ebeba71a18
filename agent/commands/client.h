// How client commands reach the running agent: HTTP over its Unix socket, or over --url. Blocking, one request at a
// time; for the command line alone.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace CLI {
class App;
}

namespace pipewarden::agent {

struct ClientOptions {
  std::string storage_path;   // the socket is pipewarden.sock there; empty: what the configuration says
  std::string config_file;    // of the agent; empty: the one that `run` would take
  std::string url;            // http(s)://[user:password@]host:port instead of the socket
  std::string ca_file;        // PEM that signs the agent's certificate, with https
  std::string password_file;  // holds the password of the URL's user, so that it stands in no command line
  std::chrono::seconds timeout{30};
};

// Adds --storage.path, --config.file, --url and the like to a command.
void AddClientOptions(CLI::App& app, ClientOptions& options);

class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  // The `data` of the agent's answer {"status": "success", "data": …}. Errors carry the agent's own message:
  // kUnavailable where no agent answers (the message says where it was looked for and what to do), kNotFound, kDenied,
  // kInvalid, kTimeout by its status.
  core::Result<nlohmann::json> Get(std::string_view path) const;
  core::Result<nlohmann::json> Post(std::string_view path, const nlohmann::json& body) const;
  // The answer of a route of Alertmanager's API, which has no envelope; null where it is empty.
  core::Result<nlohmann::json> Call(std::string_view method, std::string_view path,
                                    const nlohmann::json* body = nullptr) const;
  // The body as it comes, for long texts.
  core::Result<void> Stream(std::string_view path, std::function<void(std::string_view)> take) const;

 private:
  struct Reply {
    long status = 0;
    std::string body;
  };
  core::Result<std::string> SocketPath() const;
  core::Result<Reply> Send(std::string_view method, std::string_view path, const std::string* body,
                           const std::function<void(std::string_view)>& take) const;
  core::Result<nlohmann::json> Data(core::Result<Reply> reply) const;

  ClientOptions options_;
};

// Prints "pipewarden: <message>" to std::cerr; returns kExitFailed (kExitUsage for kInvalid).
int PrintError(const core::Error& error);

// Prints rows as a table with a heading to std::cout: columns as wide as their widest cell, two spaces between. Control
// characters of cells are escaped, so that no text of a peer moves the terminal's cursor.
void PrintTable(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows);
// The same escape for a single text; newlines stay where `lines` is true.
std::string ForTerminal(std::string_view text, bool lines = false);

}  // namespace pipewarden::agent
