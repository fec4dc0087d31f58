import facenet_pytorch
import pytest
import torch

from ingest.networks.inception_resnet import InceptionResnetV1

NINE = (
    "conv2d_1a.conv",
    "conv2d_2a.conv",
    "conv2d_2b.conv",
    "conv2d_3b.conv",
    "conv2d_4a.conv",
    "conv2d_4b.conv",
    "repeat_1.0.branch0.conv",
    "repeat_1.0.branch1.0.conv",
    "repeat_1.0.branch1.1.conv",
)


@pytest.fixture(scope="module")
def published():
    """facenet-pytorch's own network with a classifier, as its checkpoints have one."""
    return facenet_pytorch.InceptionResnetV1(classify=True, num_classes=10).eval()


def test_a_checkpoint_with_its_classifier_loads_and_gives_the_packages_embeddings(published):
    with torch.device("meta"):
        network = InceptionResnetV1().eval()
    chips = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1)) * 2 - 1

    network.load_state_dict(published.state_dict(), strict=True, assign=True)

    published.classify = False
    with torch.no_grad():
        embeddings, expected = network(chips), published(chips)
    torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(embeddings.norm(), torch.tensor(1.0))


def test_a_checkpoint_that_lacks_a_layer_is_refused():
    with torch.device("meta"):
        network = InceptionResnetV1()
        state = InceptionResnetV1().state_dict()
    del state["last_linear.weight"]

    with pytest.raises(RuntimeError, match=r"last_linear\.weight"):
        network.load_state_dict(state)


def test_its_first_nine_convolutions_run_in_the_stated_order():
    ran = []
    with torch.device("meta"):
        network = InceptionResnetV1().eval()
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda *_, name=name: ran.append(name))
        network(torch.empty(1, 3, 160, 160))

    assert tuple(ran[:9]) == NINE
