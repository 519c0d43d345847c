"""Bad command lines: each ends with its exit code and one line, whatever the flags."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toymono import store
from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY

# Code 2 unless the line starts with it. A command trains, draws or writes nothing here.
LINES = {
    "sweep": {
        "--kk=3": "unknown flag --kk; one of: --k",
        "--nok=3": "unknown flag --nok",
        "--no": "unknown flag --no; one of: --n",
        "---k=3": "unknown flag ---k",
        "--=3": "unexpected arguments: --=3",
        "-": "unexpected arguments: -",
        "--k 8 16": "unexpected arguments: 16; every setting is a flag",
        "train": "unexpected arguments: train",
        "--k": "Missing value for flag --k",
        "--k=": "an empty item in ''",
        "--k=8,": "an empty item in '8,'",
        "--k=0": "k=0 is not a whole number of at least 1",
        "--k=1.5": "k='1.5' is not a whole number",
        "--k=99999999999999999999": "is more than 16777216",
        "--n=3000000000": "n=3000000000 is more than 16777216",
        "--m=600": "m=600 is more than n=512",
        "--batch_size=99999999999": "batch_size=99999999999 is more than 16777216",
        "--log2_steps=-1": "log2_steps=-1 is not a whole number of at least 0",
        "--log2_steps=25": "log2_steps=25 is more than 24",
        "--task=": "an empty item in ''",
        "--task=DECODER": "task='DECODER' is not one of decoder, reproject, abs, identity",
        "--nonlinearity=tanh": "nonlinearity='tanh' is not one of relu, gelu, solu, tent",
        "--model=tied": "model=tied has the task identity alone",
        "--model=tied --task=identity --k=3": "--k has no effect with model=tied",
        "--model=tied --task=identity --sparsity=set": "model=tied has sparsity=none alone",
        "--density=0.5": "--density has no effect with sparsity=none; use --sparsity",
        "--sparsity=set --density=0": "density=0 is not in (0, 1]",
        "--sparsity=set --density=": "an empty item in ''",
        "--sparsity=set --density=x": "density='x' is not a number",
        "--parents=x": "--parents requires --origin",
        "--origin=continued": "requires --parents naming 1 stored run, not 0",
        "--origin=pull --parents=RUN": "requires --parents naming 2 stored runs, not 1",
        "--origin=continued --parents=": "--parents is empty; it takes names of stored runs",
        "--origin=continued --parents=0123456789abcdef": "there is no run 0123456789abcdef in runs",
        "--origin=continued --parents=../a_file": "'../a_file' is not the name of a run",
        "--origin=continued --parents=/etc/passwd": "'/etc/passwd' is not the name of a run",
        "--origin=continued --parents=RUN --sweep=LR1": "--sweep does not go with --parents",
        "--sparsity=set --density=1.5": "density=1.5 is not in (0, 1]",
        "--sparsity=erdos_renyi --drop_share=0.1": "--drop_share has an effect only with ",
        "--eps=0": "eps=0 is not in (0, 1]",
        "--eps=1e-50": "eps=0 is not in (0, 1]",
        "--eps=many": "eps='many' is not a number",
        "--learning_rate=nan": "learning_rate=nan is not in [0, inf)",
        "--init_bias=inf": "init_bias=inf is not in (-inf, inf)",
        "--init_bias=1e39": "init_bias=1e+39 is more than 3.4e+38",
        "--dropout=on --dropout_rate=1": "dropout_rate=1 is not in [0, 1)",
        "--alpha=0": "--alpha has no effect with penalty=none; use --penalty",
        "--seed=-1": "-1 is not an integer in the range [0, 4294967295]",
        "--seed=1e3": "--seed=1e3",
        "--seed=4294967295 --seeds=2": "leaves no room for 2 seeds",
        "--seeds=0": "0 is not an integer in the range",
        "--seeds=": "flag --seeds=",
        "--seeds=999999999999": "not an integer in the range [1, 1048576]",
        "--seeds=1048576": "more than 32768 runs requested; split the sweep",
        "--group_size=0": "not a whole number of at least 1, or auto",
        "--save_every=0": "not a number of seconds above 0, or auto",
        "--save_every=nan": "not a number of seconds above 0, or auto",
        "--preset=huge": "smoke|laptop|paper",
        "--scale=paper": "--scale requires --sweep; use --preset",
        "--sweep=": "--sweep is empty",
        "--sweep=LR1,": "sweep='' is not one of LR1",
        "--sweep=all,LR9": "sweep='LR9' is not one of LR1",
        "--sweep=all --n=4": "m=32 is more than n=4",
        "--sweep=LR1 --preset=smoke": "--preset does not go with --sweep; use --scale",
        "--hosts=2": "--hosts and --host require --coordinator",
        "--host=0": "--hosts and --host require --coordinator",
        "--coordinator=": "--coordinator='' is neither address:port nor auto",
        "--coordinator=here": "--coordinator='here' is neither address:port nor auto",
        "--coordinator=1 --hosts=1 --host=0": "'1' is neither address:port nor auto",
        "--coordinator=here:1": "--coordinator address:port requires --hosts and --host",
        "--coordinator=here:1 --hosts=1 --host=1": "--host=1 is not less than --hosts=1",
        "--dry_run=perhaps": "--dry_run=perhaps",
        "--nodry_run=3": "--nodry_run=3 does not take an argument",
        "--help=x": "flag --help=x",
        "--verbosity=x": "flag --verbosity=x",
        "--flagfile=/nowhere": "/nowhere",
        "--runs_dir=": "--runs_dir is empty; it takes a folder",
        "--runs_dir=a_file": "--runs_dir='a_file' is not a folder",
        "--runs_dir=/proc/x --nodry_run": "'/proc/x' cannot be written",
        "1 --n=16777216 --m=16777216 --nodry_run": "out of memory: a group needs",
    },
    "classifiers": {
        "--k=3": "unknown flag --k; one of: --data",
        "--epoch=3": "unknown flag --epoch; one of: --epochs",
        "digits": "unexpected arguments: digits",
        "--alpha=": "an empty item in ''",
        "--alpha=1e400": "alpha=inf is not in (-inf, inf)",
        "--sizes=": "an empty item in ''",
        "--sizes=x": "'x' is neither WIDTHxDEPTH (256x4) nor widths with dashes",
        "--sizes=0x4": "'0x4' is neither WIDTHxDEPTH",
        "--sizes=4x9999": "'4x9999' is neither WIDTHxDEPTH",
        "--sizes=4x101": "sizes has 101 layers, more than 100",
        "--sizes=99999999999999": "sizes=99999999999999 is more than 1048576",
        "--batch_size=1": "batch_size=1 is not a whole number of at least 2",
        "--batch_size=99999999999": "batch_size=99999999999 is more than 1048576",
        "--batch_size=100000": "batch_size=100000 is more than 1437 examples",
        "--epochs=0": "epochs=0 is not a whole number of at least 1",
        "--epochs=1.5": "epochs='1.5' is not a whole number",
        "--prune_epochs=-1": "prune_epochs=-1 is not a whole number of at least 0",
        "--data=cifar": "data='cifar' is not one of digits, mnist, fashion_mnist",
        "--data=mnist": "data=mnist is read from IDX files: name their folder with --data_dir",
        "--data=mnist --data_dir=/nowhere": "mnist needs /nowhere/train-images-idx3-ubyte",
        "--data_dir=": "--data_dir is empty; it takes a folder",
        "--data_dir=a_file": "--data_dir='a_file' is not a folder",
        "--network=rnn": "network='rnn' is not one of mlp, cnn",
        "--penalty=none": "penalty='none' is not one of soft, hard",
        "--nonlinearity=gelu": "nonlinearity='gelu' is not one of relu, tent",
        "--layer_norm=yes": "layer_norm='yes' is not one of off, on",
        "--dropout_rate=0.25": "--dropout_rate has no effect with dropout=off; use --dropout",
        "--seeds=0": "0 is not an integer in the range",
        "--seed=4294967295": "seed=4294967295 leaves no room for 5 seeds",
        "--clusters=1": "1 is not an integer in the range [2, 1000]",
        "--shuffles=0": "0 is not an integer in the range [1, 1000000]",
        "--ablations=x": "flag --ablations=x",
        "--structure=maybe": "flag --structure=maybe",
        "--capacity=2": "flag --capacity=2",
        "--figures_dir=": "--figures_dir is empty; it takes a folder",
        "--runs_dir=a_file": "--runs_dir='a_file' is not a folder",
        "--runs_dir=/proc/x --nodry_run": "cannot be written",
    },
    "autoencoders": {
        "--alpha=1": "unknown flag --alpha; one of: --data",
        "--patch=1": "patch=1 is not a whole number of at least 2",
        "--patch=257": "patch=257 is more than 256",
        "--sizes=": "an empty item in ''",
        "--sizes=128x101": "sizes has 101 layers, more than 100",
        "--steps=0": "steps=0 is not a whole number of at least 1",
        "--batch_size=0": "batch_size=0 is not a whole number of at least 1",
        "--dropout_rate=1": "dropout_rate=1 is not in [0, 1)",
        "--learning_rate=-1": "learning_rate=-1 is not in [0, inf)",
        "--data=photo": "data='photo' is not one of photographs, folder",
        "--data=folder": "name it with --data_dir",
        "--data=folder --data_dir=/nowhere": "there is no folder '/nowhere'",
        "--data=folder --data_dir=empty": "empty holds no image",
        "--data_dir=a_file": "--data_dir='a_file' is not a folder",
        "1 --sizes=1048576x100 --patch=4 --nodry_run": "out of memory: a group needs",
    },
    "plots": {
        "--figs=3": "unknown flag --figs; one of: --figure",
        "all": "unexpected arguments: all",
        "--figure": "Missing value for flag --figure",
        "--figure=": "--figure is empty; it takes ",
        "--figure=fig27": "figure='fig27' is not one of ",
        "--figure=fig01,": "figure='' is not one of ",
        "--figure=fig01": "fig01",
        "--format=": "--format is empty; it takes pdf, png, svg",
        "--format=png,jpg": "format='jpg' is not one of pdf, png, svg",
        "--by=speed": "by='speed' is not one of task, n, m, k",
        "--by=": "by='' is not one of task",
        "--by=k --paper": "--paper cannot be combined with --figure or --by",
        "--where=": "--where is empty; it takes field=value",
        "--where=,": "--where='' is not of the form field=value",
        "--where=k": "--where='k' is not of the form field=value",
        "--where=k=": "k='' is not a whole number",
        "--where=k=0": "k=0 is not a whole number of at least 1",
        "--where=speed=3": "where='speed' is not one of ",
        "--where=task=sort": "task='sort' is not one of decoder, reproject, abs, identity",
        "--where=patch=8,task=abs": "no kind of run has all the fields patch, task",
        "--where=seed=-1": "seed=-1 is not a whole number of at least 0",
        "--where=k=512": "no matching runs with k=512 in 'runs'; train some with: ",
        "--runs_dir=/nowhere": "there is no folder '/nowhere'; train some runs with: ",
        "--runs_dir=empty": "no matching runs in 'empty'; train some with: ",
        "--runs_dir=broken": "no matching runs in 'broken'; 2 files there cannot be read: ",
        "--runs_dir=": "--runs_dir is empty; it takes a folder",
        "--figures_dir=a_file": "--figures_dir='a_file' is not a folder",
        "--paper=perhaps": "flag --paper=perhaps",
    },
    "papers": {
        "--paper=jermyn2022": "unknown flag --paper; one of: --papers",
        "jermyn2022": "unexpected arguments: jermyn2022",
        "--papers": "Missing value for flag --papers",
        "--papers=": "--papers is empty; it takes jermyn2022",
        "--papers=jermyn": "papers='jermyn' is not one of jermyn2022",
        "--papers=jermyn2022,wrong": "papers='wrong' is not one of jermyn2022",
        "--scale=huge": "value should be one of <paper|",
        "--scale=paper --papers=wright2022": "wright2022 has no paper scale",
        "--runs_dir=/nowhere": "there is no folder '/nowhere'",
        "--docs_dir=": "--docs_dir is empty; it takes a folder",
        "--docs_dir=a_file": "--docs_dir='a_file' is not a folder",
        "--docs_dir=/nowhere --runs_dir=empty": "no runs of jermyn2022",
        "--docs_dir=/nowhere --runs_dir=broken": "2 files there cannot be read: python -m toymono.",
    },
    "report": {
        "--outt=x": "unknown flag --outt; one of: --out",
        "page": "unexpected arguments: page",
        "--detail": "Missing value for flag --detail",
        "--detail=": "--detail is empty; it takes names of runs or a number",
        "--detail=8,": "--detail is empty; it takes names of runs or a number",
        "--detail=65": "--detail=65 is more than 64",
        "--detail=-1": "--detail='-1' is not the name of one of the selected runs",
        "--detail=0123456789abcdef": "is not the name of one of the selected runs",
        "--where=": "--where is empty; it takes field=value",
        "--where=k=512": "no matching runs with k=512 in 'runs'; train some with: ",
        "--runs_dir=/nowhere": "there is no folder '/nowhere'; train some runs with: ",
        "--runs_dir=a_file": "--runs_dir='a_file' is not a folder",
        "--runs_dir=broken": "2 files there cannot be read: python -m toymono.store check",
        "--out=": "'' cannot be written: No such file or directory",
        "--out=a_file": "'a_file' cannot be written: File exists",
        "--out=/proc/x": "'/proc/x' cannot be written",
        "--out=taken": "taken/index.html is not overwritten: it was not written by this command",
    },
    "completion": {
        "--shel=bash": "unknown flag --shel; one of: --shell",
        "bash": "unexpected arguments: bash",
        "--shell": "Missing value for flag --shell",
        "--shell=": "value should be one of <bash|zsh|fish>",
        "--shell=tcsh": "value should be one of <bash|zsh|fish>",
    },
    "store": {
        "--k=3": "unknown flag --k; one of: ",
        "check check": "unexpected arguments: check",
        "--quarantine=perhaps": "flag --quarantine=perhaps",
        "--runs_dir=/nowhere": "there is no folder '/nowhere'",
        "--runs_dir=a_file": "--runs_dir='a_file' is not a folder",
        "--runs_dir=": "--runs_dir is empty; it takes a folder",
    },
    "zoo": {
        "--updat": "unknown flag --updat; one of: --update",
        "decoder": "unexpected arguments: decoder",
        "--runs_dir=runs": "--runs_dir requires --update",
        "--update=perhaps": "flag --update=perhaps",
        "--runs_dir=a_file": "--runs_dir='a_file' is not a folder",
    },
    "torch_io": {
        "--outt=3": "unknown flag --outt; one of: --out",
        "": "usage: toymono torch_io import FILE.pt … or export RUN --out FILE",
        "convert x": "usage: toymono torch_io",
        "import": "import requires files: import FILE.pt …",
        "import /nowhere.pt": "there is no file '/nowhere.pt'",
        "import empty": "there is no file 'empty'",
        "import x.pt --out=a.pt": "--out and --saelens require export",
        "export": "export requires one run and --out",
        "export a": "export requires one run and --out",
        "export a b --out=c.pt": "export requires one run and --out",
        "export 0123456789abcdef --out=m.safetensors": "there is no run 'runs/0123456789abcdef",
        "export a --out=m.txt": "--out='m.txt' ends neither in .safetensors nor in .pt",
        "export a --out=runs/m.pt": "--out='runs/m.pt' lies among the runs; use another folder",
        "export a --out=m.pt --runs_dir=a_file": "--runs_dir='a_file' is not a folder",
        "export RUN --out=a_file.safetensors": "a_file.safetensors exists and is not overwritten",
        "1 export broken/half.safetensors --out=m.pt": "cannot be read as a run",
    },
}

TRAIN = ("sweep", "classifiers", "autoencoders")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, untrained):
    """Where the lines run: with a run, broken runs, an empty folder and files."""
    folder = tmp_path_factory.mktemp("lines")
    store.save(folder / "runs", untrained())
    for name in ("empty", "broken"):
        (folder / name).mkdir()
    for name in ("half", "other"):
        (folder / "broken" / f"{name}.safetensors").write_text("half a run")
    (folder / "taken").mkdir()
    for name in ("a_file", "a_file.safetensors", "taken/index.html"):
        (folder / name).write_text("mine")
    return folder


@pytest.fixture(scope="module")
def sessions(commands, folder):
    """A process for each command, started when it is first asked for."""
    opened = {}

    def session(name):
        if name not in opened:
            opened[name] = commands.session(name, folder)
        return opened[name]

    yield session
    for each in opened.values():
        each.close()


def test_there_are_many_lines():
    assert sum(map(len, LINES.values())) >= 120


@pytest.mark.parametrize("name", LINES)
def test_bad_lines_end_with_their_code_and_one_line(sessions, folder, name):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    [run] = (folder / "runs").glob("*.safetensors")
    for line, message in LINES[name].items():
        words = line.replace("RUN", run.stem).split()
        code = int(words.pop(0)) if words[:1] == ["1"] else 2
        dry = ["--dry_run"] if name in TRAIN and "dry_run" not in line else []
        # One line of text; a warning about each broken file may come first.
        got, _, err = sessions(name)(*dry, *words)
        last = err.splitlines()[-1] if err else ""
        assert (got, message in last) == (code, True), (line, got, err)
        others = [each for each in err.splitlines()[:-1] if "skipping an unreadable" not in each]
        assert not others, (line, err)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    "line",
    [
        ["plots", "--runs_dir=broken"],
        ["report", "--runs_dir=broken"],
        ["papers", "--runs_dir=broken", "--docs_dir=/nowhere", "--papers=jermyn2022"],
        ["zoo", "--runs_dir=broken", "--update"],
    ],
)
def test_broken_files_are_named_and_no_training_is_proposed(sessions, line):
    _, out, err = sessions(line[0])(*line[1:])
    for name in ("half", "other"):
        assert f"broken/{name}.safetensors cannot be read as a run" in err
    assert "python -m toymono.store check --runs_dir broken" in out + err
    assert "toymono.sweep" not in out + err


# Any combination of flags.

ODD = ("", " ", ",", "0", "-1", "1", "2", "0.5", "1e9", "1e40", "nan", "inf", "x", "é", "8,16")
ODD += ("99999999999999999999", "4x3", "0x0", "auto", "all", "true", "None", "k=8", "/proc/x")

FLAGS = {
    "sweep": [
        *(*TOY, "preset", "sweep", "scale", "seed", "seeds", "group_size", "save_every"),
        *("parents", "coordinator", "hosts", "host"),
    ],
    "classifiers": [*CLASSIFIER, "seed", "seeds", "capacity", "clusters", "shuffles", "data_dir"],
    "autoencoders": [*AUTOENCODER, "seed", "seeds", "data_dir"],
    "plots": ["figure", "by", "where", "format", "paper", "list"],
    "papers": ["papers", "scale"],
    "store": ["quarantine"],
    "torch_io": ["out", "saelens"],
    "report": ["out", "detail", "where"],
    "zoo": ["update"],
    "completion": ["shell"],
}
KNOWN = {
    "preset": ["smoke", "laptop"],
    "sweep": ["LR1", "all"],
    "scale": ["small", "paper"],
    "parents": ["RUN", "0123456789abcdef", "../a_file"],
    "figure": ["sorted_biases", "fig01"],
    "format": ["png", "svg"],
    "by": ["k", "task"],
    "where": ["task=decoder", "k=24"],
    "papers": ["olah2017", "jermyn2022"],
    "detail": ["RUN", "3"],
    "shell": ["bash", "fish"],
}
"""Words that flags know which are no fields; RUN is the name of the stored run."""
TABLES = {"sweep": TOY, "classifiers": CLASSIFIER, "autoencoders": AUTOENCODER}
FOLDERS = ("runs", "empty", "broken", "a_file", "/nowhere", "")


def a_flag(name: str, flag: str):
    """`--flag=value`: often a word that the flag knows, else something odd."""
    field = TABLES.get(name, {}).get(flag)
    known = [*field.choices, field.text(field.default)] if field and field.default else []
    known += KNOWN.get(flag, [])
    # Large images take seconds to cut into patches; `auto` waits for other processes.
    slow = {"patch": "1e9", "coordinator": "auto"}
    odd = [value for value in ODD if value != slow.get(flag)]
    return st.sampled_from([*known, *odd]).map(f"--{flag}={{}}".format)


def lines(name: str):
    flag = st.sampled_from(FLAGS[name]).flatmap(lambda flag: a_flag(name, flag))
    runs_dir = st.sampled_from(FOLDERS).map("--runs_dir={}".format)
    extra = {
        "torch_io": st.sampled_from([["import", "a_file"], ["export", "RUN"], []]),
        # Unless other flags say so, one figure: all take many seconds.
        "plots": st.just(["--figure=sorted_biases", "--format=png"]),
    }
    return st.tuples(
        extra.get(name, st.just([])),
        st.lists(flag, max_size=4),
        st.lists(runs_dir, max_size=0 if name == "completion" else 1),
    ).map(lambda parts: [word for part in parts for word in part])


def assert_ends_well(sessions, folder, name, arguments):
    """No traceback; one line if it fails, apart from the warnings about broken files."""
    [run] = (folder / "runs").glob("*.safetensors")
    arguments = [word.replace("RUN", run.stem) for word in arguments]
    arguments += ["--dry_run"] * (name in TRAIN) + ["--docs_dir=/nowhere"] * (name == "papers")
    code, _, err = sessions(name)(*arguments)
    assert code in (0, 1, 2), (arguments, err)
    if code:
        lines_ = [each for each in err.splitlines() if "skipping an unreadable" not in each]
        # `store check` lists broken files on stdout, and ends with code 1.
        assert len(lines_) == (0 if name == "store" and code == 1 else 1), (arguments, err)


@pytest.mark.parametrize("name", FLAGS)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_flags_end_without_a_traceback(sessions, folder, name, data):
    assert_ends_well(sessions, folder, name, data.draw(lines(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAGS)
@given(data=st.data())
@settings(
    max_examples=300,
    derandomize=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_many_random_flags_end_without_a_traceback(sessions, folder, name, data):
    """Others each time."""
    assert_ends_well(sessions, folder, name, data.draw(lines(name)))
