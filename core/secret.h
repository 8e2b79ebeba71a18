// A string that must appear in no log, page, error or API answer: it prints as <secret>. Only Reveal() gives it away,
// so that a search for that word finds every place where a secret is used.
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace pipewarden::core {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "<secret>"; }

 private:
  std::string value_;
};

}  // namespace pipewarden::core
