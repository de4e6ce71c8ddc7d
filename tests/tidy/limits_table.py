"""docs/limits.md against the code: every bound has its row, and every row says what the code says."""

import ast
import collections
import fractions
import operator
import re

ROOMS = ("base", "cli", "config", "dispatcher", "storage")
SETTINGS = "config/hookd.default.yaml"
SCHEMA = "proto/hookd/config/v1/config.proto"
PAGE = "docs/limits.md"
METRICS = "docs/metrics.md"

# Constants that bound nothing. Every other number or duration that is `constexpr` and has a name is a bound.
NOT_BOUNDS = {
    "part of a format, or of a standard": """
        kAlertKinds kAuthFailures kBlock kBucketMs kCentury kDayMs kEd25519Bytes kEndRow kEndpointNumberMask kEnvelopeBytes kFarthestYear
        kFingerprintBytes kGeneratedKeyBytes kHeader kIdBytes kIdDigits kJobEnds kLaneClasses kLast kLastMs kLevels kMailResults kMaxTimeoutDigits
        kMaxTimestampSeconds kMicros kMinTimestampSeconds kPartitions kSecondUs kSecretBytes kSector kSha256Bytes kStorageFormat kTextBytes
        kQuotedLine kWordBytes
        kKeyBytes kNonceBytes kSecretKeyBytes kTagBytes""",
    "an exit code or an HTTP status": """
        kExitDeclined kExitDiffers kExitFailed kExitFatal kExitInterrupted kExitOk kExitRefused kExitStart kExitUnreachable kExitUsage kGoneStatus
        kServiceUnavailable kTooManyRequests kUnauthorized""",
    "decides, and nothing is full there": """
        kAccountCost kAnsweredLately kChunksPerSecond kCommitGap kEndpointGap kJobGap kBarCells kBlobThreshold kCacheShardBits kClassFactor kDefaultBurst
        kDefaultFactor kDefaultFailures kDefaultJitter kDefaultLingerSeconds kDefaultMembers
        kDefaultOverlap kDefaultProbeCapSeconds kDefaultSpanSeconds kDefaultTokenLifetime kEndpointCost kFirstClassUs
        kLatencyClasses kLeap kMinHosts kOverheadBytes kOwnZeros kPurgeDeliveries kPurgeEvents kPurgeFiles kReadCost kRekeyFiles kRequestOverhead kResultBytes kRings kRowBytes kRowsOfSeveral
        kRowsShown kSlowUs kStepsPerSecond kTokenMargin""",
    "how often something is looked at or tried again": """
        kAcceptPause kBusyPause kIdleLook kPausePoll kPurgePoll kCursorEvery kMailPause kMailPoll kFailurePoll kFirstPause kFirstReconnectMs kFullDiskEveryLooks kLastPause
        kLastReconnectMs kLater kLineEvery kLookEvery kPollEvery kPumpEvery kReadRetry kRedrawEvery kRefreshEvery
        kRefusedPause kRetentionEveryLooks kSafetyNetSeconds kSnapshotPoll kTokenRetry""",
    "of the store in memory, which is for tests": "kIdempotencyMs",
}

# In milliseconds.
TIMES = {"us": fractions.Fraction(1, 1000), "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000,
         "days": 86_400_000}
SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
CHRONO = {"microseconds": "us", "milliseconds": "ms", "seconds": "s", "minutes": "min", "hours": "h", "days": "days",
          "Millis": "ms", "Microseconds": "us", "Milliseconds": "ms", "Seconds": "s", "Minutes": "min", "Hours": "h"}
SUFFIXES = {"Us": "us", "Ms": "ms", "Seconds": "s"}  # of a plain number's name
TEXTS = re.compile(r"string_view|\bchar\b|\barray\b|\bbool\b")

Row = collections.namedtuple("Row", "name bound where full metric")
# What a bound comes to: a number, or a time in milliseconds.
Value = collections.namedtuple("Value", "amount is_time")
Constant = collections.namedtuple("Constant", "type name initialiser braced")


