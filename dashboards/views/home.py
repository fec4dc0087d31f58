"""Home: contents of the lake, rejected photographs, and progress of a running ingest."""

from pathlib import Path
from typing import Final

import polars as pl
import streamlit as st
from PIL import Image, ImageOps

from analyses.report.provenance import rejections
from dashboards import selections
from dashboards.charts import show_table
from dashboards.context import Context, open_context
from dashboards.page import Page, nothing_here, with_errors_shown

_THUMBNAIL: Final = 160
_MOST_THUMBNAILS: Final = 24
_SECONDS: Final = 5.0

_FACTS: Final = {
    "loss": "Loss",
    "trained_on": "Trained on",
    "weights": "Weights",
    "weights_sha256": "Their sha256",
    "licence": "Their licence",
    "input_size": "Side of the chip in pixels",
    "alignment": "Cut from the photograph by",
    "embedding_size": "Length of the embedding",
    "target": "Gradient taken of",
    "positives": "Positives",
    "precision": "Precision",
    "images": "Images done",
}
"""Columns of the table models that are shown, with their headings."""


def show(context: Context) -> None:
    """Draw the page."""
    counts = context.ask(
        """
        SELECT count(*) AS found, count(*) FILTER (status = 'kept') AS kept,
               count(DISTINCT identity) FILTER (status = 'kept') AS identities,
               count(*) FILTER (status = 'rejected') AS rejected,
               count(*) FILTER (status = 'pending') AS pending
        FROM images
        """
    ).row(0, named=True)
    _show_counts(context, counts)
    if counts["identities"] == 1:
        st.info(
            "This lake holds one person: nothing can be said about differences between people, "
            "and no interval can be drawn.",
            icon=":material/person:",
        )
    _show_progress_alive(context)
    if not counts["found"]:
        nothing_here(f"This lake is empty so far: fill it by `python -m ingest {context.option}`.")
    _show_models(context)
    _show_rejected(context)
    _show_runs(context)


def _show_counts(context: Context, counts: dict[str, int]) -> None:
    models, layers = context.ask(
        "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM layers)"
    ).row(0)
    maps = context.ask("SELECT count(*) FROM pairs").item()
    shown = {
        "Images kept": counts["kept"],
        "People": counts["identities"],
        "Models": models,
        "Layers": layers,
        "Ordered pairs": maps,
        "Rejected": counts["rejected"],
    }
    with st.container(horizontal=True):
        for label, count in shown.items():
            st.metric(label, f"{count:,}", width="content")
    settings = context.lake.settings
    datasets = context.ask(
        "SELECT coalesce(string_agg(DISTINCT dataset, ', ' ORDER BY dataset), 'none') FROM images"
    ).item()
    crops = "stored" if settings.crops else "left out"
    st.markdown(
        f"Data sets: **{datasets}** · parser: **{settings.parser}** · face crops: **{crops}** · "
        f"pair maps kept for each anchor: **{settings.keep_pairs}** · seed: **{settings.seed}**"
    )


def _show_progress_alive(context: Context) -> None:
    """Show the progress of an ingest, updated every few seconds until it ends."""
    running = context.ask("SELECT count(*) FROM runs WHERE ended IS NULL").item() > 0

    @st.fragment(run_every=_SECONDS if running else None)
    def progress() -> None:
        with_errors_shown(
            lambda: _show_progress(open_context(context.address) if running else context)
        )

    progress()


def _show_progress(context: Context) -> None:
    pending = context.ask("SELECT count(*) FROM images WHERE status = 'pending'").item()
    open_runs = context.ask(
        "SELECT command, started FROM runs WHERE ended IS NULL ORDER BY started DESC LIMIT 1"
    )
    done = context.ask(
        """
        SELECT models.model, coalesce(sum(units.images), 0)::BIGINT AS images,
               (SELECT count(*) FROM images WHERE status = 'kept') AS of
        FROM models LEFT JOIN units USING (model) GROUP BY models.model ORDER BY models.model
        """
    )
    unfinished = done.filter(pl.col("images") < pl.col("of"))
    if open_runs.is_empty() and unfinished.is_empty() and not pending:
        return
    st.subheader("Ingest under way")
    for command, started in open_runs.iter_rows():
        st.markdown(
            f"Began {started:%Y-%m-%d %H:%M} and hasn't ended. If it was interrupted, the same "
            "command goes on where it was:"
        )
        st.code(command, language="bash", wrap_lines=True)
    if pending:
        st.markdown(f"{pending:,} images wait: their faces are found, and no map is made yet.")
    for model, images, of in unfinished.iter_rows():
        st.progress(images / of if of else 0.0, f"{model}: {images:,} of {of:,} images")


