import type { Backend } from './backend.ts';
import { executeRows } from './rows.ts';
import { SqlError } from './sql-error.ts';
import type { Given, Insert } from './syntax.ts';
import { definitionOf } from './tables.ts';
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
  return definitionOf(table) === undefined ? undefined : { table, columns };
}

/** Stores the rows as they come. Gives their number. */
export async function executeCopy(on: Backend, { table, columns }: CopyStatement): Promise<number> {
  const insert = insertInto(table, columns);
  let count = 0;
  for await (const line of linesOf(on.receive(columns.length))) {
    count += 1;
    try {
      await executeRows(on, insert, fieldsOf(line, columns));
    } catch (error) {
      if (error instanceof SqlError) error.context ??= `COPY ${table}, line ${count}: "${line}"`;
      throw error;
    }
  }
  return count;
}

/** One row, of parameters. */
function insertInto(table: string, columns: readonly string[]): Insert {
  const row = columns.map((_, at): Given => ({ is: 'value', slot: { parameter: at } }));
  return { does: 'insert', into: { table, alias: table }, columns, rows: [row], conflict: undefined, returning: [] };
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

function fieldsOf(line: string, columns: readonly string[]): readonly (string | null)[] {
  const fields = line.split('\t');
  const missing = columns[fields.length];
  if (missing !== undefined) throw new SqlError('22P04', `missing data for column "${missing}"`);
  if (fields.length > columns.length) throw new SqlError('22P04', 'extra data after last expected column');
  return fields.map(contentOf);
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
