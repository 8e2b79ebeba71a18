// YAML as our users write it, on yaml-cpp: read whole into a tree whose every node knows its place.
//
// Beyond yaml-cpp 0.7: merge keys (<<) are resolved, duplicate keys are refused, depth, size and alias expansion are
// bounded, an alias reports the place where it is used, marks count from 1, plain scalars are typed as Go's yaml types
// them (YAML 1.2 core schema with 1.1 booleans only where Go takes them). JSON is YAML too. Documents after the first
// are an error unless they are to be left unread. An immutable tree; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace pipewarden::core {

// A place in a configuration file; line and column count from 1, 0 where unknown.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  std::string ToString() const;  // file:line:column
  // A path as it is written in that file: a relative one starts at the file's folder; in normal form.
  std::string Resolve(const std::string& path) const;
  auto operator<=>(const Location&) const = default;
};

// What is wrong with a configuration, all of it: readers add and go on. Shown sorted by place.
class ConfigErrors {
 public:
  void Add(Location where, std::string message) { entries_.push_back({std::move(where), std::move(message)}); }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // One line each, "file:line:column: message", sorted by place, doubles removed.
  std::vector<std::string> Lines() const;
  // All lines as one Error of code kInvalid.
  Error ToError() const;

 private:
  struct Entry {
    Location where;
    std::string message;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries_;
};

class YamlNode {
 public:
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind() const { return kind_; }
  bool IsNull() const { return kind_ == Kind::kNull; }
  bool IsScalar() const { return kind_ == Kind::kScalar; }
  bool IsSequence() const { return kind_ == Kind::kSequence; }
  bool IsMap() const { return kind_ == Kind::kMap; }
  const Location& where() const { return where_; }

  // Scalar: its text, and whether it was quoted or a block (then it is a string, whatever it looks like).
  const std::string& text() const { return text_; }
  bool quoted() const { return quoted_; }
  // What Go's yaml.v3 takes the scalar for: 0x1F and 1_000 are integers, 08 and 1e3 floats, yes and on strings.
  enum class ScalarType { kString, kBool, kInt, kFloat };
  ScalarType scalar_type() const;
  // The scalar as Go's yaml.v3 decodes it into a field of that type; nullopt where it refuses (a quoted number is a
  // string). AsBool takes yes, no, on, off too; AsInt takes 1e3 and 08, not 1.5; AsFloat takes integers, .inf and .nan.
  std::optional<bool> AsBool() const;
  std::optional<std::int64_t> AsInt() const;
  std::optional<double> AsFloat() const;

  // Sequence: its items. Map: its entries in the order of the file, merge keys resolved.
  struct Entry;
  const std::vector<YamlNode>& items() const { return items_; }
  const std::vector<Entry>& entries() const { return entries_; }
  // Map: the value of the key, or nullptr.
  const YamlNode* Find(std::string_view key) const;

  // The node's content as one line of JSON, places left out: equal texts are equal content. It is what reload compares
  // (and what is stored with a run); it may hold secrets and is never shown. Maps keep the file's order; what JSON
  // cannot say (.inf, integers beyond 64 bits) is written as in the file.
  std::string Canonical() const;

  // "a string", "a list", "a map", "nothing", for messages.
  std::string_view KindName() const;

 private:
  friend class YamlReader;
  friend void ExpandEnvironment(YamlNode& node, ConfigErrors& errors);
  void AppendCanonical(std::string& out) const;
  Kind kind_ = Kind::kNull;
  Location where_;
  std::string text_;
  bool quoted_ = false;
  std::vector<YamlNode> items_;
  std::vector<Entry> entries_;
};

struct YamlNode::Entry {
  std::string key;
  Location key_where;
  YamlNode value;
};

struct YamlLimits {
  std::size_t max_bytes = 16U << 20U;
  std::size_t max_depth = 100;
  std::size_t max_nodes = 1'000'000;  // after alias expansion
  // Null: a second document is a mistake. Else it is left unread, as Prometheus and Alertmanager do, and this tells
  // where it begins.
  Location* second_document = nullptr;
};

// `file` is for messages only. The root of an empty document is a null node. What is wrong goes to `errors`; nullopt
// where nothing can be read (a syntax error, a bound). With duplicate keys and bad merges the tree is given all the
// same (the first of two equal keys stands), so that the rest can be checked in one go.
std::optional<YamlNode> ParseYaml(std::string_view text, const std::string& file, ConfigErrors& errors,
                                  const YamlLimits& limits = {});
// kInvalid, all mistakes in its message, a line each.
Result<YamlNode> ParseYaml(std::string_view text, const std::string& file, const YamlLimits& limits = {});
// As ParseYaml, from a file; one that cannot be read is a mistake among `errors`, without a place.
std::optional<YamlNode> ReadYamlFile(const std::string& path, ConfigErrors& errors, const YamlLimits& limits = {});
// kNotFound, kDenied and the like from reading the file; the message names it.
Result<YamlNode> ReadYamlFile(const std::string& path, const YamlLimits& limits = {});

// Replaces ${NAME} by the environment's value in all scalar values (never in keys); `$$` gives `$`, any other `$`
// stays. An unset variable is an error at its place. A quoted value that held a variable is typed anew: port: "${PORT}"
// may be a number (a flow map needs the quotes). For our own file only: rule files and alertmanager.yml use `$` for
// templates.
void ExpandEnvironment(YamlNode& node, ConfigErrors& errors);

}  // namespace pipewarden::core
