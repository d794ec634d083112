import { PGlite } from '@electric-sql/pglite';
import { createInMemory } from './memory-databases.js';
import { inMemory } from './options.js';
import type { WireMessage } from './wire-messages.js';

export type OnNotification = (channel: string, payload: string) => void;

/** Carries messages of PostgreSQL's protocol to one PGlite, and its answers back. */
export interface PgliteLink {
  /**
   * Resolves to the answer, as soon as PGlite is ready for more.
   *
   * @throws Error when PGlite has crashed; it cannot be used any more.
   */
  exchange(request: Uint8Array): Promise<readonly WireMessage[]>;
  /** Calls `listener` with each message of a channel that the connection listens to. The result ends that. */
  onNotification(listener: OnNotification): () => void;
  /** All that is stored now, as `openHere` takes it. No statement may run meanwhile. */
  dump(): Promise<Blob>;
  close(): Promise<void>;
}

/**
 * Opens a PGlite in this process. A database in memory begins as `dump` has it.
 *
 * @throws the error of PGlite when the folder is unusable or holds other files.
 */
export async function openHere(dataDir: string, dump?: Blob): Promise<PgliteLink> {
  const pglite = dataDir === inMemory ? await createInMemory(dump) : await openFolder(dataDir);
  return {
    async exchange(request) {
      const { messages } = await pglite.execProtocol(request, asIs);
      return messages as unknown as readonly WireMessage[];
    },
    onNotification: listener => pglite.onNotification(listener),
    dump: () => pglite.dumpDataDir('none'),
    close: () => pglite.close(),
  };
}

/** Errors are messages as others are, and the files of a folder are written without a copy. */
export const asIs = { throwOnError: false, syncToFs: false };

/** @throws an Error, whatever PGlite throws. */
export async function openFolder(dataDir: string): Promise<PGlite> {
  try {
    return await PGlite.create({ dataDir: `file://${dataDir}` });
  } catch (error) {
    throw error instanceof Error ? error : new Error(String(Reflect.get(Object(error), 'message')));
  }
}
