import type { Backend } from './backend.ts';
import type { Slot } from './commands.ts';
import { executeRows, isKnown } from './rows.ts';
import { SqlError } from './sql-error.ts';
import type { Words } from './words.ts';

/** COPY of lines of text into columns of a table. */
export interface CopyStatement {
  readonly table: string;
  readonly columns: readonly string[];
}

/** Behind the word `copy`. @throws Unreadable */
export function readCopy(words: Words): CopyStatement | undefined {
  const table = words.name();
  const columns = words.inBrackets(() => words.name());
  words.expect('from', 'stdin');
  const isThere = isKnown({
    does: 'select',
    table,
    columns,
    where: [],
    order: undefined,
    limit: undefined,
    forUpdate: false,
  });
  return isThere ? { table, columns } : undefined;
}

/** Stores the rows as they come. Gives their number. */
export async function executeCopy(on: Backend, { table, columns }: CopyStatement): Promise<number> {
  let count = 0;
  for await (const line of linesOf(on.receive(columns.length))) {
    count += 1;
    try {
      await insert(on, table, columns, line);
    } catch (error) {
      if (error instanceof SqlError) error.context ??= `COPY ${table}, line ${count}: "${line}"`;
      throw error;
    }
  }
  return count;
}

/** Each without its end. One that says that nothing follows ends them. */
async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  // A piece may end inside of a character.
  const decoder = new TextDecoder();
  let rest = '';
  let isOver = false;
  for await (const piece of pieces) {
    if (isOver) continue;
    const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      isOver ||= line === '\\.';
      if (!isOver) yield line;
    }
  }
  if (rest !== '' && !isOver) yield rest;
}

async function insert(on: Backend, table: string, columns: readonly string[], line: string): Promise<void> {
  const fields = line.split('\t');
  const missing = columns[fields.length];
  if (missing !== undefined) throw new SqlError('22P04', `missing data for column "${missing}"`);
  if (fields.length > columns.length) throw new SqlError('22P04', 'extra data after last expected column');
  const row = new Map(columns.map((column, at): [string, Slot] => [column, { literal: contentOf(fields[at] ?? '') }]));
  await executeRows(on, { does: 'insert', table, rows: [row], returning: [] }, slot =>
    'literal' in slot ? slot.literal : null,
  );
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function contentOf(field: string): string | null {
  if (field === '\\N') return null;
  return field.replace(/\\(x[\da-f]{1,2}|[0-7]{1,3}|[\s\S])/gi, (_, found: string) => {
    if (/^x./i.test(found)) return String.fromCharCode(Number.parseInt(found.slice(1), 16));
    if (/^[0-7]/.test(found)) return String.fromCharCode(Number.parseInt(found, 8));
    return escapes[found] ?? found;
  });
}
