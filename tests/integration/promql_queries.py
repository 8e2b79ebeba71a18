"""Random series and random queries over them, for tests that put two engines side by side. Everything comes from the
generator that is given, so that a seed tells the whole test."""
import struct

STEP, COUNT = 15, 200  # seconds between samples, samples a series
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
STALE_BYTES = struct.pack("<Q", 0x7FF0000000000002)


def series(random):
    """[(labels, [(index, value)])]: counters with resets, gauges, histograms; with gaps, NaN, Inf and ends."""
    def walk(kind):
        value, out = random.choice([0, 1, 5, 100, 0.5]), []
        for i in range(COUNT):
            chance = random.random()
            if kind == "counter":
                value = random.choice([0, 1, 3]) if chance < 0.02 else value + random.choice([0, 1, 2, 5, 0.25, 17])
            elif kind == "gauge":
                value += random.choice([-1, 1, -0.5, 0.1, 3, -3, 0])
            else:
                value = random.choice([0, 1, 2, 2, 3])
            if chance > 0.97:
                continue
            if kind == "gauge" and chance > 0.955:
                out.append((i, random.choice([float("nan"), float("inf")])))
            elif chance > 0.945:
                out.append((i, "stale"))
            else:
                out.append((i, float(value)))
        return out

    all_series = []
    for job in "ab":
        for inst in "123":
            own = {"job": job, "inst": inst}
            all_series.append(({"__name__": "req_total", **own}, walk("counter")))
            all_series.append(({"__name__": "mem", **own}, walk("gauge")))
            all_series.append(({"__name__": "err_total", "code": "500", **own}, walk("counter")))
            all_series.append(({"__name__": "small", **own}, walk("small")))
            below = [0.0] * COUNT
            for bound in ("0.1", "0.5", "2.5", "+Inf"):
                for i, value in walk("counter"):
                    below[i] += value if value != "stale" else 0
                all_series.append(({"__name__": "lat_bucket", "le": bound, **own}, list(enumerate(below))))
        all_series.append(({"__name__": "info", "job": job, "team": "t" + job}, [(i, 1.0) for i in range(COUNT)]))
    return all_series


def remote_write(all_series, start_ms):
    """The body of a remote write 1.0 request with these series, whose sample 0 is at start_ms."""
    def varint(number):
        number &= (1 << 64) - 1
        out = b""
        while number >= 0x80:
            out += bytes([number & 0x7F | 0x80])
            number >>= 7
        return out + bytes([number])

    def message(field, body):
        return varint(field << 3 | 2) + varint(len(body)) + body

    def zigzag(number):
        return varint(number << 1 if number >= 0 else -2 * number - 1)

    def double(field, number):
        return varint(field << 3 | 1) + struct.pack("<d", number)

    def histogram(value, time):
        """{"schema", "sum", "count", "zero": (threshold, count), "positive" and "negative": {index: count}, "bounds"}; with
        "stale" it ends its series"""
        if "stale" in value:
            return varint(3 << 3 | 1) + STALE_BYTES + varint(15 << 3) + varint(time)
        body = varint(1 << 3) + varint(value["count"]) + double(3, value["sum"]) + varint(4 << 3) + zigzag(value["schema"])
        threshold, zeros = value.get("zero", (0, 0))
        body += double(5, threshold) + varint(6 << 3) + varint(zeros)
        for side, spans, deltas in (("negative", 8, 9), ("positive", 11, 12)):
            before, last, packed = 0, 0, b""
            for index, count in sorted(value.get(side, {}).items()):
                body += message(spans, varint(1 << 3) + zigzag(index - before) + varint(2 << 3) + varint(1))
                packed += zigzag(count - last)
                before, last = index + 1, count
            body += message(deltas, packed)
        bounds = b"".join(struct.pack("<d", bound) for bound in value.get("bounds", []))
        return body + varint(15 << 3) + varint(time) + (message(16, bounds) if bounds else b"")

    whole = b""
    for labels, samples in all_series:
        body = b"".join(message(1, message(1, name.encode()) + message(2, labels[name].encode()))
                        for name in sorted(labels))
        for i, value in samples:
            if isinstance(value, dict):
                body += message(4, histogram(value, start_ms + i * STEP * 1000))
                continue
            bits = STALE_BYTES if value == "stale" else struct.pack("<d", value)
            body += message(2, b"\x09" + bits + b"\x10" + varint(start_ms + i * STEP * 1000))
        whole += message(1, body)
    block = varint(len(whole))  # snappy, in literals alone
    for i in range(0, len(whole), 60000):
        piece = whole[i:i + 60000]
        block += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return block


def remote_write2(all_series):
    """The body of a remote write 2.0 request: [(labels, [(time in ms, value)])]; labels may be pairs."""
    def varint(number):
        number &= (1 << 64) - 1
        out = b""
        while number >= 0x80:
            out += bytes([number & 0x7F | 0x80])
            number >>= 7
        return out + bytes([number])

    def message(field, body):
        return varint(field << 3 | 2) + varint(len(body)) + body

    symbols, whole = [""], b""
    for labels, samples in all_series:
        refs = b""
        for pair in labels.items() if isinstance(labels, dict) else labels:
            for text in pair:
                if text not in symbols:
                    symbols.append(text)
                refs += varint(symbols.index(text))
        body = message(1, refs)
        for time, value in samples:
            body += message(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time))
        whole += message(5, body)
    whole = b"".join(message(4, text.encode()) for text in symbols) + whole
    block = varint(len(whole))
    for i in range(0, len(whole), 60000):
        piece = whole[i:i + 60000]
        block += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return block


