"""Lists the trained models that come with the package.

    toymono zoo
    toymono zoo --update --runs_dir runs

Each model is printed with its scores and the command that trains it. With
--update the files in the package are written anew from the stored runs.
"""

from absl import flags

from toymono import cli

_UPDATE = flags.DEFINE_bool(
    "update", False, "Write the files of those models whose runs are in runs_dir."
)
flags.declare_key_flag("runs_dir")


def main() -> int:
    """Prints the zoo; with --update writes it first."""
    if cli.RUNS_DIR.present and not _UPDATE.value:
        raise cli.UsageError("--runs_dir requires --update")
    cli.prepare_jax()
    from toymono import frames, store, zoo  # after the flags: these import JAX

    if _UPDATE.value:
        try:
            found = {stored.name: stored for stored in store.every(cli.RUNS_DIR.value)}
        except FileNotFoundError as error:
            raise cli.UsageError(str(error)) from None
        unreadable = store.instead(cli.RUNS_DIR.value, "")
        for entry in zoo.ZOO.values():
            stored = found.get(entry.job.name)
            if stored is None:
                print(f"{entry.name}: not in {cli.RUNS_DIR.value}; {unreadable or entry.command}")
                continue
            [scores] = frames.per_run([stored])[list(zoo.SCORES)].to_dict("records")
            print(f"{entry.name}: wrote {zoo.save(entry, store.load(stored), scores)}")
        return 0
    for name, entry in zoo.ZOO.items():
        scores = entry.scores
        print(
            f"{name}: {entry.description}\n"
            f"    loss {scores['loss']:.3f}; neurons: {scores['monosemantic']} monosemantic, "
            f"{scores['polysemantic']} polysemantic, {scores['dead']} dead\n"
            f"    {entry.command}"
        )
    print('In Python: toymono.zoo.load("decoder-mono")')
    return 0


if __name__ == "__main__":
    cli.run(main)
