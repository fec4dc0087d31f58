import numpy as np
import pytest

from ingest.networks.tflite import read_tflite
from leamstore.errors import WeightsError
from tests.ingest.networks.tflite_files import computed, constant, tflite_file

KERNEL = np.arange(2 * 3 * 3 * 4, dtype=np.float32).reshape(2, 3, 3, 4)
DEPTHWISE = np.arange(3 * 3 * 2, dtype=np.float32).reshape(1, 3, 3, 2)
BIAS = np.array([0.5, -1], np.float32)


@pytest.fixture
def written(tmp_path):
    """A function that writes a file of tensors and operators, by default of two convolutions."""

    def write(tensors=None, operators=None):
        tensors = tensors or [
            computed("chip", (1, 8, 8, 4)), constant("kernel", KERNEL), constant("bias", BIAS),
            computed("first", (1, 8, 8, 2)), constant("depthwise", DEPTHWISE),
            computed("second", (1, 8, 8, 2)),
        ]  # fmt: skip
        operators = operators or [
            ("CONV_2D", (0, 1, 2), (3,)), ("DEPTHWISE_CONV_2D", (3, 4, -1), (5,))
        ]  # fmt: skip
        path = tmp_path / "w.tflite"
        path.write_bytes(tflite_file(tensors, operators))
        return path

    return write


def only_value(path):
    return read_tflite(path).tensors[0].values


def refusal(path):
    with pytest.raises(WeightsError) as caught:
        read_tflite(path)
    beginning = f"{path} is no TFLite file that can be read, or is damaged: "
    assert str(caught.value).startswith(beginning)
    return str(caught.value).removeprefix(beginning)


def test_tensors_and_operators_are_the_files(written):
    graph = read_tflite(written())

    names = [(tensor.name, tensor.shape, tensor.values is None) for tensor in graph.tensors]
    assert names[0] == ("chip", (1, 8, 8, 4), True)
    assert names[1] == ("kernel", (2, 3, 3, 4), False)
    np.testing.assert_array_equal(graph.tensors[1].values, KERNEL)
    kinds = [(one.kind, one.inputs, one.outputs) for one in graph.operators]
    assert kinds == [("CONV_2D", (0, 1, 2), (3,)), ("DEPTHWISE_CONV_2D", (3, 4, -1), (5,))]


def test_constants_are_named_in_running_order_and_kernels_have_torchs_layout(written):
    named = read_tflite(written()).constants(["one", "two"], "CONV_2D", "DEPTHWISE_CONV_2D")

    (kernel, bias), (depthwise,) = named["one"], named["two"]
    assert kernel.shape == (2, 4, 3, 3)
    assert kernel[1, 2, 0, 1] == KERNEL[1, 0, 1, 2]
    assert bias.tolist() == [0.5, -1]
    assert depthwise.shape == (2, 1, 3, 3)
    assert depthwise[1, 0, 2, 0] == DEPTHWISE[0, 2, 0, 1]


def test_more_or_fewer_operators_than_names_are_another_networks(written):
    with pytest.raises(WeightsError, match=r"w\.tflite is another network's file: of CONV_2D it"):
        read_tflite(written()).constants(["one", "two"], "CONV_2D")


@pytest.mark.parametrize(
    ("stored", "scale", "zero_point", "numbers"),
    [
        (np.array([0, 128, 255], np.uint8), 0.5, 128, [-64, 0, 63.5]),
        (np.array([-128, 0, 127], np.int8), 0.25, -3, [-31.25, 0.75, 32.5]),
        (np.array([-70_000, 3], np.int32), 0.125, 0, [-8750, 0.375]),
    ],
)
def test_a_quantised_constant_is_its_scale_times_the_distance_to_zero(
    written, stored, scale, zero_point, numbers
):
    path = written([constant("w", stored, scale, zero_point)], [("RELU", (0,), (0,))])

    assert only_value(path).dtype == np.float32
    assert only_value(path).tolist() == numbers


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_floats_are_read_as_they_are(written, kind):
    path = written([constant("w", np.array([1.5, -2], kind))], [("RELU", (0,), (0,))])

    assert only_value(path).dtype == np.float32
    assert only_value(path).tolist() == [1.5, -2]


def test_a_constant_with_several_scales_is_refused_by_its_name(written):
    stored = constant("conv1/kernel", np.zeros((2, 1), np.int8), [0.5, 0.25])

    assert "conv1/kernel is not quantised by one scale" in refusal(
        written([stored], [("RELU", (0,), (0,))])
    )


def test_a_file_cut_short_anywhere_is_a_sentence(written):
    path = written()
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refusal(path)


def test_a_damaged_file_is_read_or_is_a_sentence(written):
    path = written()
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = whole.copy()
        damaged[random.integers(8, whole.size, 3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            read_tflite(path)
        except WeightsError as error:
            assert "is no TFLite file that can be read, or is damaged" in str(error)


@pytest.mark.parametrize("content", [b"", b"<!doctype html><p>no</p>", b"\x18\0\0\0TFL4" * 9])
def test_another_kind_of_file_is_a_sentence(tmp_path, content):
    (tmp_path / "w.tflite").write_bytes(content)

    assert refusal(tmp_path / "w.tflite").startswith("it lacks the mark TFL3 of the format. Get")


def test_a_missing_file_is_a_sentence(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.tflite")


def test_an_operator_of_a_tensor_that_is_missing_is_refused(written):
    path = written([computed("chip", (1, 8, 8, 4))], [("RELU", (0,), (7,))])

    assert refusal(path).startswith("its operators name tensors that it lacks")
