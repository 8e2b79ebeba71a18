"""Generated alertmanager.yml files for the differential tests: route trees with label sets, and whole files, right or broken
in one or two places. JSON is YAML enough."""
import copy

NAMES = ["a", "b", "team", "alertname", "service_1"]
ODD_NAMES = ["\u00e9t\u00e9", "with space", "a.b", "1a"]
VALUES = ["x", "y", "xy", "page", "", "a b", "q\"uo", "back\\slash", "\u4e16", "line\nbreak"]
REGEXES = ["x|y", ".*", ".+", "x.*", "[xy]", "(?i)PAGE", "^x$", "x$|^y", "", "\\\\w+", "a b", "p{1,2}age"]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def matcher(r):
    name = r.choice(NAMES) if r.random() < 0.85 else quoted(r.choice(ODD_NAMES))
    op = r.choice(["=", "=", "!=", "=~", "!~"])
    value = r.choice(VALUES if "~" not in op else REGEXES)
    if value and value.isalnum() and value.isascii() and r.random() < 0.3:
        return f"{name}{op}{value}"
    space = r.choice(["", "", " "])
    return f"{name}{space}{op}{space}{quoted(value) if '~' not in op else chr(34) + value + chr(34)}"


def matchers(r):
    texts = [matcher(r) for _ in range(r.choice([1, 1, 2]))]
    return ["{" + ",".join(texts) + "}"] if r.random() < 0.15 else texts


def route(r, depth, receivers):
    node = {}
    kind = r.random()
    if kind < 0.75:
        node["matchers"] = matchers(r)
    elif kind < 0.85:
        node["match"] = {r.choice(NAMES): r.choice(VALUES)}
    if 0.80 < kind < 0.95:
        node["match_re"] = {r.choice(NAMES): r.choice(REGEXES[:-2])}
    if r.random() < 0.8:
        node["receiver"] = r.choice(receivers)
    if r.random() < 0.4:
        node["continue"] = True
    if r.random() < 0.2:
        node["group_by"] = r.choice([["..."], [], ["a"], ["team", "a"]])
    if r.random() < 0.2:
        node[r.choice(["group_wait", "group_interval", "repeat_interval"])] = r.choice(["1s", "5m", "1h30m", "2d"])
    if r.random() < 0.1:
        node[r.choice(["mute_time_intervals", "active_time_intervals"])] = ["night"]
    if depth < 3 and r.random() < 0.6:
        node["routes"] = [route(r, depth + 1, receivers) for _ in range(r.randrange(1, 4))]
    return node


