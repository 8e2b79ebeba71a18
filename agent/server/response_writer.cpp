#include "agent/server/response_writer.h"

#include <civetweb.h>

#include <algorithm>
#include <cstdio>

#include "agent/server/compress.h"

namespace pipewarden::agent {
namespace {

constexpr std::size_t kMinCompressed = 1024;
constexpr std::size_t kWriteChunk = 64U << 10U;

std::string_view StatusText(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

// A header's value may come from what a peer sent: no line break may go out.
void AppendHeader(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  for (const char c : value) {
    if (c != '\r' && c != '\n') head += c;
  }
  head += "\r\n";
}

std::string Head(const HttpResponse& response, const Headers& extra, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(StatusText(response.status));
  head += keep_alive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n";
  Headers all = response.headers;
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(all, [&](const auto& header) { return EqualsIgnoreCase(header.first, name); });
  };
  for (const auto& header : extra) {
    if (!has(header.first)) all.push_back(header);
  }
  if (!has("X-Content-Type-Options")) all.emplace_back("X-Content-Type-Options", "nosniff");
  if (!has("Cache-Control")) all.emplace_back("Cache-Control", "no-store");
  if (response.status != 204 && response.status != 304) AppendHeader(head, "Content-Type", response.content_type);
  for (const auto& [name, value] : all) AppendHeader(head, name, value);
  return head;
}

bool IsCompressible(std::string_view type) {
  return type.starts_with("text/") || type.starts_with("application/json") ||
         type.starts_with("application/openmetrics-text");
}

}  // namespace

bool Write(mg_connection* connection, std::string_view data) {
  while (!data.empty()) {
    const std::string_view chunk = data.substr(0, kWriteChunk);
    if (mg_write(connection, chunk.data(), chunk.size()) != static_cast<int>(chunk.size())) return false;
    data.remove_prefix(chunk.size());
  }
  return true;
}

bool Send(mg_connection* connection, HttpResponse response, const Headers& extra, const HttpRequest& request) {
  const bool head_only = request.method == "HEAD";
  if (response.stream) {
    std::string head = Head(response, extra, request.keep_alive) + "Transfer-Encoding: chunked\r\n\r\n";
    if (!Write(connection, head)) return false;
    if (head_only) return true;
    bool alive = true;
    response.stream([&](std::string_view piece) {
      if (!alive || piece.empty()) return alive;
      char size[24];
      const int digits = std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
      alive = Write(connection, {size, static_cast<std::size_t>(digits)}) && Write(connection, piece) &&
              Write(connection, "\r\n");
      return alive;
    });
    return alive && Write(connection, "0\r\n\r\n");
  }
  if (IsCompressible(response.content_type) && response.body.size() >= kMinCompressed) {
    response.headers.emplace_back("Vary", "Accept-Encoding");
    if (HeaderWeight(request.Header("Accept-Encoding"), "gzip") > 0) {
      response.body = Gzip(response.body);
      response.headers.emplace_back("Content-Encoding", "gzip");
    }
  }
  std::string head = Head(response, extra, request.keep_alive) +
                     "Content-Length: " + std::to_string(response.body.size()) + "\r\n\r\n";
  if (head_only) return Write(connection, head);
  if (response.body.size() < kWriteChunk) return Write(connection, head + response.body);
  return Write(connection, head) && Write(connection, response.body);
}

}  // namespace pipewarden::agent
