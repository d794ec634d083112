import { createHash } from 'node:crypto';

/** A statement without its values: the same for all statements that differ in values alone. */
export interface StatementShape {
  /** Eight hexadecimal digits, the same in every process and version. */
  readonly id: string;
  /** One line, with `?` for each value and one `?, …` for a list of values. */
  readonly text: string;
}

export type ShapeOf = (sql: string) => StatementShape;

/** In this order: what begins earlier decides what the rest of it is. */
const tokens = new RegExp(
  [
    // A comment inside a comment is rare: what follows the outer one is left out, too.
    String.raw`(?<comment>--[^\n]*|/\*(?:(?!/\*)[\s\S])*?\*/|/\*[\s\S]*$)`,
    `(?<name>"(?:[^"]|"")*")`,
    String.raw`(?<text>\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:\b[bBxXnN]|\b[uU]&)?'(?:[^']|'')*')`,
    String.raw`(?<dollar>\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$)`,
    String.raw`(?<parameter>\$\d+|\?)`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<number>\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)`,
    String.raw`(?<unclosed>['$][\s\S]*$)`,
  ].join('|'),
  'g',
);

const longestText = 2_000;

/** The shape of `sql`. What is not closed, a text for instance, counts as a value up to the end. */
export function shapeOf(sql: string): StatementShape {
  const text = withoutValues(sql, () => '?')
    .replace(/\s+/g, ' ')
    .replace(/([([])\s*\?(?:\s*,\s*\?)+\s*([)\]])/g, '$1?, …$2')
    .replace(/(\(\?(?:, …)?\))(?:\s*,\s*\(\?(?:, …)?\))+/g, '$1, …')
    .trim();
  const id = createHash('sha256').update(text.toLowerCase()).digest('hex').slice(0, 8);
  return { id, text: text.length > longestText ? `${text.slice(0, longestText)}…` : text };
}

/** The same statement for the server, with a parameter in the place of each value that is in its text. */
export function withParameters(sql: string): string {
  let highest = 0;
  for (const [, digits] of sql.matchAll(/\$(\d+)/g)) highest = Math.max(highest, Number(digits));
  return withoutValues(sql, given => {
    if (given?.startsWith('$') === true) return given;
    highest += 1;
    return `$${highest}`;
  });
}

/** `inPlaceOf` gets a parameter as it is, and nothing of any other value. */
function withoutValues(sql: string, inPlaceOf: (parameter: string | undefined) => string): string {
  return sql.replace(tokens, (token: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Record<string, string | undefined>;
    if (groups.comment !== undefined) return ' ';
    if (groups.name !== undefined || groups.word !== undefined) return token;
    return inPlaceOf(groups.parameter);
  });
}