class Queries:
    """vector(depth), scalar(depth) and matrix(depth) give PromQL as text; `at` is a list of times for the @ modifier."""

    RANGE_FUNCTIONS = """rate increase delta irate idelta deriv changes resets avg_over_time sum_over_time min_over_time
        max_over_time count_over_time stddev_over_time stdvar_over_time last_over_time first_over_time present_over_time
        absent_over_time mad_over_time ts_of_max_over_time ts_of_min_over_time ts_of_first_over_time ts_of_last_over_time
        quantile predict smooth""".split()
    FUNCTIONS = """abs ceil floor exp sqrt ln log2 log10 sgn round timestamp sort sort_desc absent sin cos tan asin acos
        atan sinh cosh tanh asinh acosh atanh deg rad minute hour year day_of_week day_of_month day_of_year month
        days_in_month""".split()
    AGGREGATES = "sum avg min max count group stddev stdvar topk bottomk quantile count_values limit_ratio".split()
    ARITHMETIC, COMPARISON, SETS = "+ - * / % ^ atan2".split(), "== != > < >= <=".split(), "and or unless".split()

    def __init__(self, random, at):
        self.r, self.at = random, at

    def selector(self):
        name = self.r.choice(["req_total", "mem", "err_total", "small", "lat_bucket", "info", "nope",
                              '{__name__=~"req.*|mem"}', '{"mem", job="a"}'])
        if name.startswith("{") or self.r.random() > 0.4:
            return name
        return name + "{" + self.r.choice(['job="a"', 'job!="a"', 'inst=~"1|2"', 'inst!~"3"', 'job=~".+"', 'inst="1"',
                                           'le="0.5"', 'job="a",inst=~"[12]"', 'nope=""']) + "}"

    def duration(self):
        return self.r.choice(["15s", "30s", "1m", "2m", "5m", "90s", "7s", "10m", "61s", "1m30s", "45s"])

    def modifiers(self):
        text = ""
        if self.r.random() < 0.15:
            text += " offset " + self.r.choice(["", "-"]) + self.duration()
        if self.r.random() < 0.1:
            text += " @ " + self.r.choice([*map(str, self.at), "start()", "end()"])
        return text

    def vector(self, depth):
        if depth <= 0:
            return self.selector() + self.modifiers()
        chance = self.r.random()
        for limit, make in ((0.12, lambda: self.selector() + self.modifiers()), (0.32, lambda: self.over_range(depth)),
                            (0.5, lambda: self.aggregate(depth)), (0.72, lambda: self.binary(depth)),
                            (0.86, lambda: self.function(depth)), (0.9, lambda: f"({self.vector(depth - 1)})"),
                            (0.93, lambda: "-" + self.selector()),
                            (0.96, lambda: f"vector({self.scalar(depth - 1)})"), (1, self.histogram)):
            if chance < limit:
                return make()
        return self.selector()

    def matrix(self, depth):
        if self.r.random() < 0.75:
            return f"{self.selector()}[{self.duration()}]{self.modifiers()}"
        step = self.r.choice(["", "15s", "20s", "1m", "7s"])
        return f"({self.vector(depth - 1)})[{self.r.choice(['1m', '3m', '10m', '200s'])}:{step}]{self.modifiers()}"

    def over_range(self, depth):
        name = self.r.choice(self.RANGE_FUNCTIONS)
        matrix = self.matrix(depth)
        return {"quantile": lambda: f"quantile_over_time({self.scalar(depth - 1)}, {matrix})",
                "predict": lambda: f"predict_linear({matrix}, {self.scalar(depth - 1)})",
                "smooth": lambda: f"double_exponential_smoothing({matrix}, {self.r.choice(['0.3', '0.9', '1.5'])}, 0.6)",
                }.get(name, lambda: f"{name}({matrix})")()

    def grouping(self):
        return self.r.choice(["", " by (job)", " by (inst)", " by (job, inst)", " without (inst)", " without (le)",
                              " by (le)", " by ()", " by (nope)", " by (__name__)", " without (__name__)"]) + " "

    def aggregate(self, depth):
        name, parameter = self.r.choice(self.AGGREGATES), ""
        if name in ("topk", "bottomk"):
            parameter = self.r.choice(["1", "2", "3", "0", "5", "-1", 'scalar(small{job="a",inst="1"})']) + ", "
        if name == "quantile":
            parameter = self.r.choice(["0.5", "0.9", "0", "1", "2", "-1", "NaN", "0.33"]) + ", "
        if name == "count_values":
            parameter = self.r.choice(['"v", ', '"v", ', '"inst", '])
        if name == "limit_ratio":
            parameter = self.r.choice(["0.5", "-0.5", "0.1", "-0.9", "1", "2", "NaN"]) + ", "
        # Prometheus evaluates an aggregation once for all steps where its vector is the same at all, whatever its parameter
        # does; so a parameter that changes has a vector that does. And values that become labels are no results of sinh().
        vector = self.selector() if parameter.startswith("scalar") or name == "count_values" else self.vector(depth - 1)
        return f"{name}{self.grouping()}({parameter}{vector})"

    def scalar(self, depth):
        chance = self.r.random()
        if chance < 0.6 or depth <= 0:
            return self.r.choice(["0", "1", "2", "0.5", "-1", "3", "100", "NaN", "Inf", "1e-3", "0.1", "60", "pi()"])
        if chance < 0.7:
            return "time()"
        if chance < 0.85:
            return f"scalar({self.vector(depth - 1)})"
        return f"({self.scalar(depth - 1)} {self.r.choice(self.ARITHMETIC[:6])} {self.scalar(depth - 1)})"

    def binary(self, depth):
        if self.r.random() < 0.25:
            sides = [self.vector(depth - 1), self.scalar(depth - 1)]
            if self.r.random() < 0.3:
                sides.reverse()
            op = self.r.choice(self.ARITHMETIC + self.COMPARISON)
            if op in self.COMPARISON and self.r.random() < 0.4:
                op += " bool"
            return f"{sides[0]} {op} {sides[1]}"
        op, matching = self.r.choice(self.ARITHMETIC + self.COMPARISON + self.SETS), ""
        if op in self.COMPARISON and self.r.random() < 0.3:
            matching = " bool"
        if self.r.random() < 0.5:
            matching += self.r.choice([" on (job)", " on (job, inst)", " ignoring (inst)", " ignoring (job)", " on ()",
                                       " ignoring (le)", " on (inst)", " ignoring (team)", " on (__name__)"])
            if op not in self.SETS and self.r.random() < 0.4:
                matching += self.r.choice([" group_left", " group_right", " group_left (team)", " group_right (le)",
                                           " group_left ()"])
        return f"{self.vector(depth - 1)} {op}{matching} {self.vector(depth - 1)}"

    def function(self, depth):
        name = self.r.choice(self.FUNCTIONS + ["@round", "@clamp", "@min", "@max"] + ["@replace"] * 3 + ["@join", "@by"])
        vector = self.vector(depth - 1)
        if not name.startswith("@"):
            return f"{name}({vector})"
        if name == "@replace":
            return f"label_replace({vector}, " + self.r.choice([
                '"x", "$1-y", "inst", "(.)"', '"inst", "same", "job", "a"', '"__name__", "n_$1", "job", "(.*)"',
                '"job", "", "inst", "1"', '"x", "${name}", "job", "(?P<name>.)"']) + ")"
        return {"@round": lambda: f"round({vector}, {self.scalar(depth - 1)})",
                "@clamp": lambda: f"clamp({vector}, {self.scalar(depth - 1)}, {self.scalar(depth - 1)})",
                "@min": lambda: f"clamp_min({vector}, {self.scalar(depth - 1)})",
                "@max": lambda: f"clamp_max({vector}, {self.scalar(depth - 1)})",
                "@join": lambda: f'label_join({vector}, "x", "-", "job", "inst")',
                "@by": lambda: f'sort_by_label({vector}, "inst")'}[name]()

    def histogram(self):
        buckets = self.r.choice(["lat_bucket", "rate(lat_bucket[2m])", "sum by (le, job) (rate(lat_bucket[5m]))",
                                 "sum by (le) (lat_bucket)", 'lat_bucket{le!="+Inf"}', "sum by (job) (lat_bucket)",
                                 "sum(lat_bucket) by (le, inst)", "delta(lat_bucket[2m])",
                                 "lat_bucket - on(job,inst,le) lat_bucket offset 1m"])
        if self.r.random() < 0.7:
            return f"histogram_quantile({self.r.choice(['0.5', '0.9', '0.99', '0', '1', '1.5', '-1', 'NaN'])}, {buckets})"
        return (f"histogram_fraction({self.r.choice(['0', '0.1', '0.3', '-Inf'])}, "
                f"{self.r.choice(['0.5', '1', 'Inf', '0.2'])}, {buckets})")

    def any(self):
        chance = self.r.random()
        if chance < 0.03:
            return self.matrix(2)
        if chance < 0.12:
            return self.scalar(3)
        query = self.vector(self.r.choice([1, 2, 2, 3]))
        return self.broken(query) if chance > 0.92 else query

    def broken(self, query):
        """With one mistake, most of the time."""
        at = self.r.randrange(len(query))
        return self.r.choice([
            lambda: query[:at], lambda: query[:at] + query[at + 1:], lambda: query[:at] + query[at] + query[at:],
            lambda: query[:at] + self.r.choice("()[]{}\"',+-*/=!~<>@:; $#\\") + query[at:],
            lambda: query.replace("(", "(1, ", 1), lambda: query.replace("sum", "summ"), lambda: query + " " + query,
            lambda: query.replace("[", "[-", 1), lambda: f"rate({query})", lambda: query + " bool 1",
        ])()
