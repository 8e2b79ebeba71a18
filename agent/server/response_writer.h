// A response onto a connection of civetweb: head, compression, chunks. On the thread that holds the connection.
#pragma once

#include <string_view>

#include "agent/server/http.h"

struct mg_connection;

namespace pipewarden::agent {

// Both are false where the client went away.
bool Write(mg_connection* connection, std::string_view data);
// A HEAD request gets the head of the GET. `extra` headers stand where the response has none of that name.
bool Send(mg_connection* connection, HttpResponse response, const Headers& extra, const HttpRequest& request);

}  // namespace pipewarden::agent
