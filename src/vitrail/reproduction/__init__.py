"""The source report measured again, lab by lab, as a plug-in: one run of `vitrail reproduce` makes one page."""
