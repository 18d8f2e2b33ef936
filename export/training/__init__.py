"""Networks learn a golden part: pictures turned, epochs that survive a kill, curves on one page."""
