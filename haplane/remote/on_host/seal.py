"""Runs on a master: the cluster's keys as a tar, encrypted by age on the way; nothing plain is written.

The argument holds the recipients, which are public; standard input the SHA-256 by path of what is to be sealed:
that and nothing else. The ciphertext goes to standard output.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile

recipients = [word for recipient in sys.argv[1].split() for word in ("-r", recipient)]
sealing = subprocess.Popen(["age", "--encrypt", *recipients], stdin=subprocess.PIPE)
pipe = sealing.stdin or sys.exit("no pipe")
with tarfile.open(fileobj=pipe, mode="w|") as archive:
    for path, digest in sorted(json.load(sys.stdin).items()):
        with open(path, "rb") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != digest:
            sealing.kill()
            sys.exit(f"{path} changed meanwhile")
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = len(content), 0o600
        archive.addfile(member, io.BytesIO(content))
pipe.close()
sys.exit(sealing.wait())
