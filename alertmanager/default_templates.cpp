#include "alertmanager/default_templates.h"

#include <string_view>

namespace pipewarden::alertmanager {
namespace {

struct Definition {
  std::string_view name;
  std::string_view body;
};

// What many fields are made of. A body that begins with @ is the name of another template.
constexpr std::string_view kNothing = "";
constexpr std::string_view kSubject = "@__subject";
constexpr std::string_view kProduct = "@__alertmanager";
constexpr std::string_view kLink = "@__alertmanagerURL";
constexpr std::string_view kColor = R"({{ if eq .Status "firing" }}danger{{ else }}good{{ end }})";

constexpr Definition kDefinitions[] = {
    {"__alertmanager", "Alertmanager"},
    {"__alertmanagerURL", "{{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}"},
    // [FIRING:2] values of the group labels (values of the other common labels)
    {"__subject", R"([{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] )"
                  R"({{ join " " .GroupLabels.Values }} )"
                  R"({{ if lt (len .GroupLabels) (len .CommonLabels) -}})"
                  R"(({{ join " " (.CommonLabels.Remove .GroupLabels.Names).Values }}){{ end }})"},
    {"__description", kNothing},

    // Lists of alerts; dot is the list.
    {"__pipewarden_pairs", "{{ range .SortedPairs }} - {{ .Name }} = {{ .Value }}\n{{ end }}"},
    {"__text_alert_list",
     R"({{ range $alert := . }}Labels:
{{ template "__pipewarden_pairs" $alert.Labels }}Annotations:
{{ template "__pipewarden_pairs" $alert.Annotations }}Source: {{ $alert.GeneratorURL }}
{{ end }})"},
    {"__text_alert_list_markdown",
     R"({{ range $alert := . }}
Labels:
{{ range $alert.Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Annotations:
{{ range $alert.Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Source: {{ $alert.GeneratorURL }}
{{ end }}
)"},

    // Firing and resolved alerts of a notification, in the three layouts that receivers show.
    {"__pipewarden_annotations", R"({{ join " " .CommonAnnotations.Values }})"},
    {"__pipewarden_tight",
     "{{ with .Alerts.Firing }}Alerts Firing:\n{{ template \"__text_alert_list\" . }}{{ end }}\n"
     "{{ with .Alerts.Resolved }}Alerts Resolved:\n{{ template \"__text_alert_list\" . }}{{ end }}"},
    {"__pipewarden_wide",
     "\n{{ with .Alerts.Firing }}\nAlerts Firing:\n{{ template \"__text_alert_list\" . }}\n{{ end }}\n"
     "{{ with .Alerts.Resolved }}\nAlerts Resolved:\n{{ template \"__text_alert_list\" . }}\n{{ end }}\n"},
    {"__pipewarden_markdown",
     "\n{{ with .Alerts.Firing }}\n# Alerts Firing:\n{{ template \"__text_alert_list_markdown\" . }}\n{{ end }}\n"
     "{{ with .Alerts.Resolved }}\n# Alerts Resolved:\n{{ template \"__text_alert_list_markdown\" . }}\n{{ end }}\n"},
    {"__pipewarden_summary_tight",
     "{{ template \"__pipewarden_annotations\" . }}\n{{ template \"__pipewarden_tight\" . }}"},
    {"__pipewarden_summary_wide",
     "{{ template \"__pipewarden_annotations\" . }}{{ template \"__pipewarden_wide\" . }}"},

    {"slack.default.title", kSubject},
    {"slack.default.username", kProduct},
    {"slack.default.fallback",
     R"({{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }})"},
    {"slack.default.callbackid", kNothing},
    {"slack.default.pretext", kNothing},
    {"slack.default.titlelink", kLink},
    {"slack.default.iconemoji", kNothing},
    {"slack.default.iconurl", kNothing},
    {"slack.default.text", kNothing},
    {"slack.default.footer", kNothing},
    {"slack.default.color", kColor},
    {"pagerduty.default.description", kSubject},
    {"pagerduty.default.client", kProduct},
    {"pagerduty.default.clientURL", kLink},
    {"pagerduty.default.instances", "@__text_alert_list"},
    {"opsgenie.default.message", kSubject},
    {"opsgenie.default.description", "@__pipewarden_summary_tight"},
    {"opsgenie.default.source", kLink},
    {"wechat.default.message",
     "{{ template \"__subject\" . }}\n{{ template \"__pipewarden_summary_tight\" . }}\nAlertmanagerUrl:\n"
     "{{ template \"__alertmanagerURL\" . }}"},
    {"wechat.default.to_user", kNothing},
    {"wechat.default.to_party", kNothing},
    {"wechat.default.to_tag", kNothing},
    {"wechat.default.agent_id", kNothing},
    {"victorops.default.state_message", "@__pipewarden_summary_tight"},
    {"victorops.default.entity_display_name", kSubject},
    {"victorops.default.monitoring_tool", kProduct},
    {"pushover.default.title", kSubject},
    {"pushover.default.message", "@__pipewarden_summary_wide"},
    {"pushover.default.url", kLink},
    {"sns.default.subject", kSubject},
    {"sns.default.message", "@__pipewarden_summary_wide"},
    {"telegram.default.message", "@__pipewarden_wide"},
    {"discord.default.content", kNothing},
    {"discord.default.title", kSubject},
    {"discord.default.message", "@__pipewarden_wide"},
    {"webex.default.message", "@__pipewarden_summary_wide"},
    {"msteams.default.summary", kSubject},
    {"msteams.default.title", kSubject},
    {"msteams.default.text", "@__pipewarden_markdown"},
    {"msteamsv2.default.title", kSubject},
    {"msteamsv2.default.text", "@__pipewarden_markdown"},
    {"jira.default.summary", kSubject},
    {"jira.default.description", "@__pipewarden_markdown"},
    // The worst severity of what fires, else of what resolved.
    {"jira.default.priority",
     R"({{ $alerts := .Alerts.Firing }}{{ $worst := 0 -}}
{{ range $round := 2 }}{{ if eq $worst 0 }}{{ range $alerts }}{{ $level := 0 -}}
{{ if eq .Labels.severity "info" }}{{ $level = 1 }}{{ else if eq .Labels.severity "warning" }}{{ $level = 2 -}}
{{ else if eq .Labels.severity "critical" }}{{ $level = 3 }}{{ end }}{{ if gt $level $worst }}{{ $worst = $level }}{{ end -}}
{{ end }}{{ $alerts = $.Alerts.Resolved }}{{ end }}{{ end -}}
{{ if eq $worst 3 }}High{{ else if eq $worst 2 }}Medium{{ else if eq $worst 1 }}Low{{ end }})"},
    {"rocketchat.default.title", kSubject},
    {"rocketchat.default.alias", kProduct},
    {"rocketchat.default.titlelink", kLink},
    {"rocketchat.default.emoji", kNothing},
    {"rocketchat.default.iconurl", kNothing},
    {"rocketchat.default.text", kNothing},
    {"mattermost.default.color", kColor},
    {"mattermost.default.username", kProduct},
    {"mattermost.default.title", kSubject},
    {"mattermost.default.titlelink", kLink},
    {"mattermost.default.fallback",
     R"({{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }})"},
    {"mattermost.default.text", "@__pipewarden_markdown"},

    {"email.default.subject", kSubject},
    {"email.default.text",
     R"({{ template "__subject" . }}

{{ template "__pipewarden_summary_tight" . }}
{{ template "__alertmanagerURL" . }}
)"},
    {"__pipewarden_html_pairs",
     R"({{ range .SortedPairs }}<tr><td style="padding:1px 12px 1px 0;color:#555">{{ .Name }}</td>)"
     R"(<td style="padding:1px 0">{{ .Value }}</td></tr>
{{ end }})"},
    {"__pipewarden_html_alerts",
     R"({{ range . }}<table style="border-top:1px solid #ddd;margin:0 0 12px;padding:8px 0;width:100%;font-size:14px">
<tr><td colspan="2" style="font-weight:bold">{{ .Labels.alertname }} <span style="font-weight:normal;color:#777">since )"
     R"({{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}</span></td></tr>
{{ template "__pipewarden_html_pairs" .Labels }}{{ with .Annotations }}<tr><td colspan="2" style="padding-top:6px">)"
     R"(<b>Annotations</b></td></tr>
{{ template "__pipewarden_html_pairs" . }}{{ end }}{{ with .GeneratorURL }}<tr><td colspan="2" style="padding-top:6px">)"
     R"(<a href="{{ . }}">Source</a></td></tr>
{{ end }}</table>
{{ end }})"},
    {"email.default.html",
     R"(<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ template "__subject" . }}</title>
</head>
<body style="margin:0;padding:16px;background:#f4f5f7;font-family:Helvetica,Arial,sans-serif;color:#222">
<div style="max-width:640px;margin:0 auto;background:#fff;border:1px solid #ddd">
<div style="padding:14px 20px;color:#fff;font-size:16px;background:{{ if .Alerts.Firing }}#c62828{{ else }}#2e7d32{{ end }}">
{{ len .Alerts }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for {{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}
</div>
<div style="padding:16px 20px">
<p style="margin:0 0 16px"><a href="{{ template "__alertmanagerURL" . }}">View in {{ template "__alertmanager" . }}</a></p>
{{ with .Alerts.Firing }}<h3 style="margin:0 0 8px;color:#c62828">[{{ len . }}] Firing</h3>
{{ template "__pipewarden_html_alerts" . }}{{ end }}{{ with .Alerts.Resolved }}<h3 style="margin:0 0 8px;color:#2e7d32">)"
     R"([{{ len . }}] Resolved</h3>
{{ template "__pipewarden_html_alerts" . }}{{ end }}</div>
<div style="padding:10px 20px;color:#777;font-size:12px;border-top:1px solid #ddd">Sent by )"
     R"(<a href="{{ .ExternalURL }}">{{ template "__alertmanager" . }}</a></div>
</div>
</body>
</html>
)"},
};

}  // namespace

std::string DefaultTemplates() {
  std::string text;
  for (const Definition& definition : kDefinitions) {
    text += "{{ define \"" + std::string(definition.name) + "\" }}";
    if (definition.body.starts_with('@')) {
      text += "{{ template \"" + std::string(definition.body.substr(1)) + "\" . }}";
    } else {
      text += definition.body;
    }
    text += "{{ end }}\n";
  }
  return text;
}

}  // namespace pipewarden::alertmanager
