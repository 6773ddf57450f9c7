"""A certificate authority for one test, made with openssl."""

import subprocess

CONFIG = """
[req]
distinguished_name = name
prompt = no
x509_extensions = extensions
[name]
CN = {name}
[extensions]
{extensions}
"""


EXPIRED = """
[ca]
default_ca = own
[own]
database = {directory}/index
new_certs_dir = {directory}
default_md = sha256
rand_serial = yes
policy = names
x509_extensions = extensions
[names]
commonName = supplied
[extensions]
subjectAltName = DNS:{host}
"""


class Authority:
    """issuer: the authority that signs this authority's certificate. None: a self-signed certificate."""

    def __init__(self, directory, name, issuer=None):
        self.directory = directory
        self.name = name
        signed_by = ("-CA", issuer.certificate, "-CAkey", issuer.key) if issuer else ()
        self.certificate, self.key = self._make(name, "basicConstraints = critical, CA:TRUE", *signed_by)

    def issue(self, host):
        """Returns the paths of a server's certificate for this host name and of its key."""
        return self._make(
            host, f"subjectAltName = DNS:{host}", "-CA", self.certificate, "-CAkey", self.key)

    def issue_expired(self, host):
        """The same for a certificate that expired years ago."""
        _, key = self.issue(host)
        request, expired, config = (self.directory / f"{self.name}-{host}.{ending}" for ending in ("csr", "expired.crt", "ca"))
        config.write_text(EXPIRED.format(directory=self.directory, host=host))
        (self.directory / "index").touch()
        subprocess.run(
            ["openssl", "req", "-new", "-key", key, "-subj", f"/CN={host}", "-out", request], check=True, capture_output=True, timeout=30)
        subprocess.run(
            ["openssl", "ca", "-batch", "-config", config, "-cert", self.certificate, "-keyfile", self.key, "-startdate",
             "20200101000000Z", "-enddate", "20200201000000Z", "-in", request, "-out", expired],
            check=True, capture_output=True, timeout=30)
        return expired, key

    def _make(self, name, extensions, *args):
        config, certificate, key = (self.directory / f"{self.name}-{name}.{ending}" for ending in ("conf", "crt", "key"))
        config.write_text(CONFIG.format(name=name, extensions=extensions))
        subprocess.run(
            ["openssl", "req", "-x509", "-config", config, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-keyout", key, "-out", certificate, *args],
            check=True, capture_output=True, timeout=30)
        return certificate, key
