"""The paper's questions, answered from a lake as result tables next to the paper's numbers.

A question is a value of `question.Question` in a module of its subject; `questions` lists them all.

======================  ========================================================================
recognition             whether models recognise at all: errors of the lake's embeddings (scores),
                        other inputs than the entries' (probe), people redrawn (redrawn)
regions                 where models look: by model and layer (question), person (individuals) and
                        percent (thresholds), from the lake's pixel counts (shares)
similarity              how alike maps are: which pairs (groups), one person's pairs
                        against strangers' (contrasts), in one pose (canonical), compared with what
                        the image alone says (baselines)
occlusion               what hiding pixels costs: means and contrasts (averages), and faces hidden
                        to the end (curves)
rerun                   faces shown to their networks again, with pixels hidden: what occlusion,
                        person, demographics and similarity share
person                  whose the pattern is: controls, evidence, and the rule (verdict)
sanity                  checks that a map has to pass
demographics            groups of people and years between photographs: people, occluded_pairs,
                        scores
paper                   the paper's Tables 1 to 24 as data
figures, report         what is drawn of answers, and the page that shows all; overlays and sample
                        draw maps on faces
======================  ========================================================================

In a subject's package, question asks and answers, and findings puts the answer in words. What all
share: cohort (who is drawn from a large lake), statistics and estimates (intervals, as columns of
tables), likeness (of maps), findings, work (dask and progress), results (answers kept in the lake),
layouts and tables (how they are read).
"""
