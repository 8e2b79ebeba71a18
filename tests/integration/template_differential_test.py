"""Generated templates, in text and in HTML, against the newest amtool: the same output, and the same complaint about what
is wrong, be it found by the parser or in the run.

PIPEWARDEN_SEED repeats a run. What may differ, and why:
- HTML that cannot be followed: Go looks at all branches before it runs any, and demands that they end alike; ours follows
  what is written in the run (core/template/html_escape.h). So Go may refuse what ours renders, and tells of it first;
- a value inside <script>, <style>, style= or on...= is refused by ours: it would need the escaping of those languages;
- the place in a default template: those are written by ourselves;
- a time printed by a verb that is for no text (%U, %w) shows its inner fields there;
- complex numbers (1+2i) are not read;
- a slice of a slice may reach behind its end there, as far as the first one went;
- a range over a large number has no end there, and a bound here;
- the whole of the data, printed, shows an inner field of theirs.
"""
import concurrent.futures
import json
import os
import random
import re
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402
import template_snippets  # noqa: E402


def render(command, folder):
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, cwd=folder, env=dict(os.environ, TZ="Europe/Berlin"))
    except subprocess.TimeoutExpired:
        return True, "", "endless"
    error = done.stderr.decode("utf-8", "replace").strip().removeprefix("amtool: error: ")
    return done.returncode != 0, done.stdout.decode("utf-8", "surrogateescape"), error


def plain(result):
    """Without what the head says of all results."""
    failed, out, error = result
    out, error = (text.replace("http://am:9093/base false}", "http://am:9093/base}") for text in (out, error))
    error = re.sub(r'template: (default\.tmpl)?:\d+:\d+: executing "(__\w+|\w+\.default\.\w+)" at <.*?>: ',
                   r'template: executing "\2": ', error)
    return failed, "" if failed else out, error.replace("*template.Data", "template.Data")


def explained(in_html, text, ours, theirs):
    if theirs[2] == "endless" and re.search("too many steps|output is larger", ours[2]):
        return "ours ends a range that counts for ever"
    if "time.Location=" in theirs[1] + theirs[2] or "%!w(" in theirs[1] + theirs[2]:
        return "times by verbs that are for no text"
    if re.search(r'bad number syntax: "[^"]*i', ours[2]):
        return "complex numbers"
    if "error calling slice: index out of range" in ours[2]:
        return "slices of slices"
    if in_html and theirs[2].startswith("html/template:"):
        return "HTML that cannot be followed, refused by both" if ours[0] else "HTML in branches that are not reached"
    if in_html and "it would need escaping of another language" in ours[2]:
        return "values in scripts and styles"
    return ""


def test(folder):
    amtool = peer.load("alertmanager3").amtool()
    tries = lib.count(50, 500, 5000)
    seed = int(os.environ.get("PIPEWARDEN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}, {tries} templates", flush=True)
    data = folder / "data.json"
    data.write_text(json.dumps(template_snippets.DATA))

    def both(number):
        in_html = number % 2 == 1
        text = template_snippets.Snippets(random.Random(f"{seed}-{number}"), in_html).template() or "{{ . }}"
        kind = "html" if in_html else "text"
        theirs = render([amtool, "template", "render", "--template.glob=none", f"--template.text={text}",
                         f"--template.type={kind}", f"--template.data={data}"], folder)
        ours = render([lib.BUILD / "pipewarden", "template", "render", f"--text={text}", f"--type={kind}", f"--data={data}"], folder)
        return in_html, text, plain(ours), plain(theirs)

    differ, failed, reasons = 0, 0, {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for in_html, text, ours, theirs in pool.map(both, range(tries)):
            failed += theirs[0]
            if ours == theirs:
                continue
            if reason := explained(in_html, text, ours, theirs):
                reasons[reason] = reasons.get(reason, 0) + 1
                continue
            differ += 1
            if differ <= int(os.environ.get("SHOW", 20)):
                print(f"{'html' if in_html else 'text'} {text!r}\n  amtool     {theirs[1:]}\n  pipewarden {ours[1:]}", flush=True)
    for reason, times in sorted(reasons.items()):
        print(f"explained {times} times: {reason}")
    print(f"{tries} templates, {failed} of them wrong; {differ} differ")
    # A few rare ones are known and not mended yet: printed here, and failing the nightly form.
    allowed = 0 if lib.LEVEL == "nightly" else max(1, tries // 50)
    assert differ <= allowed, f"{differ} of {tries} templates differ; PIPEWARDEN_SEED={seed} repeats them"
    assert tries // 10 < failed < tries * 9 // 10


lib.main(test)
