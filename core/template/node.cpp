// How nodes show themselves in messages: as Go's parse.Node.String.
#include "core/template/node.h"

#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

std::string Fields(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += "." + name;
  return out;
}

}  // namespace

std::string Node::ToString() const {
  std::string out;
  const auto operand = [](const Node& node) {
    return node.type == NodeType::kPipe ? "(" + node.ToString() + ")" : node.ToString();
  };
  switch (type) {
    case NodeType::kAction:
      return "{{" + pipe->ToString() + "}}";
    case NodeType::kTemplate:
      return "{{template " + GoQuote(text) + (pipe ? " " + pipe->ToString() : "") + "}}";
    case NodeType::kPipe:
      for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? ", " : "") + names[i];
      if (!names.empty()) out += assigns ? " = " : " := ";
      for (std::size_t i = 0; i < children.size(); ++i) out += (i > 0 ? " | " : "") + children[i]->ToString();
      return out;
    case NodeType::kCommand:
      for (std::size_t i = 0; i < children.size(); ++i) out += (i > 0 ? " " : "") + operand(*children[i]);
      return out;
    case NodeType::kField:
      return Fields(names);
    case NodeType::kVariable:
      for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? "." : "") + names[i];
      return out;
    case NodeType::kChain:
      return operand(*children[0]) + Fields(names);
    case NodeType::kDot:
      return ".";
    case NodeType::kNil:
      return "nil";
    case NodeType::kString:
      return quoted;
    case NodeType::kIf:
      return "{{if " + pipe->ToString() + "}}";
    case NodeType::kWith:
      return "{{with " + pipe->ToString() + "}}";
    case NodeType::kRange:
      return "{{range " + pipe->ToString() + "}}";
    default:
      return text;
  }
}

}  // namespace pipewarden::core
