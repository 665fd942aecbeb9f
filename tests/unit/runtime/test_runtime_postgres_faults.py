"""Which errors are the database's and what may be concluded from them."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from runtime.postgres_faults import Fault, fault_of


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        pytest.param(psycopg.OperationalError("connection refused"), Fault.LOST, id="no connection"),
        pytest.param(psycopg.InterfaceError("the connection is closed"), Fault.LOST, id="closed"),
        pytest.param(errors.AdminShutdown(), Fault.LOST, id="shutdown"),
        pytest.param(errors.CrashShutdown(), Fault.LOST, id="crash of another backend"),
        pytest.param(errors.CannotConnectNow(), Fault.LOST, id="starting"),
        pytest.param(errors.IdleInTransactionSessionTimeout(), Fault.LOST, id="idle too long"),
        pytest.param(errors.ConnectionFailure(), Fault.LOST, id="class 08"),
        pytest.param(errors.StatementCompletionUnknown(), Fault.LOST, id="unknown completion"),
        pytest.param(errors.SerializationFailure(), Fault.CONFLICT, id="serialization"),
        pytest.param(errors.DeadlockDetected(), Fault.CONFLICT, id="deadlock"),
        pytest.param(errors.LockNotAvailable(), Fault.BUSY, id="lock timeout"),
        pytest.param(errors.TooManyConnections(), Fault.BUSY, id="no free connection"),
        pytest.param(errors.QueryCanceled(), Fault.FAILED, id="statement timeout"),
        pytest.param(errors.DiskFull(), Fault.FAILED, id="disk full"),
        pytest.param(errors.ReadOnlySqlTransaction(), Fault.FAILED, id="became a standby"),
        pytest.param(errors.IoError(), Fault.FAILED, id="input or output"),
        pytest.param(errors.DataCorrupted(), Fault.FAILED, id="corrupt"),
        pytest.param(errors.UniqueViolation(), None, id="unique"),
        pytest.param(errors.UndefinedTable(), None, id="no such table"),
        pytest.param(errors.NumericValueOutOfRange(), None, id="out of range"),
        pytest.param(errors.InFailedSqlTransaction(), None, id="after an error of its own"),
        pytest.param(psycopg.ProgrammingError("cannot adapt"), None, id="cannot adapt"),
    ],
)
def test_an_error_says_whether_the_database_failed(error: psycopg.Error, fault: Fault | None) -> None:
    assert fault_of(DBAPIError("SELECT 1", None, error)) is fault


def test_a_connection_that_was_given_up_is_lost_whatever_the_error_says() -> None:
    error = DBAPIError("SELECT 1", None, errors.UniqueViolation(), connection_invalidated=True)

    assert fault_of(error) is Fault.LOST
