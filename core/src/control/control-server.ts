import { renameSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Problem } from '../config/problem.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import { maskTextsIn } from '../secrets/mask-values.js';
import { summarizeError } from '../secrets/summarize-error.js';
import { ControlFolder, isListening, unavailable } from './control-folder.js';
import { type Identity, newSocketName, parseSocketName } from './endpoint.js';
import { http } from './node-http.js';
import type { ControlFailure, ControlRoutes } from './protocol.js';

export interface ControlServerOptions {
  readonly identity: Identity;
  /** Where the folder of the sockets is. Default: the temporary folder of the system. */
  readonly directory?: string;
  /** Answers by method and path: `GET /status`. */
  readonly routes: ControlRoutes;
}

const longestBodyBytes = 65_536;

/**
 * Lets only the user who runs a service inspect and control it: HTTP over a Unix socket (a named pipe on
 * Windows) in a folder that only this user can enter. Never listens on the network.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    // Whichever way the process ends, but for a crash.
    process.once('exit', this.#remove);
  }

  /**
   * Removes what services that crashed have left, and listens.
   *
   * @throws KeelsonError CONTROL_FOLDER_UNSAFE, CONTROL_PATH_TOO_LONG or CONTROL_UNAVAILABLE.
   */
  static async open({ identity, directory, routes }: ControlServerOptions): Promise<ControlServer> {
    const folder = new ControlFolder(directory);
    folder.make();
    const path = folder.socket(newSocketName(identity, process.pid));
    const server = http.createServer(
      { requestTimeout: 5_000 },
      (request, response) => void answer(routes, request, response),
    );
    try {
      await listen(server, path);
    } catch (error) {
      throw unavailable(path, error);
    }
    void removeStale(folder);
    return new ControlServer(path, server);
  }

  /** Stops answering and removes the socket. */
  async close(): Promise<void> {
    process.off('exit', this.#remove);
    this.#remove();
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #remove = (): void => removeSocket(this.path);
}

/** The path of a socket file before its server listens; the file gets its final name afterwards. */
async function listen(server: Server, path: string): Promise<void> {
  const isPipe = process.platform === 'win32';
  const first = isPipe ? path : path.replace(/\.sock$/, '.new');
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(first, resolve);
  });
  server.unref();
  if (!isPipe) renameSync(first, path);
}

async function removeStale(folder: ControlFolder): Promise<void> {
  try {
    const sockets = folder.names().filter(name => parseSocketName(name) !== undefined);
    for (const path of sockets.map(name => folder.socket(name))) if (!(await isListening(path))) removeSocket(path);
  } catch {
    // Another one is cleaning up as well, or has gone meanwhile.
  }
}

function removeSocket(path: string): void {
  if (process.platform === 'win32') return;
  try {
    rmSync(path, { force: true });
  } catch {
    // What stays is removed by the next start.
  }
}

async function answer(routes: ControlRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, json } = await resultOf(routes, request);
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(json);
}

/** Answers with every error: no request of an operator may end the service. */
async function resultOf(routes: ControlRoutes, request: IncomingMessage): Promise<{ status: number; json: string }> {
  try {
    const route = routes[`${request.method} ${request.url}`];
    const given = await bodyOf(request);
    if (route === undefined) throw new Error(`There is no ${request.url}.`);
    return { status: 200, json: JSON.stringify(maskTextsIn(await route(given))) };
  } catch (error) {
    return { status: 409, json: JSON.stringify(maskTextsIn(failureOf(error))) };
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > longestBodyBytes) throw new Error('The request is too large.');
  }
  return text === '' ? undefined : JSON.parse(text);
}

function failureOf(error: unknown): ControlFailure {
  if (!isKeelsonError(error)) return { error: { code: 'failed', ...summarizeError(error) } };
  const { code, message, hint, facts } = error;
  const problems = code === 'KERNEL_PLAN_INVALID' ? (facts.problems as readonly Problem[] | undefined) : undefined;
  return { error: { code, message, ...(hint !== undefined && { hint }), ...(problems && { problems }) } };
}
