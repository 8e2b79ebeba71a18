// Runs libcurl's easy handles on the loop: curl's sockets and timer are watched there, so there is no thread and no
// polling. Only http_client.cpp uses it. Loop thread only.
//
// Source implemented: libcurl's "multi_socket" interface (curl_multi_socket_action(3)).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/async/loop.h"

namespace pipewarden::core {

class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  static std::shared_ptr<CurlMulti> Make(Loop& loop);
  ~CurlMulti();

  struct Outcome {
    int code = 0;         // CURLcode
    std::string message;  // of curl's error buffer, or of curl_easy_strerror; empty on success
  };
  // Runs a configured CURL* to its end. Sets CURLOPT_PRIVATE, CURLOPT_ERRORBUFFER and CURLOPT_NOSIGNAL. When the
  // coroutine is cancelled the transfer is taken out at once and libcurl touches the handle no more.
  Task<Outcome> Run(void* easy_handle);

 private:
  explicit CurlMulti(Loop& loop);
  struct State;
  struct Transfer;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::core
