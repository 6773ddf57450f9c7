import pytest

from harness.certificates import Authority
from harness.postgres import PostgresServer
from harness.webhooks import clean_up, make_hookline
from node import NodeReceiver, install


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "customers")


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    directory = tmp_path_factory.mktemp("node")
    install(directory)
    return directory


@pytest.fixture(scope="session")
def hookline(tmp_path_factory, authority):
    server = PostgresServer()
    server.start()
    hookline = make_hookline(tmp_path_factory.mktemp("hookline"), "postgres", server.new_database(),
                             HL_ALLOW_NETWORKS="loopback", SSL_CERT_FILE=authority.certificate)
    try:
        hookline.start()
        yield hookline
    finally:
        clean_up([hookline])
        server.remove()


@pytest.fixture(scope="session", params=["http", "http2"])
def receiver(request, packages, authority):
    arguments = [] if request.param == "http" else authority.issue("localhost")
    receiver = NodeReceiver(packages, "localhost", request.param, *arguments)
    yield receiver
    receiver.end()
