"""Any labelled texts to a text classifier: probed, tuned, calibrated, reported, exported to CTranslate2.

From a terminal: `frontdesk train classifier rows.csv --name NAME`. In Python:

    from inference.training.classify import Recipe, Row, train
    from inference.training.classify.export import export, install     # need the extra `train`
    from inference.training.classify.report import write
    from inference.training.classify.progress import bars

    rows = [Row("text", {"hate": 1.0, "violence": None}, slice="davidson"), ...]   # several labels, None: unknown
    rows = [Row("text", "positive"), ...]                                          # or one of several
    recipe = Recipe(method="lp-ft", prepare=classifier_copy, augment=noise, slice_cap=8000)
    with bars() as watch:
        trained = train(rows, recipe, folder=Path("runs/moderation"), test=test_rows, watch=watch)
    trained.probabilities(["a text"])                # calibrated, (texts, labels); `prepare` is applied here
    report = write(trained, Path("runs/moderation/report"))      # report.json, report.md, *.png; returned as a dict
    more = {"embedding": Head("mean", normalised=True)}
    parity = export(trained, Path("moderation/model"), head="moderation", more=more)
    manifest = install(trained, shelf=Shelf(root), name="moderation", source=Path("runs/moderation/source"))

Row(split="validation") fixes who judges; a baseline is Recipe(method="linear", prepare=...) on the same rows in another
folder. `scores` holds the figures in NumPy and is all that evaluating needs; importing this package loads neither torch
nor scikit-learn. The same call in the same folder goes on where a killed run stopped.

Decisions, newest last:

2026-11  The features are the mean of the states, not brought to length 1: the head of a served model is a layer on the
         mean, and a probe must be exactly what is served. They are scaled by their mean length while the probe is
         fitted, so that C means what it does on unit vectors.
2026-11  The probe is fitted by torch's L-BFGS with scikit-learn's objective, all labels at once: masks, soft labels and
         weights come free. scikit-learn is the oracle of its tests only.
2026-11  A text is cut at its end, in training as in service. Head and tail was left out: `inference.encoders` cuts at
         the end, and a model must be judged as it is served.
2026-11  Nothing random is carried from step to step (see `tune`), so a checkpoint needs no generator's state.
2026-11  Weights of slices are drawn rows, not factors of the loss: a small slice is seen more often, each time
         augmented otherwise.
2026-11  No dropout on the attention's shares: torch computes them by a slow path on CPUs then.
"""

from inference.training.classify.recipe import BadRecipe, NoBase, Recipe
from inference.training.classify.records import BadRows
from inference.training.classify.rows import Columns, Reading, Row, Task, read
from inference.training.classify.train import Trained, train

__all__ = [
    "BadRecipe",
    "BadRows",
    "Columns",
    "NoBase",
    "Reading",
    "Recipe",
    "Row",
    "Task",
    "Trained",
    "read",
    "train",
]
