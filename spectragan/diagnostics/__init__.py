"""Diagnostics: how large the synthetic gap is, and what a translator leaves of it."""

from spectragan.diagnostics.drift import LabelDrift, label_drift
from spectragan.diagnostics.findings import Finding
from spectragan.diagnostics.fit_display import FitDisplay
from spectragan.diagnostics.gap import GapScores, gap_scores
from spectragan.diagnostics.history_display import TrainingHistoryDisplay
from spectragan.diagnostics.label_comparison import LabelComparison, compare_labels
from spectragan.diagnostics.label_comparison_display import LabelComparisonDisplay
from spectragan.diagnostics.label_covariance_display import LabelCovarianceDisplay
from spectragan.diagnostics.line_attribution_display import LineAttributionDisplay
from spectragan.diagnostics.report import TranslationReport, translation_report
from spectragan.diagnostics.report_display import TranslationReportDisplay
from spectragan.diagnostics.strangeness import OutOfDistribution, out_of_distribution
from spectragan.diagnostics.translation_display import TranslationDisplay
from spectragan.diagnostics.tsne import Panel, PanelScores, TSNEGap, tsne_gap
from spectragan.diagnostics.tsne_display import TSNEGapDisplay
from spectragan.lines.attribution import LineAttribution
from spectragan.lines.inventions import Inventions, find_inventions
from spectragan.lines.table import MissingLines
from spectragan.translator.scores import CycleScores, cycle_scorer, cycle_scores, pseudo_pair_score

__all__ = [
    "CycleScores",
    "Finding",
    "FitDisplay",
    "GapScores",
    "Inventions",
    "LabelComparison",
    "LabelComparisonDisplay",
    "LabelCovarianceDisplay",
    "LabelDrift",
    "LineAttribution",
    "LineAttributionDisplay",
    "MissingLines",
    "OutOfDistribution",
    "Panel",
    "PanelScores",
    "TSNEGap",
    "TSNEGapDisplay",
    "TrainingHistoryDisplay",
    "TranslationDisplay",
    "TranslationReport",
    "TranslationReportDisplay",
    "compare_labels",
    "cycle_scorer",
    "cycle_scores",
    "find_inventions",
    "gap_scores",
    "label_drift",
    "out_of_distribution",
    "pseudo_pair_score",
    "translation_report",
    "tsne_gap",
]
