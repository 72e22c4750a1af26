"""The table of named losses; its order settles ties between losses that a formula may equal."""

from __future__ import annotations

from symloss.zoo.named_loss import Entry

__all__ = ["ENTRIES"]

_SIMPLEX = "softmax probabilities; hard or soft labels"
_TARGET = "softmax probabilities; the target's alone counts"
_LINE = "any real prediction and target"
_MARGIN = "any real margin"
# In place of 0 for coefficients that a loss divides by, or without which it vanishes or regains a kink.
_SMALL = 1e-6

CLASSIFICATION = (
    Entry(
        "ce", "classification", "-y*log(p)", _SIMPLEX,
        "Good, Rational decisions, 1952; the logarithmic score",
    ),
    Entry(
        "brier", "classification", "(y - p)**2", _SIMPLEX,
        "Brier, Verification of forecasts expressed in terms of probability, 1950, eq. 2",
    ),
    Entry(
        "mae", "classification", "abs(y - p)", _SIMPLEX,
        "Ghosh, Kumar, Sastry, Robust loss functions under label noise for deep neural networks, 2017, eq. 6",
    ),
    Entry(
        "focal", "classification", "-y*(1 - p)**gamma*log(p)", _TARGET,
        "Lin et al., Focal loss for dense object detection, 2017, eq. 4",
        {"gamma": 2.0}, {"gamma": (0.0, 20.0)}, {"gamma": (1.0, 5.0)},
    ),
    Entry(
        "lsr", "classification", "-(y*(1 - xi) + xi/C)*log(p)", _SIMPLEX,
        "Szegedy et al., Rethinking the Inception architecture for computer vision, 2016, sec. 7",
        {"xi": 0.1}, {"xi": (0.0, 1.0)}, {"xi": (0.05, 0.3)},
    ),
    Entry(
        "sparse-lsr", "classification",
        "-y*((1 - xi + xi/C)*log(p) + xi*(C - 1)/C*log((1 - p)/(C - 1)))", _TARGET,
        "Raymond et al., Meta-learning loss functions for deep neural networks, 2024: sparse label smoothing",
        {"xi": 0.1}, {"xi": (0.0, 1.0)}, {"xi": (0.05, 0.3)},
    ),
    Entry(
        "ace", "classification", "phi0*y*abs(log(phi1*p))", f"{_TARGET}; phi1 < C, or it starts downhill",
        "Raymond et al., Learning symbolic model-agnostic loss functions via meta-learning, 2023: absolute "
        "cross-entropy",
        # The default has its kink, and so its attractor, at p = 1/1.3 = 0.77.
        {"phi0": 1.0, "phi1": 1.3}, {"phi0": (_SMALL, 1e6), "phi1": (_SMALL, 1e6)}, {"phi1": (1.1, 1.6)},
    ),
    Entry(
        "gce", "classification", "y*(1 - p**q)/q", _TARGET,
        "Zhang, Sabuncu, Generalized cross entropy loss for training deep neural networks with noisy labels, "
        "2018, eq. 6",
        # q -> 0 is cross-entropy, and q = 1 half of mae.
        {"q": 0.7}, {"q": (_SMALL, 1.0)}, {"q": (0.3, 0.5, 0.9)},
    ),
    Entry(
        "smooth-ace", "classification", "phi0*y*sqrt(log(phi1*p)**2 + delta**2)",
        f"{_TARGET}; phi1 < C, or it starts downhill",
        "absolute cross-entropy (Raymond et al., 2023) with its kink at p = 1/phi1 rounded over delta",
        {"phi0": 1.0, "phi1": 1.3, "delta": 0.1},
        {"phi0": (_SMALL, 1e6), "phi1": (_SMALL, 1e6), "delta": (_SMALL, 1e6)}, {"phi1": (1.1, 1.6)},
    ),
    Entry(
        "poly1", "classification", "y*(epsilon*(1 - p) - log(p))", _TARGET,
        "Leng et al., PolyLoss: a polynomial expansion perspective of classification loss functions, 2022, "
        "eq. 5",
        # -log p = sum_j (1 - p)**j/j: epsilon changes the first coefficient, and -1 takes it away.
        {"epsilon": 1.0}, {"epsilon": (-1.0, 100.0)}, {"epsilon": (-0.5, 3.0)},
    ),
    Entry(
        # Reverse cross-entropy -sum_k p_k log y_k with log 0 = -4 and log 1 = 0 is 4 sum_k (1 - y_k) p_k.
        "sce", "classification", "-alpha*y*log(p) + 4*beta*(1 - y)*p",
        "softmax probabilities; hard labels, with the published log 0 = -4",
        "Wang et al., Symmetric cross entropy for robust learning with noisy labels, 2019, eq. 7",
        {"alpha": 0.1, "beta": 1.0}, {"alpha": (0.0, 100.0), "beta": (0.0, 100.0)}, {"alpha": (0.03, 0.5)},
    ),
    Entry(
        "baikal", "classification", "y/p - log(p)", _SIMPLEX,
        "Gonzalez, Miikkulainen, Improved training speed, accuracy, and data utilization through loss "
        "function optimization, 2020, eq. 1",
    ),
    Entry(
        "ngl", "classification", "exp(alpha - p*(1 + y)) - cos(cos(sin(p)))", _SIMPLEX,
        "Akhmedova, Körber, Next generation loss function for image classification, 2024 (arXiv 2404.12948)",
        {"alpha": 2.4092}, {"alpha": (-20.0, 20.0)},
    ),
    Entry(
        "taylorglo", "classification",
        "-(t2*(p - t1) + t3*(p - t1)**2 + t4*(p - t1)**3 + t5*(y - t0)*(p - t1)"
        " + t6*(y - t0)*(p - t1)**2 + t7*(y - t0)**2*(p - t1))/C",
        f"{_SIMPLEX}; the defaults are the expansion of cross-entropy about y = 1, p = 1/2",
        "Gonzalez, Miikkulainen, Optimizing loss functions through multivariate Taylor polynomial "
        "parameterization, 2021 (arXiv 2002.00059)",
        # Derivatives of y log p at (1, 1/2), factorials absorbed, t4 = 8/3; terms without p are left out.
        {"t0": 1.0, "t1": 0.5, "t2": 2.0, "t3": -2.0, "t4": 2.6666666667, "t5": 2.0, "t6": -2.0, "t7": 0.0},
    ),
)  # fmt: skip

