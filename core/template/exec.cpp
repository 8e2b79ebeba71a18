#include "core/template/exec.h"

#include <algorithm>
#include <optional>

#include "core/template/format.h"
#include "core/template/html_escape.h"
#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

// Walks and pipelines within one another, over all templates called: each costs stack.
constexpr int kMaxDepth = 500;

enum class Flow { kNormal, kBreak, kContinue };

// One execution. The first error is kept in `error_`; what is evaluated after it gives nil, and every loop looks.
class Executor {
 public:
  Executor(const TemplateTrees& trees, const FunctionTable* functions, const ExecuteOptions& options)
      : trees_(trees), functions_(functions), options_(options) {}

  Result<std::string> Run(std::string_view name, const Value& data) {
    const auto found = trees_.find(name);
    if (found == trees_.end()) {
      return core::Fail(ErrorCode::kInvalid, "template: " + std::string(name) + ": " + GoQuote(name) +
                                                 " is an incomplete or empty template");
    }
    tree_ = found->second.get();
    variables_.push_back({"$", data});
    Walk(data, *tree_->root);
    if (!error_ && options_.escaping == Escaping::kHtml) {
      if (const std::string problem = html_.End(); !problem.empty()) Fail(problem);
    }
    if (error_) return std::unexpected(*error_);
    return std::move(out_);
  }

 private:
  struct Variable {
    std::string_view name;  // of the tree
    Value value;
  };
  using Nodes = std::vector<NodePtr>;

  void At(const Node& node) { node_ = &node; }

  // "template: name:1:3: executing "name" at <.X>: message".
  Value Fail(const std::string& message, ErrorCode code = ErrorCode::kInvalid) {
    if (error_) return {};
    std::string where = "template: " + tree_->name + ": ";
    if (node_ != nullptr) {
      const std::string_view before = std::string_view(tree_->source->text).substr(0, node_->pos);
      const std::size_t newline = before.rfind('\n');
      const std::size_t column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
      where = "template: " + tree_->source->name + ":" + std::to_string(1 + std::ranges::count(before, '\n')) + ":" +
              std::to_string(column) + ": executing " + GoQuote(tree_->name) + " at <" + node_->ToString() + ">: ";
    }
    error_ = Error{code, where + message};
    return {};
  }

  bool Step() {
    if (++steps_ > options_.max_steps) Fail("it takes too many steps (a loop over too much?)", ErrorCode::kLimit);
    return !error_;
  }

  void Write(std::string_view text) {
    if (out_.size() + text.size() > options_.max_output_bytes) {
      Fail("the output is larger than " + std::to_string(options_.max_output_bytes) + " bytes", ErrorCode::kLimit);
      return;
    }
    out_ += text;
  }

  Flow Walk(const Value& dot, const Node& node) {
    if (!Step()) return Flow::kNormal;
    At(node);
    switch (node.type) {
      case NodeType::kText:
        WriteText(node);
        break;
      case NodeType::kAction: {
        // Variables stay until the enclosing end; a declaration prints nothing.
        const Value value = Pipeline(dot, *node.pipe);
        if (node.pipe->names.empty()) Print(node, value);
        break;
      }
      case NodeType::kIf:
      case NodeType::kWith:
        return IfOrWith(dot, node);
      case NodeType::kRange:
        return Range(dot, node);
      case NodeType::kTemplate:
        Call(dot, node);
        break;
      case NodeType::kBreak:
        return Flow::kBreak;
      case NodeType::kContinue:
        return Flow::kContinue;
      case NodeType::kList:
        return List(dot, node);
      default:
        Fail("unknown node: " + node.ToString());
    }
    return Flow::kNormal;
  }

  Flow List(const Value& dot, const Node& list) {
    if (++depth_ > kMaxDepth)
      Fail("exceeded maximum template depth (" + std::to_string(kMaxDepth) + ")", ErrorCode::kLimit);
    Flow flow = Flow::kNormal;
    for (const NodePtr& child : list.children) {
      if (error_ || flow != Flow::kNormal) break;
      flow = Walk(dot, *child);
    }
    --depth_;
    return flow;
  }

