import type { Backend } from './backend.ts';
import { notify } from './listen.ts';
import { setSetting, shownSetting } from './set.ts';
import { unknownSetting } from './settings.ts';
import { typeNumbers } from './wire.ts';

interface Known {
  readonly type: number;
  /** How many values it may be given. */
  readonly takes: readonly number[];
  readonly call: (on: Backend, of: readonly (string | null)[]) => string | null;
}

const { bool, int4, text, void: nothing } = typeNumbers;

/** Functions that an expression may call, by their names. */
export const functions: Readonly<Record<string, Known>> = {
  current_setting: {
    type: text,
    takes: [1, 2],
    call: (on, [name = null, mayBeMissing]) => {
      if (name === null) return null;
      const value = shownSetting(on, name);
      if (value === undefined && mayBeMissing !== 't') throw unknownSetting(name);
      return value ?? null;
    },
  },
  set_config: {
    type: text,
    takes: [3],
    call: (on, [name = null, value = null, isLocal = null]) => {
      setSetting(on, name ?? '', value, isLocal === 't');
      return shownSetting(on, name ?? '') ?? null;
    },
  },
  pg_notify: {
    type: nothing,
    takes: [2],
    call: (on, [channel = null, payload = null]) => {
      notify(on, channel, payload);
      return '';
    },
  },
  pg_backend_pid: { type: int4, takes: [0], call: on => String(on.pid) },
  pg_is_in_recovery: { type: bool, takes: [0], call: on => (on.server.isStandby ? 't' : 'f') },
  current_user: { type: typeNumbers.name, takes: [0], call: on => currentUser(on) },
  session_user: { type: typeNumbers.name, takes: [0], call: on => on.user },
  current_database: { type: typeNumbers.name, takes: [0], call: on => on.database },
};

function currentUser(on: Backend): string {
  const role = on.settings.get('role') ?? 'none';
  return role === 'none' ? on.user : role;
}
