"""The errors of an evaluation, each a sentence for the terminal.

EvaluationError
├── CheckpointError     the directory holds no policy that can be sampled here
├── EndpointError       an endpoint answers nothing
├── CompletionsError    a file of completions cannot be used; names the line
├── SuiteError          a file of questions cannot be used; names the line
└── ResultsError        a directory holds no results, or they cannot be read
"""


class EvaluationError(Exception):
    """Base of all errors raised on purpose in this package."""


class CheckpointError(EvaluationError):
    """No policy can be sampled."""


class EndpointError(EvaluationError):
    """An endpoint answers nothing."""


class CompletionsError(EvaluationError):
    """A file of completions cannot be used."""


class SuiteError(EvaluationError):
    """A file of questions cannot be used."""


class ResultsError(EvaluationError):
    """Results are absent, or cannot be read."""
