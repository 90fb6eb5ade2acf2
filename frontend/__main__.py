"""`python -m skysail.frontend`."""

import sys

from skysail.frontend import main

sys.exit(main())
