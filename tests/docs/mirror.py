"""Where modules are tested that have no test file of their own name.

A test file mirrors its module: ``tests/ingest/leam/test_maps.py`` tests ``ingest/leam/maps.py``,
and ``test_commandline.py`` a package's ``__main__.py``. What is only ever run as a part of
something else is tested there, and this says by which test.
"""

from typing import Final

ELSEWHERE: Final = {
    "leamstore/schema.py":
        "docs/test_documented.py::test_every_table_column_and_array_of_a_lake_is_documented",
    "leamstore/schema_page.py":
        "docs/test_documented.py::test_every_table_column_and_array_of_a_lake_is_documented",
    "leamstore/cache_folder.py":
        "leamstore/catalog/test_files.py::test_the_cache_folder_is_the_users_unless_named",
    "leamstore/arrays/shards.py": "leamstore/arrays/test_stores.py",
    "leamstore/safety/fault.py": "leamstore/safety/test_verify.py",
    "leamstore/safety/verify_arrays.py": "leamstore/safety/test_verify.py",
    "leamstore/tables/export.py": "leamstore/test_commandline.py",
    "leamstore/tables/waiting.py": "leamstore/tables/test_connections.py",
    "ingest/faces/block_images.py": "ingest/run/test_pipeline.py",
    "ingest/photographs/deep_pixels.py": "ingest/photographs/test_decoding.py",
    "ingest/photographs/fingerprint.py": "ingest/faces/test_survey.py",
    "ingest/photographs/pillow_plugins.py":
        "ingest/photographs/test_decoding.py::test_a_format_that_needs_a_plugin_is_rejected_with_the_remedy",
    "ingest/photographs/reconciliation.py": "ingest/run/test_images.py",
    "ingest/photographs/datasets/photograph.py": "ingest/photographs/datasets/test_folder.py",
    "ingest/networks/cell_following.py": "ingest/networks/test_cell_geometry.py",
    "ingest/networks/onnx_modules.py": "ingest/networks/test_onnx_operators.py",
    "ingest/run/block.py": "ingest/run/test_pipeline.py",
    "ingest/run/execution.py": "ingest/run/test_pipeline.py",
    "ingest/run/plan.py": "ingest/run/test_pipeline.py",
    "ingest/run/summary.py":
        "ingest/test_commandline.py::test_the_summary_counts_and_names_the_next_command",
    "ingest/run/unit.py": "ingest/run/test_pipeline.py",
    "ingest/run/writer.py": "ingest/run/test_pipeline.py",
    "analyses/question.py": "analyses/test_questions.py",
    "analyses/sample.py": "analyses/test_cohort.py",
    "analyses/recognition/findings.py": "analyses/recognition/test_question.py",
    "analyses/demographics/findings.py": "analyses/demographics/test_question.py",
    "analyses/demographics/people.py": "analyses/demographics/test_question.py",
    "analyses/figures/individuals.py": "analyses/report/test_report.py",
    "analyses/figures/regions.py": "analyses/report/test_report.py",
    "analyses/figures/style.py": "analyses/figures/test_rendering.py",
    "analyses/figures/thresholds.py": "analyses/report/test_report.py",
    "analyses/occlusion/averages.py": "analyses/occlusion/test_question.py",
    "analyses/occlusion/findings.py": "analyses/occlusion/test_question.py",
    "analyses/person/findings.py": "analyses/person/test_question.py",
    "analyses/regions/shares.py": "analyses/regions/test_question.py",
    "analyses/rerun/chips.py": "analyses/occlusion/test_question.py",
    "analyses/rerun/drops.py": "analyses/occlusion/test_question.py",
    "analyses/rerun/experiment.py": "analyses/occlusion/test_question.py",
    "analyses/rerun/papers_occlusions.py": "analyses/occlusion/test_question.py",
    "analyses/report/page.py": "analyses/report/test_report.py",
    "analyses/report/provenance.py": "analyses/report/test_report.py",
    "analyses/report/writing.py": "analyses/report/test_report.py",
    "analyses/sanity/findings.py": "analyses/sanity/test_question.py",
    "dashboards/Home.py": "dashboards/browser/test_pages.py",
    "dashboards/__main__.py": "dashboards/browser/test_pages.py",
    "dashboards/answers.py":
        "dashboards/views/test_person.py::test_the_verdict_and_the_claims_are_those_of_the_answer",
    "dashboards/bounded_query.py": "dashboards/views/test_sql.py",
    "dashboards/charts.py":
        "dashboards/browser/test_pages.py::test_a_chart_downloads_as_png_and_as_svg",
    "dashboards/interval_charts.py": "dashboards/views/test_occlusion.py",
    "dashboards/faces.py": "dashboards/views/test_explorer.py",
    "dashboards/page.py": "dashboards/views/test_home.py",
    "dashboards/context.py": "dashboards/views/test_regions.py",
    "dashboards/selections.py":
        "dashboards/browser/test_pages.py::test_filters_and_selections_stay_across_pages",
    "dashboards/shell.py": "dashboards/views/test_home.py",
    "benchmarks/busy_machine.py": "benchmarks/test_registry.py",
    "benchmarks/dashboards.py": "benchmarks/test_registry.py",
    "benchmarks/leam.py": "benchmarks/test_registry.py",
    "benchmarks/machine.py":
        "benchmarks/test_results.py::test_a_machine_is_described_for_a_reader_elsewhere",
    "benchmarks/material.py": "benchmarks/test_paper_lake.py",
    "benchmarks/peers.py": "ingest/leam/test_maps.py::test_a_map_agrees_with_layercam_of_grad_cam",
}  # fmt: skip
"""By module: the test file below ``tests/``, and a test in it where one shows it best."""

WHOLES: Final = {
    "all_models",
    "commandline",
    "imports",
    "object_store",
    "own_model",
    "pages",
    "serving",
    "small_lakes",
    "storage_version",
    "unusable_numbers",
}
"""Names of test files, without ``test_``, that test no single module but how several work."""
