"""Every secret of a cluster, and a search for them as anybody on a machine could do it."""

import base64
import json
import subprocess

COLLECT = r"""
import json, os, re
found, public = {}, ""
for top in ("/etc/kubernetes", "/etc/etcd", "/etc/haplane", "/var/lib/kubelet/pki"):
    for directory, _, names in os.walk(top):
        for path in (os.path.join(directory, name) for name in names):
            with open(path, errors="replace") as file:
                text = file.read()
            words = re.findall(r"client-key-data: (\S+)", text) + re.findall(r'"secret": "([^"]+)"', text)
            for body in re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)-----END", text):
                words += [line for line in body.split() if len(line) >= 32]
            if top == "/etc/haplane" and not os.stat(path).st_mode & 0o077:
                words += re.findall(r"[A-Za-z0-9+/=_-]{16,}", text)
            if path.endswith((".pub", ".crt")):
                public += text
            if words:
                found[path] = words
# A private key holds its public half too, which is no secret.
print(json.dumps({path: [word for word in words if word not in public] for path, words in found.items()}))
"""
SEARCH = r"""
import json, os, stat, subprocess, sys
asked = json.load(sys.stdin)
secrets = {place: [word.encode() for word in words] for place, words in asked["secrets"].items()}
patterns = os.memfd_create("patterns")
os.write(patterns, b"\n".join(word for words in secrets.values() for word in words))
paths = []
for directory, names, files in os.walk("/"):
    names[:] = [name for name in names if os.path.join(directory, name) not in ("/proc", "/sys", "/dev")]
    for path in (os.path.join(directory, name) for name in files):
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_ctime >= asked["since"] and status.st_size < 20 << 20:
            paths.append(path)
for process in os.listdir("/proc"):
    if process.isdecimal():
        paths += ["/proc/" + process + "/cmdline", "/proc/" + process + "/environ"]
found = set()
for at in range(0, len(paths), 500):
    search = ["grep", "-saFlZ", "-f", "/proc/self/fd/%d" % patterns, "--", *paths[at : at + 500]]
    said = subprocess.run(search, pass_fds=[patterns], stdout=subprocess.PIPE).stdout
    for path in said.decode().split("\0")[:-1]:
        with open(path, "rb") as file:
            text = file.read()
        found.update((path, place) for place, words in secrets.items() if any(word in text for word in words))
print(json.dumps(sorted(found)))
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", SEARCH)


def secrets_of(lab, name):
    """The host's secrets, as their owner sees them: by file, the words that must be nowhere else."""
    said = lab.run(name, f"python3 - <<'END'\n{COLLECT}\nEND")
    assert said.returncode == 0, said.stderr
    return {f"{name}:{path}": words for path, words in json.loads(said.stdout).items()}


def bootstrap_tokens(lab):
    """Those the cluster knows, by their names."""
    listed = json.loads(lab.kubectl("get", "secrets", "--namespace=kube-system", "--output=json"))["items"]
    return {
        item["metadata"]["name"]: [base64.b64decode(item["data"]["token-secret"]).decode()]
        for item in listed
        if item["type"] == "bootstrap.kubernetes.io/token"
    }


def in_other_clothes(secrets):
    """Each word also in base64, at each of its three alignments, and in hexadecimal."""
    return {place: [form for word in words for form in forms(word)] for place, words in secrets.items()}


def forms(word):
    data = word.encode()
    shifted = [base64.b64encode(b"\0" * shift + data).decode() for shift in (0, 1, 2)]
    return [word, data.hex(), *(text[4:].rstrip("=")[:-2] for text in shifted)]


def in_text(text, secrets):
    """The places of the secrets that a text holds."""
    return sorted(place for place, words in secrets.items() if any(word in text for word in words))


def readable_by_anybody(secrets, since, there=lambda *words: words):
    """(file, place) for every file changed since then that any user can read, and every process's arguments.

    ``there`` makes of a command the one that runs it on the machine in question.
    """
    asked = json.dumps({"secrets": secrets, "since": since})
    done = subprocess.run(there(*NOBODY), input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]
