"""A renewed certificate is used without a signal."""

import ssl

from harness.certificates import Authority
from harness.waiting import wait_until


def put_secret(volume, version, files):
    """
    Replaces the files of a Secret as the kubelet does: the links stay, and a link in the middle gets a new target.
    """
    (volume / version).mkdir(parents=True)
    for name, file in zip(("tls.crt", "tls.key"), files):
        (volume / version / name).write_bytes(file.read_bytes())
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    (volume / "..next").symlink_to(version)
    (volume / "..next").rename(volume / "..data")


def test_a_renewed_secret_of_kubernetes_is_used_without_a_signal(make_hooksd, tmp_path):
    authority, volume = Authority(tmp_path, "authority"), tmp_path / "volume"
    put_secret(volume, "..first", authority.issue("localhost"))
    daemon = make_hooksd(TLS_CERT_FILE=volume / "tls.crt", TLS_KEY_FILE=volume / "tls.key", ACCEPTORS=1)
    daemon.tls = ssl.create_default_context(cafile=authority.certificate)
    daemon.start()

    def shown():
        with daemon.raw(tls=daemon.tls) as connection:
            return connection.socket.getpeercert(binary_form=True)

    old = shown()
    put_secret(volume, "..second", authority.issue("localhost"))
    wait_until(lambda: shown() != old, "the new certificate", 20)
    assert daemon.log().count("the files of TLS have been replaced") == 1
