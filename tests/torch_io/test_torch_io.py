"""Files of the authors' program in and out; tests that need PyTorch run where it is installed."""

import json
import sys
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from absl import app
from absl.testing import flagsaver
from safetensors.numpy import load_file

from toymono import Config, Hyperparams, cli, features, frames, store
from toymono.frames import parts as part_frames
from toymono.frames import regimes
from toymono.job import job_of
from toymono.plots import gallery, registry
from toymono.report import detail, page, tables
from toymono.torch_io import authors, files, saelens
from toymono.torch_io.__main__ import main

SIZES = {"n": 16, "m": 4, "k": 24, "batch_size": 8, "log2_steps": 5}
RUNS = {
    "decoder": (Config(**SIZES), Hyperparams(eps=0.25, init_bias=-0.5)),
    "reproject": (Config(**SIZES, task="reproject", nonlinearity="gelu"), Hyperparams(eps=0.5)),
    "abs": (
        Config(**SIZES, task="abs", nonlinearity="solu", feature_law="power_law"),
        Hyperparams(l1=1e-3, learning_rate=0.007, bias_decay=0.03),
    ),
}


INPUTS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)


def assert_close(ours, theirs):
    """To 1e-6 of the largest entry."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * abs(np.asarray(theirs)).max())


@pytest.fixture(params=RUNS)
def original(request, untrained):
    return untrained(*RUNS[request.param])


@pytest.fixture
def contents(untrained):
    return authors.contents_of(untrained(*RUNS["decoder"]))


def assert_same_arrays(run, other):
    np.testing.assert_array_equal(run.world.embed_nm, other.world.embed_nm)
    if run.world.reproject_nm is not None:
        np.testing.assert_array_equal(run.world.reproject_nm, other.world.reproject_nm)
    for name in ("w_mk", "b_k", "w_ko"):
        np.testing.assert_array_equal(getattr(run.snapshots, name), getattr(other.snapshots, name))


def equal(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(np.array_equal(one, other))


def test_round_trips_are_exact(original):
    contents = authors.contents_of(original)
    imported = authors.run_of(contents)
    assert_same_arrays(imported, original)
    assert (imported.config, imported.hyperparams) == (original.config, original.hyperparams)
    assert (imported.loss_t[::16] == original.loss_t[::16]).all()
    assert (imported.loss_t[16:] == original.loss_t[16]).all()
    assert equal(authors.contents_of(imported), contents)


def test_the_seed_depends_on_the_weights_and_is_none_of_a_sweep(contents, untrained):
    imported = authors.run_of(contents)
    assert 2**32 <= imported.seed < 2**48
    assert authors.run_of(contents).seed == imported.seed
    other = authors.contents_of(untrained(*RUNS["decoder"], seed=1))
    assert authors.run_of(other).seed != imported.seed


def test_an_imported_run_is_stored_found_and_scored(contents, tmp_path):
    run = authors.run_of(contents)
    path = store.save(tmp_path, run, trained_by={"program": "theirs"})
    [stored] = store.find(tmp_path)
    assert (stored.path, stored.versions, stored.seed) == (path, {"program": "theirs"}, run.seed)
    loaded = store.load(stored)
    assert loaded.seed == run.seed
    assert_same_arrays(loaded, run)
    [row] = frames.per_run([stored]).to_dict("records")
    assert row["seed"] == run.seed
    assert len(frames.per_snapshot([stored])) == len(run.config.snapshot_steps)


def test_the_trace_of_the_authors_program_can_be_imported(trace):
    """Their own weights, in a file as they would save it, give the same forward pass."""
    arrays, meta = trace.arrays, json.loads(str(trace.arrays["meta"]))
    final = {
        "0.weight": arrays["final_W_in"],
        "0.bias": arrays["final_bias"],
        "2.weight": arrays["final_W_out"],
    }
    steps = int(np.log2(len(arrays["losses"])))
    setup = {"fixed_embedder": arrays["embedder"]}
    if "output_embedder" in arrays:
        setup["output_embedder"] = arrays["output_embedder"]
    run = authors.run_of(
        {
            **{name: meta[name] for name in ("k", "m", "N", "eps", "learning_rate", "decay")},
            **{name: meta[name] for name in ("reg", "task", "nonlinearity", "sample_kind")},
            "initial_bias": meta["init_bias"],
            "log2_batch_size": int(np.log2(meta["batch_size"])),
            "log2_training_steps": steps,
            "losses": [float(loss) for loss in arrays["losses"][: 2**steps : 16]],
            "final_model": final,
            "log2_spaced_models": [final] * (steps + 1),
            "setup": setup,
        }
    )
    x_bm = trace.world.inputs(trace.features_tbn[-1])
    hidden_bk = np.maximum(np.asarray(x_bm) @ final["0.weight"].T + final["0.bias"], 0)
    assert_close(run.final(x_bm), hidden_bk @ final["2.weight"].T)
    np.testing.assert_array_equal(run.world.embed_nm, trace.world.embed_nm)


def _without(name):
    return lambda contents: contents.pop(name)


def _with(name, value):
    return lambda contents: contents.update({name: value})


def _transposed(contents):
    contents["final_model"]["0.weight"] = contents["final_model"]["0.weight"].T


def _other_final(contents):
    contents["final_model"]["0.bias"] = contents["final_model"]["0.bias"] + 1


WRONG = {
    "missing": (_without("losses"), "losses is missing"),
    "word": (_with("task", "sort"), "task='sort' is not one of autoencoder, random_proj, abs"),
    "number": (_with("eps", "high"), "eps='high' is not a number"),
    "range": (_with("eps", 2.0), r"eps=2 is not in \(0, 1\]"),
    "whole": (_with("k", 2.5), "k=2.5 is not a whole number"),
    "infinite": (_with("k", float("inf")), "k=inf is not a whole number"),
    "batch": (_with("log2_batch_size", 99), r"log2_batch_size=99 is not in \[0, 24\]"),
    "list": (_with("log2_spaced_models", {}), "log2_spaced_models is a dict, not a list"),
    "snapshots": (_with("log2_training_steps", 4), r"has 6 entries, not 5 for 2\*\*4 steps"),
    "state": (_with("final_model", 3), "final_model is a int, not a dict"),
    "losses": (_with("losses", [1.0]), "losses has 1 entries, not 2 for 32 steps"),
    "no losses": (_with("losses", [[1.0], "x"]), "losses is not a list of numbers"),
    "embedder": (_with("setup", {}), "fixed_embedder is missing"),
    "transposed": (_transposed, r"0.weight is float32 \[4, 24\], not floats \[24, 4\]"),
    "final": (_other_final, "final_model is not the last of log2_spaced_models"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_named(contents, case):
    change, message = WRONG[case]
    change(contents)
    with pytest.raises(ValueError, match=message):
        authors.run_of(contents)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"optimizer": "adam"}, "has no optimizer=adam"),
        ({"penalty": "soft"}, "has no penalty=soft"),
        ({"nonlinearity": "tent"}, "has no nonlinearity=tent"),
        ({"task": "identity", "model": "tied"}, "has no model=tied"),
        ({"batch_size": 12}, "batch_size=12"),
    ],
)
def test_runs_that_the_authors_program_does_not_have_are_refused(untrained, changed, message):
    run = untrained(*RUNS["decoder"]).replace(config=Config(**{**SIZES, **changed}))
    with pytest.raises(ValueError, match=message):
        authors.contents_of(run)


def test_a_state_dict_gives_the_same_outputs_in_torchs_layout(original, tmp_path):
    """`Linear` multiplies by the transpose of its weight; here in float64 numpy."""
    path = files.write_state_dict(tmp_path / "model.safetensors", original)
    state = {name: array.astype(float) for name, array in load_file(path).items()}
    x_bm = INPUTS
    pre_bk = x_bm @ state["0.weight"].T + state["0.bias"]
    hidden_bk = np.asarray(original.final.neurons(jnp.asarray(x_bm)))
    if original.config.nonlinearity == "relu":
        assert_close(hidden_bk, np.maximum(pre_bk, 0))
    assert_close(original.final(jnp.asarray(x_bm)), hidden_bk @ state["2.weight"].T)
    with pytest.raises(FileExistsError, match="not overwritten"):
        files.write_state_dict(path, original)


@pytest.mark.parametrize("law", ["equal", "power_law"])
def test_a_synthetic_model_of_saelens_has_the_directions_and_frequencies(tmp_path, untrained, law):
    config, hyperparams = Config(**SIZES, feature_law=law), Hyperparams(eps=0.25)
    run = untrained(config, hyperparams)
    folder = saelens.write(tmp_path / "new" / "features", run)
    weights = load_file(folder / saelens.WEIGHTS)
    np.testing.assert_array_equal(weights["feature_vectors"], run.world.embed_nm)
    np.testing.assert_array_equal(
        weights["firing_probabilities"], features.frequencies(config, hyperparams)
    )
    assert weights["bias"].tolist() == [0] * 4
    config = json.loads((folder / saelens.CONFIG).read_text())
    assert (config["num_features"], config["hidden_dim"]) == (16, 4)
    assert config["firing_probability"]["generator_name"] == (
        "constant" if law == "equal" else "zipfian"
    )
    with pytest.raises(FileExistsError, match="not overwritten"):
        saelens.write(folder, run)


def test_an_export_for_saelens_that_was_killed_can_be_repeated(tmp_path, untrained):
    """The weights are written first; those of another run are not replaced."""
    run, other = (untrained(*RUNS["decoder"], seed=seed) for seed in (0, 1))
    folder = saelens.write(tmp_path / "features", run)
    (folder / saelens.CONFIG).unlink()
    with pytest.raises(FileExistsError, match=rf"{saelens.WEIGHTS} exists and is not overwritten"):
        saelens.write(folder, other)
    assert saelens.write(folder, run) == folder
    assert (folder / saelens.CONFIG).exists()


def test_figures_report_and_analyses_work_on_an_imported_run(tmp_path, untrained):
    run = authors.run_of(authors.contents_of(untrained(*RUNS["decoder"])))
    store.save(tmp_path / "runs", run, trained_by={"program": "model3.py of the paper"})
    [stored] = store.find(tmp_path / "runs")
    gallery.draw_all([stored], [registry.FIGURES["sorted_biases"]], tmp_path, ["png"])
    assert (tmp_path / "sorted_biases.png").stat().st_size > 1000
    found = tables.tables([stored], iter)
    text = page.render(found.tables, [detail.detail(stored, "imported")], "", "")
    assert text.count(stored.name) > 1
    [row] = frames.per_run([stored]).to_dict("records")
    assert row["run"] == stored.name
    assert part_frames.linear_maps([stored])["run"].unique().tolist() == [stored.name]
    assert regimes.per_run([stored])["run"].unique().tolist() == [stored.name]


def test_signed_features_are_none_of_saelens(tmp_path, untrained):
    with pytest.raises(ValueError, match="its features are signed"):
        saelens.write(tmp_path, untrained(*RUNS["abs"]))


def test_without_torch_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pt").touch()
    with pytest.raises(files.NoTorch, match=r"to read .*a.pt takes PyTorch: pip install torch"):
        files.read(tmp_path / "a.pt")


# With PyTorch.


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_torch_reads_and_writes_their_files_exactly(torch, original, tmp_path):
    path = files.write(tmp_path / "run.pt", original)
    saved = torch.load(path, weights_only=True)
    assert list(saved["final_model"]) == ["0.weight", "0.bias", "2.weight"]
    imported = files.read(path)
    assert_same_arrays(imported, original)
    again = files.read(files.write(tmp_path / "again.pt", imported))
    assert job_of(again).name == job_of(imported).name
    assert_same_arrays(again, imported)


def test_torchs_forward_pass_agrees(torch, original, tmp_path):
    from safetensors.torch import load_file

    class SoLU(torch.nn.Module):
        def forward(self, x):
            return x * torch.exp(x)

    activations = {"relu": torch.nn.ReLU(), "gelu": torch.nn.GELU(), "solu": SoLU()}
    outputs = 4 if original.config.task == "reproject" else 16
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 24),
        activations[original.config.nonlinearity],
        torch.nn.Linear(24, outputs, bias=False),
    )
    path = files.write_state_dict(tmp_path / "model.safetensors", original)
    network.load_state_dict(load_file(path))
    with torch.no_grad():
        theirs_bo = network(torch.from_numpy(INPUTS)).numpy()
    assert_close(original.final(jnp.asarray(INPUTS)), theirs_bo)


class Evil:
    """What a pickle would call."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_files_that_hold_more_than_data_are_refused(torch, tmp_path, contents):
    torch.save({**contents, "losses": Evil()}, path := tmp_path / "evil.pt")
    with pytest.raises(store.BrokenRun, match="holds more than arrays"):
        files.read(path)


