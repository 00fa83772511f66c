"""A service that knows OpenFeature and OpenTelemetry and nothing else: no Tidegate library, no report of its own.

Each request is a server span in which a flag is evaluated; the hook of the OpenFeature project adds the evaluation to the
span, and the OTLP exporter sends the span to the agent. What fails is drawn from the number of the request.

    service.py FLAGD_PORT OTLP_PORT FLAG TREATMENT_FAILURES CONTROL_FAILURES REQUESTS_A_SECOND

It runs until its standard input ends, and prints one line of JSON a second: how many requests it has served.
"""

import json
import sys
import threading
import time

from openfeature import api
from openfeature.contrib.hook.opentelemetry import TracingHook
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.evaluation_context import EvaluationContext
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

USERS = 397


def drawn(number):
    """A number in 0..1 that looks drawn (a multiplicative hash)."""
    return (number * 2654435761 % 2**32) / 2**32


def main():
    flagd_port, otlp_port, flag = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    failures = {True: float(sys.argv[4]), False: float(sys.argv[5])}
    pause_s = 1.0 / float(sys.argv[6])

    tracing = TracerProvider(resource=Resource.create({"service.name": "checkout"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{otlp_port}", insecure=True, compression=None)
    tracing.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    trace.set_tracer_provider(tracing)
    tracer = trace.get_tracer("checkout")

    api.set_provider_and_wait(FlagdProvider(host="127.0.0.1", port=flagd_port))
    api.add_hooks([TracingHook()])
    client = api.get_client()

    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    number, told = 0, time.monotonic()
    while not stopped.is_set():
        number += 1
        user = EvaluationContext(f"user-{number % USERS}")
        with tracer.start_as_current_span("GET /checkout", kind=SpanKind.SERVER) as span:
            treated = client.get_boolean_value(flag, False, user)
            failed = drawn(number) < failures[treated]
            span.set_attribute("http.response.status_code", 500 if failed else 200)
            if failed:
                span.set_attribute("error.type", "TimeoutOfTheDatabase")
                span.set_status(Status(StatusCode.ERROR))
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            print(json.dumps({"requests": number}), flush=True)
        time.sleep(pause_s)
    tracing.shutdown()
    api.shutdown()


main()
