// Templates in the language of Go's text/template and html/template (https://pkg.go.dev/text/template), with
// missingkey=zero, as Prometheus and Alertmanager run them. Messages are worded as Go's, so that users find them.
//
//   auto parsed = Template::Parse("title", "{{ .Name | toUpper }}", functions);
//   auto text = parsed->Execute(data);
//
// A Template is a set of named templates (its own text and what {{define}} in it and in associated texts made) and the
// functions known to it. Copies are cheap and independent: a set of default templates is parsed once, copied, and more
// is added to the copy. Parsed trees are immutable; Execute is safe from any thread.
//
// Bounded: nesting, steps and output; a template that exceeds them ends with an error (kLimit).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/template/node.h"
#include "core/template/value.h"

namespace pipewarden::core {

enum class Escaping {
  kText,
  kHtml,  // html/template: what an action prints is escaped by where it stands (see html_escape.h)
};

struct ExecuteOptions {
  Escaping escaping = Escaping::kText;
  // Looked up before the template's own functions: what depends on the execution (a query, the time).
  const FunctionTable* functions = nullptr;
  std::size_t max_output_bytes = 4U << 20U;
  std::size_t max_steps = 1'000'000;  // nodes walked and function calls
};

class Template {
 public:
  // An empty set.
  explicit Template(std::shared_ptr<const FunctionTable> functions) : functions_(std::move(functions)) {}
  // kInvalid: "template: NAME:LINE: …". `functions` are what the text may call besides Go's built-ins (and, not, or,
  // len, index, slice, print, printf, println, html, js, urlquery, eq, ne, lt, le, gt, ge, call).
  static Result<Template> Parse(std::string_view name, std::string_view text,
                                std::shared_ptr<const FunctionTable> functions);

  // Parses another text into the set under its own name. What it defines replaces definitions of the same name, unless
  // it is empty. On an error the set is as before.
  Result<void> AddAssociated(std::string_view name, std::string_view text);
  bool Defines(std::string_view name) const { return trees_->contains(name); }

  // Runs the template of the Parse call. kInvalid: "template: NAME:LINE:COLUMN: executing …"; kLimit: a bound was hit.
  Result<std::string> Execute(const Value& data, const ExecuteOptions& options = {}) const;
  Result<std::string> ExecuteNamed(std::string_view name, const Value& data, const ExecuteOptions& options = {}) const;

 private:
  std::string name_;
  std::shared_ptr<const FunctionTable> functions_;
  std::shared_ptr<const TemplateTrees> trees_ = std::make_shared<const TemplateTrees>();
};

// Go's built-in functions. `and`, `or` are evaluated by the executor itself (they stop early), the table has them so
// that they are known.
const FunctionTable& BuiltinFunctions();

// Go's equality and order of basic kinds, as eq and lt have it; errors as theirs.
Result<bool> ValuesEqual(const Value& a, const Value& b);
Result<bool> ValueLess(const Value& a, const Value& b);

}  // namespace pipewarden::core
