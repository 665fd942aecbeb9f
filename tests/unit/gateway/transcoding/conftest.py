"""An application over everything.proto that prints only what is set."""

import pytest

from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder


@pytest.fixture(scope="session")
def compact() -> Profile:
    return Profile(json=JsonOptions(unset=Unset.OMIT))


@pytest.fixture(scope="session")
def client(compact: Profile) -> AsgiClient:
    return AsgiClient(transcoder(profile=compact))
