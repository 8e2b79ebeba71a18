#include "agent/server/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/async/mutex.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Result;

std::string OpenSslError() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

// A certificate with its chain and key; freed with the last connection that uses it.
struct Identity {
  std::shared_ptr<X509> leaf;
  std::shared_ptr<STACK_OF(X509)> chain;
  std::shared_ptr<EVP_PKEY> key;
};

Result<Identity> LoadIdentity(const TlsServerConfig& config) {
  Identity identity;
  const std::unique_ptr<BIO, decltype(&BIO_free)> cert(BIO_new_file(config.cert_file.c_str(), "r"), BIO_free);
  if (!cert) return Fail(ErrorCode::kInvalid, "cannot open cert_file '" + config.cert_file + "'");
  identity.leaf.reset(PEM_read_bio_X509_AUX(cert.get(), nullptr, nullptr, nullptr), X509_free);
  if (!identity.leaf) {
    return Fail(ErrorCode::kInvalid, "no certificate in cert_file '" + config.cert_file + "': " + OpenSslError());
  }
  identity.chain.reset(sk_X509_new_null(), [](STACK_OF(X509) * chain) { sk_X509_pop_free(chain, X509_free); });
  while (X509* next = PEM_read_bio_X509(cert.get(), nullptr, nullptr, nullptr))
    sk_X509_push(identity.chain.get(), next);
  ERR_clear_error();  // the end of the file
  const std::unique_ptr<BIO, decltype(&BIO_free)> key(BIO_new_file(config.key_file.c_str(), "r"), BIO_free);
  if (!key) return Fail(ErrorCode::kInvalid, "cannot open key_file '" + config.key_file + "'");
  // An encrypted key cannot be asked for its passphrase here.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  identity.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (!identity.key) {
    return Fail(ErrorCode::kInvalid,
                "no private key without passphrase in key_file '" + config.key_file + "': " + OpenSslError());
  }
  if (X509_check_private_key(identity.leaf.get(), identity.key.get()) != 1) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalid,
                "key_file '" + config.key_file + "' does not belong to cert_file '" + config.cert_file + "'");
  }
  return identity;
}

// What tells that a file has been replaced.
std::vector<std::int64_t> Fingerprint(const TlsServerConfig& config) {
  std::vector<std::int64_t> print;
  for (const std::string* path : {&config.cert_file, &config.key_file}) {
    struct stat info{};
    if (stat(path->c_str(), &info) != 0) return {};
    print.insert(print.end(),
                 {static_cast<std::int64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
  }
  return print;
}

bool CarriesAllowedName(X509* certificate, const std::vector<std::string>& allowed) {
  for (const std::string& name : allowed) {
    if (X509_check_host(certificate, name.data(), name.size(), X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1 ||
        X509_check_email(certificate, name.data(), name.size(), 0) == 1 ||
        X509_check_ip_asc(certificate, name.c_str(), 0) == 1) {
      return true;
    }
  }
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
    if (entry->type != GEN_URI) continue;
    const std::string uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(entry->d.uniformResourceIdentifier)),
                          static_cast<std::size_t>(ASN1_STRING_length(entry->d.uniformResourceIdentifier)));
    if (std::ranges::find(allowed, uri) != allowed.end()) return true;
  }
  return false;
}

}  // namespace

struct TlsContext::State {
  TlsServerConfig config;
  core::Logger logger;
  core::Mutex mutex;
  Identity identity GUARDED_BY(mutex);
  std::vector<std::int64_t> fingerprint GUARDED_BY(mutex);
  std::chrono::steady_clock::time_point looked GUARDED_BY(mutex);

  Identity Current() {
    const core::MutexLock lock(mutex);
    // Kernel time and not core::Clock: it bounds how often files are looked at, nothing depends on it.
    const auto now = std::chrono::steady_clock::now();
    if (now - looked < std::chrono::seconds(1)) return identity;
    looked = now;
    auto print = Fingerprint(config);
    if (print.empty() || print == fingerprint) return identity;
    auto fresh = LoadIdentity(config);
    if (fresh) {
      identity = std::move(*fresh);
      fingerprint = std::move(print);
      logger.Info("TLS certificate reloaded", {{"file", config.cert_file}});
    } else {
      logger.Warn("TLS certificate not reloaded, the one before stays", {{"error", fresh.error().message}});
    }
    return identity;
  }

  static int OnCertificate(SSL* ssl, void* context) {
    const Identity identity = static_cast<State*>(context)->Current();
    // SSL takes references of its own.
    return SSL_use_cert_and_key(ssl, identity.leaf.get(), identity.key.get(), identity.chain.get(), 1);
  }

  static int OnVerify(int well, X509_STORE_CTX* store) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const auto* self = static_cast<const State*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ExDataIndex()));
    const ClientAuth mode = self->config.client_auth;
    if (mode == ClientAuth::kRequest || mode == ClientAuth::kRequireAny) return 1;
    if (well == 1 && X509_STORE_CTX_get_error_depth(store) == 0 && !self->config.client_allowed_sans.empty() &&
        !CarriesAllowedName(X509_STORE_CTX_get_current_cert(store), self->config.client_allowed_sans)) {
      X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
      return 0;
    }
    return well;
  }

  static int ExDataIndex() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
  }
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::Make(TlsServerConfig config, core::Logger logger) {
  auto identity = LoadIdentity(config);
  if (!identity) return std::unexpected(identity.error());
  auto state = std::make_unique<State>(std::move(config), std::move(logger));
  {
    const core::MutexLock lock(state->mutex);
    state->identity = std::move(*identity);
    state->fingerprint = Fingerprint(state->config);
  }
  std::unique_ptr<TlsContext> made(new TlsContext(std::move(state)));
  // A trial, so that a bad CA file or cipher list is an error of the configuration.
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> trial(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (auto well = made->SetUp(trial.get()); !well) return std::unexpected(well.error());
  return made;
}

Result<void> TlsContext::SetUp(ssl_ctx_st* context) {
  const TlsServerConfig& config = state_->config;
  const auto version = [](int number) {
    constexpr int kVersions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    return kVersions[number - 10];
  };
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_min_proto_version(context, version(config.min_version));
  SSL_CTX_set_max_proto_version(context, version(config.max_version));
  if (!config.cipher_suites.empty() && SSL_CTX_set_cipher_list(context, config.cipher_suites.c_str()) != 1) {
    return Fail(ErrorCode::kInvalid, "cipher_suites: " + OpenSslError());
  }
  SSL_CTX_set_ex_data(context, State::ExDataIndex(), state_.get());
  SSL_CTX_set_cert_cb(context, State::OnCertificate, state_.get());
  // Sessions are bound to a context by its name; client certificates need one.
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("pipewarden"), 10);
  if (!config.client_ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(context, config.client_ca_file.c_str(), nullptr) != 1) {
      return Fail(ErrorCode::kInvalid, "client_ca_file '" + config.client_ca_file + "': " + OpenSslError());
    }
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(config.client_ca_file.c_str()));
  }
  int mode = SSL_VERIFY_NONE;
  if (config.client_auth != ClientAuth::kNone) mode = SSL_VERIFY_PEER;
  if (config.client_auth == ClientAuth::kRequireAny || config.client_auth == ClientAuth::kRequireAndVerify) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(context, mode, State::OnVerify);
  return {};
}

}  // namespace pipewarden::agent
