import type { DatabaseCapability, IsolationLevel, Row } from '@keelson/database';

/** What a server, or what is in front of it, has said of itself and shown that it can do. */
export interface Found {
  /** All of `version()`; empty when it was not answered. */
  versionText: string;
  /** `server_version`: `18.1 (Debian 18.1-1)`. */
  serverVersion: string;
  /** Of the backend that has answered. */
  backendPid: number | undefined;
  /** Of the connection that it was asked over, as the handshake gave it; null when it gave none. */
  backendKey: number | null | undefined;
  isReadCommitted: boolean;
  /** The settings of the role say that its sessions are read-only. */
  isRoleReadOnly: boolean;
  /** What is found in the catalogs of the products that are built on PostgreSQL. */
  marks: ReadonlySet<Mark>;
  /** The limits that hold when a session says nothing else, in ms, by the name of the setting. */
  limits: ReadonlyMap<string, { readonly ms: number; readonly isOfStartup: boolean }>;
  /** The answer to `lastingQuestion`; undefined when it was refused. */
  lasting: Row | undefined;
  readonly isolationLevels: Set<IsolationLevel>;
  /** Why a capability was not found, when it was looked for. */
  readonly lacks: Map<DatabaseCapability, string>;
}

export type Mark = 'citus' | 'aurora' | 'alloydb' | 'neon';

export function nothingFound(): Found {
  return {
    versionText: '',
    serverVersion: '',
    backendPid: undefined,
    backendKey: undefined,
    isReadCommitted: false,
    isRoleReadOnly: false,
    marks: new Set(),
    limits: new Map(),
    lasting: undefined,
    isolationLevels: new Set(),
    lacks: new Map(),
  };
}
