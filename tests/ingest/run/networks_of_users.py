"""Networks in the shapes in which people have them, as entry points of a catalog.

Chips are 32 x 32; the layers are conv1 and conv2, those of `sequential` 0 and 2.
"""

import torch
import torch.nn.functional as F
from torch import nn

DARK = -0.2


def sequential():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2)

    def cells(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))))

    def embed(self, x):
        return self.cells(x).mean((2, 3))

    def forward(self, x):
        return self.embed(x)


class Children(Plain):
    """Runs through all that it holds, as a hand-made Sequential does."""

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x.mean((2, 3))


class Lazy(Plain):
    def __init__(self):
        nn.Module.__init__(self)
        self.conv1 = nn.LazyConv2d(4, 3, stride=2)
        self.conv2 = nn.LazyConv2d(6, 3, stride=2)


class OldFlatten(Plain):
    def forward(self, x):
        x = self.cells(x)
        return x.view(x.size(0), -1)[:, :6]


class ViewAs(Plain):
    def forward(self, x):
        x = self.cells(x)
        return x.view_as(torch.empty(len(x), x[0].numel()))[:, :6]


class Keywords(Plain):
    """Calls torch's functions by the names of their arguments."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4)
        self.slope = nn.Parameter(torch.full((4,), 0.25))

    def forward(self, x):
        x = F.conv2d(input=x, weight=torch.eye(3).view(3, 3, 1, 1), bias=None)
        x = F.batch_norm(
            input=self.conv1(x),
            running_mean=self.norm.running_mean,
            running_var=self.norm.running_var,
        )
        x = F.prelu(input=x, weight=self.slope)
        x = torch.addcmul(input=x, tensor1=x, tensor2=torch.ones(()))
        return F.relu(input=self.conv2(x), inplace=False).mean((2, 3))


def half():
    return Plain().half()


def bfloat16():
    return Plain().bfloat16()


def double():
    return Plain().double()


def parallel():
    return nn.DataParallel(Plain())


class _Compiled(nn.Module):
    """What torch.compile returns, which holds the network by this name; importing it is slow."""

    def __init__(self, network):
        super().__init__()
        self._orig_mod = network

    def forward(self, *arguments):
        raise AssertionError("a compiled network runs past what watches it")


def compiled():
    return _Compiled(Plain())


def compiled_within():
    network = Plain()
    network.conv2 = _Compiled(network.conv2)
    return network


def scripted():
    return torch.jit.script(Plain())


class ScriptedWithin(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.jit.script(Plain())

    def forward(self, x):
        return self.body(x)


class Tuple(Plain):
    def forward(self, x):
        return self.embed(x), x.mean()


class Mapping(Plain):
    def forward(self, x):
        return {"embedding": self.embed(x)}


class OneForAll(Plain):
    def forward(self, x):
        return self.embed(x).view(1, -1)


class Grid(Plain):
    def forward(self, x):
        return self.embed(x)[:, :, None, None]


class Raises(Plain):
    def forward(self, x):
        raise ValueError("my own check failed")


class TwoArguments(Plain):
    def forward(self, x, labels):
        return self.embed(x)


class NoGradient(Plain):
    @torch.no_grad()
    def forward(self, x):
        return self.embed(x)


class Unused(Plain):
    def forward(self, x):
        return self.conv1(x).mean((2, 3)).repeat(1, 2)[:, :6]


class Dropout(Plain):
    def forward(self, x):
        return F.dropout(self.embed(x))


class Strides(Plain):
    def forward(self, x):
        x = self.cells(x)
        return x.as_strided((len(x), 6), (x[0].numel(), 1))


class BrokenWeight(Plain):
    def __init__(self):
        super().__init__()
        self.conv2.weight.data[0, 0, 0, 0] = torch.nan


class DarkIsNaN(Plain):
    """Has no embedding of a chip whose mean, of -1 to 1, is below `DARK`."""

    def forward(self, x):
        return self.embed(x) / (x.mean((1, 2, 3)) > DARK)[:, None]


class DarkIsZero(Plain):
    """Has an embedding of such a chip that is zero."""

    def forward(self, x):
        return self.embed(x) * (x.mean((1, 2, 3)) > DARK)[:, None]


class InfiniteGradient(Plain):
    """Its embeddings are finite; the square root at 0 has no gradient in plain torch either."""

    def forward(self, x):
        embeddings = self.embed(x)
        return embeddings + (embeddings * 0).pow(2).sqrt()
