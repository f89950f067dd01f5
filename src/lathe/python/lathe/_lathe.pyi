# The types of the extension. What a dictionary holds is a TypedDict here and a plain dict in fact.
import os
from typing import Any, Callable, Literal, Optional, Sequence, TypedDict, Union, final, overload

import numpy as np
import numpy.typing as npt

__version__: str

Path = Union[str, os.PathLike[str]]
Floats = npt.NDArray[np.float64]
Numbers = Union[Sequence[float], npt.NDArray[Any]]
ArchFunction = Callable[[list[Arch]], Numbers]
Kind = Literal["ridge", "additive", "linear"]
Stem = Literal["cifar", "imagenet"]
Strategy = Literal[
    "all-targets", "vanilla", "top-down", "bottom-up", "top-down-as-coded", "bottom-up-as-coded",
    "cold", "random", "ows", "pareto", "lagrangian", "greedy", "uniform",
]

class Decision(TypedDict):
    group: str
    index: int
    values: list[float]

class Task(TypedDict):
    in_channels: int
    num_classes: int
    input_size: int

class LatencyError(TypedDict):
    samples: int
    mape: float
    rmse_ms: float
    spearman: float
    kendall: float
    within_5: float
    within_10: float

class PredictorError(TypedDict):
    samples: int
    rmse_points: float
    bias_points: float
    kendall: float
    spearman: float

class LatencySamples(TypedDict):
    archs: list[Arch]
    median_ms: Floats
    p90_ms: Floats
    repeats: npt.NDArray[np.int64]
    fingerprint: dict[str, Any]
    unfinished: bool

class AccuracySamples(TypedDict):
    archs: list[Arch]
    accuracy: Floats
    soft_accuracy: Floats
    conditions: dict[str, Any]
    unfinished: bool

class TimedArch(TypedDict):
    arch: Arch
    predicted_ms: float

class ReachableRange(TypedDict):
    fastest: TimedArch
    slowest: TimedArch

class Candidate(TypedDict):
    arch: Arch
    predicted_ms: float
    predicted_accuracy: float

class TargetResult(TypedDict):
    target_ms: float
    feasible: bool
    minimum_ms: float
    arch: Optional[Arch]
    predicted_ms: Optional[float]
    predicted_accuracy: Optional[float]
    candidates: list[Candidate]
    evaluations: int
    seconds: float
    provenance: str
    error: Optional[float]
    bound: Optional[float]

class GenerationTrace(TypedDict):
    generation: int
    evaluations: int
    best_accuracy: list[float]
    first_target: int

class SearchResult(TypedDict):
    targets: list[TargetResult]
    front: list[Candidate]
    evaluations: int
    seconds: float
    trace: list[GenerationTrace]

class Error(RuntimeError): ...

@final
class Arch:
    def __init__(self, choices: Sequence[int]) -> None: ...
    @property
    def choices(self) -> tuple[int, ...]: ...
    def __eq__(self, other: object) -> bool: ...
    def __ne__(self, other: object) -> bool: ...
    def __lt__(self, other: Arch) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Rng:
    def __init__(self, seed: int) -> None: ...
    def below(self, bound: int) -> int: ...
    def uniform(self) -> float: ...
    def normal(self) -> float: ...

class Space:
    @property
    def name(self) -> str: ...
    @property
    def task(self) -> Task: ...
    @property
    def input_sizes(self) -> list[int]: ...
    @property
    def decisions(self) -> list[Decision]: ...
    @property
    def num_nets(self) -> float: ...
    @property
    def encoding_size(self) -> int: ...
    def smallest(self) -> Arch: ...
    def largest(self) -> Arch: ...
    def sample(self, rng: Rng) -> Arch: ...
    def mutate(self, arch: Arch, rate: float, rng: Rng) -> Arch: ...
    def crossover(self, a: Arch, b: Arch, rng: Rng) -> Arch: ...
    def canonical(self, arch: Arch) -> Arch: ...
    def equivalents(self, arch: Arch) -> list[Arch]: ...
    def input_size(self, arch: Arch) -> int: ...
    def to_dict(self, arch: Arch) -> dict[str, Any]: ...
    def from_dict(self, arch: dict[str, Any]) -> Arch: ...
    @overload
    def encode(self, arch: Arch) -> npt.NDArray[np.float32]: ...
    @overload
    def encode(self, archs: Sequence[Arch]) -> npt.NDArray[np.float32]: ...
    @overload
    def macs(self, arch: Arch) -> int: ...
    @overload
    def macs(self, archs: Sequence[Arch]) -> npt.NDArray[np.int64]: ...
    @overload
    def params(self, arch: Arch) -> int: ...
    @overload
    def params(self, archs: Sequence[Arch]) -> npt.NDArray[np.int64]: ...
    @overload
    def peak_memory_bytes(self, arch: Arch) -> int: ...
    @overload
    def peak_memory_bytes(self, archs: Sequence[Arch]) -> npt.NDArray[np.int64]: ...
    @overload
    def block_keys(self, arch: Arch) -> list[str]: ...
    @overload
    def block_keys(self) -> list[str]: ...
    def part(self, lowest: Arch, highest: Arch) -> Subspace: ...

