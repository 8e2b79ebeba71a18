#include "core/template/parse.h"

#include <algorithm>
#include <optional>

#include "core/template/lex.h"
#include "core/template/literal.h"
#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

constexpr int kMaxNesting = 100;
constexpr std::size_t kMaxTextBytes = 4U << 20U;

std::string EndName(NodeType type) { return type == NodeType::kEnd ? "{{end}}" : "{{else}}"; }

bool IsEmptyNode(const Node& node) {
  if (node.type == NodeType::kText) return node.text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
  return node.type == NodeType::kList &&
         std::ranges::all_of(node.children, [](const NodePtr& child) { return IsEmptyNode(*child); });
}

// A recursive-descent parser. The first error is kept; after it all tokens are ends of the text, so that what runs
// comes to its end without looking.
class Parser {
 public:
  Parser(std::shared_ptr<const TemplateSource> source, const std::function<bool(std::string_view)>& known)
      : source_(std::move(source)), known_(known), lexer_(source_->text) {}

  Result<TemplateTrees> Run() {
    if (source_->text.size() > kMaxTextBytes) {
      return core::Fail(ErrorCode::kLimit, "template: " + source_->name + ": the text is larger than 4 MiB");
    }
    NodePtr root = New(NodeType::kList, 0);
    while (!failed_ && Peek().type != TokenType::kEof) {
      if (Peek().type == TokenType::kLeftDelim) {
        const std::size_t mark = at_;
        Next();
        if (NextNonSpace().type == TokenType::kDefine) {
          Definition();
          continue;
        }
        at_ = mark;
      }
      NodePtr node = TextOrAction();
      if (!node) break;
      if (node->type == NodeType::kEnd || node->type == NodeType::kElse) {
        Fail("unexpected " + EndName(node->type));
        break;
      }
      root->children.push_back(std::move(node));
    }
    Add(source_->name, std::move(root));
    if (failed_) return std::unexpected(*failed_);
    return std::move(trees_);
  }

 private:
  // Everything that a template of its own has: a define or block begins with a fresh one.
  struct Scope {
    std::vector<std::string> variables{"$"};
    int range_depth = 0;
  };

  NodePtr New(NodeType type, std::size_t pos) {
    NodePtr node = std::make_unique<Node>();
    node->type = type;
    node->pos = pos;
    return node;
  }

  NodePtr Fail(const std::string& message) {
    if (!failed_) {
      failed_ =
          Error{ErrorCode::kInvalid, "template: " + source_->name + ":" + std::to_string(last_line_) + ": " + message};
    }
    return nullptr;
  }

