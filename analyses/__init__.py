"""The paper's questions, answered from a lake: result tables beside the paper's own numbers.

A question is a value of `question.Question` in a module of its subject; `questions` lists them all.

======================  ========================================================================
regions                 where models look: by model and layer (question), person (individuals) and
                        percent (thresholds), from the lake's pixel counts (shares)
similarity              how alike maps are: which pairs (groups), by what measure (bhattacharyya,
                        earth_mover), what pairs say of people (pairwise), in one pose (canonical),
                        beside what the image alone says (baselines)
occlusion               faces hidden and embedded again: what is tried (experiment, masks, fills),
                        on which chips by which network (chips, running), the work (hiding), what
                        comes of it (verification, drops, averages, curves)
person                  whose the pattern is: controls, evidence, and the rule (verdict)
sanity                  checks that a map has to pass
demographics            groups of people and years between photographs: people, occluded_pairs,
                        scores
paper                   the paper's Tables 1 to 24 as data
figures, report         what is drawn of answers, and the page that shows all; overlays and sample
                        draw maps on faces
======================  ========================================================================

In a subject's package, question asks and answers, and findings puts the answer in words. What all
share: cohort (who is drawn from a large lake), statistics, findings, work (dask and progress),
results (answers kept in the lake), layouts and tables (how they are read).
"""
