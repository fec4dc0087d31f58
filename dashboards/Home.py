"""The entry of the dashboards: ``streamlit run dashboards/Home.py -- --lake LAKE``."""  # noqa: N999

import sys
from pathlib import Path

# Streamlit puts this file's folder on the path, and not the one that the packages lie in.
_packages = str(Path(__file__).resolve().parent.parent)
if _packages not in sys.path:
    sys.path.append(_packages)

from dashboards.shell import show_app  # noqa: E402

show_app(sys.argv[1:])
