// What the web server shows of the parts: fills the functions of a ServerContext. Each asks the loop, where the parts
// live, and turns what they tell into the views that pages and API write.
#pragma once

#include "agent/pipelines/pipelines.h"
#include "agent/server/context.h"
#include "alertmanager/alertmanager.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "exporters/freshness.h"
#include "exporters/probe_runner.h"
#include "rules/rule_manager.h"

namespace pipewarden::agent {

// They outlive the server that the context is for.
struct StatusSources {
  core::Loop& loop;
  core::TaskGroup& tasks;  // for what is started by a request
  exporters::ProbeRunner& probes;
  exporters::FreshnessRunner& freshness;
  Pipelines& pipelines;
  rules::RuleManager& rules;
};

// The alerting part's. They outlive the server, too.
void FillAlerting(ServerContext& context, core::Loop& loop, core::TaskGroup& tasks,
                  alertmanager::Alertmanager& alertmanager);
// Of the other parts.
void FillStatus(ServerContext& context, StatusSources sources);

}  // namespace pipewarden::agent
