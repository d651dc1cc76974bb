"""Writes fixtures/metrics.json: predictions, and what scikit-learn 1.9 and NumPy compute from them.

python3 metrics.py, with scikit-learn installed; only needed to make the file anew.
"""

import json
import pathlib

import numpy
from sklearn import metrics

CLASSES, ROWS, ABSENT = 5, 120, 3
random = numpy.random.default_rng(5)
labels = random.choice([0, 1, 2, 4], size=ROWS, p=[0.5, 0.3, 0.15, 0.05])
logits = random.normal(size=(ROWS, CLASSES)) + 1.5 * numpy.eye(CLASSES)[labels]
# Sixteenths give many ties; the last class takes what is missing to 1.
rows = numpy.floor(16 * numpy.exp(logits) / numpy.exp(logits).sum(1, keepdims=True)) / 16
rows[:, -1] += 1 - rows.sum(1)
predictions = rows.argmax(1)

precision, recall, f1, support = metrics.precision_recall_fscore_support(
    labels, predictions, labels=range(CLASSES), zero_division=0
)
truth = numpy.eye(CLASSES)[labels]
present = [c for c in range(CLASSES) if c != ABSENT]
auroc = [None if c == ABSENT else metrics.roc_auc_score(truth[:, c], rows[:, c]) for c in range(CLASSES)]
confidence, correct = rows.max(1), predictions == labels
bins = numpy.clip(numpy.ceil(confidence * 15), 1, 15).astype(int) - 1
counts = numpy.bincount(bins, minlength=15)
means = [[float(x[bins == b].mean()) if counts[b] else 0.0 for b in range(15)] for x in (confidence, correct)]
gaps = numpy.abs(numpy.subtract(*means)) * counts

result = {
    "labels": labels.tolist(),
    "rows": rows.tolist(),
    "confusion": metrics.confusion_matrix(labels, predictions, labels=range(CLASSES)).tolist(),
    "accuracy": metrics.accuracy_score(labels, predictions),
    "balanced_accuracy": metrics.balanced_accuracy_score(labels, predictions),
    "precision": precision.tolist(),
    "recall": recall.tolist(),
    "f1": f1.tolist(),
    "support": support.tolist(),
    "auroc": auroc,
    "brier": metrics.brier_score_loss(labels, rows, labels=list(range(CLASSES)), scale_by_half=False),
    "expected_calibration_error": gaps.sum() / ROWS,
    "bins": {"count": counts.tolist(), "confidence": means[0], "accuracy": means[1]},
}
path = pathlib.Path(__file__).parent / "fixtures" / "metrics.json"
path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