class Subspace(Space):
    def to_whole(self, arch: Arch) -> Arch: ...
    def from_whole(self, arch: Arch) -> Arch: ...
    def contains(self, whole_arch: Arch) -> bool: ...

@final
class LatencyModel:
    @property
    def space(self) -> Space: ...
    @property
    def is_sum(self) -> bool: ...
    @property
    def fingerprint(self) -> Optional[dict[str, Any]]: ...
    @property
    def validation(self) -> Optional[LatencyError]: ...
    @overload
    def predict_ms(self, arch: Arch) -> float: ...
    @overload
    def predict_ms(self, archs: Sequence[Arch]) -> Floats: ...
    def error(self, archs: Sequence[Arch], measured_ms: Numbers) -> LatencyError: ...
    def calibrated(self, archs: Sequence[Arch], measured_ms: Numbers) -> LatencyModel: ...
    def for_part(self, part: Subspace) -> LatencyModel: ...
    def save(self, path: Path) -> None: ...

@final
class AccuracyPredictor:
    @property
    def space(self) -> Space: ...
    @overload
    def predict(self, arch: Arch) -> float: ...
    @overload
    def predict(self, archs: Sequence[Arch]) -> Floats: ...
    def error(self, archs: Sequence[Arch], accuracy: Numbers) -> PredictorError: ...

def space(
    name_or_file: str,
    *,
    in_channels: Optional[int] = None,
    num_classes: Optional[int] = None,
    input_size: Optional[int] = None,
    resolutions: Optional[Sequence[int]] = None,
    stem: Optional[Stem] = None,
    init_channels: Optional[int] = None,
    cells: Optional[int] = None,
    auxiliary: bool = False,
) -> Space: ...
def space_names() -> list[str]: ...
def load_models(
    name: str,
    *,
    latency: Optional[Path] = None,
    accuracy: Optional[Path] = None,
    in_channels: Optional[int] = None,
    num_classes: Optional[int] = None,
    input_size: Optional[int] = None,
    resolutions: Optional[Sequence[int]] = None,
    stem: Optional[Stem] = None,
    init_channels: Optional[int] = None,
    cells: Optional[int] = None,
    auxiliary: bool = False,
) -> tuple[Space, Optional[LatencyModel], Optional[AccuracyPredictor]]: ...
def load_latency_model(space: Space, path: Path) -> LatencyModel: ...
def block_table(
    space: Space,
    coefficients_ms: dict[str, float],
    *,
    bias_ms: float = 0.0,
    fingerprint: Optional[dict[str, Any]] = None,
) -> LatencyModel: ...
def fit_latency_model(
    kind: Kind,
    space: Space,
    archs: Sequence[Arch],
    measured_ms: Numbers,
    *,
    fingerprint: Optional[dict[str, Any]] = None,
    seed: int = 0,
) -> LatencyModel: ...
def cross_validated_error(
    kind: Kind,
    space: Space,
    archs: Sequence[Arch],
    measured_ms: Numbers,
    *,
    folds: int = 5,
    seed: int = 0,
) -> Optional[LatencyError]: ...
def read_latency_samples(space: Space, path: Path) -> LatencySamples: ...
def load_accuracy_predictor(space: Space, path: Path) -> AccuracyPredictor: ...
def read_accuracy_samples(space: Space, path: Path) -> AccuracySamples: ...
def search(
    space: Space,
    *,
    latency: Union[LatencyModel, ArchFunction],
    accuracy: Union[AccuracyPredictor, ArchFunction],
    targets_ms: Sequence[float],
    strategy: Strategy = "all-targets",
    effort: Literal["fast", "normal", "thorough"] = "normal",
    seed: int = 0,
    candidates: int = 1,
    max_macs: Optional[float] = None,
    max_params: Optional[float] = None,
    max_memory_mb: Optional[float] = None,
    max_evaluations: int = 0,
    budget_s: float = 0.0,
    population: int = 100,
    generations: int = 500,
    followup_generations: int = 0,
    mutation_prob: float = 0.1,
    parent_ratio: float = 0.25,
    mutation_ratio: float = 0.5,
) -> SearchResult: ...
def strategy_names() -> list[str]: ...
def reachable_range(
    space: Space, latency: Union[LatencyModel, ArchFunction], *, seed: int = 0
) -> ReachableRange: ...
