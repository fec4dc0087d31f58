"""The paper's questions, answered from a lake: result tables beside the paper's own numbers."""