NIGHT = [{"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}]


def tree(r):
    """A file whose receivers are called root and r0 to r7."""
    receivers = [f"r{i}" for i in range(8)]
    return {"route": {"receiver": "root", "routes": [route(r, 1, receivers) for _ in range(r.randrange(1, 6))]},
            "receivers": [{"name": name} for name in ["root", *receivers]], "time_intervals": NIGHT}


def labels(r):
    return {name: r.choice(VALUES) for name in NAMES + ODD_NAMES if r.random() < (0.7 if name in NAMES else 0.3)}


# What each receiver must have, and what it may have: s a template, u a URL, b, i, d a duration, m a map of texts, l a list of
# texts, anything else stands for itself.
RECEIVERS = {
    "webhook": ({"url": "http://h/x"}, {"max_alerts": "i", "timeout": "d", "url_file": "/f"}),
    "slack": ({"api_url": "http://h/x", "channel": "#c"},
              {"username": "s", "color": "s", "title": "s", "title_link": "s", "pretext": "s", "text": "s", "footer": "s", "short_fields": "b",
               "fallback": "s", "callback_id": "s", "icon_emoji": "s", "icon_url": "s", "image_url": "s", "thumb_url": "s", "link_names": "b",
               "mrkdwn_in": "l", "timeout": "d", "api_url_file": "/f", "app_token": "t", "message_text": "s", "update_message": "b",
               "fields": [{"title": "t", "value": "v", "short": True}, {"title": "t"}],
               "actions": [{"type": "button", "text": "t", "url": "http://h/"}, {"type": "button", "text": "t"}]}),
    "email": ({"to": "a@b", "from": "c@d", "smarthost": "h:25"},
              {"hello": "s", "auth_username": "s", "auth_password": "p", "auth_password_file": "/f", "auth_secret": "s", "auth_identity": "s",
               "headers": "m", "html": "s", "text": "s", "require_tls": "b", "tls_config": {"insecure_skip_verify": True}, "force_implicit_tls": "b",
               "threading": {"enabled": True, "thread_by_date": "daily"}}),
    "pagerduty": ({"routing_key": "k"},
                  {"service_key": "k", "routing_key_file": "/f", "url": "u", "client": "s", "client_url": "s", "description": "s", "details": "m",
                   "images": [{"src": "s", "alt": "a", "href": "h"}], "links": [{"href": "h", "text": "t"}], "source": "s", "severity": "s",
                   "class": "s", "component": "s", "group": "s", "timeout": "d"}),
    "opsgenie": ({"api_key": "k"},
                 {"api_key_file": "/f", "api_url": "u", "message": "s", "description": "s", "source": "s", "details": "m", "entity": "s",
                  "responders": [{"name": "n", "type": "team"}, {"type": "user"}, {"id": "i", "type": "pet"}], "actions": "s", "tags": "s",
                  "note": "s", "priority": "s", "update_alerts": "b"}),
    "telegram": ({"bot_token": "t", "chat_id": 5},
                 {"api_url": "u", "bot_token_file": "/f", "chat_id_file": "/f", "message_thread_id": "i", "message": "s",
                  "disable_notifications": "b", "parse_mode": "HTML"}),
    "pushover": ({"user_key": "u", "token": "t"},
                 {"user_key_file": "/f", "token_file": "/f", "title": "s", "message": "s", "url": "s", "url_title": "s", "device": "s", "sound": "s",
                  "priority": "s", "retry": "d", "expire": "d", "ttl": "d", "html": "b", "monospace": "b"}),
    "discord": ({"webhook_url": "http://h/x"}, {"webhook_url_file": "/f", "title": "s", "message": "s", "content": "s", "username": "s", "avatar_url": "s"}),
    "msteams": ({"webhook_url": "http://h/x"}, {"webhook_url_file": "/f", "title": "s", "summary": "s", "text": "s"}),
    "msteamsv2": ({"webhook_url": "http://h/x"}, {"webhook_url_file": "/f", "title": "s", "text": "s"}),
    "mattermost": ({"webhook_url": "http://h/x"},
                   {"webhook_url_file": "/f", "channel": "s", "username": "s", "text": "s", "color": "s", "icon_url": "s", "icon_emoji": "s",
                    "fields": [{"title": "t", "value": "v"}, {"value": "v"}], "props": {"card": "c"}, "priority": {"priority": "urgent"}}),
    "victorops": ({"api_key": "k", "routing_key": "r"},
                  {"api_key_file": "/f", "api_url": "u", "message_type": "s", "state_message": "s", "entity_display_name": "s",
                   "monitoring_tool": "s", "custom_fields": {"entity_id": "x"}}),
    "sns": ({"topic_arn": "arn:aws:sns:us-east-2:1:t", "sigv4": {"region": "us-east-2"}},
            {"api_url": "s", "phone_number": "s", "target_arn": "s", "subject": "s", "message": "s", "attributes": "m"}),
    "webex": ({"room_id": "r", "http_config": {"authorization": {"credentials": "x"}}}, {"api_url": "u", "message": "s"}),
    "wechat": ({"api_secret": "s", "corp_id": "c"},
               {"api_url": "u", "message": "s", "to_user": "s", "to_party": "s", "to_tag": "s", "agent_id": "s", "message_type": "markdown"}),
    "jira": ({"api_url": "http://h/", "project": "p", "issue_type": "i"},
             {"summary": "s", "description": "s", "labels": "l", "priority": "s", "reopen_transition": "s", "resolve_transition": "s",
              "wont_fix_resolution": "s", "reopen_duration": "d", "api_type": "cloud"}),
    "rocketchat": ({"channel": "c", "token": "t", "token_id": "i"},
                   {"api_url": "u", "color": "s", "title": "s", "title_link": "s", "text": "s", "emoji": "s", "icon_url": "s", "short_fields": "b",
                    "image_url": "s", "thumb_url": "s", "link_names": "b", "token_file": "/f", "token_id_file": "/f"}),
    "incidentio": ({"url": "http://h/x", "alert_source_token": "t"},
                   {"url_file": "/f", "alert_source_token_file": "/f", "max_alerts": "i", "timeout": "d"}),
}
HTTP = [{"basic_auth": {"username": "u", "password": "p"}}, {"authorization": {"type": "Bearer", "credentials": "c"}},
        {"tls_config": {"insecure_skip_verify": True}}, {"proxy_url": "http://p:1"}, {"follow_redirects": False}, {"enable_http2": False},
        {"oauth2": {"client_id": "i", "client_secret": "s", "token_url": "http://t/"}}, {"bearer_token": "x"},
        {"basic_auth": {"username": "u", "password": "p", "password_file": "/f"}}, {"bearer_token": "x", "basic_auth": {"username": "u"}},
        {"authorization": {"type": "Basic", "credentials": "c"}}, {"tls_config": {"min_version": "TLS12"}}, {"tls_config": {"min_version": "TLS9"}},
        {"http_headers": {"X-A": {"values": ["1"]}}}, {"http_headers": {"Host": {"values": ["1"]}}}, {"proxy_from_environment": True},
        {"proxy_from_environment": True, "proxy_url": "http://p:1"}, {"no_proxy": "x"}]
GLOBAL = {"resolve_timeout": "d", "smtp_from": "s", "smtp_hello": "s", "smtp_smarthost": "h:25", "smtp_require_tls": "b", "smtp_auth_username": "s",
          "smtp_auth_password": "s", "smtp_auth_password_file": "/f", "slack_api_url": "u", "slack_api_url_file": "/f", "pagerduty_url": "u",
          "opsgenie_api_url": "u", "opsgenie_api_key": "s", "victorops_api_key": "s", "telegram_api_url": "u", "webex_api_url": "u",
          "wechat_api_secret": "s", "wechat_api_corp_id": "s", "rocketchat_api_url": "u", "jira_api_url": "u", "telegram_bot_token": "t",
          "mattermost_webhook_url": "u", "slack_app_token": "t", "opsgenie_api_key_file": "/f"}
INTERVALS = [{"times": [{"start_time": "09:00", "end_time": "17:00"}]}, {"weekdays": ["monday:friday", "sunday"]}, {"days_of_month": ["1:5", "-3:-1"]},
             {"months": ["january:march", "12"]}, {"years": ["2020:2022", "2030"]}, {"location": "Europe/Berlin"}, {"times": [{"start_time": "00:00", "end_time": "24:00"}]},
             {"weekdays": ["Friday:Monday"]}, {"days_of_month": ["0"]}, {"months": ["13"]}, {"times": [{"start_time": "17:00", "end_time": "09:00"}]},
             {"location": "No/Where"}, {"years": ["2022:2020"]}, {"days_of_month": ["31:1"]}, {"times": [{"start_time": "9:00", "end_time": "10:00"}]},
             {"weekdays": ["Mon"]}, {"times": [{"start_time": "09:00"}]}, {"days_of_month": ["-1:5"]}, {"location": "Local"}, {"months": ["May:april"]}]
WRONG = [None, "", 5, -1, 2.5, True, "true", "no", [], {}, "x", "{{", "{{ .Nope }}", "5m", "0s", "5", "1y2w", "-5m", "http://x", "ftp://x", ":::", "a=b", "http://%",
         ["x"], [None], [["x"]], {"a": "b"}, {"a": ["b"]}, "<secret>", "/h", "a b", "{{ template \"no\" . }}", "#c", "1h 5m", "http://u:p@h:99999/", "a=~\"(\"", "host", "h:"]


def value(r, kind):
    if not isinstance(kind, str):
        return copy.deepcopy(kind)
    return {"s": lambda: r.choice(["text", "{{ .Status }}", "", "{{ template \"__subject\" . }}", "\u00e9"]), "b": lambda: r.choice([True, False]),
            "i": lambda: r.choice([0, 3, 1000000]), "d": lambda: r.choice(["30s", "5m", "1h", "1h30m", "0s"]), "u": lambda: "http://h:80/p",
            "m": lambda: {"k": "{{ .Status }}", "l": "v"}, "l": lambda: ["x", "y"]}.get(kind, lambda: kind)()


def integration(r, kind):
    must, may = RECEIVERS[kind]
    made = copy.deepcopy(must)
    for key in r.sample(sorted(may), min(len(may), r.randrange(0, 4))):
        made[key] = value(r, may[key])
    if r.random() < 0.2:
        made["send_resolved"] = r.choice([True, False])
    if r.random() < 0.15 and kind != "email":
        made["http_config"] = copy.deepcopy(r.choice(HTTP))
    return made


def whole(r):
    """A file that is mostly right."""
    names = [f"r{i}" for i in range(r.randrange(1, 5))]
    made = {"route": {"receiver": names[0], "group_by": r.choice([["a"], ["..."], []])}, "receivers": []}
    if r.random() < 0.7:
        made["route"]["routes"] = [route(r, 2, names) for _ in range(r.randrange(1, 3))]
    for name in names:
        receiver = {"name": name}
        for kind in r.sample(sorted(RECEIVERS), r.randrange(0, 3)):
            receiver[kind + "_configs"] = [integration(r, kind) for _ in range(r.choice([1, 1, 2]))]
        made["receivers"].append(receiver)
    if r.random() < 0.6:
        made["global"] = {key: value(r, GLOBAL[key]) for key in r.sample(sorted(GLOBAL), r.randrange(0, 5))}
        if r.random() < 0.2:
            made["global"]["http_config"] = copy.deepcopy(r.choice(HTTP))
    if r.random() < 0.4:
        made["inhibit_rules"] = [{"source_matchers": matchers(r), "target_matchers": matchers(r), "equal": r.choice([["a"], [], ["a", "b"], ["\u00e9"]])}
                                 for _ in range(r.randrange(1, 3))]
        if r.random() < 0.3:
            made["inhibit_rules"][0].update({"source_match": {"a": "b"}, "target_match_re": {"a": r.choice(REGEXES)}})
    made["time_intervals"] = copy.deepcopy(NIGHT)
    if r.random() < 0.3:
        made["time_intervals"].append({"name": "odd", "time_intervals": [copy.deepcopy(r.choice(INTERVALS)) for _ in range(r.randrange(1, 3))]})
    return made


def places(node, path=()):
    """All (container, key) of a tree."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = []
    for key, child in items:
        found.append((node, key))
        found += places(child)
    return found


def broken(r):
    """A file with a wound or two."""
    made = whole(r)
    for _ in range(r.choice([1, 1, 2])):
        container, key = r.choice(places(made))
        act = r.random()
        if act < 0.25:
            del container[key]
        elif act < 0.75:
            container[key] = copy.deepcopy(r.choice(WRONG))
        elif act < 0.85 and isinstance(container, dict):
            container[r.choice(["unknown", "Receiver", "receiver", "continue", "name", "url", "times", "matchers", "labels", "sources", "tracing"])] = copy.deepcopy(r.choice(WRONG))
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[key] = [copy.deepcopy(container[key])]
    return made
