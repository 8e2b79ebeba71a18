"""Snippets of templates for template_differential_test.py: well formed or torn, typed rightly or wrongly, over all of Go's
language and all that Alertmanager adds to it."""
import json

DATA = {
    "receiver": "team-x", "status": "firing", "externalURL": "http://am:9093/base", "notification_reason": "new alerts",
    "groupLabels": {"alertname": "Disk", "cluster": "c1"},
    "commonLabels": {"alertname": "Disk", "cluster": "c1", "env": "prod"},
    "commonAnnotations": {"team": "a <b> & \"c\" 'd'"},
    "routeLabels": {"tier": "gold", "said": "{{ .Status | toUpper }}-{{ routeLabels \"tier\" }}", "loop": "{{ routeLabels \"loop\" }}"},
    "alerts": [
        {"status": "firing", "labels": {"alertname": "Disk", "cluster": "c1", "env": "prod", "disk": "sda", "n": "7"},
         "annotations": {"summary": "full: 95% + \u00e9\u4e16 \U0001f600\t\u0001", "team": "a <b> & \"c\" 'd'"},
         "startsAt": "2026-01-02T03:04:05.123456789Z", "endsAt": "0001-01-01T00:00:00Z",
         "generatorURL": "http://prom/graph?g0.expr=up+%3D%3D+0&x=<1>", "fingerprint": "b637e9a512c6c581"},
        {"status": "resolved", "labels": {"alertname": "Disk", "cluster": "c1", "env": "prod", "disk": "sdb"},
         "annotations": {"team": "a <b> & \"c\" 'd'"},
         "startsAt": "2026-03-29T00:30:00Z", "endsAt": "2026-03-29T02:45:10Z",
         "generatorURL": "javascript:alert(1)", "fingerprint": "c821dab133dc409d"}],
}

STRINGS = ['"abc"', '"a<b>&\\"q\\""', '"x y+z/1"', '""', '"%d"', '"Ab.c-d"', "`raw`", '"\\u00e9\\n\\t\\x41"', '"3661.5"', '"12"',
           '"a%20b%2Fc"', '"b\u00fccher \u0130 \u01c6 o\'neil"', '"YWJj"', '" pad\\n"', ".Status", ".Receiver", ".ExternalURL",
           ".CommonLabels.env", ".CommonLabels.nope", "(index .Alerts 0).Annotations.summary", ".CommonAnnotations.team",
           "(index .Alerts 1).GeneratorURL", "(index .Alerts 0).GeneratorURL", "(index .Alerts 0).Labels.disk", "$.Status",
           ".NotificationReason", ".RouteLabels.tier", '(routeLabels "said")', '(index .Alerts 0).Fingerprint']
NUMBERS = ["1", "0", "-3", "42", "0x1f", "'a'", "0b101", "0o17", "1_000", "(len .Alerts)", "(len .CommonLabels)", "1e2", "2.5", "1000000.0",
           "1e21", ".5", "1.5e-7", "0x1p4", "9223372036854775807", "-0.0", "(len .Status)", "'\\n'", "'\u4e16'", "+7", "017"]
TIMES = ["(index .Alerts 0).StartsAt", "(index .Alerts 1).StartsAt", "(index .Alerts 1).EndsAt", "(index .Alerts 0).EndsAt"]
LAYOUTS = ['"2006-01-02T15:04:05Z07:00"', '"Mon Jan _2 15:04:05 2006"', '"02 Jan 06 15:04 MST"', '"3:04PM .000"', '"03:4:5 pm,999"',
           '"2006 002 .999999999 -0700"', '"Monday, January 2"', '"__2 1 -07 Z0700 -07:00:00"', '"06-1-2"', '"no time"', '""',
           '"15h04 \u00e9 2006"', '"20060102150405"']
DURATIONS = ["((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt)", "((index .Alerts 0).StartsAt.Sub (index .Alerts 1).EndsAt)",
             "((index .Alerts 0).EndsAt.Sub (index .Alerts 0).StartsAt)"]
