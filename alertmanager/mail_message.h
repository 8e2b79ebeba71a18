// A mail as Alertmanager writes it: headers Q-encoded (RFC 2047) so that no value can end a line and start a header of
// its own, a multipart/alternative body of text and HTML, each quoted-printable (RFC 2045). Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace pipewarden::alertmanager {

// mime.QEncoding.Encode("utf-8", …): unchanged where it is printable ASCII, else =?utf-8?q?…?= words of at most 75
// bytes.
std::string EncodeHeader(std::string_view text);
// Lines of at most 76 bytes; line ends become CRLF.
std::string QuotedPrintable(std::string_view text);

struct MailAddress {
  std::string name;
  std::string address;  // user@host, without anything that could break out of an SMTP command
};
// "a@example.org, Team <b@example.org>". kInvalid names the part that is none.
core::Result<std::vector<MailAddress>> ParseAddressList(std::string_view text);

struct MailMessage {
  std::vector<std::pair<std::string, std::string>> headers;  // in order, values not encoded yet
  std::string text;                                          // either may be empty
  std::string html;
  std::string boundary;
};
// CRLF everywhere; dot-stuffing is the transport's.
std::string RenderMail(const MailMessage& mail);

}  // namespace pipewarden::alertmanager
