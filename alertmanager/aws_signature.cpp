#include "alertmanager/aws_signature.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <string_view>

#include "core/time/civil_time.h"

namespace pipewarden::alertmanager {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4U];
    out += kHex[static_cast<unsigned char>(c) & 0xFU];
  }
  return out;
}

std::string Sha256(std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return Hex(digest);
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

}  // namespace

std::string SignAwsRequest(AwsRequest& request, const AwsCredentials& credentials, const std::string& region,
                           const std::string& service, core::WallTime now) {
  const std::string stamp = core::FormatGoTime(core::ZonedTime::From(now), "20060102T150405Z");
  const std::string day = stamp.substr(0, 8);
  request.headers["x-amz-date"] = stamp;
  if (!credentials.session_token.empty()) request.headers["x-amz-security-token"] = credentials.session_token.Reveal();
  std::string signed_names;
  std::string canonical = request.method + "\n" + request.path + "\n" + request.query + "\n";
  for (const auto& [name, value] : request.headers) {
    canonical += name + ":" + value + "\n";
    signed_names += (signed_names.empty() ? "" : ";") + name;
  }
  canonical += "\n" + signed_names + "\n" + Sha256(request.body);
  const std::string scope = day + "/" + region + "/" + service + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + Sha256(canonical);
  const std::string key =
      Hmac(Hmac(Hmac(Hmac("AWS4" + credentials.secret_key.Reveal(), day), region), service), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + scope + ", SignedHeaders=" + signed_names +
         ", Signature=" + Hex(Hmac(key, to_sign));
}

}  // namespace pipewarden::alertmanager
