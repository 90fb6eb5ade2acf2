"""`python -m skysail.selector`."""

import sys

from skysail.selector import main

sys.exit(main())
