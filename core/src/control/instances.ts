import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { KeelsonError } from '../contract/keelson-error.js';
import { summarizeError } from '../secrets/summarize-error.js';
import { ControlFolder, isListening } from './control-folder.js';
import { configDigest, environmentDigest, type Identity, parseSocketName } from './endpoint.js';
import type { ControlFailure, InstanceStatus, OperationAnswer, ReloadAnswer } from './protocol.js';

/** A running service of this user on this machine. */
export interface Instance {
  readonly pid: number;
  /** @throws KeelsonError CONTROL_NO_ANSWER when it is busy or stuck. */
  status(): Promise<InstanceStatus>;
  /** @throws KeelsonError CONTROL_NO_ANSWER, and whatever a reload throws there. */
  reload(): Promise<ReloadAnswer>;
  /** @throws KeelsonError CONTROL_NO_ANSWER, and whatever the operation throws there. */
  operate(
    plugin: string,
    operation: string,
    words: readonly string[],
    named?: Readonly<Record<string, string>>,
  ): Promise<OperationAnswer>;
}

export interface Instances {
  /** The instances of the service, sorted by process id as an estimate of their start order. */
  readonly found: readonly Instance[];
  /** Those with the same configuration that were started in another environment. */
  readonly inOtherEnvironments: readonly Instance[];
  /** Those with another configuration. */
  readonly others: readonly Instance[];
}

const statusTimeoutMs = 3_000;
/** A reload and an operation may take as long as plugins may take to start. */
const changeTimeoutMs = 35_000;

/**
 * Finds the running instances of a service. Skips sockets without a listener.
 *
 * @throws KeelsonError CONTROL_FOLDER_UNSAFE when another user may have put a socket into the folder of the sockets.
 */
export async function findInstances(identity: Identity, directory?: string): Promise<Instances> {
  const folder = new ControlFolder(directory);
  const names = folder
    .names()
    .map(parseSocketName)
    .filter(name => name !== undefined)
    .sort((a, b) => a.pid - b.pid);
  const sockets = names.map(name => ({ ...name, path: folder.socket(name.name) }));
  const listening = await Promise.all(sockets.map(({ path }) => isListening(path)));
  const alive = sockets.filter((_socket, index) => listening[index]);
  const [config, environment] = [configDigest(identity), environmentDigest(identity)];
  const configured = alive.filter(socket => socket.config === config);
  return {
    found: configured.filter(socket => socket.environment === environment).map(instanceAt),
    inOtherEnvironments: configured.filter(socket => socket.environment !== environment).map(instanceAt),
    others: alive.filter(socket => socket.config !== config).map(instanceAt),
  };
}

function instanceAt({ path, pid }: { readonly path: string; readonly pid: number }): Instance {
  const ask = (method: string, at: string, timeoutMs: number, body?: unknown) =>
    send({ path, pid, method, at, timeoutMs, body });
  return {
    pid,
    status: async () => (await ask('GET', '/status', statusTimeoutMs)) as InstanceStatus,
    reload: async () => (await ask('POST', '/reload', changeTimeoutMs)) as ReloadAnswer,
    operate: async (plugin, operation, words, named) =>
      (await ask('POST', '/operations', changeTimeoutMs, { plugin, operation, words, named })) as OperationAnswer,
  };
}

interface Question {
  readonly path: string;
  readonly pid: number;
  readonly method: string;
  readonly at: string;
  readonly timeoutMs: number;
  readonly body: unknown;
}

async function send(question: Question): Promise<unknown> {
  const answer = await receive(question).catch((error: unknown) => {
    throw noAnswer(question, error);
  });
  const { error } = (answer ?? {}) as Partial<ControlFailure>;
  if (error === undefined) return answer;
  const { code, message, hint, problems } = error;
  const facts = problems === undefined ? {} : { problems };
  throw new KeelsonError({ code: String(code), message, ...(hint !== undefined && { hint }), facts });
}

function receive({ path, method, at, timeoutMs, body }: Question): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: path, method, path: at, signal: AbortSignal.timeout(timeoutMs) };
    const outgoing = request(options, response => void json(response).then(resolve, reject));
    outgoing.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function noAnswer({ pid, timeoutMs }: Question, cause: unknown): KeelsonError {
  const tooLate = cause instanceof Error && cause.name === 'AbortError';
  const why = tooLate ? ` within ${timeoutMs} ms` : `: ${summarizeError(cause).message}`;
  return new KeelsonError({
    code: 'CONTROL_NO_ANSWER',
    message: `The instance with pid ${pid} listens, but did not answer${why}.`,
    hint: 'Check its processor time and its log: it may be busy, stopped (SIGSTOP) or ending.',
    facts: { pid, timeoutMs },
    cause,
  });
}
