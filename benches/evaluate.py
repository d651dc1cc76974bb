"""What the Rust side does, with the usual Python: PIL and onnxruntime, one image after another in each process.

evaluate.py MODEL METADATA PROCESSES; the images stand in images/ beside the table. Writes a line of JSON: the seconds
from the first image to the last, with models loaded, and the most probable class of each image in the table's order.
"""

import csv
import json
import multiprocessing
import pathlib
import sys
import time

import numpy
import onnxruntime
from PIL import Image

SITES = {
    "upper extremity": 1, "foot": 2, "genital": 3, "hand": 4, "ear": 5, "face": 5, "neck": 5, "scalp": 5,
    "lower extremity": 6, "abdomen": 7, "back": 7, "chest": 7, "trunk": 7,
}


def start(model, ready):
    global session, side
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[2]
    side = size if isinstance(size, int) else 512
    ready.release()


def answer(example):
    path, demographics = example
    image = Image.open(path).convert("RGB").resize((512, 512), Image.LANCZOS)
    pixels = numpy.asarray(image, numpy.float32) / 255
    if side != 512:
        image = Image.fromarray((pixels * 255).astype(numpy.uint8)).resize((side, side), Image.LANCZOS)
        pixels = numpy.asarray(image, numpy.float32) / 255
    inputs = [pixels.transpose(2, 0, 1)[None], numpy.array([demographics], numpy.float32)]
    names = [given.name for given in session.get_inputs()]
    return int(session.run(None, dict(zip(names, inputs)))[0].argmax())


def main():
    model, table, processes = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    examples = []
    with table.open(newline="") as rows:
        for row in csv.DictReader(rows):
            sex = {"female": 0, "male": 1}.get(row["sex"], -1)
            demographics = [float(row["age"] or 0), sex, SITES.get(row["localization"], -1)]
            examples.append((str(table.parent / "images" / f"{row['image_id']}.jpg"), demographics))
    ready = multiprocessing.Semaphore(0)
    with multiprocessing.Pool(processes, start, (model, ready)) as pool:
        for _ in range(processes):
            ready.acquire()
        began = time.perf_counter()
        answers = pool.map(answer, examples, chunksize=8)
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "answers": answers}))


if __name__ == "__main__":
    main()
