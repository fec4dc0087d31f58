"""The benchmarks, in the order in which they are run and printed."""

from typing import Final

from benchmarks.benchmark import Benchmark, at_least, at_most

BENCHMARKS: Final = (
    Benchmark(
        "leam",
        "LEAM, a pair: nine layers, 8 images of one identity, all 56 pairs",
        "a forward pass of the same network and batch",
        {
            "IResNet-18": at_most(1.2, "passes"),
            "InceptionResnetV1": at_most(1.2, "passes"),
        },
        "benchmarks.leam:cost_of_a_pair",
    ),
    Benchmark(
        "torchcam",
        "LEAM, a pair",
        "torchcam's LayerCAM on all nine layers at once, a pair a call",
        {"IResNet-18": at_least(4, "x"), "InceptionResnetV1": at_least(8, "x")},
        "benchmarks.leam:against_torchcam",
    ),
    Benchmark(
        "grad-cam",
        "LEAM, a pair",
        "grad-cam's LayerCAM as its documentation uses it, a layer and a pair a call",
        {"IResNet-18": at_least(45, "x"), "InceptionResnetV1": at_least(75, "x")},
        "benchmarks.leam:against_grad_cam",
    ),
    Benchmark(
        "bfloat16",
        "LEAM in bfloat16",
        "LEAM in float32",
        {"IResNet-18": at_least(1.6, "x"), "InceptionResnetV1": at_least(1.6, "x")},
        "benchmarks.leam:bfloat16",
    ),
    Benchmark(
        "regions",
        "region counts of all pairs, both activations",
        "LEAM's own time",
        {"IResNet-18": at_most(15, "%"), "InceptionResnetV1": at_most(15, "%")},
        "benchmarks.regions:share_of_leam",
    ),
    Benchmark(
        "busy",
        "LEAM and region counts of 32 images of DLIB_R29, beside other programs",
        "the same on a machine that does nothing else",
        {
            "one busy loop": at_most(2.2, "x"),
            "two busy loops": at_most(2.2, "x"),
            "another run of LEAM": at_most(3, "x"),
        },
        "benchmarks.busy_machine:beside_programs",
    ),
    Benchmark(
        "ingest",
        "python -m ingest with DLIB_R29, from start to summary",
        "the sum of its network passes alone",
        {
            "whole ingest": at_most(1.5, "x"),
            "region counts in it, of LEAM's time": at_most(15, "%"),
        },
        "benchmarks.ingest:whole_ingest",
    ),
    Benchmark(
        "bc",
        "Bhattacharyya coefficients of all pairs of maps",
        "a numpy loop over pairs; a float32 matrix product of that size",
        {"numpy loop": at_least(100, "x"), "matrix product": at_most(2, "x")},
        "benchmarks.similarity:bhattacharyya_of_all_pairs",
    ),
    Benchmark(
        "emd",
        "earth mover's distance",
        "ot.emd2 with a freshly computed cost matrix a pair, on one core",
        {
            "top 1 % of 112 x 112": at_least(3, "x"),
            "top 1 %, largest difference": at_most(1e-9, "pixels"),
            "full maps of 28 x 28": at_least(3, "x"),
            "full maps, largest difference": at_most(1e-9, "pixels"),
        },
        "benchmarks.similarity:earth_movers_distance",
    ),
    Benchmark(
        "cube",
        "a lake's maps",
        "numpy's .npy files on the same disk",
        {
            "reading all": at_least(0.5, "x"),
            "one map at random": at_most(3, "ms"),
            "writing": at_least(0.5, "x"),
            "bytes": at_most(70, "%"),
        },
        "benchmarks.cube:against_npy",
    ),
    Benchmark(
        "sql",
        "the paper's Tables 10 and 11 in SQL, from 13.8 million rows of pair_regions",
        "pandas over csv",
        {
            "Table 10": at_most(1, "s"),
            "Table 10, against pandas": at_least(100, "x"),
            "Table 11": at_most(1, "s"),
            "Table 11, against pandas": at_least(100, "x"),
        },
        "benchmarks.sql:tables_10_and_11",
    ),
    Benchmark(
        "pages",
        "each page of the dashboards over a lake of the paper's size, seen first and changed",
        "a second",
        {"slowest page, seen first": at_most(1, "s"), "slowest selection": at_most(1, "s")},
        "benchmarks.dashboards:pages",
        is_long=True,
    ),
    Benchmark(
        "memory",
        "peak memory of an ingest of ten times the photographs (repeated)",
        "an ingest of the photographs",
        {"ten times as many": at_most(1.2, "x")},
        "benchmarks.ingest:peak_memory",
        is_long=True,
    ),
)
