"""Requests that try to break l2sweep: huge values, wrong kinds of values, and errors of Hydra's grammar.

For tests/end_to_end/test_wrong_requests.py, like tests/wrong_requests.py.
"""

from __future__ import annotations

import itertools

from wrong_requests import Case

LONG = "a" * 300
DEEP = 5_000
_LARGE = "1" + "0" * 30

NUMBERS = (
    *("num_keys", "in_flight", "data_size_kb", "rounds", "warmup_rounds", "l1_align_bytes", "seed"),
    *("lookup_max_hit_rate", "memory_limit_mib", "deadline_s", "timeout_s.load", "repeats", "max_points"),
    *("order_seed", "budget.minutes", "budget.disk_gb", "cache.command_timeout_s"),
    "cache.max_resident_fraction",
)
TEXTS = ("results_dir", "scratch_dir", "sweep_name", "sweep_id", "namespace", "report_file", "python", "only")
SWITCHES = ("quiet", "skip_verify", "keep_data", "dry_run", "retry_failed", "l1_use_hugepages")

# tests/config/test_declared_numbers.py has every kind for every number: here, the kinds take turns.
NUMBERS_OF_WRONG_KINDS = [
    Case(f"{name}={value[:12]}", [f"{name}={value}"], name)
    for name, value in zip(NUMBERS, itertools.cycle(("nan", "{a: 1}", _LARGE)), strict=False)
]
OTHERS_OF_WRONG_KINDS = [
    Case(f"{name}={value}", [f"{name}={value}"], name)
    for names in (TEXTS, SWITCHES)
    for name, value in zip(names, itertools.cycle(("[x]", "''")), strict=False)
]

LIMITS = [
    Case("rounds that overflow a time-out", ["rounds=1000000000", "only=lookup"], "rounds 1000000"),
    Case("in_flight of a million", ["in_flight=1000000", "only=lookup"], "in_flight 1000000 65536"),
    Case(
        "more than any memory",
        ["num_keys=1000000", "in_flight=1000", "data_size_kb=1048576"],
        "no point 1 skipped memory GiB available",
    ),
    Case("reserved sweep_id", ["sweep_id=latest", "num_keys=1"], "sweep_id latest resume"),
    Case("long results_dir", [f"results_dir={LONG}"], "results_dir 255"),
    Case("long results_dir below another", [f"results_dir=x/{LONG}/y"], "results_dir 255"),
    Case("long base_path", [f"adapter.base_path={LONG}"], "adapter.base_path 300 255"),
    Case(
        "long base_path in JSON", [f'adapter_json={{"type": "fs", "base_path": "{LONG}"}}'], "base_path 255"
    ),
    Case("long path", [f"adapter.base_path={'a/' * 2000}"], "adapter.base_path 4000 3000"),
    Case("long sweep_name", [f"sweep_name={LONG}"], "sweep_name 200"),
    Case("long report_file", [f"report_file={LONG}"], "report_file 255"),
    Case("long trace", [f"trace={LONG}"], "trace 255"),
    Case("long python", [f"python={LONG}"], "python"),
    Case("long profile_scripts_dir", [f"profile_scripts_dir={LONG}"], "profile_scripts_dir 255"),
    Case("status: long results_dir", ["status", f"--results-dir={LONG}"], "status --results-dir 255"),
    Case(
        "night: long results_dir",
        ["night", f"--results-dir={LONG}", "--sweep-id=x"],
        "night --results-dir 255",
    ),
]

