"""Certificates for one test: an authority, a host and a client of it, and somebody else's client."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER, CLIENT, OTHER = "server", "client", "other"
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def certificates(folder: Path, address: str) -> None:
    """`server` holds QEMU's names for the files, `client` and `other` those of libvirt's clients."""
    ours, theirs = _Authority("ours"), _Authority("theirs")
    ours.issue(folder / SERVER, address, ("ca-cert.pem", "server-cert.pem", "server-key.pem"))
    names = ("cacert.pem", "clientcert.pem", "clientkey.pem")
    ours.issue(folder / CLIENT, None, names)
    theirs.issue(folder / OTHER, None, names)


class _Authority:
    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        built = self._builder(self._name, self._key)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = built.add_extension(usage, critical=True).sign(
            self._key, hashes.SHA256()
        )

    def issue(self, folder: Path, address: str | None, names: tuple[str, str, str]) -> None:
        """Authority's certificate, own certificate, own key, under those names."""
        folder.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address or "yui")])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if address else ExtendedKeyUsageOID.CLIENT_AUTH
        built = self._builder(subject, key).add_extension(
            x509.ExtendedKeyUsage([purpose]), critical=False
        )
        if address:
            where = x509.IPAddress(ipaddress.ip_address(address))
            built = built.add_extension(x509.SubjectAlternativeName([where]), critical=False)
        certificate = built.sign(self._key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        parts = (self._certificate.public_bytes(pem), certificate.public_bytes(pem), private)
        for name, part in zip(names, parts, strict=True):
            (folder / name).write_bytes(part)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(_BEGIN + timedelta(days=365 * 40))
        )
