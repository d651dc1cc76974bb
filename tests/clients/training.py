"""Reads what `agon train` wrote with the tools of the field: arguments are the run's directory, TensorBoard's directory and
a directory with the inputs and what our judging runtime answered."""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run, runs, samples = map(pathlib.Path, sys.argv[1:])

# TensorBoard: nine scalars for each epoch, as in the history.
history = json.loads((run / "training_history.json").read_text())
events = EventAccumulator(str(runs))
events.Reload()
tags = events.Tags()["scalars"]
expected = {
    "Loss/train", "Loss/val", "Accuracy/val", "WeightedF1/val", "CompetitionScore/val",
    "F1_HighRisk/val", "F1_MediumRisk/val", "F1_Benign/val", "LearningRate",
}
assert set(tags) == expected, tags
for tag, of in [("Loss/train", lambda e: e["loss"]), ("CompetitionScore/val", lambda e: e["score"]),
                ("F1_HighRisk/val", lambda e: e["measures"]["f1_high_risk"])]:
    scalars = events.Scalars(tag)
    assert [scalar.step for scalar in scalars] == [epoch["epoch"] for epoch in history], scalars
    for scalar, epoch in zip(scalars, history):
        assert abs(scalar.value - of(epoch)) < 1e-6, (tag, scalar, epoch)

# The model: valid, with the inputs and the output of the competition, and the same answers elsewhere.
model = onnx.load(run / "model.onnx")
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(str(run / "model.onnx"), providers=["CPUExecutionProvider"])
names = [node.name for node in session.get_inputs()]
assert names == ["image", "demographics"], names
shapes = [node.shape for node in session.get_inputs()]
side = shapes[0][2]
assert shapes == [["batch", 3, side, side], ["batch", 3]], shapes
assert session.get_outputs()[0].shape == ["batch", 11]
for rows in [1, 5]:
    image = numpy.fromfile(samples / f"image-{rows}", dtype="<f4").reshape(rows, 3, side, side)
    demographics = numpy.fromfile(samples / f"demographics-{rows}", dtype="<f4").reshape(rows, 3)
    ours = numpy.fromfile(samples / f"answers-{rows}", dtype="<f4").reshape(rows, 11)
    [theirs] = session.run(None, {"image": image, "demographics": demographics})
    difference = float(abs(theirs - ours).max())
    assert difference < 1e-4, difference
    assert abs(theirs.sum(axis=1) - 1).max() < 1e-4
    print(f"{rows} rows: at most {difference:.2e} apart")
