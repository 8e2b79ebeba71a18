// Option tables: a kind (a probe kind, a receiver, a section of the configuration) says in one constant table what it
// takes; from the table come the reading, the checks, the messages, --help and the reference pages in docs/.
//
//   constexpr Option kOptions[] = {
//       {.name = "url", .type = OptionType::kUrl, .required = true, .help = "Address of the NameNode's web server."},
//       {.name = "min_live", .type = OptionType::kInt, .default_text = "1", .min = 0, .help = "…"},
//       {.name = "password", .type = OptionType::kSecret, .help = "…"},   // takes password_file too
//   };
//   Options options = ReadOptions(node, kOptions, "probe", errors);
//   options.Text("url"); options.Int("min_live"); options.Secret("password");
//
// ReadOptions never fails: what is wrong goes to `errors` with its place and a remedy, and the default stands in, so
// that all mistakes of a file are found in one go.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/yaml.h"
#include "core/secret.h"
#include "core/time/clock.h"

namespace pipewarden::core {

enum class OptionType {
  kString,
  kBool,
  kInt,
  kFloat,
  kDuration,        // Prometheus syntax: 15s, 1h30m
  kBytes,           // 1024, 10KiB, 1.5GB; as in Prometheus KB and KiB are both 1024 bytes
  kEnum,            // one of `choices`
  kRegex,           // RE2
  kUrl,             // http:// or https://
  kPath,            // a file or folder; relative ones are taken from the configuration file's folder
  kSecret,          // text, or <name>_file: a file that holds it (re-read at each reload); never shown
  kStringList,      // [a, b], or a single string
  kOnlyStringList,  // [a, b]
  kStringMap,       // {a: b}; values as text
  kTimeZone,        // IANA name, UTC or Local
  kNode,            // any YAML; the reader takes it from Node()
};

struct Option {
  std::string_view name;
  OptionType type = OptionType::kString;
  std::string_view default_text = {};  // as written in YAML ("[a, b]" for a list); empty: no default (Has() is false)
  bool required = false;
  std::string_view unit = {};                             // for the reference
  double min = -std::numeric_limits<double>::infinity();  // kInt, kFloat; kDuration in seconds; kBytes in bytes
  double max = std::numeric_limits<double>::infinity();
  std::span<const std::string_view> choices = {};
  std::string_view help = {};
};

using OptionTable = std::span<const Option>;

// What was read. Getters take a name of the table and its type; another name or type is our own error and aborts.
class Options {
 public:
  bool Has(std::string_view name) const;          // given in the file, or with a default
  bool Given(std::string_view name) const;        // given in the file
  std::string Text(std::string_view name) const;  // kString kEnum kRegex kUrl kPath kTimeZone; "" where absent
  bool Bool(std::string_view name) const;
  std::int64_t Int(std::string_view name) const;
  double Float(std::string_view name) const;
  core::Duration Duration(std::string_view name) const;
  std::int64_t Bytes(std::string_view name) const;
  core::Secret Secret(std::string_view name) const;
  std::vector<std::string> List(std::string_view name) const;
  std::vector<std::pair<std::string, std::string>> Map(std::string_view name) const;  // in the file's order
  const YamlNode* Node(std::string_view name) const;  // nullptr where absent; as long-lived as the node that was read
  // The place of the option's value, or of the whole map where it is not given: for errors of the kind's own checks.
  Location Where(std::string_view name) const;
  const Location& where() const { return where_; }
  // What reload compares: the node's Canonical() and what its secret files hold. Never shown. Good as long as the node.
  std::string Identity() const;

 private:
  friend class OptionReader;
  struct Value {
    std::string text;
    double number = 0;
    std::int64_t integer = 0;
    std::vector<std::pair<std::string, std::string>> pairs;  // lists use .first
    const YamlNode* node = nullptr;
    Location where;
    bool given = false;
    bool from_file = false;  // a secret that was read from <name>_file
    OptionType type = OptionType::kString;
  };
  const Value* Get(std::string_view name, std::initializer_list<OptionType> types) const;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::pair<std::string, OptionType>> absent_;  // known, neither given nor with a default
  const YamlNode* node_ = nullptr;
  Location where_;
};

// `what` names the thing in messages: "unknown key 'intervall' in probe 'datanodes' (did you mean 'interval'?)".
// Several tables may apply to one map (what all probes take, and what the kind takes).
Options ReadOptions(const YamlNode& node, std::span<const OptionTable> tables, std::string_view what,
                    ConfigErrors& errors);
inline Options ReadOptions(const YamlNode& node, OptionTable table, std::string_view what, ConfigErrors& errors) {
  const OptionTable tables[] = {table};
  return ReadOptions(node, tables, what, errors);
}

// The nearest of `known` to a mistyped word, or "" where none is near (Levenshtein distance at most 2, or a third of
// it).
std::string Nearest(std::string_view word, std::span<const std::string_view> known);
// " (did you mean 'interval'?)" or "".
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

// A row of the reference: | name | type | default | help |, Markdown.
std::string OptionReference(OptionTable table);
// Text as a cell of a Markdown table takes it.
std::string TableCell(std::string_view text);

}  // namespace pipewarden::core
