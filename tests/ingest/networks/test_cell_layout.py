import pytest
import torch

from ingest.networks.cell_layout import ChannelsFirst, ChannelsLast, TokenGrid

GRID = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
TOKENS = torch.cat([torch.zeros(2, 2, 3), GRID.flatten(2).transpose(1, 2)], 1)

HELD = {
    "channels first": (ChannelsFirst(), GRID),
    "channels last": (ChannelsLast(), GRID.permute(0, 2, 3, 1)),
    "tokens": (TokenGrid(2, 4, 5), TOKENS),
}


@pytest.mark.parametrize(("layout", "output"), HELD.values(), ids=HELD)
def test_each_layout_gives_the_same_grid_of_its_own_form(layout, output):
    assert layout.holds(output)
    assert torch.equal(layout.as_grid(output), GRID)


def test_other_numbers_of_tokens_or_dimensions_are_not_held():
    assert not TokenGrid(1, 4, 5).holds(TOKENS)
    assert not TokenGrid(2, 4, 5).holds(GRID)
    assert not ChannelsFirst().holds(TOKENS)