def rows_of(page):
    """Of every table: the rows whose first cell is code."""
    found = []
    for line in page.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            cells += [""] * (len(Row._fields) - len(cells))
            found.append(Row(cells[0].strip("`"), cells[1], cells[2].strip("`"), cells[3], cells[4]))
    return found


def told(bound):
    """What the page or the configuration writes: "64 KiB", "1,000 events", "50 %", "720h"; None = no number."""
    match = re.match(r"(-?\d[\d,]*(?:\.\d+)?)\s*(%|[A-Za-z]*)", bound)
    if not match:
        return None
    amount, unit = fractions.Fraction(match.group(1).replace(",", "")), match.group(2)
    if unit in TIMES:
        return Value(amount * TIMES[unit], True)
    return Value(amount * SIZES.get(unit, 1) / (100 if unit == "%" else 1), False)


def without_comments(source):
    return re.sub(r"//[^\n]*", "", source)


def constants_of(source):
    """The numbers and durations that have a name of their own."""
    pattern = r"\bconstexpr\s+([\w:<>][\w:<>, ]*?)\s+(k[A-Z]\w*)\s*(?:=\s*([^;]+)|\{([^;]*)\});"
    return [Constant(kind, name, assigned or braced, not assigned)
            for kind, name, assigned, braced in re.findall(pattern, without_comments(source))
            if not TEXTS.search(kind)]