LISTS = [".CommonLabels.Names", ".CommonLabels.Values", "(.CommonLabels.Remove .GroupLabels.Names).Values",
         '(stringSlice "b" "a" "c")', ".GroupLabels.SortedPairs.Values", ".CommonLabels.SortedPairs.Names", "stringSlice"]
MAPS = [".CommonLabels", ".GroupLabels", "(index .Alerts 0).Labels", ".CommonAnnotations", "(.CommonLabels.Remove .GroupLabels.Names)",
        ".RouteLabels", '(.CommonLabels.Remove (stringSlice "env" "x"))']
ZONES = ['"Europe/Berlin"', '"America/New_York"', '"UTC"', '"Local"', '""', '"Asia/Kolkata"', '"No/Where"']
VERBS = ["%v", "%s", "%d", "%q", "%5v|", "%-6v|", "%05d", "%x", "%.2f", "%8.3f", "%e", "%g", "%t", "%c", "%U", "%+d", "%T", "%%", "%6.2v|",
         "%X", "%o", "%b", "%#x", "% d", "%[1]v %[1]v", "%!", "%z", "%+v", "%#q", "%+q", "%x", "% x", "%# x", "%O", "%#o", "%G", "%E",
         "%-05d|", "%08.3f", "%+.3e", "%[2]v", "%[3]v", "%*d", "%.*f", "%[1]*v", "%", "%.", "%5", "%\u00e9", "%.3s", "%6.1s|", "%-4q|",
         "%.1q", "%#U", "%w", "%p", "%5%", "%F", "%06s", "%010v|", "%i", "a%vb%vc"]
REGEXES = ["`^a`", "`b.*c`", "`[A-Z]`", "`a(.)`", "`[0-9]+`", "`x*`", "`(?P<w>.)b`", "`(?i)PROD`", "`(`", "`a**`", "`\\d{2,}`", "`\\pL+`", "``"]
REPLACEMENTS = ["`$1`", "`-`", "`${w}!`", "`$0$$`", "`$1x`", "`${1}x`", "`$`", "`${`", "`$9`", "``"]
KEYWORDS = ["{{", "}}", "{{-", "-}}", " ", "|", "(", ")", ".", "$", "$x", ":=", "=", ",", "end", "else", "if", "range", "with", "define", "block",
            "template", "break", "continue", "nil", "true", "\"", "`", "'", "/*", "*/", "0x", "1.2.3", "..", ".1a", "5i", "%", "\u00e9", "!", "#",
            "\\", "\n", "nofunc", ".Nope", "{{ end }}", "{{ else }}", "{{ break }}", "{{ nil }}", "{{ . }}", "{{/* c */}}", "1+2i", ":", "$y"]


