#include "core/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <sstream>

#include "core/model/labels.h"
#include "core/read_file.h"
#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

// Ends the parser from inside its callbacks; it never leaves this file.
struct Refusal {
  Location where;
  std::string message;
};

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

bool IsNullText(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// The place of a byte of the text, counted as yaml-cpp counts.
Location PlaceOf(std::string_view text, std::size_t offset, const std::string& file) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<int>(std::ranges::count(before, '\n')) + 1;
  const std::size_t last = before.rfind('\n');
  const std::size_t column = last == std::string_view::npos ? offset : offset - last - 1;
  return {file, line, static_cast<int>(column) + 1};
}

// Bytes that YAML forbids; yaml-cpp would replace or keep them.
std::optional<Refusal> FindForbiddenByte(std::string_view text, const std::string& file) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')
      return Refusal{PlaceOf(text, i, file),
                     "control characters are not allowed; remove it or write it as an escape in double quotes"};
  }
  if (IsValidUtf8(text)) return std::nullopt;
  std::size_t line_start = 0;
  while (line_start < text.size()) {
    const std::size_t end = std::min(text.find('\n', line_start), text.size());
    if (!IsValidUtf8(text.substr(line_start, end - line_start))) break;
    line_start = end + 1;
  }
  return Refusal{PlaceOf(text, std::min(line_start, text.size()), file),
                 "the line is not valid UTF-8; save the file as UTF-8"};
}

}  // namespace

