"""Bad command lines: each ends with its exit code and one line, whatever the flags."""

import pytest
from bad_lines import LINES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toymono import store
from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY

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