def _text(torch, path):
    path.write_text("hello")


def _zip(torch, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", "hello")


def _cut(torch, path):
    torch.save({"losses": torch.zeros(10000)}, path)
    path.write_bytes(path.read_bytes()[:5000])


def _list(torch, path):
    torch.save([1], path)


def _legacy(torch, path):
    torch.save({"losses": torch.zeros(10)}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("make", [_text, _zip, _cut, _list, _legacy])
def test_other_files_are_refused_in_one_line(torch, tmp_path, make):
    make(torch, path := tmp_path / "a.pt")
    with pytest.raises(store.BrokenRun, match=r"^\S+a.pt is not a file of the authors'") as caught:
        files.read(path)
    assert "\n" not in str(caught.value)


# The command.


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process; its exit code, stdout and stderr."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["toymono/torch_io/__main__.py", *map(str, arguments)])
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            cli.run(main, operands=True)
        return exit_.value.code, *capsys.readouterr()

    return run


def test_the_command_imports_and_exports(torch, tmp_path, original, command):
    theirs, ours = files.write(tmp_path / "theirs.pt", original), tmp_path / "ours.pt"
    runs_dir = f"--runs_dir={tmp_path / 'runs'}"
    assert command("import", theirs, runs_dir)[0] == 0
    [stored] = store.find(tmp_path / "runs")
    assert stored.versions == {"program": "model3.py of the paper"}
    code, out, _ = command("import", theirs, runs_dir)
    assert (code, out) == (0, f"{theirs}: already stored as {stored.path}\n")
    # One broken file among several, then a broken run in the place of one that was imported.
    (broken := tmp_path / "broken.pt").write_text("mine")
    code, out, err = command("import", broken, theirs, runs_dir)
    assert (code, out) == (1, f"{theirs}: already stored as {stored.path}\n")
    assert err.startswith(f"torch_io: {broken} is not a file of the authors' program")
    assert err.count("\n") == 1
    content = stored.path.read_bytes()
    stored.path.write_bytes(content[:-1])
    code, out, err = command("import", theirs, runs_dir)
    assert (code, out) == (1, "")
    assert f"{stored.path} cannot be read as a run" in err
    stored.path.write_bytes(content)
    assert command("export", stored.name, f"--out={ours}", runs_dir)[0] == 0
    assert_same_arrays(files.read(ours), original)


def test_the_command_exports_without_torch(tmp_path, original, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    path = store.save(tmp_path / "runs", original)
    code, out, err = command("export", path, f"--out={tmp_path / 'model.safetensors'}")
    assert (code, out, err) == (0, f"written: {tmp_path / 'model.safetensors'}\n", "")
    code, _, err = command("export", path, f"--out={tmp_path / 'model.pt'}")
    assert (code, err.count("\n")) == (1, 1)
    assert "takes PyTorch: pip install torch" in err
    code, _, err = command("export", path, "--saelens", f"--out={tmp_path / 'features'}")
    assert code == (2 if original.config.task == "abs" else 0), err
