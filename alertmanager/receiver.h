// A receiver kind: one way to tell people (webhook, slack, email, …). A kind is data: its key in alertmanager.yml, its
// option table, and the function that makes a Receiver of what was read. Retry, deduplication, deadlines and the log of
// notifications stay in the pipeline around it (alertmanager/notify.h).
//
// One kind is one file in receivers/, one X(Name) in receivers/list.h, one test. A kind that is read but not sent yet
// has no `make`; configuring it is an error at load, never silence.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "alertmanager/notification.h"
#include "core/async/loop.h"
#include "core/config/option_table.h"
#include "core/net/http_client.h"

namespace pipewarden::alertmanager {

struct NotifyOutcome {
  bool ok = false;
  bool retry = false;                           // where not ok: trying again may help
  std::optional<core::Duration> retry_after{};  // the other side asked for this pause
  std::string error{};                          // never a secret, never credentials of a URL
};

inline NotifyOutcome Sent() { return {.ok = true}; }
inline NotifyOutcome GiveUp(std::string error) { return {.error = std::move(error)}; }
inline NotifyOutcome TryAgain(std::string error) { return {.retry = true, .error = std::move(error)}; }

// What a Receiver needs from its surroundings; all outlive the call.
struct NotifyContext {
  core::Loop* loop = nullptr;
  core::HttpClient* http = nullptr;
  std::shared_ptr<const RenderTemplate> render;
  core::Duration time_left{};  // until the notification's deadline
};

// Immutable after its making; called on the loop thread. A template that does not render is an error that is not
// retried.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual core::Task<NotifyOutcome> Notify(NotifyContext context,
                                           std::shared_ptr<const Notification> notification) const = 0;
};

struct ReceiverKind {
  std::string_view name;  // "slack"; in metrics, logs and the notification log
  std::string_view key;   // "slack_configs"
  std::string_view help;
  core::OptionTable options;
  bool send_resolved = true;  // the default of the option of that name
  // Checks that concern several options add to `errors`; then the Receiver is made of what there is and never used.
  std::unique_ptr<Receiver> (*make)(const core::Options& options, const core::Options& global,
                                    core::ConfigErrors& errors) = nullptr;
};

std::span<const ReceiverKind* const> ReceiverKinds();  // in Alertmanager's order of keys

// The option tables of `global:` and of what every receiver takes (send_resolved, http_config).
core::OptionTable GlobalOptions();
core::OptionTable CommonReceiverOptions();

}  // namespace pipewarden::alertmanager