MULTILABEL = (
    Entry(
        "bce", "multilabel", "-y*log(p) - (1 - y)*log(1 - p)", "sigmoid probabilities; hard or soft labels",
        "Good, Rational decisions, 1952; the logarithmic score of each label",
    ),
    Entry(
        "focal-bce", "multilabel",
        "-alpha*y*(1 - p)**gamma*log(p) - (1 - alpha)*(1 - y)*p**gamma*log(1 - p)",
        "sigmoid probabilities; hard labels",
        "Lin et al., Focal loss for dense object detection, 2017, eq. 5",
        {"alpha": 0.25, "gamma": 2.0}, {"alpha": (0.0, 1.0), "gamma": (0.0, 20.0)},
        {"alpha": (0.5,), "gamma": (1.0, 5.0)},
    ),
)  # fmt: skip

REGRESSION = (
    Entry(
        "mse", "regression", "(y - p)**2", _LINE,
        "Gauss, Theoria motus corporum coelestium, 1809: least squares",
    ),
    Entry(
        "mae", "regression", "abs(y - p)", _LINE,
        "Laplace, Mémoire sur la probabilité des causes par les événements, 1774: least absolute deviation",
    ),
    Entry(
        # m = min(r, delta), r = |y - p|: m (r - m/2) is r**2/2 below delta and delta r - delta**2/2 above. The grammar
        # has no cases, and both branches meet with equal slope.
        "huber", "regression",
        "min(abs(y - p), delta)*(abs(y - p) - min(abs(y - p), delta)/2)", _LINE,
        "Huber, Robust estimation of a location parameter, 1964",
        {"delta": 1.0}, {"delta": (_SMALL, 1e6)}, {"delta": (0.3, 2.0)},
    ),
    Entry(
        "log-cosh", "regression", "log(cosh(y - p))", _LINE,
        "Green, Bayesian reconstructions from emission tomography data, 1990",
    ),
    Entry(
        "cauchy", "regression", "c**2/2*log(1 + ((y - p)/c)**2)", _LINE,
        "Black, Anandan, The robust estimation of multiple motions, 1996: Lorentzian",
        {"c": 1.0}, {"c": (_SMALL, 1e6)}, {"c": (0.5, 2.0)},
    ),
    Entry(
        "charbonnier", "regression", "sqrt((y - p)**2 + epsilon**2)", _LINE,
        "Charbonnier et al., Two deterministic half-quadratic regularization algorithms for computed "
        "imaging, 1994",
        {"epsilon": 1.0}, {"epsilon": (_SMALL, 1e6)}, {"epsilon": (0.1, 0.3)},
    ),
    Entry(
        "geman-mcclure", "regression", "(y - p)**2/((y - p)**2 + c**2)", _LINE,
        "Geman, McClure, Bayesian image analysis: an application to single photon emission tomography, 1985",
        {"c": 1.0}, {"c": (_SMALL, 1e6)}, {"c": (0.5, 2.0)},
    ),
    Entry(
        "welsch", "regression", "c**2/2*(1 - exp(-((y - p)/c)**2))", _LINE,
        "Dennis, Welsch, Techniques for nonlinear least squares and robust regression, 1978",
        # 95 % efficiency at Gaussian residuals of unit variance.
        {"c": 2.985}, {"c": (_SMALL, 1e6)}, {"c": (1.5,)},
    ),
    Entry(
        "tukey", "regression", "c**2/6*(1 - (1 - min(((y - p)/c)**2, 1))**3)", _LINE,
        "Beaton, Tukey, The fitting of power series, meaning polynomials, illustrated on band-spectroscopic "
        "data, 1974: biweight",
        # 95 % efficiency at Gaussian residuals of unit variance; beyond c the min makes it constant.
        {"c": 4.685}, {"c": (_SMALL, 1e6)}, {"c": (2.5,)},
    ),
    Entry(
        # The larger of two lines through 0: slope tau where y > p, 1 - tau where y < p.
        "pinball", "regression", "max(tau*(y - p), (tau - 1)*(y - p))", _LINE,
        "Koenker, Bassett, Regression quantiles, 1978",
        {"tau": 0.9}, {"tau": (0.0, 1.0)},
    ),
    Entry(
        "expectile", "regression", "tau*relu(y - p)**2 + (1 - tau)*relu(p - y)**2", _LINE,
        "Newey, Powell, Asymmetric least squares estimation and testing, 1987",
        {"tau": 0.9}, {"tau": (0.0, 1.0)},
    ),
    Entry(
        "barron", "regression",
        "abs(alpha - 2)/alpha*((((y - p)/c)**2/abs(alpha - 2) + 1)**(alpha/2) - 1)",
        f"{_LINE}; alpha other than 0 and 2, where it is cauchy and half of mse",
        "Barron, A general and adaptive robust loss function, 2019, eq. 1",
        # The singularities at 0 and 2 are removable in the mathematics and not in the formula. 0 lies inside the
        # bounds, for training to pass on its way from one shape to another: within 1e-6 of it the derivative by alpha
        # is lost to rounding, that by p is not.
        {"alpha": 0.5, "c": 1.0}, {"alpha": (-10.0, 1.999), "c": (_SMALL, 1e6)}, {"alpha": (-2.0, 1.5)},
        {"alpha": {0.0: "cauchy with sqrt(2) times the c", 2.0: "mse"}},
    ),
)  # fmt: skip