def _show_models(context: Context) -> None:
    models = context.ask(
        """
        SELECT model, network, loss, trained_on, weights, weights_sha256, licence, target,
               positives, "precision", input_size, alignment, embedding_size,
               (SELECT count(*) FROM layers WHERE layers.model = models.model) AS layers,
               (SELECT coalesce(sum(images), 0)::BIGINT FROM units
                WHERE units.model = models.model) AS images
        FROM models ORDER BY model
        """
    )
    st.subheader("Models")
    if models.is_empty():
        st.info(f"No model has been run yet: run `python -m ingest --models all {context.option}`.")
        return
    for model in models.iter_rows(named=True):
        said = f"**{model['model']}** · {model['network']} · {model['layers']} layers"
        with st.expander(said, expanded=models.height == 1):
            st.markdown("\n".join(f"- {_FACTS[name]}: {_said(model[name])}" for name in _FACTS))
    with st.expander("As tables"):
        show_table(models, "models")
        show_table(context.ask("FROM layers ORDER BY model, position"), "layers")


def _said(value: object) -> str:
    return "none" if value is None else f"`{value}`"


def _show_rejected(context: Context) -> None:
    reasons = rejections(context.lake)
    st.subheader("Rejected")
    if reasons.is_empty():
        st.markdown("No image was rejected.")
        return
    show_table(reasons, "rejected")
    chosen = selections.one_of("rejected", "Look at", reasons["reason"].to_list(), width=320)
    rejected = context.ask(
        "SELECT path, detail FROM images WHERE status = 'rejected' AND reason = ? "
        f"ORDER BY path LIMIT {_MOST_THUMBNAILS}",
        chosen,
    )
    total = reasons.filter(reason=chosen)["images"].item()
    if total > rejected.height:
        st.caption(f"The first {rejected.height} of {total:,}; SQL lists them all.")
    with st.container(horizontal=True):
        for path, detail in rejected.iter_rows():
            _show_thumbnail(Path(path), detail or "")


def _show_thumbnail(path: Path, detail: str) -> None:
    with st.container(width=_THUMBNAIL):
        picture = _thumbnail(path)
        if isinstance(picture, str):
            st.markdown(f":material/hide_image: {picture}")
        else:
            st.image(picture, width=_THUMBNAIL)
        # Names have no spaces, but a line may end after each underscore.
        st.caption(path.name.replace("_", "\\_\u200b"), help=detail)


@st.cache_data(show_spinner=False, max_entries=500)
def _thumbnail(path: Path) -> Image.Image | str:
    """Return a photograph, small; or in words why there is none."""
    if not path.is_file():
        return "The photograph is gone."
    try:
        with Image.open(path) as image:
            image.draft("RGB", (_THUMBNAIL * 2, _THUMBNAIL * 2))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((_THUMBNAIL * 2, _THUMBNAIL * 2))
            return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "Pillow can't show it."


def _show_runs(context: Context) -> None:
    runs = context.ask(
        """
        SELECT started, ended, command,
               (summary ->> 'images')::BIGINT AS images, (summary ->> 'maps')::BIGINT AS maps
        FROM runs ORDER BY started DESC
        """
    )
    if runs.height:
        with st.expander("Runs of ingest"):
            show_table(runs, "runs")


PAGE = Page(
    title="Home",
    address="",
    icon=":material/home:",
    about="What this lake holds, what was rejected and why, and how an ingest is getting on.",
    show=show,
)
