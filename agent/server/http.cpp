#include "agent/server/http.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "agent/server/html.h"

namespace pipewarden::agent {
namespace {

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = Lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls take(part) for each part of `text` between separators.
template <class F>
void Split(std::string_view text, char separator, F take) {
  while (true) {
    const std::size_t end = text.find(separator);
    take(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void CollectParams(std::string_view form, std::string_view name, std::vector<std::string>& values) {
  Split(form, '&', [&](std::string_view pair) {
    if (pair.find(';') != std::string_view::npos) return;  // as Go, which takes it for an old separator and drops both
    const std::size_t equals = pair.find('=');
    const auto key = UrlDecode(pair.substr(0, equals), true);
    if (!key || *key != name) return;
    auto value = UrlDecode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (value) values.push_back(std::move(*value));
  });
}

// The quoted or bare value of a parameter of a header: name in `form-data; name="query"`.
std::string_view HeaderParam(std::string_view header, std::string_view name) {
  std::string_view found;
  Split(header, ';', [&](std::string_view part) {
    part = Trim(part);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || !EqualsIgnoreCase(part.substr(0, equals), name)) return;
    found = part.substr(equals + 1);
    if (found.size() >= 2 && found.front() == '"' && found.back() == '"') found = found.substr(1, found.size() - 2);
  });
  return found;
}

// Of a multipart/form-data body (RFC 7578): the parts of that name that are no files.
void CollectParts(std::string_view body, std::string_view boundary, std::string_view name,
                  std::vector<std::string>& values) {
  const std::string line = "--" + std::string(boundary);
  std::size_t at = body.find(line);
  while (at != std::string_view::npos) {
    std::string_view part = body.substr(at + line.size());
    if (part.starts_with("--")) return;
    if (part.starts_with("\r\n")) part.remove_prefix(2);
    const std::size_t end = part.find("\r\n" + line);
    const std::size_t blank = part.find("\r\n\r\n");
    if (end == std::string_view::npos || blank == std::string_view::npos || blank > end) return;
    std::string_view head = part.substr(0, blank);
    Split(head, '\n', [&](std::string_view header) {
      const std::size_t colon = header.find(':');
      if (colon == std::string_view::npos || !EqualsIgnoreCase(header.substr(0, colon), "Content-Disposition")) return;
      if (header.ends_with('\r')) header.remove_suffix(1);
      header.remove_prefix(colon + 1);
      if (HeaderParam(header, "name") == name && HeaderParam(header, "filename").empty())
        values.emplace_back(part.substr(blank + 4, end - std::min(end, blank + 4)));
    });
    at = body.find(line, static_cast<std::size_t>(part.data() - body.data()) + end);
  }
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<std::string> UrlDecode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

std::vector<std::string> HttpRequest::Params(std::string_view name) const {
  std::vector<std::string> values;
  const std::string_view type = Header("Content-Type");
  if (EqualsIgnoreCase(Trim(type.substr(0, type.find(';'))), "application/x-www-form-urlencoded")) {
    CollectParams(body, name, values);
  }
  CollectParams(query, name, values);
  if (const std::string_view boundary = HeaderParam(type, "boundary");
      !boundary.empty() && EqualsIgnoreCase(Trim(type.substr(0, type.find(';'))), "multipart/form-data"))
    CollectParts(body, boundary, name, values);
  return values;
}

std::optional<std::string> HttpRequest::Param(std::string_view name) const {
  auto values = Params(name);
  return values.empty() ? std::nullopt : std::optional(std::move(values.front()));
}

std::string HttpRequest::Capture(const std::string& name) const {
  const auto found = captures.find(name);
  return found == captures.end() ? std::string() : found->second;
}

HttpResponse TextResponse(std::string body, int status) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse HtmlResponse(std::string body, int status) {
  HttpResponse response = TextResponse(std::move(body), status);
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy", std::string(kContentSecurityPolicy)},
                      {"X-Frame-Options", "DENY"},
                      {"Referrer-Policy", "no-referrer"}};
  return response;
}

HttpResponse JsonResponse(std::string body, int status) {
  HttpResponse response = TextResponse(std::move(body), status);
  response.content_type = "application/json";
  return response;
}

double HeaderWeight(std::string_view header, std::string_view value) {
  double named = -1;
  double any = -1;
  Split(header, ',', [&](std::string_view item) {
    double weight = 1;
    std::string_view word;
    bool first = true;
    Split(item, ';', [&](std::string_view part) {
      part = Trim(part);
      if (first) {
        word = part;
      } else if (part.size() > 2 && Lower(part[0]) == 'q' && part[1] == '=') {
        double q = 0;
        const auto [end, error] = std::from_chars(part.data() + 2, part.data() + part.size(), q);
        weight = error == std::errc() && q >= 0 && q <= 1 ? q : 0;
      }
      first = false;
    });
    if (EqualsIgnoreCase(word, value)) named = std::max(named, weight);
    if (word == "*") any = weight;
  });
  return named >= 0 ? named : any;
}

}  // namespace pipewarden::agent