// Builds the tree from yaml-cpp's events, with a stack of open containers. Aliases copy the anchored node, counted
// before they are copied, so that a billion laughs end at max_nodes.
class YamlReader final : public YAML::EventHandler {
 public:
  YamlReader(const std::string& file, ConfigErrors& errors, const YamlLimits& limits)
      : file_(file), errors_(errors), limits_(limits) {
    root_.where_ = {file, 1, 1};
  }

  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.where_ = Place(mark);
    // A value left out has the mark of whatever comes next; it belongs to its key.
    if (!open_.empty() && open_.back().has_key && node.where_.line != open_.back().key_where.line)
      node.where_ = open_.back().key_where;
    Close(std::move(node), anchor, 1, 1);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw Refusal{Place(mark), "an alias inside its own anchor never ends"};
    const Anchor& target = known->second;
    Count(target.nodes, Place(mark));
    CheckDepth(target.depth, Place(mark));
    YamlNode copy = target.node;
    copy.where_ = Place(mark);
    Close(std::move(copy), 0, target.nodes, target.depth, /*counted=*/true);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind_ = YamlNode::Kind::kScalar;
    node.where_ = Place(mark);
    node.text_ = value;
    node.quoted_ = tag == "!" || tag == std::string(kCoreTag) + "str";
    if (tag != "?" && tag != "!") CheckTag(tag, node.where_);
    if (tag == std::string(kCoreTag) + "null") node.kind_ = YamlNode::Kind::kNull;
    // The file is valid UTF-8, but yaml-cpp writes the escapes \N and \_ as single bytes.
    if (!IsValidUtf8(value))
      throw Refusal{node.where_, "the escapes \\N and \\_ are not known; write \\u0085 or \\u00A0"};
    plain_merge_ = tag == "?" && value == "<<";
    Close(std::move(node), anchor, 1, 1);
    plain_merge_ = false;
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Start(YamlNode::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Start(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override {
    ResolveMerges(open_.back());
    End();
  }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes = 1;  // in this container, itself included
    std::size_t depth = 1;  // of the deepest below, itself included
    bool has_key = false;   // a map that waits for the value of `key`
    bool merge = false;     // and that key is <<
    std::string key;
    Location key_where;
    std::map<std::string, Location, std::less<>> keys;
    // What << brought, and at which entry it stood.
    std::vector<std::pair<std::size_t, YamlNode>> merges;
  };
  struct Anchor {
    YamlNode node;
    std::size_t nodes;
    std::size_t depth;
  };

  Location Place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  void Count(std::size_t nodes, const Location& where) {
    count_ += nodes;
    if (count_ > limits_.max_nodes)
      throw Refusal{where, "more than " + std::to_string(limits_.max_nodes) + " values, with all aliases written out"};
  }
  void CheckDepth(std::size_t more, const Location& where) const {
    if (open_.size() + more > limits_.max_depth)
      throw Refusal{where, "nested deeper than " + std::to_string(limits_.max_depth) + " levels"};
  }
  void CheckTag(const std::string& tag, const Location& where) {
    static constexpr std::string_view kKnown[] = {"str", "int", "float",     "bool", "null",
                                                  "map", "seq", "timestamp", "merge"};
    const std::string_view name = tag;
    if (name.starts_with(kCoreTag) && std::ranges::find(kKnown, name.substr(kCoreTag.size())) != std::end(kKnown))
      return;
    errors_.Add(where, "unknown tag '" + tag + "'; remove it");
  }

  void Start(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckDepth(1, Place(mark));
    if (!open_.empty() && open_.back().node.IsMap() && !open_.back().has_key)
      throw Refusal{Place(mark), "a key must be a plain text, not a list or a map"};
    if (!tag.empty() && tag != "?" && tag != "!") CheckTag(tag, Place(mark));
    Open open;
    open.node.kind_ = kind;
    open.node.where_ = Place(mark);
    open.anchor = anchor;
    open_.push_back(std::move(open));
  }

  void End() {
    Open done = std::move(open_.back());
    open_.pop_back();
    // The members are counted already; the container itself is not.
    Count(1, done.node.where_);
    Close(std::move(done.node), done.anchor, done.nodes, done.depth, /*counted=*/true);
  }

  // A whole node: remembers it under its anchor and puts it where it belongs.
  void Close(YamlNode node, YAML::anchor_t anchor, std::size_t nodes, std::size_t depth, bool counted = false) {
    if (!counted) {
      Count(nodes, node.where_);
      CheckDepth(1, node.where_);
    }
    if (anchor != 0) {
      Count(nodes, node.where_);  // the kept copy
      anchors_.insert_or_assign(anchor, Anchor{node, nodes, depth});
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    parent.nodes += nodes;
    parent.depth = std::max(parent.depth, depth + 1);
    if (parent.node.IsSequence()) {
      parent.node.items_.push_back(std::move(node));
    } else if (!parent.has_key) {
      TakeKey(parent, std::move(node));
    } else {
      TakeValue(parent, std::move(node));
    }
  }

  void TakeKey(Open& map, YamlNode key) {
    if (key.IsSequence() || key.IsMap()) throw Refusal{key.where_, "a key must be a plain text, not a list or a map"};
    if (key.IsNull()) throw Refusal{key.where_, "a key is missing or null; quote it if it is meant as text"};
    map.has_key = true;
    map.merge = plain_merge_;
    map.key = std::move(key.text_);
    map.key_where = key.where_;
  }

  void TakeValue(Open& map, YamlNode value) {
    map.has_key = false;
    if (map.merge) {
      map.merge = false;
      map.merges.emplace_back(map.node.entries_.size(), std::move(value));
      return;
    }
    const auto [known, is_new] = map.keys.try_emplace(map.key, map.key_where);
    if (!is_new) {
      errors_.Add(map.key_where, "key '" + map.key + "' appears twice in one map; it stands first at line " +
                                     std::to_string(known->second.line) + " (remove one)");
      return;
    }
    map.node.entries_.push_back({map.key, map.key_where, std::move(value)});
  }

  // A map's own keys go before merged ones; among several merged maps the first with a key has it.
  void ResolveMerges(Open& map) {
    std::size_t moved = 0;  // entries inserted so far
    for (auto& [position, source] : map.merges) {
      std::vector<YamlNode> sources;
      if (source.IsSequence()) {
        sources = std::move(source.items_);
      } else {
        sources.push_back(std::move(source));
      }
      for (YamlNode& from : sources) {
        if (!from.IsMap()) {
          errors_.Add(from.where_, "<< takes a map or a list of maps, not " + std::string(from.KindName()));
          continue;
        }
        for (YamlNode::Entry& entry : from.entries_) {
          if (!map.keys.try_emplace(entry.key, entry.key_where).second) continue;
          map.node.entries_.insert(map.node.entries_.begin() + static_cast<std::ptrdiff_t>(position + moved),
                                   std::move(entry));
          ++moved;
        }
      }
    }
  }

  const std::string& file_;
  ConfigErrors& errors_;
  const YamlLimits& limits_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchor> anchors_;
  YamlNode root_;
  std::size_t count_ = 0;
  bool plain_merge_ = false;
};

namespace {

// Where it begins, whatever is wrong with it; nothing where there is none, or an empty one.
std::optional<Location> SecondDocument(YAML::Parser& parser, const std::string& file, const YamlLimits& limits) {
  ConfigErrors ignored;
  YamlReader reader(file, ignored, limits);
  try {
    if (!parser || !parser.HandleNextDocument(reader)) return std::nullopt;
  } catch (const Refusal& refusal) {
    return refusal.where;
  } catch (const YAML::Exception& error) {
    if (limits.second_document == nullptr) throw;
    return Location{file, error.mark.line + 1, error.mark.column + 1};
  }
  const YamlNode root = reader.TakeRoot();
  return root.IsNull() ? std::nullopt : std::optional(root.where());
}

}  // namespace

std::optional<YamlNode> ParseYaml(std::string_view text, const std::string& file, ConfigErrors& errors,
                                  const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    errors.Add({file, 0, 0}, "larger than " + std::to_string(limits.max_bytes) + " bytes; split it");
    return std::nullopt;
  }
  if (const auto bad = FindForbiddenByte(text, file)) {
    errors.Add(bad->where, bad->message);
    return std::nullopt;
  }
  YamlReader reader(file, errors, limits);
  YamlNode root;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(reader);
    root = reader.TakeRoot();
    if (const auto second = SecondDocument(parser, file, limits)) {
      if (limits.second_document == nullptr) throw Refusal{*second, "a second document; put it into a file of its own"};
      *limits.second_document = *second;
    }
  } catch (const Refusal& refusal) {
    errors.Add(refusal.where, refusal.message);
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    const Location where =
        error.mark.is_null() ? Location{file, 0, 0} : Location{file, error.mark.line + 1, error.mark.column + 1};
    errors.Add(where, "no valid YAML: " + error.msg);
    return std::nullopt;
  } catch (const std::exception& error) {
    errors.Add({file, 0, 0}, std::string("no valid YAML: ") + error.what());
    return std::nullopt;
  }
  return root;
}