  void WriteText(const Node& node) {
    if (options_.escaping == Escaping::kText) return Write(node.text);
    auto text = html_.Text(node.text);
    if (!text) {
      Fail(text.error().message);
      return;
    }
    Write(*text);
  }

  void Print(const Node& node, const Value& value) {
    if (error_) return;
    At(node);
    if (options_.escaping == Escaping::kText) return Write(value.is_nil() ? "<no value>" : value.ToString());
    auto text = html_.Escape(value);
    if (!text) {
      Fail(text.error().message);
      return;
    }
    Write(*text);
  }

  Flow IfOrWith(const Value& dot, const Node& node) {
    const std::size_t mark = variables_.size();
    const Value value = Pipeline(dot, *node.pipe);
    Flow flow = Flow::kNormal;
    if (!error_) {
      if (value.Truth()) {
        flow = Walk(node.type == NodeType::kWith ? value : dot, *node.list);
      } else if (node.else_list) {
        flow = Walk(dot, *node.else_list);
      }
    }
    Pop(mark);
    return flow;
  }

  void Pop(std::size_t mark) { variables_.resize(std::min(mark, variables_.size())); }

  Value* FindVariable(std::string_view name) {
    for (std::size_t i = variables_.size(); i-- > 0;) {
      if (variables_[i].name == name) return &variables_[i].value;
    }
    Fail("undefined variable: " + std::string(name));
    return nullptr;
  }
  void Assign(std::string_view name, const Value& value) {
    if (Value* variable = FindVariable(name)) *variable = value;
  }

  // One round of a range. `index` is nil for integers.
  Flow Round(const Node& range, const Value& index, const Value& element) {
    const std::vector<std::string>& names = range.pipe->names;
    if (!names.empty()) {
      if (range.pipe->assigns) {
        Assign(names[0], names.size() > 1 ? index : element);
        if (names.size() > 1) Assign(names[1], element);
      } else {
        variables_[variables_.size() - 1].value = element;
        if (names.size() > 1) variables_[variables_.size() - 2].value = index;
      }
    }
    const std::size_t mark = variables_.size();
    const Flow flow = Walk(element, *range.list);
    Pop(mark);
    return flow;
  }

  Flow Range(const Value& dot, const Node& node) {
    const std::size_t mark = variables_.size();
    const Value value = Pipeline(dot, *node.pipe);
    bool ran = false;
    const auto round = [&](const Value& index, const Value& element) {
      ran = true;
      return !error_ && Round(node, index, element) != Flow::kBreak && !error_;
    };
    if (error_) {
    } else if (value.is(Value::Kind::kInt)) {
      if (node.pipe->names.size() > 1)
        Fail("can't use " + value.ToString() + " to iterate over more than one variable");
      for (std::int64_t i = 0; i < value.integer() && !error_; ++i) {
        if (!round(Value(), Value::Int(i))) break;
      }
    } else if (value.is(Value::Kind::kList)) {
      std::int64_t index = 0;
      for (const Value& element : value.list()) {
        if (!round(Value::Int(index++), element)) break;
      }
    } else if (value.is(Value::Kind::kMap)) {
      for (const auto& [key, element] : value.map().entries) {
        if (!round(Value::String(key), element)) break;
      }
    } else if (!value.is_nil()) {
      Fail("range can't iterate over " + value.ToString());
    }
    Flow flow = Flow::kNormal;
    if (!ran && !error_ && node.else_list) flow = Walk(dot, *node.else_list);
    Pop(mark);
    return flow;
  }

  // {{template "name" pipeline}}: no variables but $ go in.
  void Call(const Value& dot, const Node& node) {
    const auto found = trees_.find(node.text);
    if (found == trees_.end()) {
      Fail("template " + GoQuote(node.text) + " not defined");
      return;
    }
    const Value argument = node.pipe ? Pipeline(dot, *node.pipe) : Value();
    if (error_) return;
    const TemplateTree* caller = std::exchange(tree_, found->second.get());
    std::vector<Variable> outer = std::exchange(variables_, {{"$", argument}});
    Walk(argument, *tree_->root);
    if (error_) return;
    variables_ = std::move(outer);
    tree_ = caller;
  }

