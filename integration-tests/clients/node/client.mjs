// Drives the OpenFeature providers of flagd and OFREP for Node, as a user would install them, for the system tests.
//
// One JSON command a line on standard input, one JSON answer a line on standard output, in order; logs go to standard
// error. A command that fails is answered with {"error": ...}; the process goes on. The commands:
//
//     {"op": "ready", "protocol", "host", "port", "timeout_s"}
//                                                        waits until the provider is READY; again: until it is READY again;
//                                                        forgets the changes so far, with the one that names every flag
//                                                        when a stream opens; protocol is flagd or ofrep
//     {"op": "boolean" | "string" | "integer" | "float" | "object", "key", "default", "targetingKey", "attributes"}
//     {"op": "wait_change", "key", "timeout_s"}          waits for a PROVIDER_CONFIGURATION_CHANGED that names the key;
//                                                        one that came since the last such wait for this key counts
//     {"op": "close"}                                    ends the process, as the end of the input does
//
// The providers keep their defaults (flagd: resolver rpc, cache on), because that is what users have; the environment is
// cleared of FLAGD_* and OFREP_* so that only the command decides where it connects.

import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';

import { FlagdProvider } from '@openfeature/flagd-provider';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature, ProviderEvents, ProviderStatus } from '@openfeature/server-sdk';

const DEFAULT_TIMEOUT_S = 15;
// How long a new stream is given to name every flag; one without flags names none.
const OPENING_S = 1;

// One provider and what it has said so far.
const news = new EventEmitter();
const changed = new Set();
// Whether the open stream has told of any change.
let heard = false;
// Whether the provider tells of changes.
let events = true;
let client;

const operations = {
  // Makes the provider at the first call; every call waits until it is READY.
  async ready(command) {
    if (!client) {
      client = OpenFeature.getClient();
      // Listened to on the client, and before the provider is set, so that no event is missed.
      client.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
        heard = true;
        for (const key of details?.flagsChanged ?? []) changed.add(key);
        news.emit('news');
      });
      client.addHandler(ProviderEvents.Ready, () => news.emit('news'));
      for (const event of [ProviderEvents.Stale, ProviderEvents.Error]) {
        // The next stream begins anew.
        client.addHandler(event, () => {
          heard = false;
          news.emit('news');
        });
      }
      events = command.protocol !== 'ofrep';
      const provider = events
        ? new FlagdProvider({ host: command.host, port: command.port })
        : new OFREPProvider({ baseUrl: `http://${command.host}:${command.port}` });
      // An agent that is not there yet makes the first attempt fail; the provider goes on trying and says when it is ready.
      OpenFeature.setProviderAndWait(provider).catch((error) => console.error(`first attempt: ${error.message}`));
    }
    const reached = await holds(command, () => client.providerStatus === ProviderStatus.READY);
    if (reached && events) {
      await holds({ timeout_s: OPENING_S }, () => heard);
      changed.clear();
    }
    return { ready: reached, status: client.providerStatus };
  },

  async boolean(command) {
    return answerOf(await connected().getBooleanDetails(command.key, command.default, contextOf(command)));
  },

  async string(command) {
    return answerOf(await connected().getStringDetails(command.key, command.default, contextOf(command)));
  },

  async integer(command) {
    return answerOf(await connected().getNumberDetails(command.key, command.default, contextOf(command)));
  },

  async float(command) {
    return answerOf(await connected().getNumberDetails(command.key, command.default, contextOf(command)));
  },

  async object(command) {
    return answerOf(await connected().getObjectDetails(command.key, command.default, contextOf(command)));
  },

  // Waits for a change of one flag and consumes it.
  async wait_change(command) {
    connected();
    const seen = await holds(command, () => changed.has(command.key));
    changed.delete(command.key);
    return { changed: seen };
  },
};

// The client, or an error that says which command was missing.
function connected() {
  if (!client) throw new Error('not connected: send ready first');
  return client;
}

function contextOf({ targetingKey, attributes }) {
  const context = { ...attributes };
  if (targetingKey !== undefined && targetingKey !== null) context.targetingKey = targetingKey;
  return context;
}

// Everything that the SDK tells about one evaluation.
function answerOf({ value, variant, reason, errorCode, errorMessage, flagMetadata }) {
  return {
    value,
    variant: variant ?? null,
    reason: reason ?? null,
    errorCode: errorCode ?? null,
    errorMessage: errorMessage ?? null,
    metadata: flagMetadata ?? {},
  };
}

// Waits until test() is true; says whether it came to be in time.
async function holds(command, test) {
  const deadline = Date.now() + 1000 * (command.timeout_s ?? DEFAULT_TIMEOUT_S);
  while (!test()) {
    const left = deadline - Date.now();
    if (left <= 0) return false;
    // The SDK sets a status and runs handlers in no promised order, so look again now and then.
    await new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        news.off('news', wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(left, 100));
      news.on('news', wake);
    });
  }
  return true;
}

for (const name of Object.keys(process.env)) {
  if (name.startsWith('FLAGD_') || name.startsWith('OFREP_')) delete process.env[name];
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const command = JSON.parse(line);
    if (command.op === 'close') {
      answer = { closed: true };
    } else if (Object.hasOwn(operations, command.op)) {
      answer = await operations[command.op](command);
    } else {
      throw new Error(`unknown op ${JSON.stringify(command.op)}`);
    }
  } catch (error) {
    // Every failure is an answer: the test decides what it means.
    answer = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (answer.closed) break;
}
// The provider may be waiting to reconnect; nothing is left to be said.
process.stdout.write('', () => process.exit(0));
