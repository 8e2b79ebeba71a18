#include "core/net/tls_info.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>

namespace pipewarden::core {
namespace {

WallTime ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime{std::chrono::seconds{timegm(&parts)}};
}

WallTime EarliestExpiry(STACK_OF(X509) * chain) {
  WallTime earliest{};
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const WallTime expiry = ToTime(X509_get0_notAfter(sk_X509_value(chain, i)));
    if (earliest == WallTime{} || expiry < earliest) earliest = expiry;
  }
  return earliest;
}

std::string NameText(X509_NAME* name) {
  BIO* out = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(out);
  return text;
}

std::string AlternativeNames(X509* certificate) {
  std::string text;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return text;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const ASN1_STRING* value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    std::string one(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                    static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> address{};
      if (inet_ntop(one.size() == 4 ? AF_INET : AF_INET6, one.data(), address.data(), address.size()) != nullptr)
        one = address.data();
    }
    text += (text.empty() ? "" : ",") + one;
  }
  GENERAL_NAMES_free(names);
  return text;
}

std::string Fingerprint(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[digest.at(i) >> 4U];
    text += kHex[digest.at(i) & 15U];
  }
  return text;
}

}  // namespace

TlsInfo ReadTlsInfo(void* handle) {
  SSL* ssl = static_cast<SSL*>(handle);
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  if (info.version.starts_with("TLSv1"))
    info.version = "TLS 1" + (info.version == "TLSv1" ? ".0" : info.version.substr(5));
  info.cipher = SSL_get_cipher_name(ssl);
  if (auto* sent = SSL_get_peer_cert_chain(ssl); sent != nullptr && sk_X509_num(sent) > 0) {
    info.earliest_expiry = EarliestExpiry(sent);
    X509* leaf = sk_X509_value(sent, 0);
    info.subject = NameText(X509_get_subject_name(leaf));
    info.issuer = NameText(X509_get_issuer_name(leaf));
    info.fingerprint_sha256 = Fingerprint(leaf);
    info.alternative_names = AlternativeNames(leaf);
  }
  if (SSL_get_verify_result(ssl) == X509_V_OK)
    if (auto* verified = SSL_get0_verified_chain(ssl)) info.verified_chain_expiry = EarliestExpiry(verified);
  return info;
}

}  // namespace pipewarden::core
