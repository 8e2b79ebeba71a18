"""Templates against amtool: generated snippets, in text and in HTML, give what Alertmanager's own renderer gives, and
where it refuses one, so do we. Arguments: [COUNT [SEED]]."""
import html
import json
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

DATA = {
    "receiver": "team-x", "status": "firing", "externalURL": "http://am:9093/base",
    "groupLabels": {"alertname": "Disk", "cluster": "c1"},
    "commonLabels": {"alertname": "Disk", "cluster": "c1", "env": "prod"},
    "commonAnnotations": {"team": "a <b> & \"c\" 'd'"},
    "alerts": [
        {"status": "firing", "labels": {"alertname": "Disk", "cluster": "c1", "env": "prod", "disk": "sda", "n": "7"},
         "annotations": {"summary": "full: 95% + \u00e9\u4e16", "team": "a <b> & \"c\" 'd'"},
         "startsAt": "2026-01-02T03:04:05.123456789Z", "endsAt": "0001-01-01T00:00:00Z",
         "generatorURL": "http://prom/graph?g0.expr=up+%3D%3D+0&x=<1>", "fingerprint": ""},
        {"status": "resolved", "labels": {"alertname": "Disk", "cluster": "c1", "env": "prod", "disk": "sdb"},
         "annotations": {"team": "a <b> & \"c\" 'd'"},
         "startsAt": "2026-03-29T00:30:00Z", "endsAt": "2026-03-29T02:45:10Z",
         "generatorURL": "javascript:alert(1)", "fingerprint": ""}],
}

STRINGS = ['"abc"', '"a<b>&\\"q\\""', '"x y+z/1"', '""', '"%d"', '"Ab.c-d"', "`raw`", ".Status", ".Receiver", ".ExternalURL",
           ".CommonLabels.env", ".CommonLabels.nope", '(index .Alerts 0).Annotations.summary', ".CommonAnnotations.team",
           "(index .Alerts 1).GeneratorURL", "(index .Alerts 0).GeneratorURL", "(index .Alerts 0).Labels.disk"]
NUMBERS = ["1", "0", "-3", "42", "0x1f", "'a'", "(len .Alerts)", "(len .CommonLabels)", "1e2", "2.5", "1000000.0", "1e21", ".5",
           "(len .Status)"]
TIMES = ["(index .Alerts 0).StartsAt", "(index .Alerts 1).StartsAt", "(index .Alerts 1).EndsAt", "(index .Alerts 0).EndsAt"]
LAYOUTS = ['"2006-01-02T15:04:05Z07:00"', '"Mon Jan _2 15:04:05 2006"', '"02 Jan 06 15:04 MST"', '"3:04PM .000"',
           '"2006 002 .999999999 -0700"', '"Monday, January 2"']
DURATIONS = ["((index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt)", "((index .Alerts 0).StartsAt.Sub (index .Alerts 1).EndsAt)"]
LISTS = [".CommonLabels.Names", ".CommonLabels.Values", "(.CommonLabels.Remove .GroupLabels.Names).Values",
         '(stringSlice "b" "a" "c")', ".GroupLabels.SortedPairs.Values"]
VERBS = ["%v", "%s", "%d", "%q", "%5v|", "%-6v|", "%05d", "%x", "%.2f", "%8.3f", "%e", "%g", "%t", "%c", "%U", "%+d", "%T", "%%", "%6.2v|",
         "%X", "%o", "%b", "%#x", "% d", "%[1]v %[1]v", "%!", "%z"]


