#include "agent/commands/client.h"

#include <curl/curl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/command.h"
#include "agent/config.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Result;

constexpr std::string_view kSocketName = "pipewarden.sock";
constexpr std::size_t kMaxAnswerBytes = 256U << 20U;

struct Receiver {
  CURL* curl;
  std::string body;
  const std::function<void(std::string_view)>* take;
};

std::size_t OnData(char* data, std::size_t size, std::size_t count, void* context) {
  auto& receiver = *static_cast<Receiver*>(context);
  const std::size_t bytes = size * count;
  long status = 0;
  curl_easy_getinfo(receiver.curl, CURLINFO_RESPONSE_CODE, &status);
  if (receiver.take != nullptr && *receiver.take && status == 200) {
    (*receiver.take)(std::string_view(data, bytes));
    return bytes;
  }
  if (receiver.body.size() + bytes > kMaxAnswerBytes) return 0;
  receiver.body.append(data, bytes);
  return bytes;
}

ErrorCode CodeOfStatus(long status) {
  switch (status) {
    case 400:
    case 405:
      return ErrorCode::kInvalid;
    case 401:
    case 403:
      return ErrorCode::kDenied;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
    case 413:
    case 422:
    case 429:
      return ErrorCode::kLimit;
    case 503:
    case 504:
      return ErrorCode::kTimeout;
    default:
      return ErrorCode::kInternal;
  }
}

bool IsSocket(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

// Where the agent keeps its data, as far as that can be told: the folders to look into, in turn. Of the configuration
// the folder alone is asked; what else may be wrong in it is the agent's matter.
Result<std::vector<std::string>> StorageFolders(const ClientOptions& options) {
  if (!options.storage_path.empty()) return std::vector<std::string>{options.storage_path};
  const std::string file = options.config_file.empty() ? DefaultConfigFile() : options.config_file;
  if (::access(file.c_str(), R_OK) == 0) {
    core::ConfigErrors ignored;
    const auto config = LoadConfig(file, ignored);
    if (!config->storage.path.empty()) return std::vector<std::string>{config->storage.path};
  } else if (!options.config_file.empty()) {
    return Fail(core::SystemError("read " + file, errno));
  }
  return std::vector<std::string>{"data", "/var/lib/pipewarden"};
}

}  // namespace

void AddClientOptions(CLI::App& app, ClientOptions& options) {
  auto* group = app.add_option_group("Where the agent is");
  auto* storage = group->add_option("--storage.path", options.storage_path,
                                    "Folder of the agent's data, where its socket is\n"
                                    "(default: what the configuration says, else ./data, then /var/lib/pipewarden)");
  auto* config = group->add_option("--config.file", options.config_file,
                                   "The agent's configuration, to read from it where that is\n"
                                   "(default: ./pipewarden.yml, then /etc/pipewarden/pipewarden.yml)");
  group->add_option("--url", options.url, "Reach it there instead, as http://127.0.0.1:9595")
      ->excludes(storage)
      ->excludes(config);
  group->add_option("--password-file", options.password_file, "Holds the password of the URL's user");
  group->add_option("--ca-file", options.ca_file, "Certificates to trust with https, PEM");
}

Result<std::string> Client::SocketPath() const {
  auto folders = StorageFolders(options_);
  if (!folders) return Fail(folders.error());
  std::string looked;
  for (const std::string& folder : *folders) {
    std::string path = folder + "/" + std::string(kSocketName);
    if (IsSocket(path)) return path;
    looked += (looked.empty() ? "" : " or ") + path;
  }
  return Fail(ErrorCode::kUnavailable,
              "no agent found: there is no socket " + looked +
                  ". Start it with 'pipewarden run', or say where it is: --storage.path as the agent has it, "
                  "--config.file where the configuration says it, or --url.");
}

