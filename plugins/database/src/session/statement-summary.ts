/** Comments and quoted texts, in the order in which they come; one that does not end reaches to the end. */
const values =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|\be'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)/gi;
const name = String.raw`(?:"?[a-z_][a-z0-9_]{0,62}"?\.)?"?([a-z_][a-z0-9_]{0,62})"?`;
/** Behind FROM, a name with a parenthesis is a function; behind INTO, one with its columns. */
const targets = new RegExp(
  String.raw`\b(?:(?:into|update|table|merge\s+into|copy|call)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)?${name}|from\s+(?:only\s+)?${name}(?!\w|"?\s*[.(]))`,
  'gi',
);
const queryName = /(?:\bwith(?:\s+recursive)?|,)\s*"?(\w+)"?\s+as\b/gi;
const longest = 2_000;
const longestMemory = 500;
const known = new Map<string, StatementSummary>();

export interface StatementSummary {
  /** `SELECT`; behind a WITH, that of the main part; `OTHER` for a text that begins with no word. */
  readonly command: string;
  /** The first table of the command, without quotes; undefined when there is none with a plain name. */
  readonly table: string | undefined;
  /** `SELECT orders`. */
  readonly text: string;
}

/**
 * Sums a statement up for a span: its command and its first table. Nothing else of the text is kept, so no value is. The
 * summaries of texts that come again are remembered.
 */
export function summaryOf(sql: string): StatementSummary {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const summary = summarized(sql);
  if (known.size >= longestMemory) known.clear();
  if (sql.length <= longest) known.set(sql, summary);
  return summary;
}

function summarized(sql: string): StatementSummary {
  const text = sql.slice(0, longest).replaceAll(values, ' ');
  const first = /^[\s;(]*([a-z]{2,20})\b/i.exec(text)?.[1]?.toUpperCase() ?? 'OTHER';
  const { command, table } = first === 'WITH' ? mainPart(text) : { command: first, table: tablesIn(text)[0] };
  return { command, table, text: table === undefined ? command : `${command} ${table}` };
}

/** What stands behind the queries of a WITH. Those have names, too; they are no tables. */
function mainPart(text: string): Pick<StatementSummary, 'command' | 'table'> {
  const outer = withoutParentheses(text);
  const main = /\b(?:select|insert|update|delete|merge)\b[\s\S]*/i.exec(outer)?.[0] ?? '';
  const queries = new Set([...outer.matchAll(queryName)].map(match => match[1]));
  const table = [...tablesIn(main), ...tablesIn(text)].find(each => !queries.has(each));
  return { command: /^[a-z]+/i.exec(main)?.[0].toUpperCase() ?? 'WITH', table };
}

function withoutParentheses(text: string): string {
  const less = text.replaceAll(/\([^()]*\)/g, ' ');
  return less === text ? text : withoutParentheses(less);
}

function tablesIn(text: string): string[] {
  return [...text.matchAll(targets)].flatMap(([, one, other]) => one ?? other ?? []);
}