class Generator:
    def __init__(self, seed, in_html):
        self.random = random.Random(seed)
        self.html = in_html

    def pick(self, options):
        return self.random.choice(options)

    def text(self, depth=0):
        r = self.random.random()
        if depth > 2 or r < 0.4:
            return self.pick(STRINGS)
        return "(" + self.pick([
            lambda: f"{self.pick(['toUpper', 'toLower', 'html', 'urlquery', 'js', 'print'])} {self.text(depth + 1)}",
            lambda: f"join {self.text(depth + 1)} {self.pick(LISTS)}",
            lambda: f'reReplaceAll {self.pick(["`a(.)`", "`[0-9]+`", "`x*`", "`(?P<w>.)b`"])} {self.pick(["`$1`", "`-`", "`${w}!`", "`$0$$`"])} {self.text(depth + 1)}',
            lambda: f"printf {self.pick([json.dumps(v) for v in VERBS])} {self.value(depth + 1)}",
            lambda: f"printf \"%v-%v\" {self.value(depth + 1)} {self.value(depth + 1)}",
            lambda: f"{self.pick(TIMES)}.Format {self.pick(LAYOUTS)}",
            lambda: f"slice {self.text(depth + 1)} {self.pick(['0', '1', '2'])} {self.pick(['2', '3', '1'])}",
            lambda: f"or {self.text(depth + 1)} {self.text(depth + 1)}",
            lambda: f"and {self.value(depth + 1)} {self.text(depth + 1)}",
            lambda: f"index {self.pick(LISTS)} {self.pick(['0', '1', '9'])}",
            lambda: f"index .CommonLabels {self.text(depth + 1)}",
        ])() + ")"

    def number(self, depth=0):
        if depth > 2 or self.random.random() < 0.6:
            return self.pick(NUMBERS)
        return self.pick([lambda: f"(len {self.text(depth + 1)})", lambda: f"(len {self.pick(LISTS)})",
                          lambda: f"{self.pick(TIMES)}.{self.pick(['Unix', 'Year', 'Hour', 'YearDay', 'Nanosecond', 'Day', 'Month', 'Weekday'])}",
                          lambda: f"{self.pick(DURATIONS)}.{self.pick(['Hours', 'Minutes', 'Seconds'])}"])()

    def value(self, depth=0):
        return self.pick([self.text, self.text, self.number, lambda d: self.pick(TIMES), lambda d: self.pick(DURATIONS),
                          lambda d: self.pick(LISTS), self.condition, lambda d: f"({self.pick(DURATIONS)}.Truncate {self.pick(['1000000000', '60e9', '3600000000000'])})",
                          lambda d: f"({self.pick(TIMES)}.Add {self.pick(['28800e9', '-1', '5000000000'])})"])(depth)

    def condition(self, depth=0):
        return "(" + self.pick([
            lambda: f"eq {self.text(depth + 1)} {self.text(depth + 1)}", lambda: f"{self.pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])} {self.number(depth + 1)} {self.number(depth + 1)}",
            lambda: f"not {self.value(depth + 1)}", lambda: f'match {self.pick(["`^a`", "`b.*c`", "`[A-Z]`"])} {self.text(depth + 1)}',
            lambda: f"lt {self.text(depth + 1)} {self.text(depth + 1)}", lambda: f"eq {self.value(depth + 1)} {self.value(depth + 1)}",
        ])() + ")"

    def markup(self):
        if not self.html:
            return self.pick(["", " ", "x", "\n", "a <b> & c"])
        return self.pick(["", " ", "x", "<p>", "</p>", "<br/>", "a < b", "&amp;", "<!-- c -->", "<b title='t'>"])

    def printed(self):
        action = self.pick(["{{ %s }}", "{{- %s -}}", "{{%s}}", "{{ %s -}} "]) % self.pick([self.value, self.value, self.pipeline])()
        if not self.html or self.random.random() < 0.5:
            return action
        return self.pick(['<a href="%s">', "<a href='%s'>", '<p title="%s">', "<p title=%s>", '<a href="/x?q=%s&amp;r=1">', "<textarea>%s</textarea>",
                          "<title>%s</title>", '<a href="http://h/%s">', '<i data-x="%s">', '<a href="#%s">', '<img src="%s">', "<!-- %s -->"]) % action

    def pipeline(self):
        return self.pick([f"{self.text()} | toUpper | printf \"%s!\"", f"{self.pick(LISTS)} | join \",\" | toLower", f"{self.value()} | print",
                          f"{self.value()} | printf \"%v %v\" {self.value()}", f"{self.text()} | len | printf \"%03d\""])

    def block(self, depth=0):
        if depth > 2:
            return self.printed()
        inner = lambda: self.markup() + self.block(depth + 1)  # noqa: E731
        return self.pick([
            self.printed, self.printed, lambda: inner() + inner(),
            lambda: "{{ if %s }}%s{{ else }}%s{{ end }}" % (self.value(), inner(), inner()),
            lambda: "{{ range .Alerts }}{{ .Status }}%s{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}{{ end }}" % self.markup(),
            lambda: "{{ range $i, $v := %s }}{{ $i }}:{{ $v }}%s{{ end }}" % (self.pick(LISTS), self.markup()),
            lambda: "{{ with %s }}[{{ . }}]{{ else }}none{{ end }}" % self.value(),
            lambda: "{{ $x := %s }}%s{{ $x }}" % (self.value(), inner()),
            lambda: "{{ range .Alerts.Firing }}{{ if eq .Status \"firing\" }}{{ .StartsAt.Year }}{{ break }}{{ end }}{{ end }}",
            lambda: "{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" %s }}" % self.value(),
            lambda: "{{ template \"%s\" . }}" % self.pick(["__subject", "slack.default.title", "slack.default.fallback", "slack.default.titlelink"]),
            lambda: "{{/* c */ -}} " + inner(),
        ])()

    def template(self):
        return self.markup() + self.block() + self.markup()