MARGIN = (
    Entry(
        "logistic", "margin", "log(1 + exp(-m))", _MARGIN,
        "Cox, The regression analysis of binary sequences, 1958; of preferences Bradley, Terry, 1952, and Rafailov et "
        "al., Direct preference optimization, 2023, eq. 7",
    ),
    Entry(
        "hinge", "margin", "max(1 - m, 0)", _MARGIN,
        "Cortes, Vapnik, Support-vector networks, 1995; of preferences Zhao et al., SLiC-HF: sequence likelihood "
        "calibration with human feedback, 2023",
    ),
    Entry(
        "squared-hinge", "margin", "max(1 - m, 0)**2", _MARGIN,
        "Cortes, Vapnik, Support-vector networks, 1995: soft margins with sigma = 2",
    ),
    Entry(
        "exponential", "margin", "exp(-m)", _MARGIN,
        "Freund, Schapire, A decision-theoretic generalization of on-line learning and an application to "
        "boosting, 1997",
    ),
    Entry(
        "ipo", "margin", "(m - 1/(2*tau))**2", "any real margin; of preferences the log-ratio itself, beta = 1",
        "Azar et al., A general theoretical paradigm to understand learning from human preferences, 2023, eq. 17",
        {"tau": 0.5}, {"tau": (_SMALL, 1e6)}, {"tau": (0.1, 0.25, 1.0)},
    ),
    Entry(
        # sigmoid(-m)**2.
        "savage", "margin", "1/(1 + exp(m))**2", _MARGIN,
        "Masnadi-Shirazi, Vasconcelos, On the design of loss functions for classification, 2008: theirs in 2m",
    ),
    Entry(
        "tangent", "margin", "(2*atan(m) - 1)**2", _MARGIN,
        "Masnadi-Shirazi, Mahadevan, Vasconcelos, On the design of robust classifiers for computer vision, 2010",
    ),
    Entry(
        "sigmoid", "margin", "sigmoid(-m)", _MARGIN,
        "Mason, Baxter, Bartlett, Frean, Boosting algorithms as gradient descent, 1999; symmetric by Ghosh, Manwani, "
        "Sastry, Making risk minimization tolerant to label noise, 2015",
    ),
    Entry(
        # Capped at 2, the value at m = -1: then M(m) + M(-m) = 2 for every m.
        "ramp", "margin", "min(max(1 - m, 0), 2)", _MARGIN,
        "Collobert, Sinz, Weston, Bottou, Trading convexity for scalability, 2006, s = -1, where it is symmetric",
    ),
    Entry(
        "unhinged", "margin", "1 - m", _MARGIN,
        "van Rooyen, Menon, Williamson, Learning with symmetric label noise: the importance of being unhinged, 2015",
    ),
    Entry(
        "cdpo", "margin", "(1 - epsilon)*log(1 + exp(-m)) + epsilon*log(1 + exp(m))",
        "any real margin of labels flipped at the rate epsilon",
        "Mitchell, A note on DPO with noisy preferences and relationship to IPO, 2023: conservative DPO",
        {"epsilon": 0.1}, {"epsilon": (0.0, 0.5)}, {"epsilon": (0.2, 0.3, 0.4)},
    ),
    Entry(
        "rdpo", "margin", "((1 - epsilon)*log(1 + exp(-m)) - epsilon*log(1 + exp(m)))/(1 - 2*epsilon)",
        "any real margin of labels flipped at the rate epsilon",
        "Chowdhury, Kini, Natarajan, Provably robust DPO: aligning language models with noisy feedback, 2024; "
        "Natarajan et al., Learning with noisy labels, 2013, lemma 1",
        # The denominator vanishes at 1/2, where labels carry nothing.
        {"epsilon": 0.1}, {"epsilon": (0.0, 0.49)}, {"epsilon": (0.2, 0.3, 0.4)},
    ),
    Entry(
        "discopop", "margin",
        "(1 - sigmoid(m/tau))*log(1 + exp(-m)) + sigmoid(m/tau)*exp(-m)", _MARGIN,
        "Lu et al., Discovering preference optimization algorithms with and for large language models, 2024: the "
        "log-ratio modulated loss",
        {"tau": 0.05}, {"tau": (_SMALL, 1e6)}, {"tau": (0.2, 1.0)},
    ),
)  # fmt: skip

ENTRIES = CLASSIFICATION + MULTILABEL + REGRESSION + MARGIN
