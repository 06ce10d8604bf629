"""Storage keys out of a prefect-aws block, resolved as the API does it, against a real Prefect and a real storage."""

import subprocess
import sys

import pytest

from octavo.directory import DataDirectory
from octavo.objects.embedded import load_keys
from tests.acceptance.stack import Stack, clean_environment

SAVE = """
import sys
from pydantic import SecretStr
from prefect_aws import AwsCredentials, MinIOCredentials
kind, name, access_key, secret_key = sys.argv[1:]
if kind == "minio-credentials":
    block = MinIOCredentials(minio_root_user=access_key, minio_root_password=SecretStr(secret_key))
else:
    block = AwsCredentials(
        aws_access_key_id=access_key, aws_secret_access_key=SecretStr(secret_key), region_name="us-east-1"
    )
block.save(name, overwrite=True)
"""
USE = """
from api.orchestrator.credentials import storage_access
from octavo.objects.s3 import S3Objects
from octavo.settings import read_settings
access = storage_access(read_settings().storage)
objects = S3Objects(access)
objects.write("in/cust_block/2026-01-01/file_block", b"by the block", "text/plain")
print(objects.read("in/cust_block/2026-01-01/file_block", max_bytes=100).decode(), access.region)
"""


def run(stack: Stack, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(**stack.prefect_environment, **more)
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("kind", ["aws-credentials", "minio-credentials"])
def test_a_prefect_aws_block_supplies_the_keys_of_storage(stack: Stack, kind: str) -> None:
    keys = load_keys(stack.data / "secrets" / "storage_keys")
    saved = run(stack, SAVE, kind, "octavo-storage", keys.access_key, keys.secret_key)
    assert saved.returncode == 0, saved.stderr
    endpoint = f"http://127.0.0.1:{DataDirectory(stack.data).notes()['storage_port']}"
    used = run(
        stack,
        USE,
        OCTAVO_STORAGE__ENDPOINT_URL=endpoint,
        OCTAVO_STORAGE__CREDENTIALS_BLOCK=f"{kind}/octavo-storage",
    )
    assert used.stdout == "by the block us-east-1\n", used.stderr


def test_a_block_of_another_kind_is_refused_with_what_to_give(stack: Stack) -> None:
    used = run(
        stack,
        USE,
        OCTAVO_STORAGE__ENDPOINT_URL="http://127.0.0.1:9",
        OCTAVO_STORAGE__CREDENTIALS_BLOCK="slack-webhook/octavo",
    )
    assert used.returncode != 0
    assert "give aws-credentials/NAME or minio-credentials/NAME" in used.stderr