def amount_of(expression, known):
    """A C++ initialiser of numbers, durations and the names in `known`. ValueError when it is more than that."""
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", expression)
    text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+(?:\.\d+)?)[uUlLzZ]+\b", r"\1", text)
    text = re.sub(r"\bstatic_cast<[\w:]+>|\b(?:u?int\d+_t|size_t)(?=\{)", "", text)
    unit = re.compile(r"(?:\b(?:std::chrono|absl)::)?\b(" + "|".join(CHRONO) + r")(?=[({])")
    text = unit.sub(lambda match: f"({TIMES[CHRONO[match.group(1)]]}) * ", text)
    text = text.replace("{", "(").replace("}", ")")
    operators = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
                 ast.LShift: lambda left, right: left * 2**right}

    def value(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return fractions.Fraction(str(node.value))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.Name) and node.id in known:
            return known[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in operators:
            return operators[type(node.op)](value(node.left), value(node.right))
        raise ValueError(expression)

    try:
        return value(ast.parse(" ".join(text.split()), mode="eval").body)
    except SyntaxError:
        raise ValueError(expression) from None


def value_of(constant, known):
    amount = amount_of(constant.initialiser, known)
    kind = constant.type.split("::")[-1]
    if kind in CHRONO or kind == "Duration":
        # seconds kA{5} counts in its own unit; seconds kA = seconds(5) says so itself.
        plain = constant.braced and not re.search(r"\b(?:" + "|".join(CHRONO) + r")\b", constant.initialiser)
        return Value(amount * (TIMES[CHRONO[kind]] if plain else 1), True)
    for suffix, unit in SUFFIXES.items():
        if constant.name.endswith(suffix):
            return Value(amount * TIMES[unit], True)
    return Value(amount, False)


def keys_of_yaml(text):
    """Key paths and their values of the default configuration: steps of two spaces, no lists but [], no block texts."""
    keys, sections = {}, []
    for line in text.splitlines():
        match = re.match(r"^( *)([a-z_]+):(?: +(.*?))? *$", line.split(" #")[0])
        if not match or line.lstrip().startswith("#"):
            continue
        indent, name, value = match.groups()
        del sections[len(indent) // 2:]
        if value is None:
            sections.append(name)
        else:
            keys[".".join([*sections, name])] = value
    return keys


def settings_of(defaults, schema):
    """The keys whose value is a number, a size or a time, and the lists, whose bound is in the schema."""
    found = {}
    for key, text in keys_of_yaml(defaults).items():
        if text == "[]":
            name = key.rpartition(".")[2]
            found[key] = told(re.search(rf"\b{name} = .*max_items: (\d+)", schema).group(1))
        elif re.fullmatch(r"\d+[A-Za-z]*", text):
            found[key] = told(text)
    return found


class Code:
    """What the code says. `files`: text by path from the root."""

    def __init__(self, files):
        self.files = files
        self.settings = settings_of(files[SETTINGS], files[SCHEMA])
        self.constants, self.faults = {}, []
        waiting = [(path, constant) for path, text in sorted(files.items()) if path.startswith(ROOMS)
                   for constant in constants_of(text)]
        while waiting:
            later = [(path, constant) for path, constant in waiting if not self.compute(path, constant)]
            if len(later) == len(waiting):
                self.faults = [f"{constant.name} in {path}: cannot compute {' '.join(constant.initialiser.split())}"
                               for path, constant in later]
                break
            waiting = later  # those that are made of others, which are known now

    def compute(self, path, constant):
        """False = not yet, or never."""
        near = {name: value.amount for (there, name), value in self.constants.items() if there == path}
        far = {name: value.amount for (_, name), value in self.constants.items()}
        try:
            self.constants[path, constant.name] = value_of(constant, {**far, **near})
        except ValueError:
            return False
        return True

    def value(self, row):
        """None = there is none."""
        if row.where == SETTINGS:
            return self.settings.get(row.name)
        if re.match(r"k[A-Z]", row.name):
            return self.constants.get((row.where, row.name))
        return self.member(row)

    def member(self, row):
        """"policy.timeout", "db.keep_log_file_num": what the file initialises such a member with, once."""
        source = without_comments(self.files.get(row.where, ""))
        for name in (row.name, row.name.rpartition(".")[2]):
            found = re.findall(rf"([\w:]+ )?(?<![\w.]){re.escape(name)}\s*(?:=\s*([^;,]+);|\{{([^;{{}}]*)\}};)", source)
            if len(found) == 1:
                kind, assigned, braced = found[0]
                try:
                    return value_of(Constant(kind.strip(), name, assigned or braced, not assigned), {})
                except ValueError:
                    return None
        return None


def faults_of(page, code):
    """What is wrong with the page; the empty list is what everybody wants."""
    faults, seen = list(code.faults), set()
    metrics = set(re.findall(r"^\| `([a-z_]+)` \|", code.files[METRICS], re.MULTILINE))
    no_bounds = {name for names in NOT_BOUNDS.values() for name in names.split()}
    for row in rows_of(page):
        where = f"{row.name} in {row.where}"
        expected = code.value(row)
        if (row.where, row.name) in seen:
            faults.append(f"{where}: has two rows")
        seen.add((row.where, row.name))
        if expected is None:
            faults.append(f"{where}: is not there")
        elif told(row.bound) != expected:
            amount = f"{float(expected.amount):,.6g}{' ms' if expected.is_time else ''}"
            faults.append(f"{where}: the page says {row.bound}, the code {amount}")
        if not row.full:
            faults.append(f"{where}: what happens when it is full?")
        if row.metric != "–" and not re.findall(r"`([a-z_]+)", row.metric):
            faults.append(f"{where}: name a metric, or –")
        for metric in re.findall(r"`([a-z_]+)", row.metric):
            if metric not in metrics:
                faults.append(f"{where}: {METRICS} has no metric {metric}")
        if row.name in no_bounds:
            faults.append(f"{where}: has a row and is in NOT_BOUNDS")
    for path, name in sorted(code.constants):
        if name not in no_bounds and (path, name) not in seen:
            faults.append(f"{name} in {path}: is a bound without a row (or add it to NOT_BOUNDS)")
    for key in sorted(code.settings):
        if (SETTINGS, key) not in seen:
            faults.append(f"{key} in {SETTINGS}: is a bound without a row")
    for name in sorted(no_bounds - {name for _, name in code.constants}):
        faults.append(f"{name}: is in NOT_BOUNDS, and no constant any more")
    return faults


def read(root):
    """The page, and the code that it is about."""
    paths = [path for room in ROOMS for path in (root / room).rglob("*") if path.suffix in (".h", ".cc")]
    paths += [root / SETTINGS, root / SCHEMA, root / METRICS]
    files = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths}
    return (root / PAGE).read_text(encoding="utf-8"), Code(files)
