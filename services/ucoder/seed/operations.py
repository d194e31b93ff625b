"""The catalogue of all operations, and what may follow what."""

from ucoder.seed import numbers, strings
from ucoder.seed.operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (*numbers.LISTS, *numbers.TOTALS, *numbers.SINGLES, *strings.TEXTS, *strings.LISTS)
}

BY_SOURCE: dict[str, tuple[Operation, ...]] = {
    source: tuple(operation for operation in OPERATIONS.values() if operation.source == source)
    for source in sorted({operation.source for operation in OPERATIONS.values()})
}

BY_PHRASE: dict[tuple[str, str], Operation] = {
    (operation.source, phrase): operation for operation in OPERATIONS.values() for phrase in operation.phrases
}