Result<YamlNode> ParseYaml(std::string_view text, const std::string& file, const YamlLimits& limits) {
  ConfigErrors errors;
  std::optional<YamlNode> root = ParseYaml(text, file, errors, limits);
  if (!errors.empty()) return Fail(errors.ToError());
  return std::move(*root);
}

std::optional<YamlNode> ReadYamlFile(const std::string& path, ConfigErrors& errors, const YamlLimits& limits) {
  const Result<std::string> text = ReadFile(path, limits.max_bytes);
  if (text) return ParseYaml(*text, path, errors, limits);
  errors.Add({}, text.error().message);
  return std::nullopt;
}

Result<YamlNode> ReadYamlFile(const std::string& path, const YamlLimits& limits) {
  const Result<std::string> text = ReadFile(path, limits.max_bytes);
  if (!text) return Fail(text.error());
  return ParseYaml(*text, path, limits);
}

void ExpandEnvironment(YamlNode& node, ConfigErrors& errors) {
  for (YamlNode& item : node.items_) ExpandEnvironment(item, errors);
  for (YamlNode::Entry& entry : node.entries_) ExpandEnvironment(entry.value, errors);
  if (!node.IsScalar() || node.text_.find('$') == std::string::npos) return;
  std::string out;
  bool expanded = false;
  for (std::size_t i = 0; i < node.text_.size(); ++i) {
    const std::string_view rest = std::string_view(node.text_).substr(i);
    if (rest.starts_with("$$")) {
      out += '$';
      ++i;
      continue;
    }
    if (!rest.starts_with("${")) {
      out += rest[0];
      continue;
    }
    const std::size_t end = rest.find('}');
    const std::string name(rest.substr(2, end == std::string_view::npos ? end : end - 2));
    if (end == std::string_view::npos || !IsValidLabelName(name)) {
      errors.Add(node.where_, "'${' is not followed by a variable's name and '}'; write '$$' for a plain '$'");
      return;
    }
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      errors.Add(node.where_, "environment variable '" + name + "' is not set; set it, or write '$${" + name +
                                  "}' for the text itself");
    } else {
      out += value;
    }
    expanded = true;
    i += end;
  }
  node.text_ = std::move(out);
  if (!expanded) return;
  if (!node.quoted_ && IsNullText(node.text_)) {
    node.kind_ = YamlNode::Kind::kNull;
    node.text_.clear();
  }
  node.quoted_ = false;
}

}  // namespace pipewarden::core
