"""What the Rust side does in training, with the usual Python. Each writes a line of JSON: samples a second, the peak
memory in MiB of this process and of the largest worker process, and a figure by which the work is compared.

training.py images pil|torchvision|compose DIRECTORY COUNT: the first images of a directory on one thread.
training.py step frozen|full DIRECTORY BATCH STEPS: training steps of the original `balanced` network, the first of them
for warming up.
"""

import json
import pathlib
import resource
import sys
import time

import numpy
from PIL import Image

SIDE = 512
CLASSES = 11


def pil(paths):
    """As the judges do it."""
    for path in paths:
        image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.LANCZOS)
        yield numpy.ascontiguousarray((numpy.asarray(image, numpy.float32) / 255).transpose(2, 0, 1))


def torchvision(paths):
    """Tensors from the start. The filter is bilinear, shorter than the judges'."""
    import torch
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    prepare = v2.Compose([v2.Resize((SIDE, SIDE), antialias=True), v2.ToDtype(torch.float32, scale=True)])
    for path in paths:
        yield prepare(decode_image(str(path), ImageReadMode.RGB)).numpy()


def compose(paths):
    """The transforms over PIL that most training scripts have. Bilinear as well."""
    import torch
    from torchvision import transforms

    torch.set_num_threads(1)
    prepare = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])
    for path in paths:
        yield prepare(Image.open(path).convert("RGB")).numpy()


def images(kind, paths):
    read = {"pil": pil, "torchvision": torchvision, "compose": compose}[kind]
    # Imports and tables.
    next(read(paths[:1]))
    total = 0.0
    began = time.perf_counter()
    for image in read(paths):
        # The same in Rust, so that neither leaves out the last pass.
        total += float(image[:, SIDE // 2, SIDE // 2].sum())
    seconds = time.perf_counter() - began
    return {"rate": len(paths) / seconds, "figure": total / len(paths) / 3}


def network(torch):
    from torch import nn
    from torchvision.models import efficientnet_b0

    class Balanced(nn.Module):
        def __init__(self, coded=256, hidden=(512, 256), dropout=0.4):
            super().__init__()
            self.trunk = efficientnet_b0(stochastic_depth_prob=0.0).features
            width = 1280
            self.age = nn.Sequential(nn.Linear(1, 32), nn.GELU(), nn.Linear(32, 64), nn.LayerNorm(64))
            self.gender = nn.Embedding(3, 32)
            self.location = nn.Embedding(8, 64)
            self.code = nn.Sequential(
                nn.Linear(160, coded), nn.LayerNorm(coded), nn.GELU(), nn.Dropout(dropout),
                nn.Linear(coded, coded), nn.LayerNorm(coded),
            )
            self.project = nn.Linear(coded, width)
            self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
            self.norm = nn.LayerNorm(width)
            layers, size = [], 2 * width
            for features in hidden:
                layers += [nn.Linear(size, features), nn.LayerNorm(features), nn.GELU(), nn.Dropout(dropout)]
                size = features
            self.head = nn.Sequential(*layers, nn.Linear(size, CLASSES))
            self.frozen = False

        def forward(self, image, demographics):
            with torch.set_grad_enabled(not self.frozen):
                image = self.trunk(image).mean((2, 3))
            age = self.age(demographics[:, :1] / 100)
            gender = self.gender(demographics[:, 1].long().clamp(0, 2))
            location = self.location(demographics[:, 2].long().clamp(0, 7))
            meta = self.project(self.code(torch.cat([age, gender, location], 1)))[:, None]
            attended = self.attention(image[:, None], meta, meta, need_weights=False)[0][:, 0]
            return self.head(torch.cat([image, self.norm(attended + image)], 1))

        def train(self, mode=True):
            super().train(mode)
            if self.frozen:
                self.trunk.eval()
            return self

    return Balanced()


class Lesions:
    def __init__(self, paths):
        import torch
        from torchvision.transforms import v2

        self.paths = [str(path) for path in paths]
        # What `Augmentation::default()` does.
        self.prepare = v2.Compose([
            v2.Resize((SIDE, SIDE), antialias=True),
            v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(),
            v2.Lambda(lambda image: torch.rot90(image, int(torch.randint(4, ())), (1, 2))),
            v2.RandomAffine(20, (0.1, 0.1), (0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(0.2, 0.2, 0.2, 0.02),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomErasing(0.2, (0.02, 0.1), value="random"),
        ])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import torch
        from torchvision.io import ImageReadMode, decode_image

        # Who the patient is and what it is does not change the work.
        image = self.prepare(decode_image(self.paths[index], ImageReadMode.RGB))
        return image, torch.tensor([50.0, 0.0, 7.0]), index % CLASSES


def step(kind, paths, batch, steps):
    import torch

    torch.manual_seed(1)
    torch.set_num_threads(2)
    model = network(torch).to(memory_format=torch.channels_last)
    if kind == "frozen":
        model.frozen = True
        model.trunk.requires_grad_(False)
    model.train()
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-4, weight_decay=0.02)
    loader = torch.utils.data.DataLoader(Lesions(paths), batch, shuffle=True, num_workers=2, drop_last=True)
    stamps = []
    for image, demographics, label in loader:
        image = image.contiguous(memory_format=torch.channels_last)
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(image, demographics), label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        loss.item()
        stamps.append(time.perf_counter())
    assert len(stamps) == steps, stamps
    parameters = sum(p.numel() for p in model.parameters())
    return {"rate": batch * (steps - 1) / (stamps[-1] - stamps[0]), "figure": parameters}


def main():
    what, kind, directory, *numbers = sys.argv[1:]
    paths = sorted(pathlib.Path(directory, "images").iterdir())
    if what == "images":
        measured = images(kind, paths[:int(numbers[0])])
    else:
        batch, steps = map(int, numbers)
        measured = step(kind, paths[:batch * steps], batch, steps)
    status = pathlib.Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    measured["peak"] = int(peak.split()[1]) / 1024
    measured["worker"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
