# For `.`: the environment that all the tools share. Run from the top of the checkout.
cache=$PWD/.cache
export PATH="$PWD/tools/path:$cache/venv/bin:$PATH"
# Nothing is read from or written to the collections of whoever runs this.
# PYHOST_COLLECTIONS: where Ansible and the unit tests find pyhost.web; the installed artifact, or tools/checkout.
export ANSIBLE_HOME="$cache/ansible" ANSIBLE_COLLECTIONS_PATH="${PYHOST_COLLECTIONS:-$cache/collections}"

# As a user's own configuration may have it; neither changes what the roles do.
export ANSIBLE_PIPELINING=true ANSIBLE_PYTHON_INTERPRETER=auto_silent

# What builds on a test host need to reach the package index as this machine does.
PYHOST_CONTROLLER_CA=${PIP_CERT:-${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-}}}
export PYHOST_CONTROLLER_CA
PYHOST_BUILD_ENV=$(python3 - <<'PYTHON'
import json, os
names = ("PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")
values = {name: os.environ[name] for name in names if os.environ.get(name)}
if os.environ["PYHOST_CONTROLLER_CA"]:
    values |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), "/etc/ssl/certs/pyhost-controller.pem")
print(json.dumps(values))
PYTHON
)
export PYHOST_BUILD_ENV

# Borders break the lines of a log after 80 columns.
export MOLECULE_COMMAND_BORDERS=false
