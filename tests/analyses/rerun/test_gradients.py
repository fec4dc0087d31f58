import torch
from torch import nn

from analyses.rerun.gradients import gradient_times_input
from tests.analyses.planted_faces import Patches


def test_gradient_times_input_is_the_first_order_drop_of_a_black_pixel():
    generator = torch.Generator().manual_seed(0)
    chips = 255 * torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    directions = nn.functional.normalize(torch.rand(2, 4, generator=generator).double())
    network = Patches()
    relevance = gradient_times_input(network, chips, directions)

    def cosine(some):
        return (nn.functional.normalize(network(some)) * directions).sum(1)

    for y, x in ((0, 0), (3, 5), (7, 7)):
        darker = chips.clone()
        darker[:, :, y, x] *= 1 - 1e-6
        expected = ((cosine(chips) - cosine(darker)) / 1e-6).clamp_min(0)
        torch.testing.assert_close(relevance[:, y, x], expected, rtol=1e-4, atol=1e-8)
