// Templates, parsed and run as html: never a crash, always within bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden::core;
  static const auto functions = std::make_shared<const FunctionTable>();
  const auto parsed = Template::Parse("fuzz", {reinterpret_cast<const char*>(data), size}, functions);
  if (!parsed) return 0;
  const Value time = Value::Time(ZonedTime::From(WallTime{std::chrono::seconds{1'700'000'000}}));
  const Value value = Value::Struct({{{"Name", Value::String("a <b> & \"c\"")},
                                      {"Int", Value::Int(42)},
                                      {"Float", Value::Float(1.5)},
                                      {"List", Value::StringList({"a", "b"})},
                                      {"Map", Value::StringMap({{"job", "api"}})},
                                      {"Nil", Value()},
                                      {"Time", time},
                                      {"Dur", Value::Duration(std::chrono::seconds(90))}}});
  const ExecuteOptions options{.escaping = Escaping::kHtml, .max_output_bytes = 10'000, .max_steps = 10'000};
  (void)parsed->Execute(value, options).has_value();
  return 0;
}
