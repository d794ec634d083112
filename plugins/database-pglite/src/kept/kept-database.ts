import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type PGlite, protocol } from '@electric-sql/pglite';
import { DataDirLock } from '../data-dir-lock.js';
import { folderInUse, folderNotOpened, PgliteError } from '../errors.js';
import { asIs, openFolder } from '../pglite-link.js';
import { receiveFrames, sendFrame } from './frames.js';
import { hello, refusal, toBytes, toJson, type Welcome } from './messages.js';

const { serialize } = protocol;

/** The last message of every answer: ready for a query, four bytes of length, and the status of the transaction. */
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);
const idle = 'I';

/** A process that uses the database, until it is gone and the connection is as it was. */
interface Client {
  readonly pid: number;
  readonly gone: Promise<void>;
}

/**
 * Keeps a PGlite open on a folder, and serves it to one process after the other. Each finds the connection as PostgreSQL
 * would open it. Opened for the first of them; has the lock of the folder from then on.
 */
export class KeptDatabase implements AsyncDisposable {
  readonly #dataDir: string;
  readonly #server: Server;
  #lock: DataDirLock | undefined;
  #pglite: PGlite | undefined;
  #status = idle;
  #client: Client | undefined;

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
    // A half that has been closed stays open until the connection is as it was.
    this.#server = createServer({ allowHalfOpen: true }, socket => this.#accept(socket));
  }

  /**
   * The path of a socket, or the name of a pipe.
   *
   * @throws the error of the system when nothing can listen there.
   */
  static async listen(dataDir: string, path: string): Promise<KeptDatabase> {
    const database = new KeptDatabase(dataDir);
    database.#server.listen(path);
    await once(database.#server, 'listening');
    return database;
  }

  /** Waits for the process that uses it, then closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await this.#client?.gone;
    const pglite = this.#pglite;
    this.#pglite = undefined;
    await pglite?.close();
    this.#unlock();
  }

  #accept(socket: Socket): void {
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    let client: Client | undefined;
    const serve = async (body: Uint8Array) => {
      if (client !== undefined) return sendFrame(socket, await this.#exchange(body));
      const candidate = { pid: hello.parse(toJson(body)).pid, gone };
      const welcome = await this.#welcome(candidate);
      if (welcome.is === 'open') client = candidate;
      sendFrame(socket, toBytes(welcome));
    };
    let isEnding = false;
    let work = Promise.resolve();
    receiveFrames(socket, body => {
      work = work.then(() => serve(body));
      work.catch(() => socket.destroy());
    });
    socket.on('error', () => undefined);
    const end = async () => {
      if (isEnding) return;
      isEnding = true;
      await work.catch(() => undefined);
      if (client !== undefined) {
        await this.#tidy();
        this.#client = undefined;
      }
      leave();
      socket.end();
    };
    // Whichever is first: a process that was killed sends no end.
    socket.once('end', end);
    socket.once('close', end);
  }

  async #welcome(client: Client): Promise<Welcome> {
    while (this.#client !== undefined) {
      if (isAlive(this.#client.pid)) return refusal(folderInUse(this.#dataDir, this.#client.pid));
      await this.#client.gone;
    }
    this.#client = client;
    try {
      this.#lock ??= DataDirLock.take(this.#dataDir);
      if (this.#pglite === undefined) {
        this.#pglite = await openFolder(this.#dataDir);
        this.#status = idle;
      }
      return { is: 'open' };
    } catch (error) {
      this.#client = undefined;
      this.#unlock();
      return refusal(error instanceof PgliteError ? error : folderNotOpened(this.#dataDir, error));
    }
  }

  async #exchange(request: Uint8Array): Promise<Uint8Array> {
    if (this.#pglite === undefined) throw new Error('PGlite has crashed');
    try {
      const { data } = await this.#pglite.execProtocol(request, asIs);
      const end = Buffer.from(data).subarray(-(readyForQuery.length + 1));
      if (!end.subarray(0, -1).equals(readyForQuery)) throw new Error('PGlite does not answer any more');
      this.#status = end.subarray(-1).toString();
      return data;
    } catch (error) {
      // What was committed is in the files, and the next process gets a PGlite that reads them.
      this.#pglite = undefined;
      throw error;
    }
  }

  /** Makes the connection a fresh one. */
  async #tidy(): Promise<void> {
    if (this.#pglite === undefined) return;
    try {
      if (this.#status !== idle) await this.#exchange(serialize.query('rollback'));
      await this.#exchange(serialize.query('discard all'));
    } catch {
      this.#pglite = undefined;
    }
  }

  #unlock(): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