def render(command):
    done = subprocess.run(command, capture_output=True, timeout=30)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").strip()


# Where the real one is known to differ, with the reason; counted and said.
def known(text, in_html, ours, theirs):
    if in_html and "printed" in ours[2]:
        return "values in scripts are refused by us"
    if in_html and theirs[0] != 0 and ours[0] == 0 and ("ambiguous context" in theirs[2] or "different contexts" in theirs[2] or
                                                         "ends in a non-text context" in theirs[2]):
        return "html/template demands that branches agree, we follow what is written"
    if in_html and theirs[0] != 0 and "predefined escaper" in theirs[2]:
        return "html and urlquery inside of pipelines"
    if in_html and ("html" in text or "urlquery" in text):
        return "html within a nested call"
    if "printf" in text and ("%!" in theirs[1] or "%!" in ours[1] or html.unescape(ours[1]) == html.unescape(theirs[1])):
        return "complaints of printf show Go's types of constants"
    if re.search(r'printf "%[^"vsq]*[a-uw-zA-Z%!]', text) and (".StartsAt" in text or ".EndsAt" in text):
        return "a time by a verb for numbers shows its inner fields"
    if "%T" in text:
        return "lists of labels have a named type in newer Alertmanagers"
    if "<nil>" in theirs[1] + ours[1]:
        return "nil"
    return ""


def test(folder):
    amtool = lib.debian("prometheus-alertmanager", "usr/bin/amtool")
    defaults = lib.debian("prometheus-alertmanager", "usr/share/prometheus/alertmanager/default.tmpl")
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else lib.count(60, 300, 3000)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"{tries} templates, seed {seed}", flush=True)
    binary = lib.BUILD / "pipewarden"
    if not binary.exists():
        lib.skip(f"{binary} is not built")
    differences, explained, rendered = [], {}, 0
    data = folder / "data.json"
    data.write_text(json.dumps(DATA))
    for i in range(tries):
        in_html = i % 2 == 1
        kind = "html" if in_html else "text"
        text = Generator(f"{seed}-{i}", in_html).template()
        theirs = render([amtool, "template", "render", f"--template.glob={defaults}", f"--template.text={text}",
                         f"--template.type={kind}", f"--template.data={data}"])
        ours = render([binary, "template", f"--text={text}", f"--type={kind}", f"--data={data}"])
        if (theirs[0] != 0 and ours[0] != 0) or (theirs[0] == ours[0] == 0 and theirs[1] == ours[1]):
            rendered += ours[0] == 0
            continue
        reason = known(text, in_html, ours, theirs)
        if reason:
            explained[reason] = explained.get(reason, 0) + 1
        else:
            differences.append(f"{kind} {text!r}\n  amtool     {theirs}\n  pipewarden {ours}")
    for reason, times in sorted(explained.items()):
        print(f"differs {times} times: {reason}")
    print(f"{rendered} alike, {tries - rendered - len(differences) - sum(explained.values())} refused by both")
    for difference in differences[:20]:
        print(difference)
    assert not differences, f"{len(differences)} of {tries} differ"


lib.main(test)