Result<Client::Reply> Client::Send(std::string_view method, std::string_view path, const std::string* body,
                                   const std::function<void(std::string_view)>& take) const {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) return Fail(ErrorCode::kInternal, "libcurl did not start");
  std::string where;
  std::string base = "http://localhost";
  if (options_.url.empty()) {
    auto socket = SocketPath();
    if (!socket) return std::unexpected(socket.error());
    curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket->c_str());
    where = *socket;
  } else {
    base = options_.url;
    while (base.ends_with('/')) base.pop_back();
    where = base.substr(base.rfind('@') == std::string::npos ? 0 : base.rfind('@') + 1);
  }
  const std::string url = base + std::string(path);
  Receiver receiver{.curl = curl.get(), .body = {}, .take = &take};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(options_.timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, OnData);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &receiver);
  if (!options_.ca_file.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, options_.ca_file.c_str());
  if (!options_.password_file.empty()) {
    std::ifstream file(options_.password_file);
    std::string password;
    if (!std::getline(file, password)) {
      return Fail(ErrorCode::kInvalid, "cannot read the password from '" + options_.password_file + "'");
    }
    curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, password.c_str());
  }
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, curl_slist_free_all);
  if (body != nullptr) {
    headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body->c_str());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Fail(ErrorCode::kTimeout,
                "the agent at " + where + " did not answer within " + std::to_string(options_.timeout.count()) + "s");
  }
  if (code != CURLE_OK) {
    return Fail(ErrorCode::kUnavailable, "cannot reach the agent at " + where + ": " + curl_easy_strerror(code) +
                                             ". Is it running? Start it with 'pipewarden run'.");
  }
  Reply reply;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &reply.status);
  reply.body = std::move(receiver.body);
  return reply;
}

Result<nlohmann::json> Client::Data(Result<Reply> reply) const {
  if (!reply) return std::unexpected(reply.error());
  nlohmann::json answer = nlohmann::json::parse(reply->body, nullptr, false);
  if (reply->status >= 200 && reply->status < 300 && answer.is_object() && answer.contains("data")) {
    return std::move(answer["data"]);
  }
  std::string message = "the agent answered " + std::to_string(reply->status);
  if (answer.is_object() && answer.contains("error") && answer["error"].is_string()) {
    message = answer["error"].get<std::string>();
  } else if (!reply->body.empty() && reply->body.size() < 500) {
    message += ": " + reply->body;
  }
  return Fail(CodeOfStatus(reply->status), std::move(message));
}

Result<nlohmann::json> Client::Get(std::string_view path) const { return Data(Send("GET", path, nullptr, {})); }

Result<nlohmann::json> Client::Post(std::string_view path, const nlohmann::json& body) const {
  const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return Data(Send("POST", path, &text, {}));
}

Result<nlohmann::json> Client::Call(std::string_view method, std::string_view path, const nlohmann::json* body) const {
  std::string text;
  if (body != nullptr) text = body->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  auto reply = Send(method, path, body == nullptr ? nullptr : &text, {});
  if (!reply) return std::unexpected(reply.error());
  nlohmann::json answer = nlohmann::json::parse(reply->body, nullptr, false);
  if (answer.is_discarded()) answer = nullptr;
  if (reply->status >= 200 && reply->status < 300) return answer;
  if (answer.is_string()) return Fail(CodeOfStatus(reply->status), answer.get<std::string>());
  if (answer.is_object() && answer.contains("message") && answer["message"].is_string())
    return Fail(CodeOfStatus(reply->status), answer["message"].get<std::string>());
  return Fail(CodeOfStatus(reply->status), "the agent answered " + std::to_string(reply->status));
}

Result<void> Client::Stream(std::string_view path, std::function<void(std::string_view)> take) const {
  auto reply = Send("GET", path, nullptr, take);
  if (reply && reply->status == 200) return {};
  auto data = Data(std::move(reply));
  return data ? Result<void>{} : std::unexpected(data.error());
}

int PrintError(const core::Error& error) {
  std::cerr << "pipewarden: " << ForTerminal(error.message, true) << '\n';
  return error.code == ErrorCode::kInvalid ? kExitUsage : kExitFailed;
}

std::string ForTerminal(std::string_view text, bool lines) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080 to U+009F) arrive as 0xC2 and a second byte below 0xA0.
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if ((byte >= 0x20 && byte != 0x7f && !c1) || (lines && (byte == '\n' || byte == '\t'))) {
      out += text[i];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += ' ';
    } else if (c1) {
      out += "\\x";
      const auto second = static_cast<unsigned char>(text[++i]);
      out += kHex[second >> 4U];
      out += kHex[second & 15U];
    } else {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

void PrintTable(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows) {
  // A UTF-8 continuation byte takes no column.
  const auto width = [](const std::string& cell) {
    return static_cast<std::size_t>(
        std::ranges::count_if(cell, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  };
  std::vector<std::vector<std::string>> table{heading};
  table.insert(table.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(heading.size());
  for (auto& row : table) {
    row.resize(heading.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = ForTerminal(row[i]);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  }
  for (const auto& row : table) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << '\n';
  }
}

}  // namespace pipewarden::agent