  Value Pipeline(const Value& dot, const Node& pipe) {
    At(pipe);
    if (++depth_ > kMaxDepth)
      Fail("exceeded maximum template depth (" + std::to_string(kMaxDepth) + ")", ErrorCode::kLimit);
    std::optional<Value> value;
    for (const NodePtr& command : pipe.children) {
      if (error_) break;
      value = Command(dot, *command, value ? &*value : nullptr);
    }
    --depth_;
    Value result = value.value_or(Value());
    for (const std::string& name : pipe.names) {
      if (pipe.assigns) {
        Assign(name, result);
      } else {
        variables_.push_back({name, result});
      }
    }
    return result;
  }

  // Something that is no function got an argument.
  bool HasArguments(const Nodes& args, const Value* final) {
    if (args.size() <= 1 && final == nullptr) return false;
    Fail("can't give argument to non-function " + args[0]->ToString());
    return true;
  }

  // `final` is what the pipeline gave before: the last argument.
  Value Command(const Value& dot, const Node& command, const Value* final) {
    const Node& first = *command.children[0];
    switch (first.type) {
      case NodeType::kField:
        At(first);
        return FieldChain(dot, dot, first, first.names, 0, command.children, final);
      case NodeType::kChain:
        return Chain(dot, first, command.children, final);
      case NodeType::kIdentifier:
        return FunctionCall(dot, first, command, command.children, final);
      case NodeType::kPipe:
        return HasArguments(command.children, final) ? Value() : Pipeline(dot, first);
      case NodeType::kVariable:
        return VariableChain(dot, first, command.children, final);
      default:
        break;
    }
    At(first);
    if (HasArguments(command.children, final)) return {};
    if (first.type == NodeType::kDot) return dot;
    if (first.type == NodeType::kNil) return Fail("nil is not a command");
    return Constant(first);
  }

  Value Constant(const Node& node) {
    switch (node.type) {
      case NodeType::kBool:
        return Value::Bool(node.integer != 0);
      case NodeType::kString:
        return Value::String(node.text);
      default: {
        const bool hex = node.text.size() > 2 && node.text[0] == '0' && (node.text[1] == 'x' || node.text[1] == 'X') &&
                         node.text.find_first_of("pP") == std::string::npos;
        const bool looks_float = node.text.find_first_of(".eEpP") != std::string::npos && node.text[0] != '\'' && !hex;
        return node.is_float && (looks_float || !node.is_int) ? Value::Float(node.number) : Value::Int(node.integer);
      }
    }
  }

  Value Chain(const Value& dot, const Node& chain, const Nodes& args, const Value* final) {
    At(chain);
    if (chain.children[0]->type == NodeType::kNil)
      return Fail("indirection through explicit nil in " + chain.ToString());
    const Value receiver = Argument(dot, Param::kAny, *chain.children[0]);
    return FieldChain(dot, receiver, chain, chain.names, 0, args, final);
  }

  Value VariableChain(const Value& dot, const Node& variable, const Nodes& args, const Value* final) {
    At(variable);
    const Value* value = FindVariable(variable.names[0]);
    if (value == nullptr) return {};
    if (variable.names.size() == 1) return HasArguments(args, final) ? Value() : *value;
    const Value receiver = *value;
    return FieldChain(dot, receiver, variable, variable.names, 1, args, final);
  }

  // .X.Y.Z; the last may be a method that takes the arguments.
  Value FieldChain(const Value& dot, Value receiver, const Node& node, const std::vector<std::string>& names,
                   std::size_t begin, const Nodes& args, const Value* final) {
    static const Nodes kNone;
    for (std::size_t i = begin; i + 1 < names.size() && !error_; ++i) {
      receiver = Field(dot, names[i], node, kNone, nullptr, receiver);
    }
    return error_ ? Value() : Field(dot, names.back(), node, args, final, receiver);
  }

