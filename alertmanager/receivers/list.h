// All receiver kinds, in Alertmanager's order (the order in which a receiver's integrations are built). A line without
// a file fails at link; a test compares the list with the folder.
#pragma once

#include "alertmanager/receiver.h"

#define PIPEWARDEN_RECEIVERS(X) \
  X(Webhook)                    \
  X(Email)                      \
  X(Pagerduty)                  \
  X(Opsgenie)                   \
  X(Wechat)                     \
  X(Slack)                      \
  X(Victorops)                  \
  X(Pushover)                   \
  X(Sns)                        \
  X(Telegram)                   \
  X(Discord)                    \
  X(Webex)                      \
  X(Msteams)                    \
  X(Msteamsv2)                  \
  X(Jira)                       \
  X(Rocketchat)                 \
  X(Mattermost)                 \
  X(Incidentio)

namespace pipewarden::alertmanager {

#define X(Name) extern const ReceiverKind k##Name##Receiver;
PIPEWARDEN_RECEIVERS(X)
#undef X

}  // namespace pipewarden::alertmanager
