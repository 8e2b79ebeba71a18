// A label matcher: name, operator, value. Regular expressions are RE2's, anchored at both ends. Whether `.` matches a
// newline is the maker's choice: it does in Prometheus 3, ^(?s:…)$, and does not in Alertmanager. An absent label has
// the value "". Immutable, cheap to copy, safe from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/model/labels.h"
#include "core/result.h"

namespace re2 {
class RE2;
}

namespace pipewarden::core {

enum class MatchOp { kEqual, kNotEqual, kRegex, kNotRegex };
std::string_view MatchOpText(MatchOp op);  // = != =~ !~

class Matcher {
 public:
  // kInvalid where the regular expression does not compile (the message is RE2's).
  static Result<Matcher> Make(std::string name, MatchOp op, std::string value, bool dot_is_newline_too = true);

  const std::string& name() const { return name_; }
  MatchOp op() const { return op_; }
  const std::string& value() const { return value_; }

  bool Matches(std::string_view value) const;
  bool Matches(const Labels& labels) const { return Matches(labels.Get(name_)); }
  bool MatchesEmpty() const { return Matches(std::string_view{}); }
  // name="value", as both Prometheus and Alertmanager print it.
  std::string ToString() const;

  bool operator==(const Matcher& other) const {
    return name_ == other.name_ && op_ == other.op_ && value_ == other.value_;
  }

 private:
  Matcher(std::string name, MatchOp op, std::string value);

  std::string name_;
  MatchOp op_ = MatchOp::kEqual;
  std::string value_;
  std::shared_ptr<const re2::RE2> regex_;
};

// A regular expression as all of configuration takes it: RE2, not anchored, quiet; kInvalid with RE2's message.
Result<std::shared_ptr<const re2::RE2>> CompileRegex(std::string_view pattern);

}  // namespace pipewarden::core