  Value Field(const Value& dot, const std::string& name, const Node& node, const Nodes& args, const Value* final,
              const Value& receiver) {
    if (receiver.is_nil()) return {};
    if (const ValueMethod* method = FindMethod(receiver, name)) {
      const auto call = [&](std::span<const Value> values) { return method->call(receiver, values); };
      if (!method->unfit.empty() && args.size() <= 1 && final == nullptr) return Fail(std::string(method->unfit));
      return Invoke(dot, name, method->params, false, node, args, final, call);
    }
    const bool has_arguments = args.size() > 1 || final != nullptr;
    if (receiver.is(Value::Kind::kStruct)) {
      for (const auto& [field, value] : receiver.fields().fields) {
        if (field != name) continue;
        if (has_arguments) return Fail(name + " has arguments but cannot be invoked as function");
        return value;
      }
    } else if (receiver.is(Value::Kind::kMap)) {
      if (has_arguments) return Fail(name + " is not a method but has arguments");
      const ValueMap& map = receiver.map();
      const auto found = map.entries.find(name);
      if (found != map.entries.end()) return found->second;
      return map.of_strings ? Value::String("") : Value();
    }
    return Fail("can't evaluate field " + name + " in type " + receiver.TypeName());
  }

  const Function* FindFunction(const std::string& name) const {
    for (const FunctionTable* table : {options_.functions, functions_, &BuiltinFunctions()}) {
      if (table == nullptr) continue;
      if (const auto found = table->find(name); found != table->end()) return &found->second;
    }
    return nullptr;
  }

  Value FunctionCall(const Value& dot, const Node& node, const Node& command, const Nodes& args, const Value* final) {
    At(node);
    const Function* function = FindFunction(node.text);
    if (function == nullptr || !function->call) return Fail(GoQuote(node.text) + " is not a defined function");
    const bool builtin = function == FindBuiltin(node.text);
    if (builtin && (node.text == "and" || node.text == "or")) return AndOr(dot, node.text == "or", args, final);
    // Html escapes by context what html would escape, see html_escape.h.
    if (builtin && node.text == "html" && options_.escaping == Escaping::kHtml) {
      const auto call = [](std::span<const Value> values) -> Result<Value> {
        // Without its type: what was safe HTML is escaped too.
        return Value::String(values.size() == 1 && values[0].is(Value::Kind::kString) ? values[0].string()
                                                                                      : GoSprint(values));
      };
      return Invoke(dot, node.text, function->params, function->variadic, command, args, final, call);
    }
    if (builtin && node.text == "call") {
      // No value of ours is a function; Go's message names what was called.
      const std::string callee = args.size() > 1 ? args[1]->ToString() : std::string("value");
      const auto call = [&](std::span<const Value> values) -> Result<Value> {
        if (values[0].is_nil()) return core::Fail(ErrorCode::kInvalid, "call of nil");
        return core::Fail(ErrorCode::kInvalid, "non-function " + callee + " of type " + values[0].TypeName());
      };
      return Invoke(dot, node.text, function->params, function->variadic, command, args, final, call);
    }
    return Invoke(dot, node.text, function->params, function->variadic, command, args, final, function->call);
  }

  static const Function* FindBuiltin(const std::string& name) {
    const auto found = BuiltinFunctions().find(name);
    return found == BuiltinFunctions().end() ? nullptr : &found->second;
  }

  // Stops at the first argument that decides.
  Value AndOr(const Value& dot, bool is_or, const Nodes& args, const Value* final) {
    if (args.size() < 2 && final == nullptr) {
      return Fail(std::string("wrong number of args for ") + (is_or ? "or" : "and") + ": want at least 1 got 0");
    }
    Value value;
    for (std::size_t i = 1; i < args.size(); ++i) {
      value = Argument(dot, Param::kAny, *args[i]);
      if (error_ || value.Truth() == is_or) return value;
    }
    return final != nullptr ? *final : value;
  }

