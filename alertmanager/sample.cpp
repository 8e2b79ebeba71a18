#include "alertmanager/sample.h"

namespace pipewarden::alertmanager {
namespace {

constexpr core::Duration kPatience = std::chrono::seconds(10);  // for one integration

Notification Sample(const std::string& receiver, const std::string& external_url, core::WallTime now) {
  Notification sample;
  sample.receiver = receiver;
  sample.group_labels = {{"alertname", "PipewardenSample"}};
  sample.group_key = "{}:" + LabelSetText(sample.group_labels);
  sample.external_url = external_url;
  sample.now = now;
  core::Alert alert;
  alert.labels = {{"alertname", "PipewardenSample"}, {"severity", "info"}};
  alert.annotations = {{"summary", "A sample: this receiver of Pipewarden is being tried. Nothing is wrong."}};
  alert.starts_at = now;
  alert.updated_at = now;
  alert.generator_url = external_url;
  sample.alerts.push_back(std::move(alert));
  SetCommon(sample);
  return sample;
}

}  // namespace

core::Task<core::Result<std::vector<SampleOutcome>>> SendSample(core::Loop& loop, core::HttpClient& http,
                                                                std::shared_ptr<const Config> config,
                                                                std::string receiver, std::string external_url) {
  core::Result<std::vector<SampleOutcome>> outcomes;
  const ReceiverConfig* found = config->FindReceiver(receiver);
  if (found == nullptr) {
    std::vector<std::string_view> known;
    for (const ReceiverConfig& one : config->receivers) known.push_back(one.name);
    outcomes = core::Fail(core::ErrorCode::kNotFound,
                          "there is no receiver '" + receiver + "'" + core::DidYouMean(receiver, known));
    co_return outcomes;
  }
  const auto sample = std::make_shared<const Notification>(Sample(receiver, external_url, loop.clock().Now()));
  for (const Integration& integration : found->integrations) {
    NotifyContext context;
    context.loop = &loop;
    context.http = &http;
    context.render = config->render;
    context.time_left = kPatience;
    NotifyOutcome outcome = co_await integration.receiver->Notify(std::move(context), sample);
    outcomes->push_back({integration.Name(), outcome.ok, std::move(outcome.error)});
  }
  co_return outcomes;
}

}  // namespace pipewarden::alertmanager
