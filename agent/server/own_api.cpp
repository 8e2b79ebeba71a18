#include "agent/server/own_api.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace pipewarden::agent {

HttpResponse DataResponse(const nlohmann::json& data) {
  const nlohmann::json answer{{"status", "success"}, {"data", data}};
  return JsonResponse(answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

HttpResponse AbsentResponse(std::string_view part) {
  return ErrorResponse(Envelope::kPrometheus, 404, "this process has no " + std::string(part));
}

nlohmann::json LabelsJson(const core::Labels& labels) {
  nlohmann::json object = nlohmann::json::object();
  for (const core::LabelView label : labels) object[label.name] = label.value;
  return object;
}

void SetTime(nlohmann::json& object, const char* field, core::WallTime time) {
  if (time != core::WallTime{}) object[field] = static_cast<double>(core::ToMs(time)) / 1000;
}

core::Result<int> NumberParam(const HttpRequest& request, std::string_view name, int fallback, int low, int high) {
  const auto text = request.Param(name);
  if (!text || text->empty()) return fallback;
  int number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < low || number > high) {
    return core::Fail(core::ErrorCode::kInvalid, "the parameter '" + std::string(name) + "' is a whole number from " +
                                                     std::to_string(low) + " to " + std::to_string(high));
  }
  return number;
}

}  // namespace pipewarden::agent