PLACES = [
    Case("base_path below /proc", ["adapter.base_path=/proc/nope"], "adapter.base_path /proc/nope folder"),
    Case(
        "dry run: base_path below /proc",
        ["adapter.base_path=/proc/nope", "dry_run=true"],
        "adapter.base_path /proc/nope folder",
    ),
    Case(
        "sweep: one base_path below /proc",
        ["-m", "adapter.base_path=kv,/proc/nope"],
        "adapter.base_path /proc/nope folder",
    ),
    Case("base_path is a file", ["adapter.base_path=file"], "adapter.base_path file folder"),
    Case("base_path below a file", ["adapter.base_path=file/kv"], "adapter.base_path file/kv"),
    Case("base_path is a device", ["adapter.base_path=/dev/null"], "adapter.base_path /dev/null folder"),
    Case("base_path is a dangling link", ["adapter.base_path=dangling"], "adapter.base_path dangling link"),
    Case(
        "base_path inside another spec",
        ["adapter=fault_inject", "adapter.inner.base_path=/proc/nope"],
        "adapter.inner.base_path /proc/nope",
    ),
    Case("base_path with NUL", ['adapter_json={"type": "fs", "base_path": "a\\u0000b"}'], "base_path"),
    Case("base_path with a surrogate", ['adapter_json={"type": "fs", "base_path": "\\ud800"}'], "base_path"),
    Case(
        "device_path is a folder",
        ['adapter_json={"type": "raw_block", "device_path": "own", "slot_bytes": 1048576}'],
        "adapter.device_path own file",
    ),
    Case("scratch_dir below /proc", ["scratch_dir=/proc/x"], "/proc/x folder"),
    Case("python that is no Python", ["python=/bin/ls"], "python /bin/ls 3.11 run"),
    Case("python that prints without end", ["python=/usr/bin/yes"], "python /usr/bin/yes 3.11"),
    Case("python that is silent", ["python=/bin/true"], "python /bin/true 3.11"),
    Case("python that is a folder", ["python=/tmp"], "python /tmp"),
    Case("sweep: one python that is no Python", ["-m", "python=null,/bin/ls"], "python /bin/ls 3.11"),
]

MANY_POINTS = [
    Case("range of ten million", ["-m", "num_keys=range(1,10000000)"], "max_points 10000 9999999 num_keys"),
    Case("range of 10^18", ["-m", f"seed=range(0,{10**18})"], "max_points 10000"),
    Case(
        "shuffled range of 10^9", ["-m", "seed=shuffle(range(0,1000000000))"], "max_points 10000 1000000000"
    ),
    Case("sorted range of 10^9", ["-m", "seed=sort(range(0,1000000000))"], "max_points 10000 1000000000"),
    Case(
        "product of ranges",
        ["-m", "seed=range(1000)", "num_keys=range(1,1000)", "in_flight=range(1,100)"],
        "max_points 10000 98901000 seed num_keys in_flight",
    ),
    Case("repeats count", ["-m", "seed=range(1000)", "repeats=11"], "max_points 10000 11000 seed repeats"),
    Case("repeats of one point", ["repeats=10001"], "max_points 10000 10001 repeats"),
    Case("a lower limit", ["-m", "seed=range(11)", "max_points=10"], "max_points 10 11 seed"),
    Case("steps that vanish", ["-m", "seed=range(0,1,1e-300)"], "max_points 10000"),
    Case("many points of a wrong zip", ["-m", "seed=range(1000000)", "zip=5"], "max_points 10000 1000000"),
    Case(
        "zipped ranges",
        ["-m", "seed=range(20000)", "num_keys=range(1,20001)", "zip=[[seed,num_keys]]"],
        "max_points 10000 20000",
    ),
    Case("range without values", ["-m", "num_keys=range(5,5)"], "num_keys range(5,5) value"),
    Case("range in the wrong direction", ["-m", "num_keys=range(5,1)"], "num_keys range(5,1) value"),
    Case("range with step 0", ["-m", "num_keys=range(1,5,0)"], "num_keys range(1,5,0) step 0"),
    Case("range to infinity", ["-m", "seed=range(1,inf)"], "seed finite"),
    Case("range of nan", ["-m", "seed=range(nan,5)"], "seed finite"),
    Case("glob without a match", ["-m", "num_keys=glob(*)"], "num_keys glob"),
    Case("interval", ["-m", "num_keys=interval(1,5)"], "num_keys interval(1,5) search"),
    Case("10,000 wrong values", ["-m", "num_keys=range(-5000,0)"], "num_keys -5000 more"),
]

