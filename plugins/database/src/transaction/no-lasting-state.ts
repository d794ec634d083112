import { commandPattern, forTransaction, lastingPartOf, leavesState, partPattern } from '../driver/lasting-state.js';
import { LastingStateError } from '../errors/session-errors.js';
import { statementsIn } from './transaction-commands.js';

/** What it does is read in its own text; what it executes is not known. */
const block = /^\s*do\b/i;

/**
 * What in a text of one or several statements leaves a state that outlives the transaction: `SET`, `LISTEN`, `TEMPORARY`;
 * undefined when nothing is seen to. Where a connection is merely replaced, `leavesState` is asked, which is quicker to say so.
 */
export function lastingStateIn(text: string): string | undefined {
  const inBlock = block.test(text) ? lastingPartOf(text) : undefined;
  if (inBlock !== undefined) return wordIn(inBlock);
  return statementsIn(text)
    .map(stateIn)
    .find(found => found !== undefined);
}

/** @throws LastingStateError for a statement that leaves a state. */
export function assertLeavesNoState(sql: string): void {
  if (!leavesState(sql)) return;
  const by = lastingStateIn(sql);
  if (by !== undefined) throw new LastingStateError({ by });
}

function stateIn(sql: string): string | undefined {
  const [command] = commandPattern.exec(sql) ?? [];
  if (command !== undefined) return wordIn(command);
  const [part] = partPattern.exec(sql.replaceAll(forTransaction, '')) ?? [];
  return part && wordIn(part);
}

function wordIn(text: string): string {
  const [word = ''] = /with\s+hold|[a-z_]{3,}/i.exec(text.replace(/^\s*create(?:\s+or\s+replace)?|^into/i, '')) ?? [];
  return word.replace(/\s+/, ' ').toUpperCase();
}
