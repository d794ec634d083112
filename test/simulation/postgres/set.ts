import type { Backend } from './backend.ts';
import { isolationNamed, type Modes, modesIn, setModes } from './modes.ts';
import { canonical, unknownSetting } from './settings.ts';
import { SqlError } from './sql-error.ts';
import { type Column, typeNumbers } from './wire.ts';
import { Unreadable, type Words } from './words.ts';

/** SET, RESET, SHOW and DISCARD. */
export type SetStatement =
  | { readonly does: 'set'; readonly name: string; readonly value: string | null; readonly isLocal: boolean }
  | { readonly does: 'reset'; readonly name: string }
  | { readonly does: 'reset all' }
  | { readonly does: 'set transaction'; readonly modes: Modes }
  | { readonly does: 'show'; readonly name: string }
  | { readonly does: 'discard all' };

/** Undefined for another statement. @throws Unreadable */
export function readSet(words: Words): SetStatement | undefined {
  if (words.skips('discard', 'all')) return { does: 'discard all' };
  if (words.skips('reset', 'all')) return { does: 'reset all' };
  if (words.skips('reset')) return { does: 'reset', name: settingIn(words) };
  if (words.skips('show')) return { does: 'show', name: settingIn(words) };
  if (!words.skips('set')) return undefined;
  const isLocal = words.skips('local');
  if (!isLocal) words.skips('session');
  if (words.skips('transaction')) return { does: 'set transaction', modes: modesIn(words) };
  if (words.skips('role')) return { does: 'set', name: 'role', value: valueIn(words), isLocal };
  if (words.skips('time', 'zone')) return { does: 'set', name: 'TimeZone', value: valueIn(words), isLocal };
  const name = settingIn(words);
  if (!words.skips('=')) words.expect('to');
  const values = words.list(() => valueIn(words));
  return { does: 'set', name, value: values.includes(null) ? null : values.join(', '), isLocal };
}

function settingIn(words: Words): string {
  if (words.skips('time', 'zone')) return 'TimeZone';
  if (words.skips('transaction', 'isolation', 'level')) return 'transaction_isolation';
  const parts = [words.name()];
  while (words.skips('.')) parts.push(words.name());
  return parts.join('.');
}

/** Null for the default. */
function valueIn(words: Words): string | null {
  if (words.skips('default')) return null;
  const { is, value } = words.take();
  if (is === 'sign' || is === 'parameter') throw new Unreadable();
  return value;
}

const described = new WeakMap<SetStatement, readonly Column[]>();

export function columnsOfSet(statement: SetStatement): readonly Column[] {
  const before = described.get(statement);
  if (before !== undefined) return before;
  const columns = statement.does === 'show' ? [{ name: statement.name, type: typeNumbers.text }] : [];
  described.set(statement, columns);
  return columns;
}

export interface SetAnswer {
  readonly tag: string;
  readonly shown?: string;
}

/** One that is not `alone` is part of another statement. */
export function executeSet(on: Backend, statement: SetStatement, alone: boolean): SetAnswer {
  const isLost = alone && !on.isBlock;
  switch (statement.does) {
    case 'set':
      if (statement.isLocal && isLost) on.warn('25P01', 'SET LOCAL can only be used in transaction blocks');
      setSetting(on, statement.name, statement.value, statement.isLocal);
      return { tag: 'SET' };
    case 'reset':
      setSetting(on, statement.name, null, false);
      return { tag: 'RESET' };
    case 'reset all':
      on.settings.resetAll();
      return { tag: 'RESET' };
    case 'set transaction':
      if (isLost) on.warn('25P01', 'SET TRANSACTION can only be used in transaction blocks');
      setModes(on, statement.modes);
      return { tag: 'SET' };
    case 'show': {
      const shown = shownSetting(on, statement.name);
      if (shown === undefined) throw unknownSetting(statement.name);
      return { tag: 'SHOW', shown };
    }
    case 'discard all':
      if (on.isBlock) throw new SqlError('25001', 'DISCARD ALL cannot run inside a transaction block');
      on.discardAll();
      return { tag: 'DISCARD ALL' };
  }
}

/** Undefined for one that is not known. */
export function shownSetting(on: Backend, name: string): string | undefined {
  switch (name.toLowerCase()) {
    case 'transaction_isolation':
      return on.current().isolation;
    case 'transaction_read_only':
      return onOrOff(on.isReadOnlyTransaction);
    case 'transaction_deferrable':
      return onOrOff(on.isDeferrableTransaction);
    case 'in_hot_standby':
      return onOrOff(on.server.isStandby);
    default:
      return on.settings.shown(name);
  }
}

function onOrOff(is: boolean): string {
  return is ? 'on' : 'off';
}

/** Null goes back to what it was without SET. @throws SqlError */
export function setSetting(on: Backend, name: string, value: string | null, isLocal: boolean): void {
  const modes = modesOf(on, name.toLowerCase(), value);
  if (modes !== undefined) {
    setModes(on, modes);
    return;
  }
  if (name.toLowerCase() === 'role' && value !== null && value !== 'none' && value !== on.user)
    throw new SqlError('22023', `role "${value}" does not exist`);
  on.settings.set(name, value, isLocal);
}

/** Of a setting that is one of the transaction alone. */
function modesOf(on: Backend, name: string, value: string | null): Modes | undefined {
  const of = (fallback: string) => canonical(name, value ?? on.settings.get(fallback) ?? '');
  switch (name) {
    case 'transaction_isolation':
      return { isolation: isolationNamed(of('default_transaction_isolation')) };
    case 'transaction_read_only':
      return { readOnly: of('default_transaction_read_only') === 'on' };
    case 'transaction_deferrable':
      return { deferrable: of('default_transaction_deferrable') === 'on' };
    default:
      return undefined;
  }
}