class Snippets:
    def __init__(self, random, in_html):
        self.random = random
        self.html = in_html
        self.defined = 0

    def pick(self, options):
        return self.random.choice(options)

    def chance(self, probability):
        return self.random.random() < probability

    def text(self, depth=0):
        if depth > 2 or self.chance(0.4):
            return self.pick(STRINGS)
        t, v, n = (lambda: self.text(depth + 1)), (lambda: self.value(depth + 1)), (lambda: self.number(depth + 1))
        lists, times = (lambda: self.list(depth + 1)), (lambda: self.time(depth + 1))
        return "(" + self.pick([
            lambda: f"{self.pick(['toUpper', 'toLower', 'title', 'trimSpace', 'urlUnescape', 'safeHtml', 'safeUrl'])} {t()}",
            lambda: f"{self.pick(['html', 'urlquery', 'js', 'print', 'println', 'toJson'])} {v()}",
            lambda: f"{self.pick(['base64encode', 'base64decode'])} {t()}",
            lambda: f"{self.pick(['html', 'urlquery', 'js', 'print', 'println'])} {v()} {v()}",
            lambda: f"join {t()} {lists()}",
            lambda: f"{lists()}.Join {t()}",
            lambda: f"reReplaceAll {self.pick(REGEXES)} {self.pick(REPLACEMENTS)} {t()}",
            lambda: f"printf {json.dumps(self.pick(VERBS), ensure_ascii=False)} {v()}",
            lambda: f"printf {json.dumps(self.pick(VERBS), ensure_ascii=False)} {n()}",
            lambda: f"printf {json.dumps(self.pick(VERBS) + self.pick(VERBS), ensure_ascii=False)} {v()} {v()}",
            lambda: f"printf \"%v-%v\" {v()} {v()}",
            lambda: f"{times()}.Format {self.pick(LAYOUTS)}",
            lambda: f"date {self.pick(LAYOUTS)} {times()}",
            lambda: f"humanizeDuration {self.pick([t, n, lambda: self.pick(DURATIONS), v])()}",
            lambda: f"slice {t()} {self.pick(['0', '1', '2'])} {self.pick(['2', '3', '1', ''])}",
            lambda: f"slice {lists()} {self.pick(['', '0', '1'])} {self.pick(['1', '2', '7', '0 1 2'])}",
            lambda: f"or {t()} {t()}",
            lambda: f"and {v()} {t()}",
            lambda: f"or {v()} {v()} {v()}",
            lambda: f"index {lists()} {self.pick(['0', '1', '9', '-1', n()])}",
            lambda: f"index {self.map(depth + 1)} {t()}",
            lambda: f"index {v()} {v()}",
            lambda: f"(index .Alerts {self.pick(['0', '1', '2'])}).{self.pick(['Status', 'Fingerprint', 'Labels.disk', 'Labels.env', 'Annotations.summary', 'Nope'])}",
            lambda: f"(index .CommonLabels.SortedPairs {self.pick(['0', '1', '5'])}).{self.pick(['Name', 'Value', 'Value', 'Other'])}",
            lambda: f"routeLabels {self.pick(['`tier`', '`said`', '`nope`', '`loop`', t()])}",
            lambda: f"call {v()} {v()}",
            lambda: f"{v()} | {self.pick(['print', 'html', 'toUpper', 'len', 'printf `%v`', 'toJson', 'js'])}",
            lambda: f"index (dict `a` {v()} `b` {v()}) {self.pick(['`a`', '`b`', '`c`'])}",
            lambda: f"index (list {v()} {v()}) {self.pick(['0', '1', '2'])}",
            lambda: f"(dict `a` {t()} `Status` {v()}).{self.pick(['a', 'Status', 'Nope'])}",
        ])() + ")"

    def number(self, depth=0):
        if depth > 2 or self.chance(0.6):
            return self.pick(NUMBERS)
        return self.pick([lambda: f"(len {self.text(depth + 1)})", lambda: f"(len {self.list(depth + 1)})", lambda: f"(len {self.value(depth + 1)})",
                          lambda: f"{self.time(depth + 1)}.{self.pick(['Unix', 'UnixMilli', 'UnixMicro', 'UnixNano', 'Year', 'Hour', 'Minute', 'Second', 'YearDay', 'Nanosecond', 'Day', 'Month', 'Weekday'])}",
                          lambda: f"({self.time(depth + 1)}.Compare {self.time(depth + 1)})",
                          lambda: f"{self.duration(depth + 1)}.{self.pick(['Hours', 'Minutes', 'Seconds', 'Milliseconds', 'Microseconds', 'Nanoseconds'])}",
                          lambda: f"(index {self.text(depth + 1)} 0)"])()

    def time(self, depth=0):
        if depth > 2 or self.chance(0.6):
            return self.pick(TIMES)
        t = lambda: self.time(depth + 1)  # noqa: E731
        return "(" + self.pick([
            lambda: f"{t()}.Add {self.pick(['28800e9', '-1', '5000000000', self.duration(depth + 1), self.number(depth + 1)])}",
            lambda: f"{t()}.AddDate {self.pick(['0 1 0', '1 -13 45', '-1 0 0', '0 0 1', '1 2'])}",
            lambda: f"{t()}.{self.pick(['UTC', 'Local', 'UTC.UTC'])}",
            lambda: f"tz {self.pick(ZONES)} {t()}",
            lambda: f"{t()}.{self.pick(['Truncate', 'Round'])} {self.pick(['3600000000000', '60e9', '1', '0', '86400000000000'])}",
            lambda: f"{self.pick(['toDate', 'mustToDate'])} {self.pick(LAYOUTS)} {self.pick([self.text(depth + 1), t() + '.String', '`2026-07-08T09:10:11+02:00`', '`20260708091011`', '`26-7-8`'])}",
            lambda: f"toDate `2006-01-02` {self.pick(['`2026-02-28`', '`2026-02-30`', '`2026-2-3`', '``'])}",
        ])() + ")"

    def duration(self, depth=0):
        if depth > 2 or self.chance(0.5):
            return self.pick(DURATIONS)
        return "(" + self.pick([
            lambda: f"{self.time(depth + 1)}.Sub {self.time(depth + 1)}",
            lambda: f"{self.duration(depth + 1)}.{self.pick(['Truncate', 'Round'])} {self.pick(['1000000000', '60e9', '3600000000000', '7', '0'])}",
            lambda: f"{self.duration(depth + 1)}.Abs",
        ])() + ")"

    def list(self, depth=0):
        if depth > 2 or self.chance(0.6):
            return self.pick(LISTS)
        return "(" + self.pick([
            lambda: f"{self.map(depth + 1)}.{self.pick(['Names', 'Values', 'SortedPairs.Names', 'SortedPairs.Values', 'SortedPairs'])}",
            lambda: f"stringSlice {self.text(depth + 1)} {self.text(depth + 1)}",
            lambda: f"list {self.value(depth + 1)} {self.value(depth + 1)}",
            lambda: f"append (list {self.value(depth + 1)}) {self.value(depth + 1)}",
            lambda: f"append {self.list(depth + 1)} {self.text(depth + 1)}",
            lambda: f"slice {self.list(depth + 1)} 1",
            lambda: "list",
        ])() + ")"

    def map(self, depth=0):
        if depth > 2 or self.chance(0.7):
            return self.pick(MAPS)
        return "(" + self.pick([
            lambda: f"{self.map(depth + 1)}.Remove {self.list(depth + 1)}",
            lambda: f"dict {self.text(depth + 1)} {self.value(depth + 1)} \"k\" {self.value(depth + 1)}",
            lambda: f"dict {self.value(depth + 1)} {self.value(depth + 1)}",
            lambda: f"dict \"k\" {self.value(depth + 1)} {self.value(depth + 1)}",
        ])() + ")"

    def value(self, depth=0):
        return self.pick([
            self.text, self.text, self.text, self.number, self.time, self.duration, self.list, self.map, self.condition,
            lambda d: self.pick([".Alerts.Firing", ".Alerts.Resolved", ".Alerts", "(index .Alerts 0)", ".", "$"]) if self.chance(0.5) else self.text(d),
            lambda d: self.pick([".CommonLabels.SortedPairs", "(index .CommonLabels.SortedPairs 1)", "nil", "true", "false", "(dict)",
                                 "(index (dict `a` 1) `b`)", ".Nope", ".Status.Nope", ".CommonLabels.a.b", "toUpper", "now.IsZero",
                                 "(index .Alerts 0).StartsAt.Location", "(index .Alerts 0).StartsAt.Date", "(index .Alerts 0).StartsAt.Zone"])
            if self.chance(0.3) else self.number(d)])(depth)

    def condition(self, depth=0):
        t, n, v = (lambda: self.text(depth + 1)), (lambda: self.number(depth + 1)), (lambda: self.value(depth + 1))
        return "(" + self.pick([
            lambda: f"eq {t()} {t()}", lambda: f"eq {t()} {t()} {t()}",
            lambda: f"{self.pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])} {n()} {n()}",
            lambda: f"not {v()}", lambda: f"match {self.pick(REGEXES)} {t()}", lambda: f"{self.pick(['lt', 'le', 'gt', 'ge'])} {t()} {t()}",
            lambda: f"{self.pick(['eq', 'ne', 'lt', 'ge'])} {v()} {v()}", lambda: f"and {v()} {v()}",
            lambda: f"{self.time(depth + 1)}.{self.pick(['Before', 'After', 'Equal'])} {self.time(depth + 1)}",
            lambda: f"{self.time(depth + 1)}.IsZero", lambda: f"eq {v()}", lambda: f"gt (since {self.pick(TIMES)}) 0",
            lambda: f"eq {self.duration(depth + 1)} {self.pick(['0', '1', '6670000000000'])}",
        ])() + ")"

    def markup(self):
        if not self.html:
            return self.pick(["", " ", "x", "\n", "a <b> & c", "  \n\t", "}}", "{ {", "\u00e9"])
        return self.pick(["", " ", "x", "<p>", "</p>", "<br/>", "a < b", "&amp;", "<!-- c -->", "<b title='t'>", "\n", "<td class=\"a b\">",
                          "<!DOCTYPE html>", "<H1>", "</p >"])

    def printed(self):
        action = self.pick(["{{ %s }}", "{{- %s -}}", "{{%s}}", "{{ %s -}} ", " {{- %s }}", "{{ %s\n}}"]) % \
            self.pick([self.value, self.value, self.pipeline])()
        if not self.html or self.chance(0.5):
            return action
        return self.pick(['<a href="%s">', "<a href='%s'>", '<p title="%s">', "<p title=%s>", '<a href="/x?q=%s&amp;r=1">', "<textarea>%s</textarea>",
                          "<title>%s</title>", '<a href="http://h/%s">', '<i data-x="%s">', '<a href="#%s">', '<img src="%s">', "<!-- %s -->",
                          "<a href=%s>", "<a href=/p?x=%s>", '<input value="%s" checked>', '<form action="%s">', "<p>%s</p>", "<td width=%s>", '<i data-%s>',
                          '<a onclick="f(%s)">' if self.chance(0.2) else "<u>%s</u>"]) % action

    def pipeline(self):
        return self.pick([
            lambda: f"{self.text()} | toUpper | printf \"%s!\"", lambda: f"{self.list()} | join \",\" | toLower", lambda: f"{self.value()} | print",
            lambda: f"{self.value()} | printf \"%v %v\" {self.value()}", lambda: f"{self.text()} | len | printf \"%03d\"",
            lambda: f"{self.value()} | {self.pick(['len', 'not', 'toJson', 'print 1', 'eq 1', 'index .Alerts', 'html', 'urlquery', 'js', '.Status', '1', '`x`'])}",
            lambda: f"{self.value()} | or {self.value()} | and {self.value()}", lambda: f"$v := {self.value()}", lambda: f"$.Alerts.Firing | len",
            lambda: f"{self.pick(['safeHtml', 'safeUrl'])} {self.text()}", lambda: f"{self.text()} | safeHtml | {self.pick(['len', 'printf `%s`', 'print', 'html'])}"])()

    def block(self, depth=0):
        if depth > 2:
            return self.printed()
        inner = lambda: self.markup() + self.block(depth + 1)  # noqa: E731
        return self.pick([
            self.printed, self.printed, lambda: inner() + inner(),
            lambda: "{{ if %s }}%s{{ else }}%s{{ end }}" % (self.value(), inner(), inner()),
            lambda: "{{ if %s }}%s{{ else if %s }}%s{{ else }}%s{{ end }}" % (self.value(), inner(), self.condition(), inner(), inner()),
            lambda: "{{- if not %s -}} %s {{- end -}} " % (self.value(), inner()),
            lambda: "{{ range .Alerts }}{{ .Status }}%s{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}{{ end }}" % self.markup(),
            lambda: "{{ range $i, $v := %s }}{{ $i }}:{{ $v }}%s{{ else }}%s{{ end }}" % (self.ranged(), self.markup(), self.markup()),
            lambda: "{{ range $v := %s }}%s{{ $v }}{{ end }}" % (self.ranged(), self.markup()),
            lambda: "{{ range %s }}{{ . }}%s{{ end }}" % (self.ranged(), self.markup()),
            lambda: "{{ $i := 0 }}{{ range $i = %s }}{{ $i }};{{ end }}{{ $i }}" % self.pick([self.list(), "2"]),
            lambda: "{{ $k := 1 }}{{ $e := 2 }}{{ range $k, $e = %s }}{{ end }}{{ $k }}{{ $e }}" % self.list(),
            lambda: "{{ with %s }}[{{ . }}]{{ else }}none{{ end }}" % self.value(),
            lambda: "{{ with $w := %s }}[{{ $w }}]{{ else with %s }}({{ . }}){{ else }}none{{ end }}" % (self.value(), self.value()),
            lambda: "{{ $x := %s }}%s{{ $x }}" % (self.value(), inner()),
            lambda: "{{ $x := %s }}{{ if %s }}{{ $x = %s }}{{ end }}{{ $x }}" % (self.value(), self.value(), self.value()),
            lambda: "{{ $x := . }}{{ $x.Status }}{{ $x.%s }}" % self.pick(["CommonLabels.env", "Alerts.Firing", "Nope", "Alerts.Firing.Nope", "GroupLabels.Names"]),
            lambda: "{{ range .Alerts.Firing }}{{ if eq .Status \"firing\" }}{{ .StartsAt.Year }}{{ break }}{{ end }}{{ end }}",
            lambda: "{{ range $i, $a := .Alerts }}{{ if %s }}{{ continue }}{{ end }}{{ $i }}{{ .Labels.disk }}{{ end }}" % self.pick(["$i", "not $i", "eq .Status `resolved`"]),
            lambda: self.define(inner), lambda: self.define(inner),
            lambda: "{{ block \"b%d\" %s }}%s{{ . }}{{ end }}" % (depth, self.value(), self.markup()),
            lambda: "{{ template \"%s\" . }}" % self.pick(["__subject", "slack.default.title", "slack.default.fallback", "slack.default.titlelink",
                                                         "opsgenie.default.description", "telegram.default.message", "nowhere", "__text_alert_list"]),
            lambda: "{{ template \"__text_alert_list\" .Alerts.%s }}" % self.pick(["Firing", "Resolved"]),
            lambda: "{{/* c */ -}} " + inner(), lambda: "{{- /* c {{ */ -}}" + inner(), lambda: "{{ break }}" if self.chance(0.1) else inner(),
        ])()

    def ranged(self):
        """No large numbers: amtool counts up to them."""
        return self.pick([self.list, self.map, self.text, self.condition, self.time, lambda: self.pick(
            ["3", "0", "-1", "(len .Alerts)", "nil", ".", ".Alerts", ".CommonLabels.SortedPairs", "2.5", "'\\x03'", "true"])])()

    def define(self, inner):
        self.defined += 1
        name = f"t{self.defined}"
        body = "<{{ . }}>" if self.chance(0.5) else inner()
        return "{{ define \"%s\" }}%s{{ end }}{{ template \"%s\" %s }}" % (name, body, name, self.pick([self.value(), ".", ".", ""]))

    def torn(self, text):
        """One to three small wounds."""
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randrange(len(text) + 1)
            to = min(len(text), at + self.random.randrange(1, 6))
            text = self.pick([lambda: text[:at] + text[to:], lambda: text[:at] + self.pick(KEYWORDS) + text[at:],
                              lambda: text[:at] + self.pick(KEYWORDS) + text[to:], lambda: text[:at] + text[at:to] * 2 + text[to:],
                              lambda: text[:at]])()
        return text

    def template(self):
        text = self.markup() + self.block() + self.markup()
        return self.torn(text) if self.chance(0.2) else text