  NodePtr Unexpected(const Token& token, std::string_view context) {
    if (token.type != TokenType::kError) return Fail("unexpected " + token.ToString() + " in " + std::string(context));
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      extra = " in action started at " + source_->name + ":" + std::to_string(action_line_);
      if (token.text.ends_with(" action")) extra.erase(0, std::string_view(" in action").size());
    }
    return Fail(token.text + extra);
  }

  const Token& Peek() {
    if (failed_) return end_;
    while (at_ >= tokens_.size()) {
      tokens_.push_back(lexer_.Next());
      last_line_ = tokens_.back().line;
    }
    return tokens_[at_];
  }
  Token Next() {
    Token token = Peek();
    ++at_;
    return token;
  }
  const Token& PeekNonSpace() {
    while (Peek().type == TokenType::kSpace) ++at_;
    return Peek();
  }
  Token NextNonSpace() {
    PeekNonSpace();
    return Next();
  }
  Token Expect(TokenType type, std::string_view context) {
    Token token = NextNonSpace();
    if (token.type != type) Unexpected(token, context);
    return token;
  }

  void Add(const std::string& name, NodePtr root) {
    if (failed_ || !root) return;
    auto tree = std::make_shared<TemplateTree>();
    tree->name = name;
    tree->source = source_;
    tree->root = std::move(root);
    auto& existing = trees_[name];
    if (existing && !existing->IsEmpty()) {
      if (!tree->IsEmpty()) Fail("template: multiple definition of template " + GoQuote(name));
      return;
    }
    existing = std::move(tree);
  }

  std::string TemplateName(const Token& token, std::string_view context) {
    if (token.type != TokenType::kString && token.type != TokenType::kRawString) {
      Unexpected(token, context);
      return "";
    }
    auto name = GoUnquote(token.text);
    if (!name) Fail("invalid syntax");
    return name.value_or("");
  }

  // {{define "name"}} … {{end}}; the keyword is past.
  void Definition() {
    constexpr std::string_view kContext = "define clause";
    const std::string name = TemplateName(NextNonSpace(), kContext);
    Expect(TokenType::kRightDelim, kContext);
    NamedBody(name, kContext);
  }

  void NamedBody(const std::string& name, std::string_view context) {
    Scope outer = std::exchange(scope_, Scope());
    NodeType end = NodeType::kEnd;
    NodePtr list = ItemList(end);
    if (end != NodeType::kEnd) Fail("unexpected " + EndName(end) + " in " + std::string(context));
    Add(name, std::move(list));
    scope_ = std::move(outer);
  }

  // Up to {{end}} or {{else}}, of which `end` tells.
  NodePtr ItemList(NodeType& end) {
    NodePtr list = New(NodeType::kList, PeekNonSpace().pos);
    if (++depth_ > kMaxNesting) Fail("it is nested more than 100 deep");
    while (!failed_ && PeekNonSpace().type != TokenType::kEof) {
      NodePtr node = TextOrAction();
      if (!node) break;
      if (node->type == NodeType::kEnd || node->type == NodeType::kElse) {
        end = node->type;
        --depth_;
        return list;
      }
      list->children.push_back(std::move(node));
    }
    --depth_;
    Fail("unexpected EOF");
    return list;
  }

  NodePtr TextOrAction() {
    Token token = NextNonSpace();
    if (token.type == TokenType::kText) {
      NodePtr text = New(NodeType::kText, token.pos);
      text->text = std::move(token.text);
      return text;
    }
    if (token.type != TokenType::kLeftDelim) return Unexpected(token, "input");
    action_line_ = token.line;
    NodePtr node = Action();
    action_line_ = 0;
    return node;
  }

  NodePtr Action() {
    const Token token = NextNonSpace();
    switch (token.type) {
      case TokenType::kBlock:
        return Block();
      case TokenType::kBreak:
        return Leave(NodeType::kBreak, token, "{{break}}");
      case TokenType::kContinue:
        return Leave(NodeType::kContinue, token, "{{continue}}");
      case TokenType::kElse:
        return Else();
      case TokenType::kEnd:
        return New(NodeType::kEnd, Expect(TokenType::kRightDelim, "end").pos);
      case TokenType::kIf:
        return Control(NodeType::kIf, "if", TokenType::kIf);
      case TokenType::kRange:
        return Control(NodeType::kRange, "range", TokenType::kEof);
      case TokenType::kWith:
        return Control(NodeType::kWith, "with", TokenType::kWith);
      case TokenType::kTemplate:
        return TemplateCall();
      default:
        break;
    }
    --at_;
    NodePtr action = New(NodeType::kAction, Peek().pos);
    action->pipe = Pipeline("command", TokenType::kRightDelim);
    return action;
  }

  NodePtr Leave(NodeType type, const Token& token, std::string_view what) {
    if (const Token end = NextNonSpace(); end.type != TokenType::kRightDelim) return Unexpected(end, what);
    if (scope_.range_depth == 0) return Fail(std::string(what) + " outside {{range}}");
    return New(type, token.pos);
  }

  NodePtr Else() {
    const Token& next = PeekNonSpace();
    if (next.type == TokenType::kIf || next.type == TokenType::kWith) return New(NodeType::kElse, next.pos);
    return New(NodeType::kElse, Expect(TokenType::kRightDelim, "else").pos);
  }

  // if, with and range. {{else if}} is an if within the else; its {{end}} is shared.
  NodePtr Control(NodeType type, std::string_view context, TokenType chained) {
    if (++depth_ > kMaxNesting) Fail("it is nested more than 100 deep");
    const std::size_t variables = scope_.variables.size();
    NodePtr node = New(type, 0);
    node->pipe = Pipeline(context, TokenType::kRightDelim);
    if (node->pipe) node->pos = node->pipe->pos;
    scope_.range_depth += type == NodeType::kRange;
    NodeType end = NodeType::kEnd;
    node->list = ItemList(end);
    scope_.range_depth -= type == NodeType::kRange;
    if (end == NodeType::kElse && !failed_) {
      if (chained != TokenType::kEof && Peek().type == chained) {
        Next();
        node->else_list = New(NodeType::kList, node->pos);
        if (NodePtr inner = Control(type, context, chained)) node->else_list->children.push_back(std::move(inner));
      } else {
        node->else_list = ItemList(end);
        if (end != NodeType::kEnd) Fail("expected end; found " + EndName(end));
      }
    }
    scope_.variables.resize(variables);
    --depth_;
    return node;
  }

  NodePtr Block() {
    constexpr std::string_view kContext = "block clause";
    const Token token = NextNonSpace();
    const std::string name = TemplateName(token, kContext);
    NodePtr call = New(NodeType::kTemplate, token.pos);
    call->text = name;
    call->pipe = Pipeline(kContext, TokenType::kRightDelim);
    NamedBody(name, kContext);
    return call;
  }

  NodePtr TemplateCall() {
    constexpr std::string_view kContext = "template clause";
    const Token token = NextNonSpace();
    NodePtr call = New(NodeType::kTemplate, token.pos);
    call->text = TemplateName(token, kContext);
    if (NextNonSpace().type != TokenType::kRightDelim) {
      --at_;
      call->pipe = Pipeline(kContext, TokenType::kRightDelim);
    }
    return call;
  }

  void Declare(Node& pipe, const Token& variable) {
    pipe.names.push_back(variable.text);
    scope_.variables.push_back(variable.text);
  }

  // $x :=, $x =, and in range $i, $x :=.
  void Declarations(Node& pipe, std::string_view context) {
    while (!failed_ && PeekNonSpace().type == TokenType::kVariable) {
      const std::size_t mark = at_;
      const Token variable = Next();
      const TokenType next = PeekNonSpace().type;
      if (next == TokenType::kAssign || next == TokenType::kDeclare) {
        pipe.assigns = next == TokenType::kAssign;
        NextNonSpace();
        return Declare(pipe, variable);
      }
      if (next != TokenType::kChar || Peek().text != ",") {
        at_ = mark;
        return;
      }
      NextNonSpace();
      Declare(pipe, variable);
      if (context != "range" || pipe.names.size() >= 2) {
        Fail("too many declarations in " + std::string(context));
        return;
      }
      const TokenType second = PeekNonSpace().type;
      if (second != TokenType::kVariable && second != TokenType::kRightDelim && second != TokenType::kRightParen) {
        Fail("range can only initialize variables");
        return;
      }
    }
  }

  NodePtr Pipeline(std::string_view context, TokenType end) {
    NodePtr pipe = New(NodeType::kPipe, PeekNonSpace().pos);
    if (++depth_ > kMaxNesting) Fail("it is nested more than 100 deep");
    Declarations(*pipe, context);
    while (!failed_) {
      const Token token = NextNonSpace();
      if (token.type == end) {
        CheckPipeline(*pipe, context);
        break;
      }
      switch (token.type) {
        case TokenType::kBool:
        case TokenType::kCharConstant:
        case TokenType::kDot:
        case TokenType::kField:
        case TokenType::kIdentifier:
        case TokenType::kNumber:
        case TokenType::kNil:
        case TokenType::kRawString:
        case TokenType::kString:
        case TokenType::kVariable:
        case TokenType::kLeftParen:
          --at_;
          if (NodePtr command = Command()) pipe->children.push_back(std::move(command));
          break;
        default:
          Unexpected(token, context);
      }
    }
    --depth_;
    return pipe;
  }

  void CheckPipeline(const Node& pipe, std::string_view context) {
    if (pipe.children.empty()) {
      Fail("missing value for " + std::string(context));
      return;
    }
    for (std::size_t i = 1; i < pipe.children.size(); ++i) {
      switch (pipe.children[i]->children[0]->type) {
        case NodeType::kBool:
        case NodeType::kDot:
        case NodeType::kNil:
        case NodeType::kNumber:
        case NodeType::kString:
          Fail("non executable command in pipeline stage " + std::to_string(i + 1));
          return;
        default:
          break;
      }
    }
  }

  NodePtr Command() {
    NodePtr command = New(NodeType::kCommand, PeekNonSpace().pos);
    while (!failed_) {
      PeekNonSpace();
      if (NodePtr operand = Operand()) command->children.push_back(std::move(operand));
      const Token token = Next();
      if (token.type == TokenType::kSpace) continue;
      if (token.type == TokenType::kRightDelim || token.type == TokenType::kRightParen) {
        --at_;
      } else if (token.type != TokenType::kPipe) {
        Unexpected(token, "operand");
      }
      break;
    }
    if (command->children.empty()) return Fail("empty command");
    return command;
  }

  NodePtr Operand() {
    NodePtr node = Term();
    if (!node || Peek().type != TokenType::kField) return node;
    const std::size_t pos = Peek().pos;
    std::vector<std::string> fields;
    while (Peek().type == TokenType::kField) fields.push_back(Next().text.substr(1));
    switch (node->type) {
      case NodeType::kField:
      case NodeType::kVariable:
        node->pos = pos;
        node->names.insert(node->names.end(), fields.begin(), fields.end());
        return node;
      case NodeType::kBool:
      case NodeType::kString:
      case NodeType::kNumber:
      case NodeType::kNil:
      case NodeType::kDot:
        return Fail("unexpected . after term " + GoQuote(node->ToString()));
      default: {
        NodePtr chain = New(NodeType::kChain, pos);
        chain->names = std::move(fields);
        chain->children.push_back(std::move(node));
        return chain;
      }
    }
  }

  NodePtr Term() {
    const Token token = NextNonSpace();
    const auto make = [&](NodeType type) {
      NodePtr node = New(type, token.pos);
      node->text = token.text;
      return node;
    };
    switch (token.type) {
      case TokenType::kIdentifier:
        if (!known_(token.text)) return Fail("function " + GoQuote(token.text) + " not defined");
        return make(NodeType::kIdentifier);
      case TokenType::kDot:
        return make(NodeType::kDot);
      case TokenType::kNil:
        return make(NodeType::kNil);
      case TokenType::kVariable: {
        if (std::ranges::find(scope_.variables, token.text) == scope_.variables.end())
          return Fail("undefined variable " + GoQuote(token.text));
        NodePtr variable = make(NodeType::kVariable);
        variable->names = {token.text};
        return variable;
      }
      case TokenType::kField: {
        NodePtr field = make(NodeType::kField);
        field->names = {token.text.substr(1)};
        return field;
      }
      case TokenType::kBool: {
        NodePtr boolean = make(NodeType::kBool);
        boolean->integer = token.text == "true";
        return boolean;
      }
      case TokenType::kCharConstant:
      case TokenType::kNumber: {
        NodePtr number = make(NodeType::kNumber);
        if (const std::string error = ReadNumber(token.text, *number); !error.empty()) return Fail(error);
        return number;
      }
      case TokenType::kLeftParen:
        return Pipeline("parenthesized pipeline", TokenType::kRightParen);
      case TokenType::kString:
      case TokenType::kRawString: {
        NodePtr string = make(NodeType::kString);
        string->quoted = token.text;
        auto text = GoUnquote(token.text);
        if (!text) return Fail("invalid syntax");
        string->text = std::move(*text);
        return string;
      }
      default:
        --at_;
        return nullptr;
    }
  }

  std::shared_ptr<const TemplateSource> source_;
  const std::function<bool(std::string_view)>& known_;
  Lexer lexer_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int last_line_ = 1;
  int action_line_ = 0;
  int depth_ = 0;
  Scope scope_;
  TemplateTrees trees_;
  std::optional<Error> failed_;
  const Token end_{};
};

}  // namespace

bool TemplateTree::IsEmpty() const { return root == nullptr || IsEmptyNode(*root); }

Result<TemplateTrees> ParseTemplate(std::shared_ptr<const TemplateSource> source,
                                    const std::function<bool(std::string_view)>& known) {
  return Parser(std::move(source), known).Run();
}

}  // namespace pipewarden::core
