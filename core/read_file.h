// Reading a whole file at once. It blocks: from the loop by Loop::Blocking. Stateless; safe from any thread.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "core/result.h"

namespace pipewarden::core {

// kLimit where the file is longer than `max_bytes`; kNotFound, kDenied and the like from the system. Messages name it.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

// A file that holds a secret: at most 64 KiB, without the newlines at its end.
Result<std::string> ReadSecretFile(const std::string& path);

}  // namespace pipewarden::core
