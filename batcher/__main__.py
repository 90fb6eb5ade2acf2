"""`python -m skysail.batcher`."""

import sys

from skysail.batcher import main

sys.exit(main())