  template <class Body>
  Value Invoke(const Value& dot, const std::string& name, const std::vector<Param>& params, bool variadic,
               const Node& node, const Nodes& args, const Value* final, const Body& body) {
    const std::size_t written = args.empty() ? 0 : args.size() - 1;
    const std::size_t given = written + (final != nullptr ? 1 : 0);
    const std::size_t fixed = variadic ? params.size() - 1 : params.size();
    const auto count = [&](std::string_view want, std::size_t least, std::size_t got) {
      return Fail("wrong number of args for " + name + ": want " + std::string(want) + std::to_string(least) + " got " +
                  std::to_string(got));
    };
    if (variadic && given < fixed) return count("at least ", fixed, written);
    if (!variadic && given != fixed) return count("", fixed, given);
    std::vector<Value> values;
    values.reserve(given);
    for (std::size_t i = 0; i < written && !error_; ++i) {
      values.push_back(Argument(dot, params[std::min(i, params.size() - 1)], *args[i + 1]));
    }
    if (final != nullptr && !error_) {
      values.push_back(Checked(*final, params[std::min(written, params.size() - 1)]));
    }
    if (!Step()) return {};
    Result<Value> result = body(std::span<const Value>(values));
    if (!result) {
      At(node);
      return Fail("error calling " + name + ": " + result.error().message, result.error().code);
    }
    return std::move(*result);
  }

  Value Checked(Value value, Param param) {
    if (error_) return {};
    if (const std::string problem = CheckParam(param, value); !problem.empty()) return Fail(problem);
    return value;
  }

  Value Argument(const Value& dot, Param param, const Node& node) {
    static const Nodes kNone;
    At(node);
    switch (node.type) {
      case NodeType::kDot:
        return Checked(dot, param);
      case NodeType::kNil:
        if (param == Param::kAny || param >= Param::kList) return {};
        return Fail("cannot assign nil to " + std::string(ParamTypeName(param)));
      case NodeType::kField:
        return Checked(FieldChain(dot, dot, node, node.names, 0, kNone, nullptr), param);
      case NodeType::kVariable:
        return Checked(VariableChain(dot, node, kNone, nullptr), param);
      case NodeType::kPipe:
        return Checked(Pipeline(dot, node), param);
      case NodeType::kIdentifier:
        return Checked(FunctionCall(dot, node, node, kNone, nullptr), param);
      case NodeType::kChain:
        return Checked(Chain(dot, node, kNone, nullptr), param);
      default:
        return ConstantArgument(param, node);
    }
  }

  // A literal takes the parameter's type where it can.
  Value ConstantArgument(Param param, const Node& node) {
    const bool number = node.type == NodeType::kNumber;
    const auto expected = [&](std::string_view what) {
      return Fail("expected " + std::string(what) + "; found " + node.ToString());
    };
    switch (param) {
      case Param::kAny:
        return Constant(node);
      case Param::kBool:
        return node.type == NodeType::kBool ? Constant(node) : expected("bool");
      case Param::kString:
        return node.type == NodeType::kString ? Constant(node) : expected("string");
      case Param::kInt:
        return number && node.is_int ? Value::Int(node.integer) : expected("integer");
      case Param::kDuration:
        return number && node.is_int ? Value::Duration(Duration{node.integer}) : expected("integer");
      case Param::kFloat:
        return number && node.is_float ? Value::Float(node.number) : expected("float");
      default:
        return Fail("can't handle " + node.ToString() + " for arg of type " + std::string(ParamTypeName(param)));
    }
  }

  const TemplateTrees& trees_;
  const FunctionTable* functions_;
  const ExecuteOptions& options_;
  const TemplateTree* tree_ = nullptr;
  const Node* node_ = nullptr;
  std::vector<Variable> variables_;
  std::string out_;
  HtmlEscaper html_;
  std::size_t steps_ = 0;
  int depth_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<std::string> RunTemplate(const TemplateTrees& trees, std::string_view name, const FunctionTable* functions,
                                const Value& data, const ExecuteOptions& options) {
  return Executor(trees, functions, options).Run(name, data);
}

}  // namespace pipewarden::core