ZIP = [
    Case("an option twice", ["-m", "zip=[[num_keys,num_keys]]", "num_keys=1,2"], "zip num_keys twice"),
    Case("two groups", ["-m", "zip=[[seed,num_keys],[seed,rounds]]", "seed=1,2", "num_keys=1,2"], "zip seed"),
    Case("different lengths", ["-m", "zip=[[seed,num_keys]]", "seed=1,2", "num_keys=1,2,3"], "zip seed 2 3"),
    Case("not swept over", ["-m", "zip=[[seed,num_keys]]", "seed=1,2"], "zip num_keys 0"),
    Case("zip of a text", ["-m", "zip=num_keys", "num_keys=1,2"], "zip num_keys list"),
    Case("zip of a flat list", ["-m", "zip=[num_keys,seed]", "num_keys=1,2"], "zip list"),
    Case("zip of one", ["-m", "zip=[[num_keys]]", "num_keys=1,2"], "zip list"),
    Case("zip of a number", ["-m", "zip=5", "num_keys=1,2"], "zip 5 list"),
    Case("zip of a mapping", ["-m", "zip={a: b}", "num_keys=1,2"], "zip list"),
    Case("zip of numbers", ["-m", "zip=[[1.5,2.5]]", "num_keys=1,2"], "zip list"),
    Case("zip of null", ["-m", "zip=null", "num_keys=1,2"], "zip null list"),
]

CONSTRAINTS = [
    Case(f"constraint {text[:20]}", ["-m", f"constraints=['{text}']", "num_keys=1,2"], f"constraints {words}")
    for text, words in (
        ("9**9**9 > num_keys", "exponent 64 num_keys=1"),
        ('"a" * 10**9 == "b"', "numbers"),
        ('"%1000000000d" % 1 == "a"', "numbers"),
        ("[1] * 10**9 == num_keys", "numbers"),
        ("-" * DEEP + "1 > 0", "2000 characters"),
        ("-" * 1000 + "1 > 0", "40 levels"),
        ("(" * 900 + "1" + ")" * 900, "numbers"),
        ("1 << 10**9 > 0", "LShift"),
        ("[x for x in range(10**9)]", "ListComp"),
        ('f"{num_keys:1000000000}" == "a"', "JoinedStr"),
        ("num_keys / (num_keys - 1) > 0", "division zero num_keys=1"),
        ("only > 1", "numbers null"),
        ("num_kesy > 1", "num_kesy num_keys"),
        ("num_keys >", "read"),
        ("__import__", "no field __import__"),
        ("num_keys.__class__", "num_keys no field __class__"),
        ("exit()", "Call"),
        ("1e999 > 0", "1e+30"),
        ("9" * 1000 + " > 0", "1e+30"),
    )
]
CONSTRAINTS += [
    Case("constraints of a text", ["constraints=num_keys"], "constraints list"),
    Case("constraints of numbers", ["constraints=[1.5]"], "constraints list"),
    Case("constraints of null", ["constraints=null"], "constraints list"),
    Case("constraints of mappings", ["constraints=[{a: 1}]"], "constraints list"),
    Case("an empty constraint", ["constraints=['']"], "constraints list"),
    Case("deep constraint", [f"constraints=['{'-' * 1000}1']"], "constraints 40 levels"),
    Case(
        "all skipped",
        ["-m", "constraints=['num_keys > 9']", "num_keys=1,2"],
        "2 skipped constraint num_keys 9",
    ),
    Case(
        "all skipped for two reasons",
        ["-m", "constraints=['num_keys > 1']", "num_keys=1,1000000000", "in_flight=1000"],
        "1 skipped constraint memory",
    ),
    Case("dry run: all skipped", ["constraints=['num_keys > 99']", "dry_run=true"], "1 skipped constraint"),
]

