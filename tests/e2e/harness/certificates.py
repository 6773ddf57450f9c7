"""A certificate authority of the test's own, made with openssl."""

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


class Authority:
    def __init__(self, directory, name):
        self.directory = directory
        self.name = name
        self.certificate, self.key = self._make(name, "basicConstraints = critical, CA:TRUE")

    def issue(self, host):
        """Paths of a server's certificate for this host name, and of its key."""
        return self._make(
            host, f"subjectAltName = DNS:{host}", "-CA", self.certificate, "-CAkey", self.key)

    def _make(self, name, extensions, *args):
        config, certificate, key = (self.directory / f"{self.name}-{name}.{ending}" for ending in ("conf", "crt", "key"))
        config.write_text(CONFIG.format(name=name, extensions=extensions))
        subprocess.run(
            ["openssl", "req", "-x509", "-config", config, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-keyout", key, "-out", certificate, *args],
            check=True, capture_output=True, timeout=30)
        return certificate, key
