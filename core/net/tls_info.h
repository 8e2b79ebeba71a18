// What a live TLS session tells of itself. Only http_client.cpp uses it.
#pragma once

#include "core/net/http_client.h"

namespace pipewarden::core {

// `ssl` is OpenSSL's SSL* after its handshake (void*, so that its headers stay in the source).
TlsInfo ReadTlsInfo(void* ssl);

}  // namespace pipewarden::core
