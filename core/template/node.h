// The syntax tree of a template, made by parse.cpp, walked by exec.cpp; of no use elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pipewarden::core {

enum class NodeType : std::uint8_t {
  kText,        // text
  kAction,      // pipe
  kIf,          // pipe, list, else_list
  kWith,        //
  kRange,       //
  kTemplate,    // text: the name; pipe or null
  kBreak,       //
  kContinue,    //
  kList,        // children
  kPipe,        // children: commands; declared, assigns
  kCommand,     // children: the operands, the first is what is called or evaluated
  kDot,         //
  kNil,         //
  kBool,        // integer
  kNumber,      // text as written; is_int, is_float, integer, number
  kString,      // text: what it means; quoted: as written
  kField,       // names
  kVariable,    // names: "$x", then fields
  kChain,       // children[0] and names: fields of it
  kIdentifier,  // text: a function's name
  kElse,        // ends of lists; in no tree
  kEnd,
};

struct Node {
  NodeType type = NodeType::kList;
  std::size_t pos = 0;  // byte in the text
  std::string text{};
  std::string quoted{};
  std::vector<std::string> names{};
  std::vector<std::unique_ptr<Node>> children{};
  std::unique_ptr<Node> pipe{};
  std::unique_ptr<Node> list{};
  std::unique_ptr<Node> else_list{};
  bool assigns = false;  // = rather than :=
  bool is_int = false;
  bool is_float = false;
  std::int64_t integer = 0;
  double number = 0;

  // As Go prints the node, for messages.
  std::string ToString() const;
};
using NodePtr = std::unique_ptr<Node>;

// One named template. `source` is the name and text of the Parse that it came from.
struct TemplateSource {
  std::string name;
  std::string text;
};
struct TemplateTree {
  std::string name;
  std::shared_ptr<const TemplateSource> source;
  NodePtr root;

  // Nothing but white space: such a definition does not replace another.
  bool IsEmpty() const;
};
using TemplateTrees = std::map<std::string, std::shared_ptr<const TemplateTree>, std::less<>>;

}  // namespace pipewarden::core
