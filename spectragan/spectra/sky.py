"""Where the Earth's atmosphere absorbs and emits: bands and lines in the frame of the observer."""

# Absorption bands in air, Angstrom: those of oxygen, water and carbon dioxide that are marked by
# Bessell 1999 (PASP 111, 1426) below 1 micron and by Smette et al. 2015 (A&A 576, A77) beyond.
# The ends are chosen here: from before the head of a band to where its lines thin out.
TELLURIC_BANDS = (
    (6270.0, 6330.0),  # O2 gamma
    (6860.0, 6970.0),  # O2 B
    (7160.0, 7400.0),  # H2O
    (7590.0, 7720.0),  # O2 A
    (8120.0, 8370.0),  # H2O
    (8930.0, 9860.0),  # H2O rho, sigma, tau
    (10980.0, 11730.0),  # H2O phi
    (12560.0, 12760.0),  # O2 infrared
    (13080.0, 15060.0),  # H2O psi
    (17400.0, 20900.0),  # H2O omega, CO2
)

# Emission lines in air, Angstrom: [O I], Na I and the brightest OH lines, from the lists of
# Osterbrock et al. 1996 (PASP 108, 277) and Osterbrock, Fulbright & Bida 1997 (PASP 109, 614);
# pairs closer than 1 Angstrom are one line at their mean.
SKY_LINES_AIR = (
    *(5577.338, 5889.950, 5895.924, 6300.304, 6363.776),
    *(6498.729, 6533.044, 6553.617, 6863.955, 6923.220, 6939.521),
    *(7276.405, 7284.439, 7303.716, 7316.282, 7329.148, 7340.885, 7358.659, 7571.746),
    *(7750.640, 7759.996, 7794.112, 7808.467, 7821.503, 7841.266, 7913.708, 7949.204, 7964.650),
    *(7993.332, 8014.059, 8025.810, 8062.179, 8310.719, 8344.602, 8382.392, 8399.170, 8415.231),
    *(8430.174, 8452.250, 8465.358, 8493.389, 8504.841, 8778.333, 8791.186, 8827.096, 8885.850),
    *(8903.114, 8919.635, 8943.395, 8958.084, 8988.366, 9001.346, 9038.057, 9375.961, 9419.729),
    *(9439.650, 9458.528, 9476.830, 9502.815, 9519.355, 9552.534, 9567.339, 9607.726, 9620.965),
)

# Emission lines in vacuum, Angstrom: bright OH lines of the H band, from Rousselot et al. 2000
# (A&A 354, 1134). Between 1 and 1.5 microns, and beyond 1.7, there are many more.
SKY_LINES_VACUUM = (
    *(15187.140, 15240.954, 15287.789, 15332.402, 15430.163, 15432.156, 15462.125, 15474.212),
    *(15539.711, 15540.945, 15546.141, 15570.159, 15597.631, 15702.539, 15862.489, 15869.307),
    *(15890.033, 15897.211, 16079.753, 16128.608, 16388.492, 16414.737, 16802.368, 16840.481),
)
