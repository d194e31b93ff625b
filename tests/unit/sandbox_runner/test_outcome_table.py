"""Tests of the outcome table: the guest's words and the table name the same statuses."""

import re
from pathlib import Path

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.outcome_table import ALLOWED_STATUSES, OUTCOME_OF

HOST_ALONE = {
    Outcome.TIMEOUT_WALL, Outcome.CRASHED, Outcome.NONDETERMINISTIC, Outcome.INFRA_ERROR, Outcome.UNCONFIRMED
}  # fmt: skip


def test_the_table_has_the_guests_words_and_those_of_the_host() -> None:
    assert set(OUTCOME_OF) == protocol.STATUSES | HOST_ALONE
    assert not protocol.STATUSES & HOST_ALONE
    assert set(OUTCOME_OF.values()) == set(Outcome)


def test_every_status_of_the_guest_is_accepted_for_some_kind_of_test_and_no_other_is() -> None:
    assert frozenset().union(*ALLOWED_STATUSES.values()) == protocol.STATUSES
    forgeable = {kind for kind, statuses in ALLOWED_STATUSES.items() if protocol.PASSED in statuses}
    assert forgeable == {protocol.JUDGE, protocol.PLAIN}


def test_the_javascript_runner_uses_the_same_words() -> None:
    runner = Path(protocol.__file__).with_name("javascript_runner.js").read_text()
    said = set(re.findall(r"status = '(\w+)'", runner)) | set(re.findall(r"failed = \['(\w+)'", runner))
    assert said == {protocol.OK, protocol.EXCEPTION, protocol.OUTPUT_LIMIT, protocol.OUT_OF_MEMORY}
    assert said <= ALLOWED_STATUSES[protocol.CALL]
