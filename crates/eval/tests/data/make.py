#!/usr/bin/env python3
"""Records what pycocotools says, for crates/eval/tests/pycocotools.rs to compare with.

    pip install pycocotools==2.0.11
    python3 crates/eval/tests/data/make.py            writes synthetic.json beside this file
    python3 crates/eval/tests/data/make.py DATA       writes coco-open-yolox.json too; DATA is shared/data

synthetic.json is made up here, from a seed: pictures with no object, with crowds, with more than 100 detections of a
category, equal scores, categories without objects. coco-open-yolox.json has figures only: COCO's annotations are not ours
to commit.
"""

import contextlib
import io
import json
import pathlib
import random
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent


def figures(truth, results, categories):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        found = coco.loadRes(results)
        evaluation = COCOeval(coco, found, "bbox")
        evaluation.params.catIds = categories
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    recall = evaluation.eval["recall"][:, :, 0, 2]

    def mean(values):
        values = values[values > -1]
        return float(values.mean()) if values.size else None

    def five(precision, recall):
        return {
            "average_precision": mean(precision),
            "average_precision_50": mean(precision[0]),
            "average_precision_75": mean(precision[5]),
            "recall": mean(recall),
            "recall_50": mean(recall[0]),
        }

    each = {
        str(category): five(precision[:, :, index], recall[:, index])
        for index, category in enumerate(evaluation.params.catIds)
    }
    assert abs(mean(precision) - evaluation.stats[0]) < 1e-12 and abs(mean(recall) - evaluation.stats[8]) < 1e-12
    return {"mean": five(precision, recall), "categories": each}


def synthetic():
    chance = random.Random(20)
    images = [{"id": 3 * k + 1, "file_name": f"{k}.jpg"} for k in range(14)]
    categories = [{"id": k, "name": f"kind {k}"} for k in (1, 2, 5, 9, 11)]
    chance.shuffle(images)
    annotations, results = [], []

    def near(box, spread):
        left, top, width, height = (value + chance.uniform(-spread, spread) for value in box)
        return [round(left, 1), round(top, 1), round(max(width, 1), 1), round(max(height, 1), 1)]

    for number, image in enumerate(images):
        # Kind 9 is annotated nowhere; kind 11 is never detected.
        for kind in (1, 2, 5, 11):
            for _ in range(chance.choice([0, 0, 1, 2, 5]) if number else 0):
                box = [chance.randint(0, 500), chance.randint(0, 400), chance.randint(8, 200), chance.randint(8, 200)]
                crowd = int(chance.random() < 0.15)
                area = box[2] * box[3] * chance.choice([1, 0.6])
                entry = {"id": len(annotations) + 1, "image_id": image["id"], "category_id": kind}
                annotations.append(entry | {"bbox": box, "area": area, "iscrowd": crowd})
                for _ in range(chance.choice([0, 1, 1, 2, 4]) if kind != 11 else 0):
                    # Few distinct scores, so that many are equal.
                    score = round(chance.random(), 1 if kind == 2 else 3)
                    found = {"image_id": image["id"], "category_id": kind, "bbox": near(box, box[2] / 7), "score": score}
                    results.append(found)
        for _ in range(130 if number == 5 else 3):
            box = [chance.randint(0, 500), chance.randint(0, 400), chance.randint(8, 200), chance.randint(8, 200)]
            kind = 1 if number == 5 else chance.choice([1, 2, 5, 9])
            found = {"image_id": image["id"], "category_id": kind, "bbox": box, "score": round(chance.random(), 2)}
            results.append(found)
    chance.shuffle(results)
    truth = {"images": images, "annotations": annotations, "categories": categories}
    expected = figures(truth, results, [category["id"] for category in categories])
    return {"annotations": truth, "detections": results, "expected": expected}


def coco_open(data):
    reference = json.loads((data / "detect/yolox-nano/reference-detections.json").read_text())["results"]
    expected = {}
    for split in ("val", "train"):
        truth = json.loads((data / f"coco-open/instances_{split}.json").read_text())
        ids = {f"{split}/{image['file_name']}": image["id"] for image in truth["images"]}
        categories = sorted(category["id"] for category in truth["categories"])
        results = [
            {
                "image_id": ids[name],
                "category_id": categories[kind],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": score,
            }
            for name, found in reference.items()
            if name in ids
            for kind, score, (x1, y1, x2, y2) in found
        ]
        expected[split] = figures(truth, results, categories)
    return expected


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


write("synthetic.json", synthetic())
if len(sys.argv) > 1:
    write("coco-open-yolox.json", coco_open(pathlib.Path(sys.argv[1])))
