"""Drives the OpenFeature providers of flagd and OFREP for Python, as a user would install them, for the system tests.

One JSON command a line on standard input, one JSON answer a line on standard output, in order; logs go to standard
error. A command that fails is answered with {"error": ...}; the process goes on. The commands:

    {"op": "ready", "protocol", "host", "port", "timeout_s"}
                                                        waits until the provider is READY; again: until it is READY again;
                                                        forgets the changes so far, with the one that names every flag
                                                        when a stream opens; protocol is flagd or ofrep
    {"op": "boolean" | "string" | "integer" | "float" | "object", "key", "default", "targetingKey", "attributes"}
    {"op": "wait_change", "key", "timeout_s"}           waits for a PROVIDER_CONFIGURATION_CHANGED that names the key;
                                                        one that came since the last such wait for this key counts
    {"op": "close"}                                     ends the process, as the end of the input does

The providers keep their defaults (flagd: resolver rpc, cache on), because that is what users have; the environment is
cleared of FLAGD_* and OFREP_* so that only the command decides where it connects.
"""

import json
import os
import sys
import threading
import time

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.provider import ProviderStatus

DEFAULT_TIMEOUT_S = 15.0
# How long a new stream is given to name every flag; one without flags names none.
OPENING_S = 1.0


class Driver:
    """One provider and what it has said so far."""

    def __init__(self):
        self.client = None
        # Whether the provider tells of changes.
        self.events = True
        self.changed = set()
        # Whether the open stream has told of any change.
        self.heard = False
        self.news = threading.Condition()

    def ready(self, command):
        """Makes the provider at the first call; every call waits until it is READY."""
        if self.client is None:
            api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, self.on_change)
            api.add_handler(ProviderEvent.PROVIDER_READY, self.on_ready)
            for event in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_ERROR):
                api.add_handler(event, self.on_lost)
            self.events = command.get("protocol") != "ofrep"
            api.set_provider(provider(command))
            self.client = api.get_client()
        reached = self.wait(command, lambda: self.client.get_provider_status() == ProviderStatus.READY)
        if reached and self.events:
            self.wait({"timeout_s": OPENING_S}, lambda: self.heard)
            with self.news:
                self.changed.clear()
        return {"ready": reached, "status": self.client.get_provider_status().value}

    def evaluate(self, command):
        """Evaluates one flag, with everything that the SDK tells about it."""
        client = self.connected()
        resolve = {
            "boolean": client.get_boolean_details,
            "string": client.get_string_details,
            "integer": client.get_integer_details,
            "float": client.get_float_details,
            "object": client.get_object_details,
        }[command["op"]]
        context = EvaluationContext(command.get("targetingKey"), command.get("attributes") or {})
        details = resolve(command["key"], command["default"], context)
        return {
            "value": details.value,
            "variant": details.variant,
            "reason": text(details.reason),
            "errorCode": text(details.error_code),
            "errorMessage": details.error_message,
            "metadata": dict(details.flag_metadata or {}),
        }

    def wait_change(self, command):
        """Waits for a change of one flag and consumes it."""
        self.connected()
        key = command["key"]
        seen = self.wait(command, lambda: key in self.changed)
        with self.news:
            self.changed.discard(key)
        return {"changed": seen}

    def connected(self):
        """The client, or an error that says which command was missing."""
        if self.client is None:
            raise RuntimeError("not connected: send ready first")
        return self.client

    def wait(self, command, holds):
        """Waits until holds() is true; says whether it came to be in time."""
        deadline = time.monotonic() + float(command.get("timeout_s", DEFAULT_TIMEOUT_S))
        with self.news:
            while not holds():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                # The SDK sets a status and runs handlers in no promised order, so look again now and then.
                self.news.wait(min(left, 0.1))
            return True

    def on_change(self, details):
        """Remembers which flags changed."""
        with self.news:
            self.heard = True
            self.changed.update(details.flags_changed or [])
            self.news.notify_all()

    def on_ready(self, _details):
        """Wakes whoever waits for a status."""
        with self.news:
            self.news.notify_all()

    def on_lost(self, _details):
        """The next stream begins anew."""
        with self.news:
            self.heard = False
            self.news.notify_all()


def provider(command):
    """The provider of the protocol that the command names."""
    host, port = command["host"], command["port"]
    if command.get("protocol") == "ofrep":
        return OFREPProvider(f"http://{host}:{port}")
    return FlagdProvider(host=host, port=port)


def text(value):
    """An enum as its name on the wire, anything else as it is."""
    return getattr(value, "value", value)


def main():
    for name in [name for name in os.environ if name.startswith(("FLAGD_", "OFREP_"))]:
        del os.environ[name]
    driver = Driver()
    operations = {
        "ready": driver.ready,
        "boolean": driver.evaluate,
        "string": driver.evaluate,
        "integer": driver.evaluate,
        "float": driver.evaluate,
        "object": driver.evaluate,
        "wait_change": driver.wait_change,
    }
    for line in sys.stdin:
        try:
            command = json.loads(line)
            if command["op"] == "close":
                print(json.dumps({"closed": True}), flush=True)
                break
            if command["op"] not in operations:
                raise ValueError(f"unknown op {command['op']!r}")
            answer = operations[command["op"]](command)
        except Exception as error:  # every failure is an answer: the test decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    api.shutdown()
    # The provider's threads may be waiting to reconnect; nothing is left to be said.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
