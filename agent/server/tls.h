// TLS for the web server: one SSL_CTX made from tls_server_config, whose certificate follows its files (they are looked
// at again when a connection opens, at most once a second), so that a renewed certificate needs no restart.
#pragma once

#include <memory>

#include "agent/server/web_config.h"
#include "core/logging.h"
#include "core/result.h"

struct ssl_ctx_st;

namespace pipewarden::agent {

class TlsContext {
 public:
  // kInvalid where certificate, key or CA do not load; the message names the file.
  static core::Result<std::unique_ptr<TlsContext>> Make(TlsServerConfig config, core::Logger logger);
  ~TlsContext();

  // Sets up a context that the web server made. It must end before this does.
  core::Result<void> SetUp(ssl_ctx_st* context);

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::agent
