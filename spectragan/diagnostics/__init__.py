"""Diagnostics: how large the synthetic gap is, and what a translator leaves of it."""

from spectragan.diagnostics.fit_display import FitDisplay
from spectragan.diagnostics.gap import GapScores, gap_scores
from spectragan.diagnostics.history_display import TrainingHistoryDisplay
from spectragan.diagnostics.invented_features import Inventions
from spectragan.diagnostics.inventions import find_inventions
from spectragan.diagnostics.label_comparison import LabelComparison, compare_labels
from spectragan.diagnostics.label_comparison_display import LabelComparisonDisplay
from spectragan.diagnostics.label_covariance_display import LabelCovarianceDisplay
from spectragan.diagnostics.line_attribution import LineAttribution
from spectragan.diagnostics.line_attribution_display import LineAttributionDisplay
from spectragan.diagnostics.missing_lines import MissingLines
from spectragan.diagnostics.panels import Panel
from spectragan.diagnostics.translation_display import TranslationDisplay
from spectragan.diagnostics.tsne import PanelScores, TSNEGap, tsne_gap
from spectragan.diagnostics.tsne_display import TSNEGapDisplay
from spectragan.estimators.cycle import CycleScores, cycle_scores
from spectragan.estimators.pseudo_score import pseudo_pair_score

__all__ = [
    "CycleScores",
    "FitDisplay",
    "GapScores",
    "Inventions",
    "LabelComparison",
    "LabelComparisonDisplay",
    "LabelCovarianceDisplay",
    "LineAttribution",
    "LineAttributionDisplay",
    "MissingLines",
    "Panel",
    "PanelScores",
    "TSNEGap",
    "TSNEGapDisplay",
    "TrainingHistoryDisplay",
    "TranslationDisplay",
    "compare_labels",
    "cycle_scores",
    "find_inventions",
    "gap_scores",
    "pseudo_pair_score",
    "tsne_gap",
]
