/** What may stand at a placeholder: any value, or only a number, whose type does not depend on what is around it. */
export type Slot = 'any' | 'number';

/** A statement whose values are parameters: `$1` instead of `?`. */
export interface Template {
  readonly sql: string;
  readonly slots: readonly Slot[];
}

/**
 * The template of a statement of MikroORM; undefined where PostgreSQL may take a parameter for something else than the
 * literal it replaces. Then the value stays in the text:
 *
 * - Everywhere but in the places named here: beside a comparison, in the list of `in`, in the rows of an INSERT, after
 *   `limit`, `offset`, `between`, `like`. Elsewhere a literal can have a type that a parameter has not (`? is null`,
 *   `jsonb_build_object('a', ?)`), a meaning (`order by 2`), or the grammar allows no parameter (`interval ?`).
 * - With GROUP BY, DISTINCT or a window: two equal literals are one expression, two parameters are two.
 * - In `on conflict (…) where`: a plan for all values matches no partial index.
 * - In `?::interval year`: the fields say how the literal is read.
 * - In commands that take no parameters at all: SET, CREATE, NOTIFY.
 */
export function templateOf(sql: string): Template | undefined {
  const known = templates.get(sql);
  if (known !== undefined) return known === false ? undefined : known;
  const made = read(sql);
  if (templates.size >= mostTemplates) templates.clear();
  templates.set(sql, made ?? false);
  return made;
}

const templates = new Map<string, Template | false>();
const mostTemplates = 5_000;

const token =
  /\s+|'(?:[^'\\?]|'')*'|"(?:[^"?]|"")*"|[a-z_\u0080-\uffff][\w\u0080-\uffff]*|\d[\w.]*|\\\?|\?|::|[(),.[\];:]|[-+*/<>=~!@#%^&|]+/giy;

const withParameters = /^\s*(?:select|insert|update|delete|with)\b/i;
const comparesExpressions = new Set(['group', 'distinct', 'over', 'window', 'partition']);
const comparisons = new Set(['=', '<>', '!=', '<', '<=', '>', '>=', '~', '~*', '!~', '!~*', '@>', '<@', '&&', '@@']);
const comparingWords = new Set(['like', 'ilike', 'between', 'limit', 'offset']);
const fields = new Set(['year', 'month', 'day', 'hour', 'minute', 'second']);
const arithmetic = new Set(['+', '-', '*', '/']);
const mayFollow = new Set(
  `) , :: and or order limit offset returning where for from then on when end as asc desc nulls
  join left right inner full cross union except intersect`.split(/\s+/),
);

/** A pair of parentheses: the list of `in`, a row of VALUES, or anything else. */
type Group = 'list' | 'row' | 'other';

function read(sql: string): Template | undefined {
  if (!withParameters.test(sql)) return undefined;
  const seen: string[] = [];
  const groups: Group[] = [];
  const slots: Slot[] = [];
  let text = '';
  let closed: Group | undefined;
  let namesConflict = false;
  token.lastIndex = 0;
  while (token.lastIndex < sql.length) {
    const found = token.exec(sql)?.[0];
    if (found === undefined || found === ';' || found.includes('--') || found.includes('/*')) return undefined;
    const word = found.toLowerCase();
    if (word.trim() === '') {
      text += found;
      continue;
    }
    const before = seen.at(-1) ?? '';
    if (before === '?' && !mayFollow.has(word)) return undefined;
    if (word === '?') {
      const slot = namesConflict ? undefined : slotAfter(seen, groups);
      if (slot === undefined) return undefined;
      text += `$${slots.push(slot)}`;
    } else {
      text += found === '\\?' ? '?' : found;
      if (word === '(') groups.push(groupAfter(before, seen[0], groups, closed));
      else if (word === ')') closed = groups.pop();
      else if (comparesExpressions.has(word) || (before === 'interval' && fields.has(word))) return undefined;
      else if (word === 'conflict' || word === 'do') namesConflict = word === 'conflict';
      else if (word === 'select' && groups.length > 0) groups[groups.length - 1] = 'other';
    }
    seen.push(word);
  }
  return { sql: text, slots };
}

function groupAfter(before: string, command: string | undefined, groups: readonly Group[], closed?: Group): Group {
  const outer = groups.at(-1);
  if (before === 'in' || (outer === 'list' && (before === '(' || before === ','))) return 'list';
  if (outer !== undefined || command !== 'insert') return 'other';
  return before === 'values' || (before === ',' && closed === 'row') ? 'row' : 'other';
}

function slotAfter(seen: readonly string[], groups: readonly Group[]): Slot | undefined {
  const [third, second, before = ''] = [seen.at(-3), seen.at(-2), seen.at(-1)];
  const isListed = (before === '(' || before === ',') && groups.at(-1) !== undefined && groups.at(-1) !== 'other';
  if (isListed || comparingWords.has(before)) return 'any';
  if (second === '?') return before === 'and' && third === 'between' ? 'any' : undefined;
  if (comparisons.has(before)) return 'any';
  return arithmetic.has(before) ? 'number' : undefined;
}