FLAGS = [
    Case("option as a flag", ["--num-keys", "8"], "--num-keys num_keys=8"),
    Case("option as a flag with =", ["--num_keys=8"], "--num_keys=8 num_keys=8"),
    Case("switch as a flag", ["--dry-run"], "--dry-run dry_run=true"),
    Case("misspelled flag", ["--multirum"], "--multirum --multirun"),
    Case("misspelled option as a flag", ["--num-kesy=8"], "--num-kesy num_keys="),
    Case("dotted option as a flag", ["--cache.method", "auto"], "cache.method=auto"),
    Case("short flag", ["-x"], "-x"),
    Case("value for a switch", ["--multirun=5"], "--multirun"),
    Case("two modes", ["-m", "--cfg", "job"], "--cfg --multirun"),
    Case("package of nothing", ["--cfg", "job", "--package", "nope"], "nope"),
    Case("config-dir is a file", ["--config-dir", "file"], "file"),
    Case("config-name is a folder", ["--config-name", "adapter"], "adapter"),
    Case("config-path is missing", ["--config-path", "/nowhere"], "nowhere"),
]

# Hydra's grammar of overrides: https://hydra.cc/docs/advanced/override_grammar/basic/
_BROKEN = (
    *("num_keys=[", "num_keys=]", "num_keys={", "num_keys=}", "num_keys=(", "num_keys=)", "num_keys=1)"),
    *("num_keys='8", 'num_keys="8', "num_keys=8'", "num_keys=[1,", "num_keys={a:}", "num_keys={:1}"),
    *("num_keys=${", "num_keys=${}", "num_keys=${oc.env:", "num_keys=$", "num_keys=a b=c", "num_keys==8"),
    *(
        "num keys=8",
        "num_keys =",
        "+",
        "~",
        "++",
        "+=8",
        "~=8",
        "@=8",
        "a@=8",
        "a@b@c=8",
        "/=8",
        ".=8",
        "a..b=8",
    ),
    *(
        ".num_keys=8",
        "num_keys.=8",
        "num_keys.x=8",
        "num_keys[0]=8",
        "zip[0]=x",
        "adapter/fs=x",
        "adapter@x=fs",
    ),
    *(
        "num_keys=choice()",
        "num_keys=choice(1",
        "num_keys=range()",
        "num_keys=range(1)",
        "num_keys=range(a,b)",
    ),
    *(
        "num_keys=range(1,2,3,4)",
        "num_keys=nope(1)",
        "num_keys=int(x)",
        "num_keys=float(x)",
        "num_keys=sort()",
    ),
    *(
        "num_keys=int([a,b])",
        "num_keys=json_str({a:1})",
        "num_keys=bool(maybe)",
        "num_keys=tag()",
        "num_keys=str(",
    ),
    *("num_keys=choice(1,2", "num_keys=shuffle(1", "num_keys=extend_list(1)", "num_keys=interval(1)"),
    *("num_keys=glob()", "num_keys=glob(1)", "num_keys=1,,2", "num_keys=,1", "num_keys=1,", "num_keys=\\"),
    *("adapter.base_path=[", "timeout_s={store}", "timeout_s={store:1}x", "timeout_s=[1]", "timeout_s=null"),
    *(
        "cache=[]",
        "cache={mode: tepid}",
        "budget=5",
        "budget=null",
        "budget={minutes: 0}",
        "model=[a,b]",
        "model={a: 1}",
    ),
    *("adapter=5", "adapter=''", "adapter=/etc/passwd"),
    *("experiment=../config", "hydra=null", "hydra.mode=5", "hydra.job.name=null", "hydra=5"),
    *(
        "~num_keys=5",
        "~nope",
        "~cache",
        "~timeout_s",
        "~hydra",
        "~timeout_s.store",
        "+num_keys=8",
        "++nope.x=1",
    ),
    *(
        "num_keys=${num_keys}",
        "num_keys=${seed:}",
        "num_keys=${nope:1}",
        "num_keys=${.x}",
        "num_keys=${a.b.c}",
    ),
    *(
        "num_keys=${adapter}",
        "num_keys=${oc.decode:'['}",
        "num_keys=${oc.env:PATH}",
        "num_keys=${hydra:runtime.cwd}",
    ),
    *(
        "seed=" + "9" * 5000,
        "num_keys=" + "[" * 500 + "]" * 500,
        "num_keys=" + "{a:" * 300,
        "num_keys=" + "(" * 3000,
    ),
    *(
        "num_keys=0x10",
        "num_keys=1e400",
        "num_keys=1_000,",
        "num_keys=8\t9",
        "num_keys=\u0663",
        "\u00fc=1",
        "num_keys=\u00a0",
    ),
    *(
        "resume=../x",
        "resume=nope",
        "resume=''",
        "resume=[a]",
        "resume=latest",
        "order=5",
        "lock=maybe",
        "isolation=fork",
    ),
    *("adapter.type=5", "adapter.type=null", "adapter.type=[fs]", "adapter.base_path=5.5"),
    *("+adapter.type.x=5", "+adapter=fs", "adapter_json={}", "adapter_json=5", "adapter_json=''"),
    *(
        'adapter_json=[{"type": "fs"}]',
        'adapter_json={"type": 5}',
        'adapter_json={"type": null}',
        "adapter_json=NaN",
    ),
    *('adapter_json={"type": "fs", "base_path": {}}', 'adapter_json={"type": "fs", "base_path": [1]}'),
    *('adapter_json={"type": "fs", "base_path": ""}'),
    *('adapter_json={"a": ' + "[" * 5000, "adapter_json=true"),
    *(
        "cache.paths=[]",
        "cache.paths=[5.5]",
        "cache.paths=['']",
        "cache.drop_before=load",
        "cache.drop_before=[x]",
    ),
    *("model.tp=0", "model=qwen3-32b,x", "model.nope=5", "profile=true", "payload_namespace=''"),
)
OF_LMCACHE = [
    Case("type with NUL", ['adapter_json={"type": "fs\\u0000", "base_path": "k"}'], "adapter.type"),
    Case("long type", [f'adapter_json={{"type": "{LONG}"}}'], "fs resp"),
    Case("no base_path", ["adapter.base_path=null"], "base_path"),
    Case("negative max_size_gb", ["adapter=mock", "adapter.max_size_gb=-1"], "max_size_gb"),
    Case("text max_size_gb", ["adapter=mock", "adapter.max_size_gb=x"], "max_size_gb"),
    Case("fault_inject: rate", ["adapter=fault_inject", "adapter.rate=2"], "rate"),
    Case("fio: text for a switch", ["adapter=fio", "adapter.use_odirect=maybe"], "use_odirect"),
    Case("fio: lookup", ["adapter=fio", "only=lookup"], "only lookup fio"),
    Case("fio: unknown field", ["adapter=fio", "+adapter.nope=5"], "nope"),
]
GRAMMAR = [Case(f"grammar {text[:40]}", [text, "dry_run=true"]) for text in _BROKEN]
GRAMMAR_OF_SWEEPS = [
    Case(f"sweep: grammar {text[:40]}", ["-m", text, "in_flight=1,2", "dry_run=true"])
    for text in _BROKEN[::4]  # a sweep reads them with the same parser
]

HOSTILE = [
    *NUMBERS_OF_WRONG_KINDS,
    *OTHERS_OF_WRONG_KINDS,
    *LIMITS,
    *PLACES,
    *MANY_POINTS,
    *ZIP,
    *CONSTRAINTS,
    *FLAGS,
    *OF_LMCACHE,
    *GRAMMAR,
    *GRAMMAR_OF_SWEEPS,
]
