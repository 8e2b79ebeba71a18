#include "alertmanager/mail_message.h"

#include <algorithm>
#include <cctype>

#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

void AppendEscaped(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  out += '=';
  out += kHex[byte >> 4U];
  out += kHex[byte & 0xFU];
}

std::string EncodeQByte(char c) {
  std::string out;
  const auto byte = static_cast<unsigned char>(c);
  if (c == ' ')
    out += '_';
  else if (byte > ' ' && byte < 0x7F && c != '=' && c != '?' && c != '_')
    out += c;
  else
    AppendEscaped(out, c);
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Splits at commas that stand neither in quotes nor in angle brackets.
std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  bool angle = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quoted) {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '<' || c == '>')) {
      angle = c == '<';
    } else if (c == ',' && !quoted && !angle) {
      parts.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

bool IsAddress(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size()) return false;
  return core::IsValidUtf8(text) && std::ranges::none_of(text, [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == 0x7F ||
                  std::string_view("<>()[],;:\\\"").find(c) != std::string_view::npos;
         });
}

}  // namespace

std::string EncodeHeader(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
  if (plain) return std::string(text);
  constexpr std::string_view kOpen = "=?utf-8?q?";
  constexpr std::string_view kClose = "?=";
  constexpr std::size_t kMaxWord = 75;
  std::string out(kOpen);
  std::size_t length = kOpen.size() + kClose.size();
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    while (end < text.size() && IsContinuation(text[end])) ++end;
    std::string rune;
    for (; i < end; ++i) rune += EncodeQByte(text[i]);
    if (length + rune.size() > kMaxWord) {
      out += std::string(kClose) + "\r\n " + std::string(kOpen);
      length = kOpen.size() + kClose.size();
    }
    out += rune;
    length += rune.size();
  }
  return out += kClose;
}

std::string QuotedPrintable(std::string_view text) {
  constexpr std::size_t kMaxLine = 76;
  std::string out;
  std::string line;
  const auto put = [&](std::string_view piece) {
    if (line.size() + piece.size() > kMaxLine - 1) {  // room for the = of a soft break
      out += line + "=\r\n";
      line.clear();
    }
    line += piece;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) {
      if (c == '\r') ++i;
      out += line + "\r\n";
      line.clear();
      continue;
    }
    const std::size_t next = i + 1;
    const bool at_end = next >= text.size() || text[next] == '\n' || text.substr(next).starts_with("\r\n");
    std::string piece;
    if ((c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !at_end))
      piece += c;
    else
      AppendEscaped(piece, c);
    put(piece);
  }
  return out + line;
}

core::Result<std::vector<MailAddress>> ParseAddressList(std::string_view text) {
  std::vector<MailAddress> addresses;
  for (const std::string_view part : SplitList(text)) {
    const std::string_view entry = Trim(part);
    MailAddress address;
    const std::size_t open = entry.rfind('<');
    if (open != std::string_view::npos && entry.ends_with('>')) {
      address.name = std::string(Trim(entry.substr(0, open)));
      address.address = std::string(entry.substr(open + 1, entry.size() - open - 2));
    } else {
      address.address = std::string(entry);
    }
    const bool control = std::ranges::any_of(entry, [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (control || !IsAddress(address.address))
      return core::Fail(core::ErrorCode::kInvalid,
                        "'" + std::string(entry) + "' is no mail address (expected user@host)");
    addresses.push_back(std::move(address));
  }
  return addresses;
}

std::string RenderMail(const MailMessage& mail) {
  std::string out;
  for (const auto& [name, value] : mail.headers) out += name + ": " + EncodeHeader(value) + "\r\n";
  out += "Content-Type: multipart/alternative;  boundary=" + mail.boundary + "\r\n";
  out += "MIME-Version: 1.0\r\n\r\n";
  bool first = true;
  const auto part = [&](std::string_view type, const std::string& body) {
    if (body.empty()) return;
    out += (first ? "--" : "\r\n--") + mail.boundary + "\r\n";
    out +=
        "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: " + std::string(type) + "; charset=UTF-8\r\n\r\n";
    out += QuotedPrintable(body);
    first = false;
  };
  part("text/plain", mail.text);
  part("text/html", mail.html);
  return out += "\r\n--" + mail.boundary + "--\r\n";
}

}  // namespace pipewarden::alertmanager
