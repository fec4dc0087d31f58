"""Vision transformers of face recognisers, which read all tokens and need no class token.

Written from the architecture that InsightFace's arcface_torch, CVLFace and LVFace describe, with
their parameter names, so that their checkpoints load strictly but for the token of masked training.
Patches that don't divide the chip leave out its last pixels. Embeddings are not normalised.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class VisionTransformer(nn.Module):
    """The recogniser: normalised RGB chips (n, 3, 112, 112) to embeddings (n, 512).

    Its layers ``blocks.0`` and so on give (n, tokens, width): the patches row by row.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels.
    width, depth, heads : int
        Channels of a token, blocks, and heads of attention in each.
    expansion : int
        Hidden channels of a block's perceptron, in widths.
    """

    def __init__(self, patch: int, width: int, depth: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        tokens = (112 // patch) ** 2
        self.patch_embed = PatchEmbedding(patch, width)
        self.pos_embed = nn.Parameter(
            nn.init.trunc_normal_(torch.empty(1, tokens, width), std=0.02)
        )
        self.blocks = nn.Sequential(*(Block(width, heads, expansion) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(tokens * width, width, bias=False),
            nn.BatchNorm1d(width, eps=2e-5),
            nn.Linear(width, 512, bias=False),
            nn.BatchNorm1d(512, eps=2e-5),
        )

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, 512) of normalised chips (n, 3, 112, 112)."""
        tokens = self.blocks(self.patch_embed(chips) + self.pos_embed)
        return self.feature(self.norm(tokens).flatten(1))


class PatchEmbedding(nn.Module):
    """A convolution whose windows are the patches."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, chips: Tensor) -> Tensor:
        """Return tokens (n, patches, width) of chips (n, 3, h, w)."""
        return self.proj(chips).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Attention and a perceptron, each behind a norm and added to what it was given."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, expansion * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (n, tokens, width) of such."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class Attention(nn.Module):
    """Attention of all tokens to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (n, tokens, width) of such."""
        by_head = self.qkv(tokens).unflatten(2, (3, self.heads, -1))
        query, key, value = by_head.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """Two linear layers around a ReLU that ends at 6."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (n, tokens, width) of such."""
        return self.fc2(F.relu6(self.fc1(tokens)))
