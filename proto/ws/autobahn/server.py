# Autobahn's fuzzing server, for Python 2.7: what wstest -m fuzzingserver serves, but on
# 127.0.0.1 only, on a port that the kernel picks, and with reports in JSON only.
#
#   server.py SPEC.json
#
# SPEC.json is wstest's: outdir, cases, exclude-cases, and for TLS key and cert, which
# are paths. When it listens it prints one line of JSON, {"port": N, "cases": ["1.1.1", ...]},
# and it serves until its standard input ends, so that it never outlives its parent.
from __future__ import print_function

import json
import os
import sys

# What the suite prints goes to standard error; standard output is for the one line.
answer, sys.stdout = sys.stdout, sys.stderr

from twisted.internet import protocol, reactor, ssl, stdio  # noqa: E402
from autobahntestsuite.fuzzing import FuzzingServerFactory  # noqa: E402


class Factory(FuzzingServerFactory):
    def createReports(self, produceHtml=False, produceJson=True):
        FuzzingServerFactory.createReports(self, produceHtml=False, produceJson=True)


class Parent(protocol.Protocol):
    """The other end of standard input."""

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


def main(spec):
    secure = bool(spec.get("key"))
    url = ("wss" if secure else "ws") + "://127.0.0.1:%d"
    factory = Factory(dict(spec, url=url % 1))
    missing = [c for c in factory.specCases if c not in factory.CaseSet.CasesById]
    if missing or not factory.specCases:
        sys.exit("no such case: %s" % (" ".join(missing) or " ".join(spec["cases"])))
    if secure:
        context = ssl.DefaultOpenSSLContextFactory(spec["key"], spec["cert"])
        listening = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
    else:
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
    port = listening.getHost().port
    factory.setSessionParameters(url=url % port, server="AutobahnTestSuite")
    stdio.StandardIO(Parent())
    json.dump({"port": port, "cases": factory.specCases}, answer)
    answer.write("\n")
    answer.flush()
    answer.close()
    reactor.run()


if len(sys.argv) != 2:
    sys.exit("usage: %s SPEC.json" % os.path.basename(sys.argv[0]))
with open(sys.argv[1]) as f:
    main(json.load(f))
